"""Gabor kernels: what the cells of the striate cortex respond to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.common.arguments import real_number, true_or_false, whole_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.kernels._kernel_arguments import check_size, width
from striate.kernels.kernel import LARGEST

OCTAVE = 0.56
"""sigma / wavelength for a bandwidth of one octave: sqrt(ln(2) / 2) / π · (2 + 1) / (2 - 1)."""


@unwatched
def gabor(
    angle: float = 0.0,
    *,
    size: int | None = None,
    wavelength: float = 4.0,
    sigma: float | None = None,
    aspect: float = 0.5,
    phase: float = 0.0,
    zero_sum: bool = True,
) -> Array:
    """Stripes under a Gaussian bell: an edge or line detector for one direction; (size, size).

    ::

        g(x, y) = bell(x, y) · (cos(2π·x'/wavelength + phase) - m)
        bell(x, y) = aspect/(2π·sigma²) · exp(-(x'² + aspect²·y'²) / (2·sigma²))
        x' = x·cos(angle) + y·sin(angle),    y' = -x·sin(angle) + y·cos(angle)

    with x to the right and y down, counted from the middle.

    ``gabor()`` has size 27; its middle row is … 0 0.0032 0 -0.0107 0 0.0158 0 -0.0107 0 0.0032 0 …,
    rounded: a bright line of 2 pixels between dark ones.

    With phase 0 or 180 it is symmetric: convolution and correlation are the same. With phase
    90 convolution gives a positive response where brightness rises in the direction of `angle`,
    and correlation where it falls.

    OpenCV's ``getGaborKernel`` has the factor 1 for aspect/(2π·sigma²), m = 0, and an array that is
    flipped, since ``filter2D`` correlates. Sources: D. Gabor, "Theory of Communication" (1946);
    J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and
    orientation optimized by two-dimensional visual cortical filters", J. Opt. Soc. Am. A 2 (1985).

    Args:
        angle: degrees; the direction across the stripes: 0 responds to upright lines, 90 to level
            ones.
        size: rows and columns, at least 3. Without it the bell is kept to 3 times its width in
            both directions, in an odd size.
        wavelength: the distance of the stripes in pixels, at least 2.
        sigma: the width of the bell across them; 0.56 times the wavelength if not given, for one
            octave of frequencies.
        aspect: below 1 it makes the bell longer along them.
        phase: degrees; 0 for bright lines, 180 for dark ones, 90 or -90 for edges.
        zero_sum: whether m makes the sum 0, so that flat areas become 0; otherwise m = 0.
    """
    who = "gabor"
    wavelength = _wavelength(wavelength, who)
    sigma = OCTAVE * wavelength if sigma is None else width(sigma, "sigma", who)
    aspect = width(aspect, "aspect", who)
    if size is None:
        size = 2 * int(3 * max(sigma, sigma / aspect) + 0.5) + 1
    size = check_size(size, who, minimum=3)
    direction = np.deg2rad(real_number(angle, "angle", who) % 360)
    shift = np.deg2rad(real_number(phase, "phase", who) % 360)
    x = np.arange(size) - (size - 1) / 2
    y = x[:, None]
    across = x * np.cos(direction) + y * np.sin(direction)
    along = y * np.cos(direction) - x * np.sin(direction)
    bell = np.exp(-((across / sigma) ** 2 + (aspect * along / sigma) ** 2) / 2)
    bell *= aspect / (2 * np.pi * sigma**2)
    stripes = np.cos(2 * np.pi * across / wavelength + shift)
    if true_or_false(zero_sum, "zero_sum", who):
        stripes -= np.average(stripes, weights=bell)
    return np.asarray(bell * stripes)


@unwatched
def gabor_bank(
    orientations: int = 8,
    wavelengths: Sequence[float] = (4.0,),
    *,
    size: int | None = None,
    aspect: float = 0.5,
    phase: float = 0.0,
    zero_sum: bool = True,
) -> Array:
    """Gabor kernels for several directions and sizes of detail; (count, size, size).

    The `orientations` angles are equal steps of 180 degrees from 0, for each of the
    `wavelengths` in turn; count is their product. Number ``w·orientations + o`` is ``gabor(180·o /
    orientations, wavelength=wavelengths[w], …)``. Without `size` all have that of the longest
    wavelength. See `gabor` for the rest.
    """
    who = "gabor_bank"
    orientations = whole_number(orientations, "orientations", who)
    lengths = [_wavelength(wavelength, who) for wavelength in wavelengths]
    if not lengths:
        raise StriateValueError(f"{who}: needs at least one wavelength, such as (4.0, 8.0)")
    if size is None:
        size = len(gabor(wavelength=max(lengths), aspect=aspect))
    size = check_size(size, who, minimum=3)
    if orientations * len(lengths) * size * size > LARGEST:
        raise StriateValueError(
            f"{who}: {orientations} orientations and {len(lengths)} wavelengths of size {size} are "
            f"more than {LARGEST} numbers; use fewer, or a smaller size"
        )
    return np.array(
        [
            gabor(
                180 * step / orientations,
                size=size,
                wavelength=wavelength,
                aspect=aspect,
                phase=phase,
                zero_sum=zero_sum,
            )
            for wavelength in lengths
            for step in range(orientations)
        ]
    )


def _wavelength(value: float, who: str) -> float:
    wavelength = width(value, "wavelength", who)
    if wavelength < 2:
        raise StriateValueError(
            f"{who}: wavelength must be at least 2, got {wavelength:g}: pixels cannot show finer "
            "stripes than one bright, one dark"
        )
    return wavelength
