"""The sum of vectors that many ranks have computed, in the order of `sum_tree`.

Each rank has the vectors of a run of places, and adds up the largest blocks of these while they
come. Then the vector is cut into as many slices as there are ranks: each rank is sent the slices of
all blocks that are its own, adds them up in the tree's order, and sends the sum to all. Of a vector
of n bytes that is n (N - 1) / N for each block, and as much for the sum: with one block a rank as
little as any exchange of sums can do.

Slices go in pieces, all of which are under way at once: while a rank adds up one, the next ones
come and the sums of those before go, so that the line is never idle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from striate.common.arrays import Array, Floats
from striate.common.bfloat16_rounding import widen_into
from striate.ranks.exchange import Exchange
from striate.ranks.sum_tree import Block, SumTree, Vector, VectorPart, largest_blocks, sum_of

_TOGETHER = 1 << 17
"""The numbers of a piece: enough to send at full speed, and few beside those of a gradient for
which that matters."""


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
        self, count: int, out: Sequence[Floats], blocks: Sequence[Block] | None = None
    ) -> None:
        """Fill `out`, by its parts, with the sum over all places, `count` of them.

        Args:
            count: all ranks' places.
            out: of the parts' lengths.
            blocks: those of this rank, largest first, if they were not added here.
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
                self._add_up(count, blocks, total)
        for part, found, numbers in zip(self._parts, total, out, strict=True):
            if part.is_rounded:
                widen_into(found, numbers)
            elif found is not numbers:
                numbers[...] = found

    def _add_up(self, count: int, blocks: Sequence[Block], total: Vector) -> None:
        """Fill `total` with the sum over all ranks, of which this one has these blocks."""
        exchange, others = self._exchange, self._others
        mine = self._pieces[exchange.rank]
        received = self._blocks_of_others(count)
        arriving = [
            [
                exchange.receive(block.total[piece.part][piece.inside], rank)
                for rank, block in received
            ]
            for piece in mine
        ]
        leaving = [
            exchange.send(block.total[piece.part][piece.whole], rank)
            for rank, piece in self._pieces_of_others()
            for block in blocks
        ]
        sums = [
            exchange.receive(total[piece.part][piece.whole], rank)
            for rank, piece in self._pieces_of_others()
        ]
        for piece, transfers in zip(mine, arriving, strict=True):
            exchange.wait(transfers)
            found = total[piece.part][piece.whole]
            found[...] = _sum_of_piece(piece, blocks, [block for _, block in received])
            leaving += [exchange.send(found, rank) for rank in others]
        exchange.wait(leaving + sums)

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

    def _pieces_of_others(self) -> Iterator[tuple[int, SlicePiece]]:
        """Their numbers and pieces: first those of all that come first."""
        for pieces in zip_longest(*(self._pieces[rank] for rank in self._others)):
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


def _sum_of_piece(piece: SlicePiece, own: Sequence[Block], received: Sequence[Block]) -> Array:
    """The sum of all blocks in one piece of this rank's slice."""
    blocks = [
        *(Block(b.start, b.size, (b.total[piece.part][piece.whole],)) for b in own),
        *(Block(b.start, b.size, (b.total[piece.part][piece.inside],)) for b in received),
    ]
    (total,) = sum_of(sorted(blocks, key=lambda block: block.start))
    return total
