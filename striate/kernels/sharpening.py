"""Kernels that bring out detail and keep brightness: their numbers sum to 1."""

from __future__ import annotations

import numpy as np

from striate.common.arguments import real_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.kernels._kernel_arguments import check_size
from striate.kernels.edges import laplace
from striate.kernels.smoothing import gaussian, identity


@unwatched
def sharpen(neighbours: int = 4, *, size: int = 3, amount: float = 1.0) -> Array:
    """The image plus `amount` times its edges: δ + amount · laplace(neighbours, size).

    ::

         0 -1  0
        -1  5 -1
         0 -1  0

    Symmetric: convolution and correlation are the same. See `laplace` for `neighbours` and `size`.
    Source: R. C. Gonzalez, R. E. Woods, "Digital Image Processing", sharpening by the Laplacian.
    """
    amount = real_number(amount, "amount", "sharpen")
    edges = laplace(neighbours, size)
    return identity(size) + amount * edges


@unwatched
def unsharp(size: int = 5, sigma: float | None = None, amount: float = 1.0) -> Array:
    """The image plus `amount` times what a Gaussian blur takes away; (size, size), size odd.

    ::

        δ + amount · (δ - gaussian(size, sigma))

    The unsharp mask of the darkroom: a blurred ("unsharp") copy is subtracted. ``unsharp()``::

        -0.0050 -0.0173 -0.0262 -0.0173 -0.0050
        -0.0173 -0.0598 -0.0903 -0.0598 -0.0173
        -0.0262 -0.0903  1.8634 -0.0903 -0.0262
        -0.0173 -0.0598 -0.0903 -0.0598 -0.0173
        -0.0050 -0.0173 -0.0262 -0.0173 -0.0050

    Symmetric: convolution and correlation are the same.
    """
    size = check_size(size, "unsharp", odd=True)
    amount = real_number(amount, "amount", "unsharp")
    return (1 + amount) * identity(size) - amount * gaussian(size, sigma)


def emboss() -> Array:
    """A relief lit from the upper left: the image plus its rise towards the lower right; (3, 3).

    ::

        2  1  0
        1  1 -1
        0 -1 -2

    Convolution adds the difference ``lower right - upper left``: where brightness, taken as
    height, rises to the lower right, the slope faces the light and becomes brighter.
    Correlation does not flip, and lights it from the lower right. Source of the idea: J. Schlag,
    "Fast Embossing Effects on Raster Image Data", Graphics Gems IV (1994), whose light falls on
    the slopes of brightness; here it is linear.
    """
    return np.array([[2.0, 1, 0], [1, 1, -1], [0, -1, -2]])
