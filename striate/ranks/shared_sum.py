"""The sum of vectors that many ranks have computed, in the order of `sum_tree`.

Each rank has the vectors of a run of places, and adds up the largest blocks of these while they
come. Then the vector is cut into as many slices as there are ranks: each rank is sent the slices of
all blocks that are its own, adds them up in the tree's order, and sends the sum to all. Of a vector
of n bytes that is n (N - 1) / N for each block, and as much for the sum: with one block a rank as
little as any exchange of sums can do.

Slices go in pieces, all of which are under way at once: while a rank adds up one, the next ones
come and the sums of those before go, so that the line is never idle. Where parts of the vector are
known before others, as those of a gradient are in the backward pass, their slices go at once; each
part has a line of its own between two ranks, as not all may come to know them in the same order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple, Protocol

from striate.common.arrays import Array, Floats
from striate.common.bfloat16_rounding import widen_into
from striate.ranks.exchange import Exchange, Transfer
from striate.ranks.sum_tree import Block, SumTree, Vector, VectorPart, largest_blocks, sum_of

_TOGETHER = 1 << 17
"""The numbers of a piece: enough to send at full speed, and few beside those of a gradient for
which that matters."""
_PAUSE = 5e-4
"""Seconds between looks at what comes, as long as other threads compute, which each look costs
time."""


class Readiness(Protocol):
    """How far this rank is with its own summands, all blocks of which it computes at once."""

    def is_there(self, part: int) -> bool:
        """Whether a part of all of them is there, and stays as it is."""

    def has_ended(self) -> bool:
        """Whether all is there, and no thread of this rank computes any more."""


class _Ended:
    def is_there(self, part: int) -> bool:
        return True

    def has_ended(self) -> bool:
        return True


ENDED = _Ended()
"""That of summands which are there."""


def own_share(count: int, rank: int, size: int) -> range:
    """Which of `count` things, that follow each other, are a rank's."""
    return range(rank * count // size, (rank + 1) * count // size)


class SlicePiece(NamedTuple):
    """A piece of the slice of a rank.

    Attributes:
        part: the part of the vector that it is of.
        whole: its place in this part.
        inside: its place in the rank's slice of the part.
    """

    part: int
    whole: slice
    inside: slice


class SharedSum:
    """Adds vectors over all ranks; each rank adds those of its `own_share` of the places.

    Args:
        exchange: connects the ranks.
        parts: those of a vector.
    """

    def __init__(self, exchange: Exchange, parts: Sequence[VectorPart]) -> None:
        self._exchange, self._parts = exchange, tuple(parts)
        self._tree = SumTree(parts)
        size = exchange.size
        self._others = [(exchange.rank + step) % size for step in range(1, size)]
        self._pieces = [list(_pieces(parts, rank, size)) for rank in range(size)]
        slices = (len(own_share(part.length, exchange.rank, size)) for part in parts)
        self._slice = [part._replace(length=n) for part, n in zip(parts, slices, strict=True)]
        self._received: list[Vector] = []
        self._halves = [part.empty() if part.is_rounded else None for part in parts]

    def add(self, place: int, *numbers: Floats) -> None:
        """Add the vector of the next place of this rank, by its parts, which are copied."""
        self._tree.add(place, *numbers)

    def total(
        self,
        count: int,
        out: Sequence[Floats],
        blocks: Sequence[Block] | None = None,
        readiness: Readiness = ENDED,
    ) -> None:
        """Fill `out`, by its parts, with the sum over all places, `count` of them.

        Args:
            count: all ranks' places.
            out: of the parts' lengths.
            blocks: those of this rank, largest first, if they were not added here.
            readiness: tells which parts of these are there, where other threads still compute some.
        """
        if blocks is None:
            blocks = self._tree.take_blocks()
        if self._exchange.is_alone:
            total = sum_of(blocks)
        else:
            total = tuple(
                numbers if halves is None else halves
                for numbers, halves in zip(out, self._halves, strict=True)
            )
            with self._exchange.moving():
                self._add_up(count, blocks, total, readiness)
        for part, found, numbers in zip(self._parts, total, out, strict=True):
            if part.is_rounded:
                widen_into(found, numbers)
            elif found is not numbers:
                numbers[...] = found

    def _add_up(
        self, count: int, blocks: Sequence[Block], total: Vector, readiness: Readiness
    ) -> None:
        """Fill `total` with the sum over all ranks, of which this one has these blocks."""
        exchange = self._exchange
        received = self._blocks_of_others(count)
        all_blocks = [*blocks, *(block for _, block in received)]
        arriving = [
            [
                exchange.receive(block.total[piece.part][piece.inside], rank, piece.part)
                for rank, block in received
            ]
            for piece in self._pieces[exchange.rank]
        ]
        own = list(zip(self._pieces[exchange.rank], arriving, strict=True))
        unsent = list(range(len(self._parts)))
        under_way = [
            exchange.receive(total[piece.part][piece.whole], rank, piece.part)
            for rank, piece in self._pieces_of_others(unsent)
        ]
        mine = deque[tuple[SlicePiece, list[Transfer]]]()  # of parts that are sent
        while unsent or mine:
            # Asked first: whoever waits must have sent all that others may wait for.
            has_ended = readiness.has_ended()
            there = [part for part in unsent if readiness.is_there(part)]
            unsent = [part for part in unsent if part not in there]
            under_way += [
                exchange.send(block.total[piece.part][piece.whole], rank, piece.part)
                for rank, piece in self._pieces_of_others(there)
                for block in blocks
            ]
            mine += (one for one in own if one[0].part in there)
            if mine and self._have_come(mine[0][1], has_ended):
                piece, _ = mine.popleft()
                found = total[piece.part][piece.whole]
                found[...] = _sum_of_piece(piece, len(blocks), all_blocks)
                under_way += [exchange.send(found, rank, piece.part) for rank in self._others]
            elif not has_ended:
                time.sleep(_PAUSE)
        while not self._have_come(under_way, readiness.has_ended()):
            time.sleep(_PAUSE)

    def _have_come(self, transfers: Sequence[Transfer], waits: bool) -> bool:
        """Whether transfers are done, which may be waited for."""
        if not waits:
            return self._exchange.are_done(transfers)
        self._exchange.wait(transfers)
        return True

    def _blocks_of_others(self, count: int) -> list[tuple[int, Block]]:
        """Room for this rank's slice of the blocks of the others, with their numbers."""
        found: list[tuple[int, Block]] = []
        for rank in sorted(self._others):
            for places in largest_blocks(own_share(count, rank, self._exchange.size)):
                if len(found) == len(self._received):
                    self._received.append(tuple(part.empty() for part in self._slice))
                block = Block(places.start, len(places), self._received[len(found)])
                found.append((rank, block))
        return found

    def _pieces_of_others(self, parts: Sequence[int]) -> Iterator[tuple[int, SlicePiece]]:
        """Their numbers, and pieces of some parts: first those of all that come first."""
        chosen = ([p for p in self._pieces[rank] if p.part in parts] for rank in self._others)
        for pieces in zip_longest(*chosen):
            for rank, piece in zip(self._others, pieces, strict=True):
                if piece is not None:
                    yield rank, piece


def _pieces(parts: Sequence[VectorPart], rank: int, size: int) -> Iterator[SlicePiece]:
    """The pieces of a rank's slice, in order."""
    for number, part in enumerate(parts):
        own = own_share(part.length, rank, size)
        for start in range(own.start, own.stop, _TOGETHER):
            stop = min(start + _TOGETHER, own.stop)
            inside = slice(start - own.start, stop - own.start)
            yield SlicePiece(number, slice(start, stop), inside)


def _sum_of_piece(piece: SlicePiece, own: int, blocks: Sequence[Block]) -> Array:
    """The sum of all blocks in one piece of this rank's slice; the first `own` are whole."""
    cut = [
        Block(b.start, b.size, (b.total[piece.part][piece.whole if i < own else piece.inside],))
        for i, b in enumerate(blocks)
    ]
    (total,) = sum_of(sorted(cut, key=lambda block: block.start))
    return total
