"""Programs: many kernel calls, for many tasks and threads, behind one native call.

A program is a list of jobs.  A job runs a list of kernel calls for each of its tasks (a task is
some blocks of images, or some rows of a gradient).  Tasks are dealt to the threads in shards: a
shard is a fixed run of tasks that one thread takes through in order, and may have calls of its own
at its start (clearing an accumulator) and its end.  Which thread takes which shard is decided by an
atomic counter at run time and changes nothing in the result.  At the end of a job with a barrier
threads wait until all shards up to there are done.  A thread without a processor of its own, as
others want that too, so keeps the rest waiting only while it has a shard: they do its work.

The address of each argument of each call is a linear form too:

    base + task * task_stride + thread * thread_stride + shard * shard_stride      (bytes)

so a program is a table of integers, and the function that runs it is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from striate.nest.compiler import CompiledNest
from striate.nest.service import start
from striate.nest.target import Target, host
from striate.nest.waiting import offer
from striate.nest.worker import ARGUMENTS, CALL_WORDS, JOB_WORDS, Barrier, JobWord, worker


@dataclass(frozen=True)
class Argument:
    """Where a call finds a buffer: bytes."""

    base: int
    task: int = 0
    thread: int = 0
    shard: int = 0

    def moved(self, moves: Sequence[Move]) -> Argument:
        """The same place in other memory."""
        for move in moves:
            if move.start <= self.base < move.stop:
                return replace(self, base=self.base + move.distance)
        return self


@dataclass(frozen=True)
class Move:
    """Memory that is to be found elsewhere: addresses from `start` to `stop`, so many bytes on."""

    start: int
    stop: int
    distance: int


@dataclass(frozen=True)
class KernelCall:
    """A kernel and where its buffers are."""

    kernel: CompiledNest
    arguments: tuple[Argument, ...]

    def words(self) -> list[int]:
        """The row of the call table."""
        if len(self.arguments) > ARGUMENTS:
            raise ValueError(
                f"a kernel takes at most {ARGUMENTS} buffers, not {len(self.arguments)}"
            )
        row = [self.kernel.address, len(self.arguments)]
        for a in self.arguments:
            row += [a.base, a.task, a.thread, a.shard]
        return row + [0] * (CALL_WORDS - len(row))

    def moved(self, moves: Sequence[Move]) -> KernelCall:
        """The same call for buffers elsewhere."""
        return replace(self, arguments=tuple(a.moved(moves) for a in self.arguments))


@dataclass(frozen=True)
class Job:
    """Calls for every task; `tasks` are dealt in `shards` equal runs (as near as can be).

    `starts` and `ends` are called once for each shard, before and after its tasks.
    """

    calls: tuple[KernelCall, ...]
    tasks: int
    shards: int
    starts: tuple[KernelCall, ...] = ()
    ends: tuple[KernelCall, ...] = ()
    barrier: bool = True

    def moved(self, moves: Sequence[Move]) -> Job:
        """The same job for buffers elsewhere."""
        calls, starts, ends = (
            tuple(call.moved(moves) for call in some)
            for some in (self.calls, self.starts, self.ends)
        )
        return replace(self, calls=calls, starts=starts, ends=ends)


class Program:
    """Jobs, ready to be run by up to `threads` threads at once, on a machine like `target`.

    Args:
        jobs: what is run, in order.
        threads: how many threads have room of their own.
        target: the machine; None for this one.
        flushes: whether numbers too small to be normal count as zero, which are otherwise as exact
            as they can be and take a hundred times as long. It is so while a thread runs the
            program, and nowhere else.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        threads: int,
        target: Target | None = None,
        *,
        flushes: bool = False,
    ) -> None:
        self.threads = self._running = threads
        self._flushes = int(flushes)
        self._jobs = tuple(jobs)
        self._table = np.zeros((max(len(jobs), 1), JOB_WORDS), np.int64)
        self._keep: list[np.ndarray] = []
        for row, job in zip(self._table, jobs, strict=False):
            row[JobWord.CALLS], row[JobWord.CALL_COUNT] = self._calls(job.calls)
            row[JobWord.STARTS], row[JobWord.START_COUNT] = self._calls(job.starts)
            row[JobWord.ENDS], row[JobWord.END_COUNT] = self._calls(job.ends)
            row[JobWord.BARRIER] = Barrier.SHARDS if job.barrier else Barrier.NONE
        self._meetings = self._found_meetings()
        self._awaited = np.zeros(len(jobs), np.int64)
        self.resize({})
        self._table[: len(jobs), JobWord.BASE] = 0
        self._work, self._code = worker(target or host())

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is run, in order."""
        return self._jobs

    def _calls(self, calls: Sequence[KernelCall]) -> tuple[int, int]:
        rows = np.array([call.words() for call in calls], np.int64)
        self._keep.append(rows)
        return rows.ctypes.data if len(calls) else 0, len(calls)

    def _found_meetings(self) -> list[tuple[int, slice]]:
        """The barriers, each with the jobs whose shards are waited for there.

        At the last one it is the threads: a thread that comes late to the others finds nothing to
        do, but it must have seen that before its counters are set for the next run.
        """
        barriers = [number for number, job in enumerate(self._jobs) if job.barrier]
        if barriers:
            self._table[barriers[-1], JobWord.BARRIER] = Barrier.THREADS
        starts = [0, *(number + 1 for number in barriers)]
        found = [(end, slice(start, end + 1)) for start, end in zip(starts, barriers, strict=False)]
        for end, jobs in found[:-1]:
            self._table[jobs, JobWord.MEETS] = end + 1
        return found

    def resize(self, tasks: dict[int, int]) -> None:
        """Run only the first `tasks[job]` tasks of some jobs (of the others, all)."""
        for number, job in enumerate(self._jobs):
            count = min(tasks.get(number, job.tasks), job.tasks)
            self._table[number, JobWord.TASKS] = count
            self._table[number, JobWord.SHARDS] = min(job.shards, count)
        for end, waited_for in self._meetings:
            self._awaited[end] = self._table[waited_for, JobWord.SHARDS].sum()

    def prepare(self, threads: int | None = None) -> None:
        """Before each run, while no thread is at work: where the counters stand.

        Counters only ever grow, so that a thread that is late to leave a barrier never sees
        the next run's numbers.

        Args:
            threads: how many will run it, at most `threads`, which is the default.
        """
        self._running = self.threads if threads is None else threads
        used = self._table[: len(self._jobs)]
        used[:, JobWord.BASE] = used[:, JobWord.TAKEN]
        used[:, JobWord.EXPECTED] = used[:, JobWord.ARRIVED] + self._awaited
        if self._meetings:
            last, _ = self._meetings[-1]
            used[last, JobWord.EXPECTED] = used[last, JobWord.ARRIVED] + self._running

    def has_begun(self, job: int) -> bool:
        """Whether a thread is at a job, or was, in the run that it was prepared for last: then the
        barriers before it are behind. It may be asked by any thread while others run it.
        """
        row = self._table[job]
        return bool(row[JobWord.TAKEN] > row[JobWord.BASE])

    def start(self, boxes: int, helpers: int, ticket: int) -> None:
        """Run it by this thread, and by those with the first `helpers` mailboxes: all of those that
        it was prepared for. Called again with the same ticket, it does nothing.

        See `striate.nest.service.start`.
        """
        start(boxes, helpers, ticket, self._code.address, *self._place, self._flushes)

    def run(self, thread: int) -> None:
        """The part of one thread; every thread from 0 on of those that it was prepared for must
        call it. Called again by one of them, it does nothing.
        """
        self._call(thread, self._running)

    def run_alone(self) -> None:
        """All of it, by this thread and without preparation; called again, it does all again."""
        self._call(0, 0)

    def _call(self, thread: int, threads: int) -> None:
        self._work(*self._place, thread, threads, offer(), self._flushes)

    @property
    def _place(self) -> tuple[int, int]:
        """The address of the table, and how many jobs it has."""
        return self._table.ctypes.data, len(self._jobs)
