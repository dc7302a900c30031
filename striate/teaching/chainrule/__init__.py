"""The gradients of a small convolution, written out term by term by the chain rule.

The example, its notation and its order are those of *Convolutional Neural Network* (A. A. Umar).
Reading order, each module using only those before it:

    sums                 every output and every gradient as a sum of products of named numbers
    finite_differences   the same numbers from the engines' kernels and from finite differences
    contents             what all written forms hold: title, local gradients, sums, checks
    as_text              that as text
    as_formulas          that as Markdown or LaTeX
    gradient_drawing     the flow of the gradients, and the columns of article 002, as figures
    as_page              text and figure as one HTML page
    gradients            `striate.gradients`: checks arguments, makes the sums, compares them
"""
