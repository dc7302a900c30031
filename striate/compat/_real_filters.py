"""Filters of real arrays as scipy.ndimage computes them: sums in float64, then one conversion.

Where the output is floating, a sum may be taken in any order: `sweep` chooses the algorithm.  Where
it is of whole numbers, the conversion cuts fractions off, so that the last bit of a sum decides
between two integers.  Sums of whole numbers are exact in any order; all others are added up in
SciPy's order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.common.arrays import Array
from striate.compat._in_order import (
    TINY,
    box_in_order,
    line_in_order,
    line_order,
    running_sums,
)
from striate.signal.geometry import AxisWindow
from striate.signal.sweep import sweep

_FLOAT = np.dtype(np.float64)
# As many products are summed by NumPy before a compiled kernel would have been found.
FEW = 1 << 15
_EXACT = 2.0**53  # whole numbers below it are exact in float64
_WORD = 2.0**31  # whole numbers below it are int32
_MANY = 1 << 20  # products of whole numbers from which on the cost model chooses
_FLOATS = ((2.0**24, np.dtype(np.float32)), (_EXACT, _FLOAT))  # exact below, in these
_LONG = 12  # elements of a mean from which on sums made of sums are faster


@np.errstate(all="ignore")  # SciPy's loops in C say nothing of infinities either
def correlate_real(
    input: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
    output: Array,
    line: bool,
) -> None:
    """Write the correlation over `axes` to `output`; all arrays are real.

    Args:
        input: the array, of any real dtype.
        weights: float64, one dimension for each of `axes`, in correlation order.
        windows, axes, borders: as for `striate.signal.sweep.sweep`.
        cval: what the border "fill" holds.
        output: where to write; it may be `input`.
        line: compute as SciPy's filters of lines do, by all weights.  Otherwise as its filters of
            boxes, in which weights that are zero take no part: what they meet may be NaN.
    """
    if not output.size:
        return
    small = output.size * weights.size <= FEW
    floating = output.dtype.kind == "f"
    if not line:
        kept = np.abs(weights) > TINY
        if not kept.all():
            weights = np.where(kept, weights, 0.0)
    bound = np.inf if floating or small else _bound(input, weights, borders, cval)
    if bound < _WORD and output.dtype.kind != "b":
        sweep(
            input, weights, windows, axes=axes, border=borders, fill_value=int(cval),
            dtype=np.dtype(np.int32), out=output, method=_exact_method(output, weights),
        )  # fmt: skip
    elif bound < _EXACT:
        convert(_whole_sums(input, weights, windows, axes, borders, cval), output, line)
    elif small or not _can_compile(input, weights, cval, line):
        if line:
            sums = line_in_order(input, weights, windows[0], axes[0], borders[0], cval)
        else:
            sums = box_in_order(input, weights, windows, axes, borders, cval)
        convert(sums, output, line)
    elif floating:
        sweep(
            input, weights, windows, axes=axes, border=borders, fill_value=cval, dtype=_FLOAT,
            out=output, method="direct",
        )  # fmt: skip
    else:
        direct = _converts_alike(output, _largest(input, weights, borders, cval))
        sums = sweep(
            input, weights, windows, axes=axes, border=borders, fill_value=cval, dtype=_FLOAT,
            out=output if direct else None, order=line_order(weights) if line else "rows",
        )  # fmt: skip
        if not direct:
            convert(sums, output, line)


def _can_compile(input: Array, weights: Array, cval: float, line: bool) -> bool:
    """Whether compiled loops do as SciPy's: unless NaN meets a zero weight that takes no part."""
    if not np.isfinite(weights).all():
        return False
    return line or bool(weights.all()) or _is_finite(input, cval)


def _converts_alike(output: Array, largest: float) -> bool:
    """Whether the compiled engine converts sums up to `largest` as `convert` does."""
    kind, size = output.dtype.kind, output.dtype.itemsize
    if kind not in "iu" or (kind == "u" and size == 8):
        return kind == "f"
    # What 32 bits cannot hold becomes the smallest number here, there it wraps.
    return largest <= (2.0**63 if size == 8 or (kind == "u" and size == 4) else _WORD)


