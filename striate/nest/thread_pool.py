"""Threads that wait for work, so that starting a run costs microseconds."""

from __future__ import annotations

import atexit
import functools
import threading
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from striate.common.fork import in_child
from striate.common.text import counted
from striate.common.warn import warn_user
from striate.nest.program import Program
from striate.nest.service import BOX_WORDS, BoxWord, end, serve

# A start that is whole once it was made, and that may be made again.
_Run: TypeAlias = Callable[[], object]
_MOST_SIGNALS = 1000  # that come during one run
_MOST_HELPERS = 1023
_PATIENCE = 1.0  # seconds in which a thread should end


class ThreadPool:
    """As many threads as were ever wanted at once, besides the one that calls `run`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # A mailbox for each thread: see `striate.nest.service`.
        self._boxes = _mailboxes()
        self._ticket = 0
        # Programs that some thread may not have left yet, with the number of their last start.
        self._kept: dict[Program, int] = {}
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
            helpers = self._helpers(program.threads - 1)
            program.prepare(1 + helpers)
            ticket = self._ticket + 1
            boxes = self._boxes.ctypes.data
            if before is not None:
                before()
            self._ticket = ticket
            self._keep(program, ticket)
            self._begun = functools.partial(program.start, boxes, helpers, ticket)
            self._finish(self._begun)

    def _finish(self, begun: _Run) -> None:
        """Do what is left of a run: what was done before is not done again."""
        interruption: BaseException | None = None
        for _ in range(_MOST_SIGNALS):
            try:
                begun()
                self._begun = None
                break
            except BaseException as error:
                interruption = error
        if interruption is not None:
            raise interruption

    def _keep(self, program: Program, ticket: int) -> None:
        """Hold a program until every thread has left it, and let go of those that all have left."""
        boxes = self._boxes[: len(self._threads)]
        left = boxes[boxes[:, BoxWord.LEFT] < boxes[:, BoxWord.POSTED], BoxWord.LEFT]
        if not left.size:
            self._kept.clear()
        elif len(self._kept) > 1:
            last = int(left.min())
            self._kept = {kept: when for kept, when in self._kept.items() if when > last}
        self._kept[program] = ticket

    def close(self) -> None:
        """Let the threads end, unless they are at work for long; the next run makes new ones."""
        if not self._lock.acquire(timeout=_PATIENCE):
            return
        try:
            threads, self._threads = self._threads, []
            if threads:
                end(self._boxes.ctypes.data, len(threads), self._ticket + 1)
            for thread in threads:
                thread.join(_PATIENCE)
            # The old mailboxes belong to threads that have not ended.
            self._boxes, self._ticket = _mailboxes(), 0
            self._kept = {}
        finally:
            self._lock.release()

    def _helpers(self, wanted: int) -> int:
        """How many of the others can work, of those that are wanted."""
        wanted = min(wanted, _MOST_HELPERS)
        while len(self._threads) < wanted:
            number = len(self._threads) + 1
            thread = threading.Thread(
                target=_serve,
                args=(self._boxes[number - 1],),
                name=f"striate-{number}",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError as error:
                self._tell(error)
                break
            self._threads.append(thread)
        return min(wanted, len(self._threads))

    def _tell(self, error: RuntimeError) -> None:
        if not self._refused:
            self._refused = True
            working = counted(1 + len(self._threads), "thread")
            warn_user(
                f"striate: the system refuses more threads ({error}); working with {working}",
                RuntimeWarning,
            )


def _mailboxes() -> npt.NDArray[np.int64]:
    return np.zeros((_MOST_HELPERS, BOX_WORDS), np.int64)


def _serve(box: npt.NDArray[np.int64]) -> None:
    serve(box.ctypes.data)


@functools.cache
def thread_pool() -> ThreadPool:
    """The thread pool of this process."""
    return ThreadPool()


def _close() -> None:
    """Threads must not be at work, or asleep, in code that goes as Python ends."""
    if thread_pool.cache_info().currsize:
        thread_pool().close()


atexit.register(_close)
# A forked child has none of its parent's threads.
in_child(thread_pool.cache_clear)
