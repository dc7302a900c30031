"""The gradients of a small convolution, written out term by term by the chain rule.

The example, its notation and its order are those of *Convolutional Neural Network* (A. A. Umar).
Reading order, each module using only those before it:

    sums                 every output and every gradient as a sum of products of named numbers
    finite_differences   the same numbers from the engines' kernels and from finite differences
    as_text              the sums as text, Markdown or LaTeX
    gradients            `striate.gradients`: checks arguments, makes the sums, compares them
"""
