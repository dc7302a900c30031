"""The gradients of a small convolution, term by term, as *Convolutional Neural Network* (A. A.
Umar) writes them: `derivation` makes the sums, `checks` compares them, `written` writes them down.
"""
