"""Programs: what is called for each task, and before and after each shard."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from striate.nest.algebra import Constant, Expression, Nest, Store, Tensor
from striate.nest.compiler import CompiledNest, compile_nest
from striate.nest.program import Argument, Job, KernelCall, Program
from striate.nest.thread_pool import thread_pool
from striate.nest.worker import ARGUMENTS

THREADS = (1, 2, 3, 5)
out, x = Tensor("out", ()), Tensor("x", ())


def stores(value: Expression) -> CompiledNest:
    """One number: out = value, an expression of out and x."""
    return compile_nest(Nest((("i", 1),), (Store(out, value),)), element="f64")


def call(kernel: CompiledNest, **arguments: Argument) -> KernelCall:
    return KernelCall(kernel, tuple(arguments[role] for role in kernel.nest.buffers))


def at(array: np.ndarray, *, task: int = 0, thread: int = 0, shard: int = 0) -> Argument:
    return Argument(array.ctypes.data, 8 * task, 8 * thread, 8 * shard)


def run(program: Program, times: int = 1) -> None:
    for _ in range(times):
        thread_pool().run(program)


class Sums:
    """tasks in shards: own[thread] = 10; += x[task] for every task; ends[shard] = own[thread]."""

    def __init__(self, tasks: int, shards: int, threads: int) -> None:
        self.x = np.random.default_rng(0).integers(1, 1000, tasks).astype(np.float64)
        self.own = np.full(threads, np.nan)
        self.ends = np.full(shards, np.nan)
        own = at(self.own, thread=1)
        self.job = Job(
            calls=(call(stores(out + x), out=own, x=at(self.x, task=1)),),
            tasks=tasks,
            shards=shards,
            starts=(call(stores(Constant(10.0)), out=own),),
            ends=(call(stores(x * 1.0), out=at(self.ends, shard=1), x=own),),
        )

    def expected(self, tasks: int, shards: int) -> list[float]:
        runs = np.array_split(self.x[:tasks], shards)  # equal ones, the longer ones first
        return [10 + run.sum() for run in runs]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(("tasks", "shards"), [(1, 1), (7, 7), (7, 3), (40, 16), (100, 1)])
def test_starts_tasks_and_ends_of_every_shard(threads: int, tasks: int, shards: int) -> None:
    sums = Sums(tasks, shards, threads)
    program = Program([sums.job], threads)
    for _ in range(3):
        sums.ends.fill(np.nan)
        run(program)
        assert sums.ends.tolist() == sums.expected(tasks, shards)


@pytest.mark.parametrize("threads", THREADS)
def test_only_the_shards_that_have_tasks_end(threads: int) -> None:
    sums = Sums(12, 6, threads)
    program = Program([sums.job], threads)
    for tasks in (12, 6, 3, 1, 12):
        sums.ends.fill(-1)
        program.resize({0: tasks})
        run(program)
        shards = min(tasks, 6)
        assert sums.ends.tolist() == sums.expected(tasks, shards) + [-1] * (6 - shards)


@pytest.mark.parametrize("threads", THREADS)
def test_several_ends_come_in_order_once_each(threads: int) -> None:
    count, trace = np.zeros(4), np.zeros(4)
    steps = (
        call(stores(out + 1.0), out=at(count, shard=1)),
        call(stores(x * 5.0), out=at(trace, shard=1), x=at(count, shard=1)),
        call(stores(out + x), out=at(trace, shard=1), x=at(count, shard=1)),
    )
    program = Program([Job((), 9, 4, ends=steps)], threads)
    run(program, 3)
    assert count.tolist() == [3.0] * 4
    assert trace.tolist() == [18.0] * 4


@pytest.mark.parametrize("threads", THREADS)
def test_the_next_job_sees_what_all_shards_left(threads: int) -> None:
    """A barrier waits for the ends too.  Many turns, since a race need not show in one."""
    sums = Sums(16, 8, threads)
    total = np.zeros(8)
    # Every task of the second job reads what shard 7, the last, has left.
    job = Job((call(stores(x * 2.0), out=at(total, task=1), x=at(sums.ends[7:])),), 8, 8)
    program = Program([sums.job, job], threads)
    for _ in range(30):
        sums.ends.fill(np.nan)
        run(program)
        assert total.tolist() == [2 * sums.expected(16, 8)[7]] * 8


def test_too_many_buffers_are_refused() -> None:
    kernel = stores(out + 1.0)
    with pytest.raises(ValueError, match=rf"at most {ARGUMENTS} buffers, not {ARGUMENTS + 1}"):
        KernelCall(kernel, (Argument(0),) * (ARGUMENTS + 1)).words()


def test_programs_that_are_gone_as_soon_as_they_have_run() -> None:
    """Threads may be late to leave a barrier: its counters must be there till then."""
    for number in range(600):
        sums = Sums(7, 3, 4)
        run(Program([sums.job] * (1 + number % 3), 4))
        assert sums.ends.tolist() == sums.expected(7, 3)


@pytest.mark.parametrize("barriers", [(True, True, True), (False, True, True), (True, False, True)])
def test_others_do_the_work_of_a_thread_that_is_late(barriers: tuple[bool, ...]) -> None:
    """It keeps them waiting only at the end, where all must have left the program."""
    several = [Sums(7, 3, 2) for _ in barriers]
    jobs = [
        replace(sums.job, barrier=barrier) for sums, barrier in zip(several, barriers, strict=True)
    ]
    program = Program(jobs, 2)
    for _ in range(5):
        for sums in several:
            sums.ends.fill(np.nan)
        program.prepare()
        first = threading.Thread(target=program.run, args=(0,))
        first.start()
        until = time.monotonic() + 20
        while np.isnan(several[-1].ends).any() and time.monotonic() < until:
            time.sleep(0.001)
        assert [sums.ends.tolist() for sums in several] == [s.expected(7, 3) for s in several]
        assert first.is_alive()
        program.run(1)
        first.join(20)
        assert not first.is_alive()
