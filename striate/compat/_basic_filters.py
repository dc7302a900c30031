"""The two filters that all others of scipy.ndimage are made of: over lines and over boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.compat._real import average, weigh
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
    """scipy.ndimage.correlate1d."""
    f, kernel = np.asarray(input), np.asarray(weights)
    is_complex = f.dtype.kind == "c" or kernel.dtype.kind == "c"
    if kernel.dtype.kind == "c":
        kernel = kernel.conj()
    out = new_output(output, f, is_complex, 4)
    kernel = kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64, copy=False)
    _check_cval(f, kernel, cval)
    if kernel.ndim != 1 or not kernel.size:
        raise RuntimeError(
            f"no filter weights given: they must have one dimension, not shape {kernel.shape}"
        )
    axis = checked_axis(axis, f.ndim)
    origin = checked_origin(origin, kernel.size, _LINE_ORIGIN)
    window = AxisWindow(-(kernel.size // 2 + origin), f.shape[axis])
    _weigh(f, kernel, (window,), (axis,), (border(mode),), cval, out, is_complex, True)
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
    """scipy.ndimage.correlate, or convolve to `flip`."""
    f, kernel = np.asarray(input), np.asarray(weights)
    is_complex = f.dtype.kind == "c" or kernel.dtype.kind == "c"
    out = new_output(output, f, is_complex, 4)
    kernel = kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64, copy=False)
    _check_cval(f, kernel, cval)
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
        _weigh(f, kernel, windows, swept, borders, cval, out, is_complex, False)
    else:
        check_types(f, out, is_complex)
        np.copyto(out, f * kernel, casting="unsafe")
    return out


def average_line(
    input: npt.ArrayLike, size: int, axis: int, output: Any, mode: Any, cval: Any, origin: Any
) -> Array:
    """scipy.ndimage.uniform_filter1d."""
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
        average(f.real, size, window, axis, name, real_number(np.real(cval)), out.real)
        average(f.imag, size, window, axis, name, real_number(np.imag(cval)), out.imag)
    else:
        average(f, size, window, axis, name, real_number(cval), out)
    return out


def _check_cval(f: Array, kernel: Array, cval: Any) -> None:
    if kernel.dtype.kind == "c" and f.dtype.kind != "c" and np.iscomplexobj(cval):
        raise ValueError("Cannot provide a complex-valued cval when the input is real.")


def _weigh(
    f: Array,
    kernel: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: Any,
    out: Array,
    is_complex: bool,
    line: bool,
) -> None:
    check_types(f, out, is_complex)
    if not is_complex:
        weigh(f, kernel, windows, axes, borders, real_number(cval), out, line)
    elif kernel.dtype.kind != "c":
        weigh(f.real, kernel, windows, axes, borders, real_number(np.real(cval)), out.real, line)
        weigh(f.imag, kernel, windows, axes, borders, real_number(np.imag(cval)), out.imag, line)
    else:
        real, imag = kernel.real, kernel.imag
        if np.may_share_memory(f, out):
            f = f.copy()  # read again after the real parts have been written
        if f.dtype.kind != "c":
            weigh(f, real, windows, axes, borders, real_number(cval), out.real, line)
            weigh(f, imag, windows, axes, borders, real_number(cval), out.imag, line)
            return
        cvals = real_number(np.real(cval)), real_number(np.imag(cval))
        part = np.empty(f.shape, out.real.dtype)
        weigh(f.real, real, windows, axes, borders, cvals[0], out.real, line)
        weigh(f.imag, imag, windows, axes, borders, cvals[1], part, line)
        out.real -= part
        weigh(f.real, imag, windows, axes, borders, cvals[0], out.imag, line)
        weigh(f.imag, real, windows, axes, borders, cvals[1], part, line)
        out.imag += part
