"""Ranks as threads of one process, so that tests need no MPI."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from striate.ranks.exchange import Exchange

PATIENCE = 60.0
"""Seconds that a rank waits for the others, before a test fails."""


class Table:
    """What all ranks see: each has a place in it, and waits for the others."""

    def __init__(self, size: int) -> None:
        self.entries: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=PATIENCE)


class ThreadExchange(Exchange):
    """A rank that is a thread; `moved` counts the numbers that it has sent to others."""

    def __init__(self, table: Table, rank: int) -> None:
        self._table, self.rank, self.size = table, rank, len(table.entries)
        self.is_leader = rank == 0
        self.threads = 1
        self.moved = 0

    def _exchanged(self, own: Any) -> list[Any]:
        self._table.entries[self.rank] = own
        self._table.barrier.wait()
        found = list(self._table.entries)
        self._table.barrier.wait()
        return found

    def allgather(self, message: bytes) -> list[bytes]:
        return self._exchanged(message)

    def alltoallv(
        self, sent: Any, sizes: Sequence[int], received: Any, received_sizes: Sequence[int]
    ) -> None:
        assert len(sent) == sum(sizes) and len(received) == sum(received_sizes)
        parts = np.split(sent.copy(), np.cumsum(sizes)[:-1])
        self.moved += len(sent) - sizes[self.rank]
        mine = [given[self.rank] for given in self._exchanged(parts)]
        assert [len(part) for part in mine] == list(received_sizes)
        received[...] = np.concatenate(mine)

    def allgatherv(self, whole: Any, sizes: Sequence[int]) -> None:
        assert len(whole) == sum(sizes)
        ends = np.cumsum([0, *sizes])
        own = whole[ends[self.rank] : ends[self.rank + 1]].copy()
        self.moved += len(own) * (self.size - 1)
        whole[...] = np.concatenate(self._exchanged(own))

    def broadcast(self, array: Any) -> None:
        array[...] = self._exchanged(array.copy())[0]

    def abort(self) -> None:
        self._table.barrier.abort()


def with_ranks(size: int, work: Callable[[Exchange], Any]) -> list[Any]:
    """What `work` returns, or raises, on each of so many ranks."""
    table, found = Table(size), [None] * size

    def run(rank: int) -> None:
        try:
            found[rank] = work(ThreadExchange(table, rank))
        except BaseException as error:
            found[rank] = error

    threads = [
        threading.Thread(target=run, args=(rank,), name=f"rank {rank}") for rank in range(size)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def on_ranks(size: int, work: Callable[[Exchange], Any]) -> list[Any]:
    """What `work` returns on each of so many ranks; what it raises is raised."""
    found = with_ranks(size, work)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return found
