"""Kernels that blur an image. Their numbers sum to 1, so that brightness stays.

All are symmetric about their middle, so convolution and correlation with them are the same.
"""

from __future__ import annotations

import math

import numpy as np

from striate.common.arguments import real_number, true_or_false
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.kernels._kernel_arguments import check_size
from striate.kernels.signals import gaussian1d
from striate.ops.shapes import pair


def identity(size: int = 3) -> Array:
    """The kernel that changes nothing: 1 in the middle, else 0; (size, size), size odd.

    ::

        0 0 0
        0 1 0
        0 0 0

    It is δ, the neutral element of convolution: f * δ = f.
    """
    size = check_size(size, "identity", odd=True)
    kernel = np.zeros((size, size))
    kernel[size // 2, size // 2] = 1
    return kernel


def mean(size: int = 3) -> Array:
    """The mean of size × size pixels: every number is 1/size²; (size, size).

    ::

              1 1 1
        1/9 · 1 1 1
              1 1 1

    The blur of *From Convolution to Neural Network*, section Kernels. An even size has its
    middle between pixels.
    """
    size = check_size(size, "mean")
    return box(size)


def box(size: int | tuple[int, int] = 3, *, normalize: bool = True) -> Array:
    """The mean of height × width pixels, or with ``normalize=False`` their sum.

    `size` is one number or (height, width). ``box((2, 3))`` is ::

        1/6 · 1 1 1
              1 1 1
    """
    height, width = (check_size(side, "box") for side in pair(size, "size", "box"))
    total = height * width if true_or_false(normalize, "normalize", "box") else 1
    return np.full((height, width), 1 / total)


@unwatched
def gaussian(size: int | None = None, sigma: float | None = None) -> Array:
    """The Gaussian bell, sampled and scaled to the sum 1; (size, size).

    ::

        g(x, y) ∝ exp(-(x² + y²) / (2·sigma²))     x, y counted from the middle

    It is the product of two `gaussian1d`, which says what `size` and `sigma` are when they are
    not given. ``gaussian()`` has size 5 and sigma 1.1::

        0.0050 0.0173 0.0262 0.0173 0.0050
        0.0173 0.0598 0.0903 0.0598 0.0173
        0.0262 0.0903 0.1366 0.0903 0.0262
        0.0173 0.0598 0.0903 0.0598 0.0173
        0.0050 0.0173 0.0262 0.0173 0.0050
    """
    size = None if size is None else check_size(size, "gaussian")
    bell = gaussian1d(size, sigma)
    check_size(len(bell), "gaussian")
    return np.outer(bell, bell)


@unwatched
def motion_blur(size: int = 9, angle: float = 0.0) -> Array:
    """The blur of a camera that moves `size` pixels along a line during the exposure; (size, size).

    `angle` is in degrees: 0 moves to the right, 90 down, 45 to the lower right. The number of a
    pixel is the length of the line within it, over the whole length::

        g(x, y) ∝ |{t : |t| <= size/2, |t·cos(angle) - x| <= 1/2, |t·sin(angle) - y| <= 1/2}|

    so that angles between the axes come out smooth. ``motion_blur(3)`` is ::

              0 0 0
        1/3 · 1 1 1
              0 0 0

    A line through the middle runs both ways: turning it by 180 degrees changes nothing.
    """
    size = check_size(size, "motion_blur")
    radians = math.radians(real_number(angle, "angle", "motion_blur") % 180)
    centres = np.arange(size) - (size - 1) / 2
    first, last = np.full((2, size, size), size / 2)
    first = -first
    for along, places in ((math.cos(radians), centres), (math.sin(radians), centres[:, None])):
        if abs(along) < 1e-12:  # cos(90°) is 6e-17 in floating point, and means 0
            # On a border between two rows of pixels both take their share.
            last = np.where(np.abs(places) <= 0.5, last, first)
            continue
        ends = (places - 0.5) / along, (places + 0.5) / along
        first = np.maximum(first, np.minimum(*ends))
        last = np.minimum(last, np.maximum(*ends))
    lengths = np.maximum(last - first, 0)
    return np.asarray(lengths / lengths.sum())
