"""The operations of a network, each twice: textbook loops, and readable NumPy.

The loops (`*_loops`) are plain Python over single numbers in float64. They are slow, they can
be printed in an article, and the tests trust them. The NumPy functions take any float dtype and
run `engine="numpy"`. Arrays are channels-last with the batch axis first, ``(n, h, w, c)``
(NHWC), filters ``(r, s, c, k)`` (HWIO).

The axes in all formulas of this room:

- ``n``: images of the batch
- ``y``, ``x``: rows and columns of the output
- ``r``, ``s``: rows and columns of a filter, its taps
- ``c``: channels of the input, or inputs of a dense layer
- ``k``: channels of the output (one for each filter), or outputs of a dense layer
"""
