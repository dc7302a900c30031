"""Sums of products in the order in which SciPy takes them, so that they agree to the last bit.

All in NumPy: the compiled engine sums in the same orders (see `striate.signal.request.Request`);
this is for small arrays, for which compiling would take longer than the work.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from striate.common.arrays import Array
from striate.signal.geometry import AxisWindow, border_indices
from striate.signal.request import Order

Block = tuple[slice, ...]

# SciPy leaves out smaller weights in several dimensions, and takes filters of one dimension for
# symmetric if no two weights differ by more.
TINY = float(np.finfo(np.float64).eps)
_BLOCK = 1 << 17  # outputs summed up at a time: few calls, and they stay in the cache


def box_in_order(
    input: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
) -> Array:
    """Correlate in float64: products with all weights but zeros, added up in C order."""
    padded = _padded(input, weights.shape, windows, axes, borders, cval)
    out = np.zeros(input.shape)
    taps = [(tap, weights[tap]) for tap in np.ndindex(weights.shape) if weights[tap]]

    def fill(block: Block) -> None:
        total = out[block]
        product = np.empty(total.shape)
        for tap, weight in taps:
            np.multiply(padded[_shifted(block, axes, tap)], weight, out=product)
            np.add(total, product, out=total)

    _by_blocks(fill, out.shape)
    return out


def line_in_order(
    input: Array, weights: Array, window: AxisWindow, axis: int, border: str, cval: float
) -> Array:
    """Correlate over one axis in float64, in the order of SciPy's loop for lines.

    There the elements of a symmetric pair are added, those of an antisymmetric pair subtracted,
    before they are weighted; the centre comes first, or without symmetry the last element.
    """
    padded = _padded(input, weights.shape, (window,), (axis,), (border,), cval)
    taps = len(weights)
    order = line_order(weights)
    start = taps - 1 if order == "line" else taps // 2
    out = np.empty(input.shape)

    def fill(block: Block) -> None:
        def at(tap: int) -> Array:
            return padded[_shifted(block, (axis,), (tap,))]

        total = out[block]
        product = np.empty(total.shape)
        np.multiply(at(start), weights[start], out=total)
        for tap in range(start):
            if order == "line":
                np.multiply(at(tap), weights[tap], out=product)
            else:
                join = np.add if order == "sums" else np.subtract
                join(at(tap), at(taps - 1 - tap), out=product)
                np.multiply(product, weights[tap], out=product)
            np.add(total, product, out=total)

    _by_blocks(fill, out.shape)
    return out


def running_sums(
    input: Array, size: int, window: AxisWindow, axis: int, border: str, cval: float
) -> Array:
    """Sums of `size` neighbours along `axis` in float64.

    Each is the one before it, plus the element that comes in minus the one that goes out.
    """
    lines = np.moveaxis(_padded(input, (size,), (window,), (axis,), (border,), cval), axis, 0)
    sums = np.empty(input.shape)
    steps = np.moveaxis(sums, axis, 0)
    steps[0] = np.add.accumulate(lines[:size], 0)[-1]  # in order, as np.sum would not be
    np.subtract(lines[size:], lines[:-size], out=steps[1:])
    if axis == input.ndim - 1 or sums.size <= _BLOCK:
        np.add.accumulate(sums, axis, out=sums)
    else:
        for n in range(1, window.size):
            steps[n] += steps[n - 1]
    return sums


def _padded(
    input: Array,
    taps: Sequence[int],
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
) -> Array:
    """The input in float64 with its borders.

    `striate.signal.geometry.pad` does the same in several of NumPy's calls an axis; for arrays of
    a few hundred elements these would take longer than all of the filter.
    """
    f = input.astype(np.float64, copy=False)
    for axis, window, border, count in zip(axes, windows, borders, taps, strict=True):
        first, stop = window.reach(count)
        length = f.shape[axis]
        indices = _kept_indices if stop - first <= _KEPT else border_indices
        f = f.take(indices(border, length, first, stop), axis)
        if border == "fill":
            before = (slice(None),) * axis
            f[(*before, slice(0, max(-first, 0)))] = cval
            f[(*before, slice(max(length - first, 0), None))] = cval
    return f


_KEPT = 4096  # positions, up to which the indices of an axis are remembered
_kept_indices = functools.lru_cache(256)(border_indices)


def line_order(weights: Array) -> Order:
    """The order in which SciPy's loop for lines adds up the products with these weights.

    Pairs are joined first if the filter has a centre and is symmetric or antisymmetric.
    """
    if len(weights) % 2 == 0:
        return "line"
    values = weights.tolist()  # so few that Python is faster
    half = len(values) // 2
    ends = list(zip(values[:half], values[:half:-1], strict=True))
    if all(abs(left - right) <= TINY for left, right in ends):
        return "sums"
    if all(abs(left + right) <= TINY for left, right in ends):
        return "differences"
    return "line"


def _by_blocks(fill: Callable[[Block], None], shape: Sequence[int]) -> None:
    """Call `fill` for parts of an array that fit into the cache.

    The last axes are whole, the others in pieces.
    """
    if math.prod(shape) <= _BLOCK:
        fill(tuple(slice(0, length) for length in shape))
        return
    pieces = []
    room = _BLOCK
    for length in reversed(shape):
        step = max(1, min(length, room))
        room //= step
        pieces.append([slice(low, min(low + step, length)) for low in range(0, length, step)])
    for block in itertools.product(*reversed(pieces)):
        fill(block)


def _shifted(block: Block, axes: Sequence[int], tap: Sequence[int]) -> Block:
    """The part of the padded input that one tap reads for a block of outputs."""
    where = list(block)
    for axis, i in zip(axes, tap, strict=True):
        where[axis] = slice(block[axis].start + i, block[axis].stop + i)
    return tuple(where)
