"""Convolution from first principles: the textbook loops, and the same sums in NumPy.

`loops` is what every engine computes, written for reading.  `shifted` sums shifted copies of the
input, for any dtype that NumPy can multiply: it serves small inputs, for which compiling would
take longer than the work, and the dtypes that no machine instruction knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.signal.geometry import AxisWindow, beyond

_AT_ONCE = 1 << 17  # products that may be laid out beside each other


def loops(
    f: Array, weights: Array, windows: Sequence[AxisWindow], borders: Sequence[str], fill_value: Any
) -> Array:
    """The correlation of `f` with `weights`, all axes swept, one product at a time."""
    out = np.zeros([window.size for window in windows], np.result_type(f, weights))
    reads = [
        beyond(border, length, *window.reach(taps))
        for border, length, window, taps in zip(
            borders, f.shape, windows, weights.shape, strict=True
        )
    ]
    for position in np.ndindex(out.shape):
        for tap in np.ndindex(weights.shape):
            at = tuple(
                int(read[n * window.stride + i * window.dilation])
                for read, window, n, i in zip(reads, windows, position, tap, strict=True)
            )
            value = fill_value if -1 in at else f[at]
            out[position] += value * weights[tap]
    return out


def shifted(
    f: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    fill_value: Any,
) -> Array:
    """The same over `axes` of `f`, for arrays of one dtype; the other axes are batches."""
    if f.ndim == 1 and windows[0].stride == windows[0].dilation == 1:
        return _line(f, weights, windows[0], borders[0], fill_value)
    shape = list(f.shape)
    for axis, window in zip(axes, windows, strict=True):
        shape[axis] = window.size
    if math.prod(shape) * weights.size <= _AT_ONCE and _finite(weights):
        return _windows(f, weights, windows, axes, borders, fill_value)
    out = np.zeros(shape, f.dtype)
    # Products with a fill of zero are left out, so that an infinite weight does no harm there.
    zero = [border == "fill" and not fill_value for border in borders]
    rest = ["" if skipped else border for skipped, border in zip(zero, borders, strict=True)]
    padded = extended(f, weights.shape, windows, axes, rest, fill_value)
    for tap in np.ndindex(weights.shape):
        source: list[slice] = [slice(None)] * f.ndim
        target: list[slice] = [slice(None)] * f.ndim
        for axis, window, i, clipped in zip(axes, windows, tap, zero, strict=True):
            first, low, high = i * window.dilation, 0, window.size
            if clipped:
                first += window.start
                low = max(0, -(first // window.stride))
                high = min(window.size, -(-(f.shape[axis] - first) // window.stride))
            start = first + low * window.stride
            stop = max(first + (high - 1) * window.stride + 1, start)
            source[axis] = slice(start, stop, window.stride)
            target[axis] = slice(low, max(high, low))
        out[tuple(target)] += weights[tap] * padded[tuple(source)]
    return out


def _line(f: Array, weights: Array, window: AxisWindow, border: str, fill_value: Any) -> Array:
    """One dimension, by NumPy's own loop, which takes the kernel in convolution order."""
    kernel = weights[::-1]
    first = window.start + len(weights) - 1  # the window's first output, counted in mode "full"
    if (
        border == "fill"
        and not fill_value
        and 0 <= first <= len(f) + len(weights) - window.size - 1
    ):
        return np.convolve(f, kernel)[first : first + window.size]
    line = extended(f, weights.shape, (window,), (0,), (border,), fill_value)
    return np.convolve(line, kernel, "valid")


def _windows(
    f: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    fill_value: Any,
) -> Array:
    """Few products: all windows beside each other, times the kernel, as one matrix product."""
    wide = extended(f, weights.shape, windows, axes, borders, fill_value)
    shape, strides = list(wide.shape), list(wide.strides)
    for axis, window in zip(axes, windows, strict=True):
        shape[axis] = window.size
        strides[axis] *= window.stride
    shape += weights.shape
    strides += [
        wide.strides[axis] * window.dilation for axis, window in zip(axes, windows, strict=True)
    ]
    view = np.lib.stride_tricks.as_strided(wide, shape, strides, writeable=False)
    return view.reshape(*view.shape[: f.ndim], -1) @ weights.ravel()


def _finite(weights: Array) -> bool:
    return weights.dtype.kind not in "fc" or bool(np.isfinite(weights).all())


def extended(
    f: Array,
    taps: Sequence[int],
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    fill_value: Any,
) -> Array:
    """`f` with all that the windows read on `axes`, and nothing else; "" leaves an axis alone."""
    for axis, window, border, count in zip(axes, windows, borders, taps, strict=True):
        if not border:
            continue
        first, stop = window.reach(count)
        length = f.shape[axis]
        if first >= 0 and stop <= length:
            f = f[(slice(None),) * (axis % f.ndim) + (slice(first, stop),)]
            continue
        shape = list(f.shape)
        shape[axis] = stop - first
        wide = np.empty(shape, f.dtype)
        ahead, behind = np.moveaxis(f, axis, 0), np.moveaxis(wide, axis, 0)
        low, high = min(max(first, 0), stop), max(min(stop, length), first)
        behind[low - first : high - first] = ahead[low:high]
        for start, end in ((first, min(low, stop)), (max(high, low), stop)):
            outside = slice(start - first, end - first)
            if border == "fill":
                behind[outside] = fill_value
            else:
                behind[outside] = ahead[beyond(border, length, start, end)]
        f = wide
    return f
