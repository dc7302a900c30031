"""Ranks as threads of one process, so that tests need no MPI."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from striate.ranks.exchange import Exchange

PATIENCE = 60.0
"""Seconds that a rank waits for the others, before a test fails."""


class Table:
    """What all ranks see: each has a place in it, and waits for the others."""

    def __init__(self, size: int) -> None:
        self.entries: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=PATIENCE)
        self.lines: dict[tuple[int, int, int], Any] = {}
        self._lock = threading.Lock()

    def line(self, sender: int, receiver: int, line: int) -> Any:
        """What is sent on a line and not yet received."""
        with self._lock:
            return self.lines.setdefault((sender, receiver, line), SimpleQueue())


class Moved:
    """An array that is under way: it is copied when its receiver waits for it, and not before, so
    that what a sender changes too early comes out wrong.
    """

    def __init__(self, array: Any) -> None:
        self.array, self.is_there = array, threading.Event()


class ThreadExchange(Exchange):
    """A rank that is a thread; `moved` counts the bytes that it has sent to others."""

    def __init__(self, table: Table, rank: int) -> None:
        self._table, self.rank, self.size = table, rank, len(table.entries)
        self.is_leader = rank == 0
        self.threads = 1
        self.moved = 0
        self._expected: dict[tuple[int, int], deque[Moved]] = defaultdict(deque)
        self._senders: dict[Moved, tuple[int, int]] = {}

    def _exchanged(self, own: Any) -> list[Any]:
        self._table.entries[self.rank] = own
        self._table.barrier.wait()
        found = list(self._table.entries)
        self._table.barrier.wait()
        return found

    def allgather(self, message: bytes) -> list[bytes]:
        return self._exchanged(message)

    def send(self, array: Any, rank: int, line: int = 0) -> Moved:
        assert array.flags.c_contiguous and rank != self.rank
        self.moved += array.nbytes
        sent = Moved(array)
        self._table.line(self.rank, rank, line).put(sent)
        return sent

    def receive(self, array: Any, rank: int, line: int = 0) -> Moved:
        assert array.flags.c_contiguous and rank != self.rank
        expected = Moved(array)
        self._expected[rank, line].append(expected)
        self._senders[expected] = rank, line
        return expected

    def wait(self, transfers: Sequence[Moved]) -> None:
        for expected in transfers:
            while expected in self._senders:
                self._take(*self._senders[expected], PATIENCE)
        for sent in transfers:
            assert sent.is_there.wait(PATIENCE)

    def are_done(self, transfers: Sequence[Moved]) -> bool:
        with suppress(Empty):
            for expected in transfers:
                while expected in self._senders:
                    self._take(*self._senders[expected], None)
        return all(sent.is_there.is_set() for sent in transfers)

    def _take(self, sender: int, line: int, patience: float | None) -> None:
        """Receive what comes next, if anything does."""
        waits = patience is not None
        sent = self._table.line(sender, self.rank, line).get(waits, patience)
        first = self._expected[sender, line].popleft()
        assert sent.array.shape == first.array.shape
        assert sent.array.dtype == first.array.dtype
        first.array[...] = sent.array
        del self._senders[first]
        first.is_there.set()
        sent.is_there.set()

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
