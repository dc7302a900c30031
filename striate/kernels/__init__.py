"""Named kernels: arrays for `striate.convolve`, and filters for `striate.filter_image`.

Functions return float64 arrays; `named`, `parse`, `read` and `resolve` find a kernel by what a
person writes. All kernels are made for convolution, which flips them; where that matters the
docstring says what a positive response means under convolution and under correlation.
Directions are those of a screen, x to the right and y down; angles are in degrees from x
towards y.
"""

from striate.kernels.edges import (
    COMPASS,
    kirsch,
    laplace,
    laplacian_of_gaussian,
    prewitt,
    roberts,
    scharr,
    sobel,
)
from striate.kernels.kernel import Kernel
from striate.kernels.oriented import gabor, gabor_bank
from striate.kernels.registry import describe, named, names
from striate.kernels.resolving import resolve
from striate.kernels.sharpening import emboss, sharpen, unsharp
from striate.kernels.signals import difference, gaussian1d, moving_average, savitzky_golay
from striate.kernels.smoothing import box, gaussian, identity, mean, motion_blur
from striate.kernels.typed_numbers import parse, read

__all__ = [
    "COMPASS",
    "Kernel",
    "box",
    "describe",
    "difference",
    "emboss",
    "gabor",
    "gabor_bank",
    "gaussian",
    "gaussian1d",
    "identity",
    "kirsch",
    "laplace",
    "laplacian_of_gaussian",
    "mean",
    "motion_blur",
    "moving_average",
    "named",
    "names",
    "parse",
    "prewitt",
    "read",
    "resolve",
    "roberts",
    "savitzky_golay",
    "scharr",
    "sharpen",
    "sobel",
    "unsharp",
]
