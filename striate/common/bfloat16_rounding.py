"""Numbers of 16 bits with the range of float32: the upper halves of these, rounded (bfloat16).

NumPy has no such dtype: they are kept as uint16.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Floats

Halves = npt.NDArray[np.uint16]

_NAN = np.uint16(0x7FC0)
# Numbers that are rounded together, which stay in a cache meanwhile.
_TOGETHER = 1 << 15


def to_bfloat16(numbers: Floats) -> Halves:
    """Numbers rounded to nearest, of two to the even one; what is too large becomes infinity."""
    numbers = np.ascontiguousarray(numbers, np.float32)
    halves = np.empty(numbers.shape, np.uint16)
    round_into(numbers.reshape(-1), halves.reshape(-1))
    return halves


def from_bfloat16(halves: Halves) -> Floats:
    """The numbers that these are the upper halves of."""
    bits = halves.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)


def round_into(numbers: Floats, halves: Halves) -> None:
    """Fill `halves` (n,) with rounded numbers (n,)."""
    for part in _parts(len(numbers)):
        halves[part] = _rounded(numbers[part])


def widen_into(halves: Halves, numbers: Floats) -> None:
    """Fill `numbers` (n,) with those that `halves` (n,) are the upper halves of."""
    bits = numbers.view(np.uint32)
    for part in _parts(len(halves)):
        np.left_shift(halves[part], np.uint32(16), out=bits[part])


def add_rounded(left: Halves, right: Halves) -> None:
    """Replace `left` (n,) by the sum of both, computed in float32 and rounded."""
    for part in _parts(len(left)):
        total = from_bfloat16(left[part])
        total += from_bfloat16(right[part])
        left[part] = _rounded(total)


def _rounded(numbers: Floats) -> npt.NDArray[np.uint32]:
    bits = numbers.view(np.uint32)
    found: npt.NDArray[np.uint32] = bits >> np.uint32(16)
    found &= 1
    found += 0x7FFF
    found += bits
    found >>= np.uint32(16)
    is_nan = np.isnan(numbers)
    if is_nan.any():  # whose bits may have become those of other numbers
        found[is_nan] = _NAN
    return found


def _parts(length: int) -> Iterator[slice]:
    for start in range(0, length, _TOGETHER):
        yield slice(start, start + _TOGETHER)
