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


def to_bfloat16(numbers: Floats) -> npt.NDArray[np.uint16]:
    """The upper halves of finite numbers, rounded to nearest, of two to the even one; what is too
    large becomes infinity.
    """
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
    odd = (bits >> 16) & 1
    found: npt.NDArray[np.uint16] = ((bits + (odd + 0x7FFF)) >> 16).astype(np.uint16)
    return found


def from_bfloat16(halves: npt.NDArray[np.uint16]) -> Floats:
    """The numbers that these are the upper halves of."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def to_int8(numbers: Floats, labels: Labels) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers from -127 to 127, and the scale of each label: number ≈ whole number · scale.

    Of some scales near that which just holds the largest number, each label has the one that makes
    the squared error least; a label of zeros has 1.

    Args:
        numbers: finite, (n,).
        labels: which of them share a scale, (n,): from 0 on.
    """
    count = int(labels.max(initial=-1)) + 1
    exact = numbers.astype(np.float64)
    most = np.zeros(count)
    np.maximum.at(most, labels, np.abs(exact))
    best, least = np.ones(count, np.float32), np.full(count, np.inf)
    for part in _SCALES:
        scales = (most * (part / _LARGEST)).astype(np.float32)
        scales[scales == 0] = 1.0  # zeros, and numbers too small for a scale
        each = scales[labels].astype(np.float64)
        errors = np.bincount(labels, (_whole(exact, each) * each - exact) ** 2, count)
        better = errors < least
        best[better], least[better] = scales[better], errors[better]
    return _whole(exact, best[labels].astype(np.float64)).astype(np.int8), best


def _whole(
    numbers: npt.NDArray[np.float64], scales: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.clip(np.rint(numbers / scales), -_LARGEST, _LARGEST)
    return found
