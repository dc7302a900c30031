"""Filters of real arrays as scipy.ndimage computes them: sums in float64, then one conversion.

Where the output is floating, a sum may be taken in any order: `sweep` chooses the algorithm.  Where
it is whole, the conversion cuts fractions off, so that the last bit of a sum decides between two
integers.  Sums of whole numbers are exact in any order; all others are added up here in SciPy's
order, one product at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.compat._plain import FEW, plain_method
from striate.signal.geometry import Window
from striate.signal.sweep import sweep
from striate.signal.textbook import extended

Array = npt.NDArray[Any]

# SciPy leaves out smaller weights in several dimensions, and takes filters of one dimension for
# symmetric if no two weights differ by more.
_TINY = float(np.finfo(np.float64).eps)
_FLOAT = np.dtype(np.float64)
_EXACT = 2.0**53  # whole numbers below it are exact in float64
_WORD = 2.0**31
_LONG = (
    64  # elements of a mean; for more, transforms may be faster (SciPy's running sum drifts too)
)
_BLOCK = 1 << 15  # outputs summed up at a time: they stay in the cache


def weigh(
    input: Array,
    weights: Array,
    windows: Sequence[Window],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
    output: Array,
    line: bool,
) -> None:
    """Write the correlation over `axes` to `output`; all arrays are real.

    A `line` is filtered by all weights. Otherwise those that are zero take no part: what they meet
    may be NaN.
    """
    if not output.size:
        return
    floating = output.dtype.kind == "f"
    if not line:
        kept = np.abs(weights) > _TINY
        if not kept.all():
            weights = np.where(kept, weights, 0.0)
    bound = np.inf if floating else _bound(input, weights, borders, cval)
    if bound < _WORD and output.dtype.kind != "b":
        sweep(
            input, weights, windows, axes=axes, border=borders, fill_value=int(cval),
            dtype=np.dtype(np.int32), out=output,
        )  # fmt: skip
    elif bound < _EXACT:
        convert(_whole_sums(input, weights, windows, axes, borders, cval), output, line)
    elif floating and not _in_order_pays(input, weights, cval, output, line):
        sweep(
            input, weights, windows, axes=axes, border=borders, fill_value=cval, dtype=_FLOAT,
            out=output, method=plain_method(output.size, weights),
        )  # fmt: skip
    else:
        if line:
            sums = _line_in_order(input, weights, windows[0], axes[0], borders[0], cval)
        else:
            sums = _in_order(input, weights, windows, axes, borders, cval)
        convert(sums, output, line)


def _in_order_pays(input: Array, weights: Array, cval: float, output: Array, line: bool) -> bool:
    """Whether to sum a floating result here: where it is small, or NaN meets a zero weight."""
    if output.size * weights.size <= FEW:
        return True
    return not line and not weights.all() and not _is_finite(input, cval)


def average(
    input: Array, size: int, window: Window, axis: int, border: str, cval: float, output: Array
) -> None:
    """Write the mean of `size` neighbours along `axis` to `output`; all arrays are real.

    The sum comes first and is divided once, so that means of whole numbers are SciPy's bit by bit.
    """
    if not output.size:
        return
    ones = np.ones(size)
    if output.dtype.kind == "f":
        if size <= _LONG and output.size * size > FEW:
            sweep(
                input, ones / size, (window,), axes=(axis,), border=border, fill_value=cval,
                dtype=_FLOAT, out=output, method="direct",
            )  # fmt: skip
            return
        sums = _running_sums(input, size, window, axis, border, cval)
    elif _bound(input, ones, (border,), cval) < _EXACT:
        sums = _whole_sums(input, ones, (window,), (axis,), (border,), cval)
    else:
        sums = _running_sums(input, size, window, axis, border, cval)
    sums /= size
    convert(sums, output, line=True)


def _whole_sums(
    input: Array,
    weights: Array,
    windows: Sequence[Window],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
) -> Array:
    """The correlation of whole numbers with whole weights, as float64."""
    sums = sweep(
        input, weights, windows, axes=axes, border=borders, fill_value=int(cval),
        dtype=np.dtype(np.int64),
    )  # fmt: skip
    return sums.astype(np.float64)


def convert(values: Array, output: Array, line: bool) -> None:
    """Write float64 values to an output of any dtype as SciPy does in C.

    Fractions are cut off and narrow numbers wrap, by way of 32 bits (uint32: 64), which hold the
    smallest number where they cannot hold the value.  Negative values become unsigned numbers
    of 64 bits by negating the positive ones, or in lines by way of signed ones.
    """
    kind, size = output.dtype.kind, output.dtype.itemsize
    with np.errstate(invalid="ignore"):
        if kind == "f" or (kind == "i" and size >= 4):
            np.copyto(output, values, casting="unsafe")
        elif size == 8:
            negative = values <= -1
            whole = np.where(negative, 0, values).astype(np.uint64)
            below = values[negative]
            whole[negative] = (
                below.astype(np.int64).view(np.uint64) if line else -(-below).astype(np.uint64)
            )
            np.copyto(output, whole, casting="unsafe")
        else:
            whole = values.astype(np.int64 if size == 4 else np.int32)
            np.copyto(output, whole.astype(np.uint8) if kind == "b" else whole, casting="unsafe")


def _is_finite(input: Array, cval: float) -> bool:
    if input.dtype.kind != "f":
        return bool(np.isfinite(cval))
    with np.errstate(invalid="ignore", over="ignore"):
        # One pass and no array of booleans; only sums of huge numbers need the second look.
        return bool(np.isfinite(np.add.reduce(input, axis=None) + cval)) or bool(
            np.isfinite(input).all() and np.isfinite(cval)
        )


def _bound(input: Array, weights: Array, borders: Sequence[str], cval: float) -> float:
    """No sum of products is larger; infinity if they are not all whole numbers."""
    if input.dtype.kind == "f" or (np.rint(weights) != weights).any():
        return np.inf
    largest = 1.0
    if input.dtype.kind != "b":
        limits = np.iinfo(input.dtype)
        largest = max(float(limits.max), -float(limits.min))
    if "fill" in borders:
        if not float(cval).is_integer():
            return np.inf
        largest = max(largest, abs(cval))
    return float(np.abs(weights).sum()) * largest


def _in_order(
    input: Array,
    weights: Array,
    windows: Sequence[Window],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
) -> Array:
    """The sums of the products with all weights but zeros, added up in C order."""
    padded = extended(
        input.astype(np.float64, copy=False), weights.shape, windows, axes, borders, cval
    )
    out = np.zeros(input.shape)
    taps = [(tap, weights[tap]) for tap in np.ndindex(weights.shape) if weights[tap]]
    for block in _blocks(input.shape):
        total = out[block]
        product = np.empty(total.shape)
        for tap, weight in taps:
            np.multiply(padded[_moved(block, axes, tap)], weight, out=product)
            np.add(total, product, out=total)
    return out


def _line_in_order(
    input: Array, weights: Array, window: Window, axis: int, border: str, cval: float
) -> Array:
    """The same over one axis, in the order of SciPy's loop for lines.

    There the elements of a symmetric pair are added, those of an antisymmetric pair subtracted,
    before they are weighted; the centre comes first, or without symmetry the last element.
    """
    padded = extended(
        input.astype(np.float64, copy=False), weights.shape, (window,), (axis,), (border,), cval
    )
    taps = len(weights)
    symmetry = _symmetry(weights)
    out = np.empty(input.shape)
    for block in _blocks(input.shape):
        total = out[block]
        product = np.empty(total.shape)

        def at(tap: int, block: tuple[slice, ...] = block) -> Array:
            return padded[_moved(block, (axis,), (tap,))]

        start = taps // 2 if symmetry else taps - 1
        np.multiply(at(start), weights[start], out=total)
        for tap in range(start):
            if symmetry is None:
                np.multiply(at(tap), weights[tap], out=product)
            else:
                symmetry(at(tap), at(taps - 1 - tap), out=product)
                np.multiply(product, weights[tap], out=product)
            np.add(total, product, out=total)
    return out


def _running_sums(
    input: Array, size: int, window: Window, axis: int, border: str, cval: float
) -> Array:
    """Sums of `size` neighbours along `axis`: each is the last one, plus what comes in minus what
    goes out.
    """
    lines = extended(
        input.astype(np.float64, copy=False), (size,), (window,), (axis,), (border,), cval
    ).swapaxes(0, axis)
    steps = np.empty((window.size, *lines.shape[1:]))
    steps[0] = np.add.accumulate(lines[:size], 0)[-1]  # in order, as np.sum would not be
    np.subtract(lines[size:], lines[:-size], out=steps[1:])
    sums: Array = np.add.accumulate(steps, 0).swapaxes(0, axis)
    return sums


def _symmetry(weights: Array) -> np.ufunc | None:
    """How the two ends of a pair are joined, if the filter has a centre and is symmetric."""
    if len(weights) % 2 == 0:
        return None
    half = len(weights) // 2
    left, right = weights[:half], weights[:half:-1]
    if (np.abs(left - right) <= _TINY).all():
        return np.add
    if (np.abs(left + right) <= _TINY).all():
        return np.subtract
    return None


def _blocks(shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Parts of an array that fit into the cache: the last axes whole, the others in pieces."""
    pieces = []
    room = _BLOCK
    for length in reversed(shape):
        step = max(1, min(length, room))
        room //= step
        pieces.append([slice(low, min(low + step, length)) for low in range(0, length, step)])
    return itertools.product(*reversed(pieces))


def _moved(block: tuple[slice, ...], axes: Sequence[int], tap: Sequence[int]) -> tuple[slice, ...]:
    """The part of the extended input that one tap reads for a block of outputs."""
    where = list(block)
    for axis, i in zip(axes, tap, strict=True):
        where[axis] = slice(block[axis].start + i, block[axis].stop + i)
    return tuple(where)
