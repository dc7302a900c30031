"""Threads that wait for work, so that starting a run costs microseconds."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable
from itertools import repeat
from queue import SimpleQueue


class ThreadPool:
    """As many threads as were ever wanted at once, besides the one that calls `run`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: list[SimpleQueue[Callable[[int], None]]] = []

    def run(self, threads: int, work: Callable[[int], None], prepare: Callable[[], None]) -> None:
        """Call ``work(number)`` once on each of `threads` threads, 0 being the caller's.

        `work` waits for the other threads by itself, at the barriers of a program, and does
        nothing when called again after that.  `prepare` is called first, while no other run is
        under way.
        """
        with self._lock:
            while len(self._queues) < threads - 1:
                self._hire()
            # One call in C: Ctrl-C comes before all of the others have work, or after.
            calls = map(SimpleQueue.put, self._queues[: threads - 1], repeat(work))
            prepare()
            try:
                deque(calls, maxlen=0)
                work(0)
            except BaseException:
                work(0)  # the others wait for this part
                raise

    def _hire(self) -> None:
        queue: SimpleQueue[Callable[[int], None]] = SimpleQueue()
        number = len(self._queues) + 1
        threading.Thread(
            target=_serve, args=(number, queue), name=f"striate-{number}", daemon=True
        ).start()
        self._queues.append(queue)


def _serve(number: int, queue: SimpleQueue[Callable[[int], None]]) -> None:
    while True:
        queue.get()(number)


@functools.cache
def thread_pool() -> ThreadPool:
    """The thread_pool of this process."""
    return ThreadPool()


if hasattr(os, "register_at_fork"):
    # A forked child has none of its parent's threads.
    os.register_at_fork(after_in_child=thread_pool.cache_clear)
