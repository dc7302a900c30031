"""The gradients of a small convolution, written out term by term by the chain rule.

The example, its notation and its order are those of *Convolutional Neural Network* (A. A. Umar).
Reading order, each module using only those before it:

    sums                 every output and every gradient as a sum of products of named numbers
    passages             ReLU and max-pooling in the same way
    layer_chain          convolutions one after the other, with these between them
    finite_differences   the same numbers from the engines' kernels and from finite differences
    contents             what all written forms hold: title, local gradients, sums, checks
    as_text              that as text
    as_formulas          that as Markdown or LaTeX
    chain_drawing        the flow of the gradients through several layers, as a figure
    gradient_drawing     the flow of the gradients, and the columns of article 002, as figures
    as_page              text and figure as one HTML page
    written_forms        any of these
    chain_arguments      the layers of a chain as they are given, checked, and their weights drawn
    gradients            `striate.gradients`: checks arguments, makes the sums, compares them
"""
