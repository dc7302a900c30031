"""The operations of a network, each twice: textbook loops, and readable NumPy.

The loops (`*_loops`) are plain Python over single numbers in float64. They are slow, they can
be printed in an article, and the tests trust them. The NumPy functions take any float dtype and
run `engine="numpy"`. Arrays are channels-last with the batch axis first, ``(n, h, w, c)``.
"""
