"""The sum of vectors that many ranks have computed, in the order of `sum_tree`.

Each rank has the vectors of a run of places, and adds up the largest blocks of these while they
come. Then the vector is cut into as many slices as there are ranks: each rank is sent the slices of
all blocks that are its own, adds them up in the tree's order, and sends the sum to all. Of a vector
of n bytes that is n (N - 1) / N for each block, and as much for the sum: with one block a rank as
little as any exchange of sums can do.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Floats
from striate.ranks.exchange import Exchange
from striate.ranks.sum_tree import Block, SumTree, block_sizes, sum_of


def own_share(count: int, rank: int, size: int) -> range:
    """Which of `count` things, that follow each other, are a rank's."""
    return range(rank * count // size, (rank + 1) * count // size)


class SharedSum:
    """Adds vectors over all ranks; each rank adds those of its `own_share` of the places.

    Args:
        exchange: connects the ranks.
        length: numbers of a vector.
    """

    def __init__(self, exchange: Exchange, length: int) -> None:
        self._exchange = exchange
        self._tree = SumTree(length)
        slices = [own_share(length, rank, exchange.size) for rank in range(exchange.size)]
        self._slices = [slice(part.start, part.stop) for part in slices]
        self._sizes = [len(part) for part in slices]
        self._whole = np.empty(0 if exchange.is_alone else length, np.float32)
        self._buffers = np.empty(0, np.float32), np.empty(0, np.float32)

    def add(self, place: int, *parts: Floats) -> None:
        """Add the vector of the next place of this rank; its parts follow each other."""
        self._tree.add(place, *parts)

    def total(self, count: int) -> Floats:
        """The sum over all places, `count` of them, which is valid until the next vector comes."""
        exchange = self._exchange
        if exchange.is_alone:
            return self._tree.take()
        shares = [own_share(count, rank, exchange.size) for rank in range(exchange.size)]
        blocks, mine = self._tree.take_blocks(), self._sizes[exchange.rank]
        theirs = [block_sizes(share) for share in shares]
        sent, received = self._buffers_for(
            len(blocks) * len(self._whole), sum(map(len, theirs)) * mine
        )
        place = 0
        for part in self._slices:
            for block in blocks:
                piece = block.total[part]
                sent[place : place + len(piece)] = piece
                place += len(piece)
        with exchange.moving():
            exchange.alltoallv(
                sent,
                [len(blocks) * size for size in self._sizes],
                received,
                [len(sizes) * mine for sizes in theirs],
            )
            self._whole[self._slices[exchange.rank]] = sum_of(_blocks(received, theirs, mine))
            exchange.allgatherv(self._whole, self._sizes)
        return self._whole

    def _buffers_for(self, sent: int, received: int) -> tuple[Floats, Floats]:
        """Buffers of these sizes: those of before, if they are large enough."""
        if len(self._buffers[0]) < sent or len(self._buffers[1]) < received:
            self._buffers = (
                np.empty(max(sent, len(self._buffers[0])), np.float32),
                np.empty(max(received, len(self._buffers[1])), np.float32),
            )
        return self._buffers[0][:sent], self._buffers[1][:received]


def _blocks(received: Floats, sizes: list[list[int]], length: int) -> list[Block]:
    """The blocks of all ranks, whose slices follow each other."""
    found, start = [], 0
    for number, size in enumerate(size for own in sizes for size in own):
        found.append(Block(start, size, received[number * length : (number + 1) * length]))
        start += size
    return found
