"""`filter_image`: images convolved with known kernels, rounded and clipped as image editors do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common import words
from striate.common.arguments import real_number, true_or_false
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, as_array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.signal.geometry import BORDERS, AxisWindow, check_name
from striate.signal.sweep import sweep

if TYPE_CHECKING:
    from striate.kernels import Kernel

WHO = "filter_image"
DTYPES = ("uint8", "uint16", "float32", "float64")
# The share of red, green and blue in what the eye takes for brightness (ITU-R BT.601, luma).
LUMA = (0.299, 0.587, 0.114)
# Sums of integer images stay below this, so that no float32 and no square of one overflows.
LARGEST_SUM = 1e18


@dataclass(frozen=True)
class _FilterSettings:
    """How the sums are made.

    Attributes:
        dtype: what is computed in.
        borders: above and below, left and right.
        fill_value: what the border "fill" holds.
        method: the algorithm.
        squares_fit: no square of a sum is too large or too small to be a number of `dtype`.
    """

    dtype: np.dtype[Any]
    borders: tuple[Any, Any]
    fill_value: float
    method: str
    squares_fit: bool


@unwatched
def filter_image(
    image: npt.ArrayLike,
    kernel: object,
    *,
    size: int | None = None,
    border: str | Sequence[str] = "reflect",
    fill_value: float = 0,
    offset: float = 0,
    gray: bool = False,
    method: str = "auto",
) -> Array:
    """Convolve each colour of an image with a kernel (article 001, section Kernels).

    Convolution flips the kernel: turned by 180°, it is laid with its centre (element
    ``(n - 1) // 2`` of each axis) on every pixel, and the products are summed:

        y[r, c] = Σ_i Σ_j  image[r + i₀ - i, c + j₀ - j] · kernel[i, j]

    Args:
        image: ``(height, width)`` gray, or ``(height, width, channels)`` with 1 channel (gray), 2
            (gray and alpha), 3 (RGB) or 4 (RGB and alpha). uint8 of 0...255, uint16 of 0...65535,
            or float32 or float64 of any range. Alpha is copied as it is.
        kernel: one of

            - a name such as ``"laplace"``, ``"mean5"``, ``"sobel-magnitude"`` (`striate.kernels`)
            - numbers, ``"0 -1 0; -1 5 -1; 0 -1 0"``, or the path of a file of numbers
            - a 2-D array, or a `striate.kernels.Kernel`
            - a list of these: a chain, each of which filters the result of the one before
        size: for kernels given by name: the number of rows and columns.
        border: what lies beyond the edge of the image: ``"reflect"`` c b a|a b c d|d c b,
            ``"mirror"`` d c b|a b c d|c b a, ``"nearest"`` a a a|a b c d|d d d, ``"wrap"``
            b c d|a b c d|a b c, or ``"fill"`` k k k|a b c d|k k k, where k is `fill_value`: the
            dark frame of the article. Or two of them: (above and below, left and right).
        fill_value: the brightness beyond the edge with the border "fill".
        offset: added to the result before it is clipped: 128 shows the negative values of an 8-bit
            image.
        gray: turn RGB to gray first, by the luma 0.299 R + 0.587 G + 0.114 B.
        method: the algorithm, as in `striate.convolve`.

    Returns:
        A new array with the shape (RGB with ``gray=True`` loses its colour axis, RGBA keeps two
        channels) and the dtype of `image`. Integers are rounded to the nearest (halves to even)
        and clipped to 0...255 or 0...65535; real numbers are neither. All between the stages of a
        chain and between the kernels of "sobel-magnitude" are real numbers, so that a negative
        response is lost at the end only. Arithmetic is float32, for float64 images float64.

    Raises:
        ValueError: an empty image, a shape that is none of the above, an unknown kernel or border,
            or a kernel whose numbers are too large.
        TypeError: an image or an option of another type, such as a bool image.
    """
    pixels = _check_image(image)
    chain = resolve_chain(kernel, size)
    integer = pixels.dtype.kind == "u"
    fill = real_number(fill_value, "fill_value", WHO)
    settings = _FilterSettings(
        dtype=np.dtype(np.float64 if pixels.dtype == np.float64 else np.float32),
        borders=_borders(border),
        fill_value=fill,
        method=method,
        squares_fit=integer,
    )
    shift = real_number(offset, "offset", WHO)
    if integer:
        _check_sums(chain, max(float(np.iinfo(pixels.dtype).max), abs(fill)))
    colours, alpha = split_alpha(pixels)
    if true_or_false(gray, "gray", WHO) and colours.ndim == 3 and colours.shape[2] == 3:
        colours = colours.astype(settings.dtype) @ np.asarray(LUMA, settings.dtype)
        colours = colours if alpha is None else colours[..., None]
    for stage in chain[:-1]:
        colours = _response(colours, stage, settings)
    if integer and chain[-1].combine == "one" and not shift:
        return _convolved_to_image(colours, alpha, chain[-1].arrays[0], pixels, settings)
    return _to_image(_response(colours, chain[-1], settings), alpha, pixels.dtype, shift)


def resolve_chain(kernel: object, size: int | None = None) -> tuple[Kernel, ...]:
    """Return the kernels of a chain, of one for a kernel that is no list of kernels.

    A list is a chain if one of its elements is a kernel: a text, a `Kernel`, a path or anything
    with two dimensions. A list of rows of numbers is one kernel.

    Raises:
        ValueError: an empty chain, or an unknown or impossible kernel.
    """
    from striate import kernels
    from striate.kernels.registry import is_name

    given: list[Any] = [kernel]
    if isinstance(kernel, (list, tuple)):
        if not kernel:
            raise StriateValueError(f"{WHO}: the list of kernels is empty; give at least one")
        if any(_is_kernel(part) for part in kernel):
            given = list(kernel)
    # The size is for the names among them; without one, the error of `resolve` tells what it is.
    named = [isinstance(part, str) and is_name(part, 2) for part in given]
    return tuple(
        kernels.resolve(part, size=size if is_named or not any(named) else None)
        for part, is_named in zip(given, named, strict=True)
    )


def split_alpha(pixels: Array) -> tuple[Array, Array | None]:
    """Return views of the colours and of the alpha channel (height, width, 1), None without one."""
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        return pixels[..., :-1], pixels[..., -1:]
    return pixels, None


def _is_kernel(part: object) -> bool:
    """Whether an element of a list is a kernel, so that the list is a chain."""
    from striate.kernels import Kernel

    if isinstance(part, (str, os.PathLike, Kernel)):
        return True
    try:
        return np.ndim(part) == 2  # type: ignore[arg-type]
    except ValueError:  # rows of unequal length
        return isinstance(part, (list, tuple))


def _check_image(image: npt.ArrayLike) -> Array:
    """`image` as an array of a dtype and shape that can be filtered, in native byte order."""
    pixels = as_array(image, "image", WHO)
    if pixels.dtype.name not in DTYPES:
        advice = "use image.astype(np.float32)"
        if pixels.dtype == bool:
            advice = "use image.astype(np.uint8) * 255, where True is white"
        elif pixels.dtype.kind not in "uif":
            advice = "an image is an array of numbers"
        raise StriateTypeError(
            f"{WHO}: image must be of dtype {', '.join(DTYPES)}, got {pixels.dtype}; {advice}"
        )
    plain = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 2, 3, 4))
    if not plain:
        advice = ""
        if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4):
            advice = "; for channels first, use np.moveaxis(image, 0, -1)"
        elif pixels.ndim == 4:
            advice = "; filter the images of a batch one by one"
        raise StriateValueError(
            f"{WHO}: image must have the shape (height, width) or (height, width, channels) with "
            f"1 to 4 channels, got {pixels.shape}{advice}"
        )
    if pixels.size == 0:
        raise StriateValueError(f"{WHO}: image is empty: its shape is {pixels.shape}")
    return pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))


def _borders(border: str | Sequence[str]) -> tuple[str, str]:
    """(vertical, horizontal), checked."""
    pair = (border, border) if isinstance(border, str) else tuple(border)
    if len(pair) != 2:
        raise StriateValueError(
            f"{WHO}: border must be one name or (vertical, horizontal), got {border}"
        )
    down, across = (check_name(f"{WHO}: border", name, BORDERS, words.BORDERS) for name in pair)
    return down, across


def _check_sums(chain: Sequence[Kernel], largest: float) -> None:
    """Refuse a chain whose sums may not fit into float32, from the `largest` value of a pixel."""
    for stage in chain:
        with np.errstate(over="ignore"):
            gain = sum(float(np.abs(array).sum()) for array in stage.arrays)
        largest *= max(gain, 1.0)
        if not largest < LARGEST_SUM:
            raise StriateValueError(
                f"{WHO}: the numbers of the kernel {stage.name!r} are too large: their "
                f"absolute values add up to {gain:.3g}; divide the kernel by that"
            )


def _response(values: Array, kernel: Kernel, settings: _FilterSettings) -> Array:
    """Return the response of the colours `values` to a kernel, of dtype `settings.dtype`."""
    total = _convolved(values, kernel.arrays[0], settings)
    if kernel.combine == "maximum":
        for array in kernel.arrays[1:]:
            np.maximum(total, _convolved(values, array, settings), out=total)
    elif kernel.combine == "magnitude" and settings.squares_fit:
        total *= total
        for array in kernel.arrays[1:]:
            response = _convolved(values, array, settings)
            response *= response
            total += response
        np.sqrt(total, out=total)
    elif kernel.combine == "magnitude":
        np.abs(total, out=total)
        for array in kernel.arrays[1:]:
            np.hypot(total, _convolved(values, array, settings), out=total)
    return total


def _convolved_to_image(
    colours: Array, alpha: Array | None, weights: Array, pixels: Array, settings: _FilterSettings
) -> Array:
    """Return the image of the dtype of `pixels` for one convolution, which rounds and clips."""
    clip = (0.0, float(np.iinfo(pixels.dtype).max))
    if alpha is None or colours.dtype != pixels.dtype:
        result = _convolved(colours, weights, settings, np.empty(colours.shape, pixels.dtype), clip)
        return result if alpha is None else np.concatenate([result, alpha], axis=2)
    # Filtering the alpha channel too is faster than taking the colours from beside it.
    result = _convolved(pixels, weights, settings, np.empty(pixels.shape, pixels.dtype), clip)
    result[..., -1:] = alpha
    return result


def _convolved(
    values: Array,
    weights: Array,
    settings: _FilterSettings,
    out: Array | None = None,
    clip: tuple[float, float] | None = None,
) -> Array:
    """Return the convolution of the first two axes of `values`, of dtype `settings.dtype`.

    With `out` and `clip` the sums are rounded, clipped and written there, whatever its dtype. All
    arithmetic of filters comes through here. `sweep` correlates, hence the flip.
    """
    windows = [
        AxisWindow(start=-(taps // 2), size=size)  # the flipped kernel's element (taps - 1) // 2
        for taps, size in zip(weights.shape, values.shape[:2], strict=True)
    ]
    return sweep(
        values,
        weights[::-1, ::-1],
        windows,
        axes=(0, 1),
        border=settings.borders,
        fill_value=settings.fill_value,
        dtype=settings.dtype,
        out=out,
        method=settings.method,
        clip=clip,
    )


def _to_image(values: Array, alpha: Array | None, dtype: np.dtype[Any], offset: float) -> Array:
    """Return the image of `dtype` for the colours `values`, which are overwritten."""
    if offset:
        values += np.asarray(offset, values.dtype)
    if dtype.kind == "u":
        np.rint(values, out=values)
        np.clip(values, 0, np.iinfo(dtype).max, out=values)
    if alpha is None:
        return values.astype(dtype, copy=False)
    result = np.empty((*values.shape[:2], values.shape[2] + 1), dtype)
    result[..., :-1] = values
    result[..., -1:] = alpha
    return result
