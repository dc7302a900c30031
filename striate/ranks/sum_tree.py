"""A sum of vectors in the order of a tree over their places.

The sum of the places lo to hi is

    T(lo, lo + 1) = the vector of place lo
    T(lo, hi)     = T(lo, mid) + T(mid, hi),   mid - lo the largest power of two below hi - lo

whoever computes which vectors: its bits are a function of the vectors alone. Blocks of 2^k places
that begin at a multiple of 2^k are nodes of the tree, so that whoever has such a block can add it
up before anything else is known.

Numbers that are rounded to bfloat16 are so at every node, so that wherever the tree is cut, to be
sent by one rank to another, 16 bits are all there is of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.bfloat16_rounding import add_rounded, round_into

Vector = tuple[Array, ...]
"""The parts of a vector: float32, or uint16 for those that are rounded to bfloat16."""


class VectorPart(NamedTuple):
    """A part of the vectors that are added.

    Attributes:
        length: how many numbers it has.
        is_rounded: whether each number, and the sum of any two nodes, is rounded to bfloat16.
    """

    length: int
    is_rounded: bool = False

    def empty(self) -> Array:
        """Memory for it."""
        return np.empty(self.length, np.uint16 if self.is_rounded else np.float32)


def textbook_sum(vectors: list[Floats]) -> Floats:
    """The sum, by its definition."""
    if len(vectors) == 1:
        return vectors[0]
    middle = 1 << (len(vectors) - 1).bit_length() - 1
    return textbook_sum(vectors[:middle]) + textbook_sum(vectors[middle:])


@dataclass
class Block:
    """The sum of the places from `start` on, `size` of them."""

    start: int
    size: int
    total: Vector

    def is_followed_by(self, right: Block) -> bool:
        """Whether another block is the other half of one of twice the size."""
        return self.size == right.size and self.start % (2 * self.size) == 0

    def joined(self, right: Block) -> Block:
        """The block of both, in this one's vector."""
        for own, other in zip(self.total, right.total, strict=True):
            if own.dtype == np.uint16:
                add_rounded(own, other)
            else:
                own += other
        return Block(self.start, self.size + right.size, self.total)


def largest_blocks(places: range) -> list[range]:
    """The places of the largest blocks that some places have, one after the other."""
    blocks, start = [], places.start
    while start < places.stop:
        fitting = 1 << (places.stop - start).bit_length() - 1
        stop = start + (min(fitting, start & -start) if start else fitting)
        blocks.append(range(start, stop))
        start = stop
    return blocks


def sum_of(blocks: Iterable[Block]) -> Vector:
    """The sum of blocks that follow each other from place 0 on, in the vector of the first one."""
    left: list[Block] = []
    for block in blocks:
        while left and left[-1].is_followed_by(block):
            block = left.pop().joined(block)
        left.append(block)
    total = left.pop()
    while left:
        total = left.pop().joined(total)
    return total.total


class Joining(NamedTuple):
    """What becomes of the vector of a place, where the vectors of some places come one by one and
    the blocks that wait lie in slots, the one that came first in slot 0.

    Attributes:
        left: the slots whose blocks are added to it: the last one's to the vector, the one before
            to that sum, and so on.
        slot: where the sum is put, which is free or the first of `left`.
    """

    left: tuple[int, ...]
    slot: int


def joinings(places: range, *, are_all: bool) -> Iterator[Joining]:
    """What becomes of the vector of each place.

    Args:
        places: those whose vectors come; afterwards the slots hold the `largest_blocks` of these.
        are_all: whether there are no others: the vector of the last one then becomes the sum of
            all, in slot 0.
    """
    waiting: list[Block] = []
    for place in places:
        block, before = Block(place, 1, ()), len(waiting)
        while waiting and waiting[-1].is_followed_by(block):
            block = waiting.pop().joined(block)
        if are_all and place == places.stop - 1:
            waiting.clear()
        waiting.append(block)
        yield Joining(tuple(range(len(waiting) - 1, before)), len(waiting) - 1)


class SumTree:
    """Adds vectors that come in the order of their places, and keeps no more than it must: one sum
    for each power of two.

    Args:
        parts: those of a vector.
    """

    def __init__(self, parts: Sequence[VectorPart]) -> None:
        self._parts = tuple(parts)
        self._blocks: list[Block] = []
        self._free: list[Vector] = []

    def add(self, place: int, *numbers: Floats) -> None:
        """Add the vector of the next place, by its parts, of which nothing is kept."""
        own = self._free.pop() if self._free else tuple(part.empty() for part in self._parts)
        # What a block waits for is added to it from where it is, without a copy.
        is_awaited = bool(self._blocks) and self._blocks[-1].is_followed_by(Block(place, 1, own))
        vector: list[Array] = []
        for part, memory, given in zip(self._parts, own, numbers, strict=True):
            if part.is_rounded:
                round_into(given, memory)
            elif not is_awaited:
                memory[...] = given
            vector.append(memory if part.is_rounded or not is_awaited else given)
        block = Block(place, 1, tuple(vector))
        while self._blocks and self._blocks[-1].is_followed_by(block):
            self._free.append(own)
            block = self._blocks.pop().joined(block)
            own = block.total
        self._blocks.append(block)

    def take_blocks(self) -> list[Block]:
        """The largest blocks of what was added, in order, which are valid until the next vector
        comes; the tree is empty again.
        """
        blocks, self._blocks = self._blocks, []
        self._free += [block.total for block in blocks]
        return blocks
