"""The filters that all others of scipy.ndimage are made of: over lines, over boxes, and means.

They take SciPy's arguments, check them as SciPy does, and compute complex numbers as their parts;
`striate.compat._real_filters` does the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.compat._real_filters import correlate_real, mean_real
from striate.compat._scipy_arguments import (
    border,
    check_types,
    checked_axes,
    checked_axis,
    checked_origin,
    each,
    new_output,
    real_number,
)
from striate.signal.geometry import AxisWindow

_LINE_ORIGIN = (
    "Invalid origin; origin must satisfy -(len(weights) // 2) <= origin <= (len(weights)-1) // 2"
)
_BOX_ORIGIN = (
    "Invalid origin; origin must satisfy "
    "-(weights.shape[k] // 2) <= origin[k] <= (weights.shape[k]-1) // 2"
)


def correlate_line(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    axis: int,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
) -> Array:
    """Correlate the lines along `axis`: scipy.ndimage.correlate1d."""
    f, kernel, out = _arrays(input, weights, output, cval)
    if kernel.dtype.kind == "c":
        kernel = kernel.conj()
    if kernel.ndim != 1 or not kernel.size:
        raise RuntimeError(
            f"no filter weights given: they must have one dimension, not shape {kernel.shape}"
        )
    axis = checked_axis(axis, f.ndim)
    origin = checked_origin(origin, kernel.size, _LINE_ORIGIN)
    window = AxisWindow(-(kernel.size // 2 + origin), f.shape[axis])
    _correlate(f, kernel, (window,), (axis,), (border(mode),), cval, out, line=True)
    return out


def correlate_box(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
    flip: bool,
) -> Array:
    """Correlate over some axes, or with `flip` convolve: scipy.ndimage.correlate and convolve."""
    f, kernel, out = _arrays(input, weights, output, cval)
    chosen = checked_axes(axes, f.ndim)
    if kernel.ndim != len(chosen) or not kernel.size:
        raise RuntimeError(
            f"weights.ndim ({kernel.ndim}) must match len(axes) ({len(chosen)}), "
            f"and weights must not be empty; their shape is {kernel.shape}"
        )
    origins = each(origin, len(chosen))
    # As in SciPy, the dimensions of the weights belong to the axes in the array's order; origins
    # to the axes as given, unless these are all there are.
    swept = sorted(chosen)
    if len(chosen) < f.ndim:
        origins = [origins[chosen.index(axis)] for axis in swept]
    if flip:
        kernel = kernel[(slice(None, None, -1),) * kernel.ndim]
        origins = [-o - (n % 2 == 0) for o, n in zip(origins, kernel.shape, strict=True)]
    elif kernel.dtype.kind == "c":
        kernel = kernel.conj()
    if not isinstance(mode, str) and np.iterable(mode):
        raise RuntimeError("A sequence of modes is not supported")
    windows = [
        AxisWindow(-(n // 2 + checked_origin(o, n, _BOX_ORIGIN)), f.shape[axis])
        for o, n, axis in zip(origins, kernel.shape, swept, strict=True)
    ]
    borders = (border(mode),) * len(swept)
    if swept:
        _correlate(f, kernel, windows, swept, borders, cval, out, line=False)
    else:
        check_types(f, out, _is_complex(f, kernel))
        np.copyto(out, f * kernel, casting="unsafe")
    return out


def mean_line(
    input: npt.ArrayLike, size: int, axis: int, output: Any, mode: Any, cval: Any, origin: Any
) -> Array:
    """The mean of `size` neighbours along `axis`: scipy.ndimage.uniform_filter1d."""
    f = np.asarray(input)
    axis = checked_axis(axis, f.ndim)
    if size < 1:
        raise RuntimeError(f"incorrect filter size: it must be at least 1, not {size}")
    is_complex = f.dtype.kind == "c"
    out = new_output(output, f, is_complex, 4)
    origin = checked_origin(origin, size, "invalid origin")
    name = border(mode)
    check_types(f, out, is_complex)
    window = AxisWindow(-(size // 2 + origin), f.shape[axis])
    if is_complex:
        mean_real(f.real, size, window, axis, name, real_number(np.real(cval)), out.real)
        mean_real(f.imag, size, window, axis, name, real_number(np.imag(cval)), out.imag)
    else:
        mean_real(f, size, window, axis, name, real_number(cval), out)
    return out


def _is_complex(f: Array, kernel: Array) -> bool:
    return f.dtype.kind == "c" or kernel.dtype.kind == "c"


def _arrays(
    input: npt.ArrayLike, weights: npt.ArrayLike, output: Any, cval: Any
) -> tuple[Array, Array, Array]:
    """Input, weights and output of a filter.

    Returns:
        The input as it is, the weights in float64 or complex128, and the array to write to.
    """
    f, kernel = np.asarray(input), np.asarray(weights)
    out = new_output(output, f, _is_complex(f, kernel), 5)
    kernel = kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64, copy=False)
    if kernel.dtype.kind == "c" and f.dtype.kind != "c" and np.iscomplexobj(cval):
        raise StriateValueError("Cannot provide a complex-valued cval when the input is real.")
    return f, kernel, out


def _correlate(
    f: Array,
    kernel: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: Any,
    out: Array,
    *,
    line: bool,
) -> None:
    """Correlate real or complex arrays: complex ones by their real and imaginary parts."""
    is_complex = _is_complex(f, kernel)
    check_types(f, out, is_complex)

    def real(f: Array, kernel: Array, cval: Any, out: Array) -> None:
        correlate_real(f, kernel, windows, axes, borders, real_number(cval), out, line)

    if not is_complex:
        real(f, kernel, cval, out)
    elif kernel.dtype.kind != "c":
        real(f.real, kernel, np.real(cval), out.real)
        real(f.imag, kernel, np.imag(cval), out.imag)
    else:
        if np.may_share_memory(f, out):
            f = f.copy()  # read again after the real parts have been written
        if f.dtype.kind != "c":
            real(f, kernel.real, cval, out.real)
            real(f, kernel.imag, cval, out.imag)
            return
        part = np.empty(f.shape, out.real.dtype)
        real(f.real, kernel.real, np.real(cval), out.real)
        real(f.imag, kernel.imag, np.imag(cval), part)
        out.real -= part
        real(f.real, kernel.imag, np.real(cval), out.imag)
        real(f.imag, kernel.real, np.imag(cval), part)
        out.imag += part
