"""Threads that wait for work, so that starting a run costs microseconds."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import repeat
from queue import SimpleQueue
from typing import TypeAlias

from striate.common.fork import in_child
from striate.common.text import counted
from striate.common.warn import warn_user
from striate.nest.program import Program

# What hands the others their parts, and the caller's own.
_Run: TypeAlias = tuple[Iterator[None], Callable[[int], None]]
_MOST_SIGNALS = 1000  # that come during one run


class ThreadPool:
    """As many threads as were ever wanted at once, besides the one that calls `run`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: list[SimpleQueue[Callable[[int], None]]] = []
        self._refused = False
        self._begun: _Run | None = None

    def run(self, program: Program, before: Callable[[], object] | None = None) -> None:
        """Run a program by as many threads as it is made for, or fewer where the system refuses
        them.

        It is run whole and once or, if an exception comes before it is begun, not at all: one that
        a signal raises meanwhile, such as KeyboardInterrupt, is raised after the end.

        Args:
            program: what is run.
            before: called last, while no other run is under way; then the program is run.
        """
        with self._lock:
            if self._begun is not None:  # signals had come one upon the other
                self._finish(self._begun)
            threads = 1 + self._helpers(program.threads - 1)
            # One call in C: all of the others have work, or none.
            calls = map(SimpleQueue.put, self._queues[: threads - 1], repeat(program.run))
            program.prepare(threads)
            if before is not None:
                before()
            self._begun = (calls, program.run)
            self._finish(self._begun)

    def _finish(self, begun: _Run) -> None:
        """Do what is left of a run: parts that were done before are not done again."""
        calls, work = begun
        interruption: BaseException | None = None
        for _ in range(_MOST_SIGNALS):
            try:
                deque(calls, maxlen=0)
                work(0)
                self._begun = None
                break
            except BaseException as error:
                interruption = error
        if interruption is not None:
            raise interruption

    def _helpers(self, wanted: int) -> int:
        """How many of the others can work, of those that are wanted."""
        while len(self._queues) < wanted:
            queue: SimpleQueue[Callable[[int], None]] = SimpleQueue()
            number = len(self._queues) + 1
            thread = threading.Thread(
                target=_serve, args=(number, queue), name=f"striate-{number}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                self._tell(error)
                break
            self._queues.append(queue)
        return min(wanted, len(self._queues))

    def _tell(self, error: RuntimeError) -> None:
        if not self._refused:
            self._refused = True
            working = counted(1 + len(self._queues), "thread")
            warn_user(
                f"striate: the system refuses more threads ({error}); working with {working}",
                RuntimeWarning,
            )


def _serve(number: int, queue: SimpleQueue[Callable[[int], None]]) -> None:
    while True:
        queue.get()(number)


@functools.cache
def thread_pool() -> ThreadPool:
    """The thread_pool of this process."""
    return ThreadPool()


# A forked child has none of its parent's threads.
in_child(thread_pool.cache_clear)
