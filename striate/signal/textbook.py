"""Correlation from first principles: the textbook loops, and the same sums in NumPy.

`loops` is what every engine computes, written for reading.  `shifted_sums` is the method "numpy":
it adds shifted copies of the input, in any dtype that NumPy can multiply.  It serves small inputs,
for which compiling would take longer than the work, and dtypes that the compiler has no code for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.signal.geometry import AxisWindow, border_indices, pad

_MATRIX_PRODUCTS = 1 << 17  # up to so many products all windows are laid out beside each other


def loops(
    f: Array, weights: Array, windows: Sequence[AxisWindow], borders: Sequence[str], fill_value: Any
) -> Array:
    """The correlation of `f` with `weights`, all axes swept, one product at a time."""
    out = np.zeros([window.size for window in windows], np.result_type(f, weights))
    reads = [
        border_indices(border, length, *window.reach(taps))
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


def shifted_sums(
    f: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    fill_value: Any,
) -> Array:
    """The same over `axes` of `f`, tap by tap, for arrays of one dtype.

    The axes that are not swept are batches.
    """
    if f.ndim == 1 and windows[0].stride == windows[0].dilation == 1:
        return _one_dimension(f, weights, windows[0], borders[0], fill_value)
    shape = list(f.shape)
    for axis, window in zip(axes, windows, strict=True):
        shape[axis] = window.size
    if math.prod(shape) * weights.size <= _MATRIX_PRODUCTS and _all_finite(weights):
        return _matrix_product(f, weights, windows, axes, borders, fill_value)
    out = np.zeros(shape, f.dtype)
    # Products with a fill of zero are left out, so that an infinite weight does no harm there.
    zero = [border == "fill" and not fill_value for border in borders]
    rest = ["" if skipped else border for skipped, border in zip(zero, borders, strict=True)]
    padded = pad(f, weights.shape, windows, axes, rest, fill_value)
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


def _one_dimension(
    f: Array, weights: Array, window: AxisWindow, border: str, fill_value: Any
) -> Array:
    """One dimension, by NumPy's own loop, which takes the kernel in convolution order."""
    kernel = weights[::-1]
    first = window.start + len(weights) - 1  # the window's first output, counted in mode "full"
    if (
        border == "fill"
        and not fill_value
        and 0 <= first <= len(f) + len(weights) - window.size - 1
    ):
        return np.convolve(f, kernel)[first : first + window.size]
    padded = pad(f, weights.shape, (window,), (0,), (border,), fill_value)
    return np.convolve(padded, kernel, "valid")


def _matrix_product(
    f: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    fill_value: Any,
) -> Array:
    """Few products: all windows beside each other, as rows of a matrix, times the kernel."""
    padded = pad(f, weights.shape, windows, axes, borders, fill_value)
    shape, strides = list(padded.shape), list(padded.strides)
    for axis, window in zip(axes, windows, strict=True):
        shape[axis] = window.size
        strides[axis] *= window.stride
    shape += weights.shape
    strides += [
        padded.strides[axis] * window.dilation for axis, window in zip(axes, windows, strict=True)
    ]
    view = np.lib.stride_tricks.as_strided(padded, shape, strides, writeable=False)
    return view.reshape(*view.shape[: f.ndim], -1) @ weights.ravel()


def _all_finite(weights: Array) -> bool:
    return weights.dtype.kind not in "fc" or bool(np.isfinite(weights).all())
