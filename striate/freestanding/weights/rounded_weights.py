"""Weights in fewer bits, as arrays: bfloat16, and whole numbers of 8 bits with scales."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Floats
from striate.common.errors import StriateValueError
from striate.common.text import did_you_mean, listed

Weights = Literal["float32", "bfloat16", "int8"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
"""How the weights of an export may be stored."""

# Numbers that are rounded together, which stay in a cache meanwhile.
_TOGETHER = 1 << 15
Labels = npt.NDArray[np.int64]
_LARGEST = 127
# Parts of the scale at which the largest weight of a sum is just held: smaller ones cut it off, and
# hold all others more finely. Beyond these the error only grows; within, outputs of LeNet-5 come
# nearer by a fifth than with the plain scale.
_SCALES = np.linspace(1.01, 0.96, 26)


def checked_weights(weights: str) -> Weights:
    """One of `WEIGHTS`.

    Raises:
        ValueError: it is none.
    """
    for known in WEIGHTS:
        if weights == known:
            return known
    raise StriateValueError(
        f"export: there are no weights {weights!r}{did_you_mean(weights, list(WEIGHTS))}; known "
        f"are {listed(list(WEIGHTS), len(WEIGHTS))}"
    )


def to_int8(numbers: Floats, labels: Labels) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers from -127 to 127, and the scale of each label: number ≈ whole number · scale.

    Of some scales near that which just holds the largest number, each label has the one that makes
    the squared error least; a label of zeros has 1.

    Args:
        numbers: finite, (n,).
        labels: which of them share a scale, (n,): all from 0 to the largest.
    """
    sizes = np.bincount(labels)
    order, ends = np.argsort(labels, kind="stable"), np.cumsum(sizes)
    whole, scales = np.zeros(numbers.size, np.int8), np.ones(sizes.size, np.float32)
    first = 0
    while first < sizes.size:
        begin = ends[first] - sizes[first]
        last = max(first + 1, int(np.searchsorted(ends, begin + _TOGETHER, side="right")))
        places = order[begin : ends[last - 1]]
        whole[places], scales[first:last] = _runs_to_int8(numbers[places], sizes[first:last])
        first = last
    return whole, scales


def _runs_to_int8(numbers: Floats, sizes: Labels) -> tuple[npt.NDArray[np.int8], Floats]:
    """The same of numbers of which so many, one behind the other, share a scale."""
    starts = np.cumsum(sizes) - sizes
    most = np.maximum.reduceat(np.abs(numbers), starts)
    best, least = np.ones(sizes.size, np.float32), np.full(sizes.size, np.inf)
    for part in _SCALES:
        scales = (most * (part / _LARGEST)).astype(np.float32)
        scales[scales == 0] = 1.0  # zeros, and numbers too small for a scale
        exact = numbers / np.repeat(scales, sizes)
        squares = (_nearest(exact) - exact) ** 2
        errors = np.add.reduceat(squares, starts, dtype=np.float64) * scales.astype(np.float64) ** 2
        better = errors < least
        best[better], least[better] = scales[better], errors[better]
    chosen: Floats = np.repeat(best, sizes)
    return _nearest(numbers / chosen).astype(np.int8), best


def _nearest(exact: Floats) -> Floats:
    """The whole numbers that 8 bits can hold nearest to some."""
    found: Floats = np.clip(np.rint(exact), -_LARGEST, _LARGEST)
    return found
