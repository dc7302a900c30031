"""A sum of vectors in the order of a tree over their places.

The sum of the places lo to hi is

    T(lo, lo + 1) = the vector of place lo
    T(lo, hi)     = T(lo, mid) + T(mid, hi),   mid - lo the largest power of two below hi - lo

whoever computes which vectors: its bits are a function of the vectors alone. Blocks of 2^k places
that begin at a multiple of 2^k are nodes of the tree, so that whoever has such a block can add it
up before anything else is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Floats


def textbook_sum(vectors: list[Floats]) -> Floats:
    """The sum, by its definition."""
    if len(vectors) == 1:
        return vectors[0]
    middle = 1 << (len(vectors) - 1).bit_length() - 1
    return textbook_sum(vectors[:middle]) + textbook_sum(vectors[middle:])


@dataclass
class _Block:
    """The sum of the places from `start` on, `size` of them."""

    start: int
    size: int
    total: Floats


class SumTree:
    """Adds vectors that come in the order of their places, and keeps no more than it must: one sum
    for each power of two.

    Args:
        length: numbers of a vector.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._blocks: list[_Block] = []
        self._free: list[Floats] = []

    def add(self, place: int, *parts: Floats) -> None:
        """Add the vector of the next place; its parts, which are copied, follow each other."""
        vector = self._free.pop() if self._free else np.empty(self._length, np.float32)
        np.concatenate(parts, out=vector)
        block = _Block(place, 1, vector)
        while self._blocks and self._is_other_half(self._blocks[-1], block):
            block = self._joined(self._blocks.pop(), block)
        self._blocks.append(block)

    def take(self) -> Floats:
        """The sum of all that was added, which is valid until the next vector comes; the tree is
        empty again.
        """
        block = self._blocks.pop()
        while self._blocks:
            block = self._joined(self._blocks.pop(), block)
        self._free.append(block.total)
        return block.total

    @staticmethod
    def _is_other_half(left: _Block, right: _Block) -> bool:
        return left.size == right.size and left.start % (2 * left.size) == 0

    def _joined(self, left: _Block, right: _Block) -> _Block:
        left.total += right.total
        self._free.append(right.total)
        return _Block(left.start, left.size + right.size, left.total)