@np.errstate(all="ignore")
def mean_real(
    input: Array, size: int, window: AxisWindow, axis: int, border: str, cval: float, output: Array
) -> None:
    """Write the mean of `size` neighbours along `axis` to `output`; all arrays are real.

    Sums of whole numbers that a float holds are exact, and a quotient of two such numbers, cut to
    a whole one, is that of the numbers themselves: so these means are SciPy's bit by bit.

    Args:
        input: the array, of any real dtype.
        size: elements of the window.
        window, axis, border: as for `striate.signal.sweep.sweep`, along one axis.
        cval: what the border "fill" holds.
        output: where to write; it may be `input`.
    """
    if not output.size:
        return
    floating = output.dtype.kind == "f"
    if output.size * size > FEW:
        ones = np.ones(size)
        bound = np.inf if floating else _bound(input, ones, (border,), cval)
        direct = floating or _converts_alike(output, bound / size)
        if floating and size < _LONG:
            sweep(
                input, ones / size, (window,), axes=(axis,), border=border, fill_value=cval,
                dtype=_FLOAT, out=output, method="direct",
            )  # fmt: skip
            return
        exact = (dtype for largest, dtype in _FLOATS if bound < largest)
        dtype = _FLOAT if floating else next(exact, None)
        if dtype is not None:
            means = sweep(
                input, ones, (window,), axes=(axis,), border=border, fill_value=cval, dtype=dtype,
                out=output if direct else None, mean=True,
            )  # fmt: skip
            if not direct:
                convert(means, output, line=True)
            return
    sums = running_sums(input, size, window, axis, border, cval)
    sums /= size
    convert(sums, output, line=True)


def _whole_sums(
    input: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    cval: float,
) -> Array:
    """The correlation of whole numbers with whole weights, as float64."""
    sums = sweep(
        input, weights, windows, axes=axes, border=borders, fill_value=int(cval),
        dtype=np.dtype(np.int64), method=_exact_method(input, weights),
    )  # fmt: skip
    return sums.astype(np.float64)


def _exact_method(output: Array, weights: Array) -> str:
    """The method for sums of whole numbers: NumPy's matrix products of them are slow, so "auto",
    which would choose these, is for many products only.
    """
    return "direct" if output.size * weights.size < _MANY else "auto"


def convert(values: Array, output: Array, line: bool) -> None:
    """Write float64 values to an output of any dtype as SciPy does in C.

    Fractions are cut off and narrow numbers wrap, by way of 32 bits (uint32: 64), which hold the
    smallest number where they cannot hold the value.  Negative values become unsigned numbers
    of 64 bits by negating the positive ones, or in lines by way of signed ones.
    """
    kind, size = output.dtype.kind, output.dtype.itemsize
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
    """Whether an array holds no infinity or NaN, nor does its border."""
    if input.dtype.kind != "f":
        return bool(np.isfinite(cval))
    # One pass and no array of booleans; only sums of huge numbers need the second look.
    return bool(np.isfinite(np.add.reduce(input, axis=None) + cval)) or bool(
        np.isfinite(input).all() and np.isfinite(cval)
    )


def _bound(input: Array, weights: Array, borders: Sequence[str], cval: float) -> float:
    """No sum of products is larger; infinity if they are not all whole numbers."""
    if (np.rint(weights) != weights).any() or not ("fill" not in borders or _is_whole(cval)):
        return np.inf
    return _largest(input, weights, borders, cval)


def _is_whole(number: float) -> bool:
    return float(number).is_integer()


def _largest(input: Array, weights: Array, borders: Sequence[str], cval: float) -> float:
    """No sum of products is larger; infinity if that cannot be told from the input's dtype."""
    if input.dtype.kind == "f":
        return np.inf
    largest = 1.0
    if input.dtype.kind != "b":
        limits = np.iinfo(input.dtype)
        largest = max(float(limits.max), -float(limits.min))
    if "fill" in borders:
        largest = max(largest, abs(cval))
    return float(np.abs(weights).sum()) * largest
