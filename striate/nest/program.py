"""Programs: many kernel calls, for many tasks and threads, behind one native call.

A program is a list of jobs.  A job runs a list of kernel calls for each of its tasks (a task is
some blocks of images, or some rows of a gradient).  Tasks are dealt to the threads in shards: a
shard is a fixed run of tasks that one thread takes through in order, and may have calls of its own
at its start (clearing an accumulator) and its end.  Which thread takes which shard is decided by an
atomic counter at run time and changes nothing in the result.  A job with a barrier ends when all
threads have finished it.

The address of each argument of each call is a linear form too:

    base + task * task_stride + thread * thread_stride + shard * shard_stride      (bytes)

so a program is a table of integers, and the function that runs it is the same for all.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from striate.nest.compiler import CompiledNest, load
from striate.nest.ir import Function, Value
from striate.nest.target import Loaded, Target, host

ARGUMENTS = 12
_CALL_WORDS = 2 + 4 * ARGUMENTS
# Words of a job.
_CALLS, _CALL_COUNT, _STARTS, _START_COUNT, _ENDS, _END_COUNT, _SHARDS, _TASKS = range(8)
_TAKEN, _BASE, _BARRIER, _EXPECTED, _ARRIVED = 8, 9, 10, 11, 16
_JOB_WORDS = 24  # three cache lines: the counters that all threads write have lines of their own
_SPINS = 4000  # turns at a barrier before the processor is offered to others


@dataclass(frozen=True)
class Argument:
    """Where a call finds a buffer: bytes."""

    base: int
    task: int = 0
    thread: int = 0
    shard: int = 0


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
        return row + [0] * (_CALL_WORDS - len(row))


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


class Program:
    """Jobs, ready to be run by `threads` threads at once, on a machine like `target`."""

    def __init__(self, jobs: Sequence[Job], threads: int, target: Target | None = None) -> None:
        self.threads = threads
        self._jobs = tuple(jobs)
        self._table = np.zeros((max(len(jobs), 1), _JOB_WORDS), np.int64)
        self._keep: list[np.ndarray] = []
        for row, job in zip(self._table, jobs, strict=False):
            row[_CALLS], row[_CALL_COUNT] = self._calls(job.calls)
            row[_STARTS], row[_START_COUNT] = self._calls(job.starts)
            row[_ENDS], row[_END_COUNT] = self._calls(job.ends)
            row[_BARRIER] = job.barrier
        self.resize({})
        self._table[: len(jobs), _BASE] = 0
        self._work = _worker(target or host())

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is run, in order."""
        return self._jobs

    def _calls(self, calls: Sequence[KernelCall]) -> tuple[int, int]:
        rows = np.array([call.words() for call in calls], np.int64)
        self._keep.append(rows)
        return rows.ctypes.data if len(calls) else 0, len(calls)

    def resize(self, tasks: dict[int, int]) -> None:
        """Run only the first `tasks[job]` tasks of some jobs (of the others, all)."""
        for number, job in enumerate(self._jobs):
            count = min(tasks.get(number, job.tasks), job.tasks)
            self._table[number, _TASKS] = count
            self._table[number, _SHARDS] = min(job.shards, count)

    def prepare(self) -> None:
        """Before each run of several threads, while none is at work: where the counters stand.

        Counters only ever grow, so that a thread that is late to leave a barrier never sees
        the next run's numbers.
        """
        used = self._table[: len(self._jobs)]
        used[:, _BASE] = used[:, _TAKEN]
        used[:, _EXPECTED] = used[:, _ARRIVED] + self.threads

    def run(self, thread: int) -> None:
        """The part of one thread; every thread from 0 to `threads` - 1 must call it."""
        self._work(self._table.ctypes.data, len(self._jobs), thread, self.threads, _yield_address())


@functools.cache
def _yield_address() -> int:
    """A C function without arguments that offers the processor to another thread."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


@functools.cache
def _worker(target: Target) -> Callable[..., None]:
    loaded: Loaded = load("program", lambda symbol: worker_source(symbol, target), target)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)(loaded.address)


def worker_source(symbol: str, target: Target) -> str:
    """The function that runs a program.  What it does, in Python:

    for job in jobs:
        while (shard := take_next(job)) < job.shards:
            call_all(job.starts, task=0, thread, shard)
            for task in run_of_tasks(job.tasks, job.shards, shard):
                call_all(job.calls, task, thread, shard)
            call_all(job.ends, task=0, thread, shard)
        if job.barrier:
            arrive(job)
            wait_until_all_have_arrived(job)
    """
    code = Function()
    code.loop("%jobs", 1, [], "", lambda index, _: _job(code, index, target))
    return "\n".join(
        [
            "declare void @llvm.x86.sse2.pause()" if target.is_x86 else "",
            f"define void @{symbol}"
            "(i64 %table, i64 %jobs, i64 %thread, i64 %threads, i64 %yield) {",
            "entry:",
            "  %table.pointer = inttoptr i64 %table to ptr",
            *code.lines,
            "  ret void",
            "}",
            _call_all_source(),
        ]
    )


def _field(code: Function, row: Value, field: int) -> Value:
    return code.emit(f"getelementptr i64, ptr {row}, i64 {field}")


def _load(code: Function, row: Value, field: int) -> Value:
    return code.emit(f"load i64, ptr {_field(code, row, field)}")


def _job(code: Function, index: Value, target: Target) -> list[Value]:
    offset = code.emit(f"mul i64 {index}, {_JOB_WORDS}")
    row = code.emit(f"getelementptr i64, ptr %table.pointer, i64 {offset}")
    shards, tasks, base = (_load(code, row, field) for field in (_SHARDS, _TASKS, _BASE))
    calls, call_count = _load(code, row, _CALLS), _load(code, row, _CALL_COUNT)
    starts, start_count = _load(code, row, _STARTS), _load(code, row, _START_COUNT)
    ends, end_count = _load(code, row, _ENDS), _load(code, row, _END_COUNT)
    taken = _field(code, row, _TAKEN)
    # A thread that is alone needs no preparation: it counts from where the counter stands.
    alone = code.emit("icmp eq i64 %threads, 1")
    here = code.emit(f"load i64, ptr {taken}")
    base = code.emit(f"select i1 {alone}, i64 {here}, i64 {base}")
    take, work, rest = code.name("take"), code.name("work"), code.name("rest")
    code.effect(f"br label %{take}")
    code.label(take)
    ticket = code.emit(f"atomicrmw add ptr {taken}, i64 1 seq_cst")
    shard = code.emit(f"sub i64 {ticket}, {base}")
    more = code.emit(f"icmp slt i64 {shard}, {shards}")
    code.effect(f"br i1 {more}, label %{work}, label %{rest}")
    code.label(work)
    first, last = _run_of_tasks(code, tasks, shard, shards)
    for table, count, begin, end in (
        (starts, start_count, "0", "1"),
        (calls, call_count, first, last),
        (ends, end_count, "0", "1"),
    ):
        words = ", ".join(f"i64 {v}" for v in (table, count, begin, end, "%thread", shard))
        code.effect(f"call void @call_all({words})")
    code.effect(f"br label %{take}")
    code.label(rest)
    _barrier(code, row, target)
    return []


def run_of_tasks(tasks: int, shards: int, shard: int) -> range:
    """The tasks of one shard.  The longer runs come first, so that no thread takes one last."""
    few, more = divmod(tasks, shards)
    first = few * shard + min(shard, more)
    return range(first, first + few + (shard < more))


def _run_of_tasks(code: Function, tasks: Value, shard: Value, shards: Value) -> tuple[Value, Value]:
    """`run_of_tasks`, as code."""
    few, more = code.emit(f"sdiv i64 {tasks}, {shards}"), code.emit(f"srem i64 {tasks}, {shards}")

    def first(shard: Value) -> Value:
        before = code.emit(f"mul i64 {few}, {shard}")
        larger = code.emit(f"icmp slt i64 {shard}, {more}")
        extra = code.emit(f"select i1 {larger}, i64 {shard}, i64 {more}")
        return code.emit(f"add i64 {before}, {extra}")

    return first(shard), first(code.emit(f"add i64 {shard}, 1"))


def _barrier(code: Function, row: Value, target: Target) -> None:
    arrive, wait = code.name("arrive"), code.name("wait")
    pause, leave = code.name("pause"), code.name("leave")
    offer, onwards = code.name("offer"), code.name("onwards")
    meeting = code.emit(f"icmp ne i64 {_load(code, row, _BARRIER)}, 0")
    several = code.emit("icmp sgt i64 %threads, 1")
    wanted = code.emit(f"and i1 {meeting}, {several}")
    code.effect(f"br i1 {wanted}, label %{arrive}, label %{leave}")
    code.label(arrive)
    arrived = _field(code, row, _ARRIVED)
    expected = _load(code, row, _EXPECTED)
    code.emit(f"atomicrmw add ptr {arrived}, i64 1 seq_cst")
    code.effect(f"br label %{wait}")
    code.label(wait)
    spins, following = "%" + code.name(), "%" + code.name()
    code.lines.append(f"  {spins} = phi i64 [ 0, %{arrive} ], [ {following}, %{onwards} ]")
    now = code.emit(f"load atomic i64, ptr {arrived} seq_cst, align 8")
    ready = code.emit(f"icmp sge i64 {now}, {expected}")
    code.effect(f"br i1 {ready}, label %{leave}, label %{pause}")
    code.label(pause)
    if target.is_x86:
        code.effect("call void @llvm.x86.sse2.pause()")
    code.effect(f"{following} = add i64 {spins}, 1")
    long = code.emit(f"icmp sgt i64 {following}, {_SPINS}")
    code.effect(f"br i1 {long}, label %{offer}, label %{onwards}")
    code.label(offer)
    code.effect(f"call i32 {code.emit('inttoptr i64 %yield to ptr')}()")
    code.effect(f"br label %{onwards}")
    code.label(onwards)
    code.effect(f"br label %{wait}")
    code.label(leave)


def _call_all_source() -> str:
    """Run the calls in a table for tasks from `first` to `last`."""
    code = Function("begin")

    def task(index: Value, _: list[Value]) -> list[Value]:
        code.loop("%count", 1, [], "", lambda number, _: call(index, number))
        return []

    def call(index: Value, number: Value) -> list[Value]:
        offset = code.emit(f"mul i64 {number}, {_CALL_WORDS}")
        row = code.emit(f"getelementptr i64, ptr %calls, i64 {offset}")
        arguments = _load(code, row, 1)
        code.loop(arguments, 1, [], "", lambda argument, _: address(row, index, argument))
        function = code.emit(f"inttoptr i64 {_load(code, row, 0)} to ptr")
        code.effect(f"call void {function}(ptr %arguments)")
        return []

    def address(row: Value, index: Value, argument: Value) -> list[Value]:
        start = code.emit(f"mul i64 {argument}, 4")
        part = code.emit(f"getelementptr i64, ptr {row}, i64 {start}")
        total = _load(code, part, 2)
        for field, factor in ((3, index), (4, "%thread"), (5, "%shard")):
            product = code.emit(f"mul i64 {_load(code, part, field)}, {factor}")
            total = code.emit(f"add i64 {total}, {product}")
        place = code.emit(f"getelementptr i64, ptr %arguments, i64 {argument}")
        code.effect(f"store i64 {total}, ptr {place}")
        return []

    code.loop("%last", 1, [], "", task, start="%first")
    return "\n".join(
        [
            "define internal void @call_all(i64 %calls.address, i64 %count, i64 %first, i64 %last,"
            " i64 %thread, i64 %shard) noinline {",
            "entry:",
            "  %calls = inttoptr i64 %calls.address to ptr",
            f"  %arguments = alloca i64, i64 {ARGUMENTS}",
            "  %some = icmp sgt i64 %count, 0",
            "  br i1 %some, label %begin, label %end",
            "begin:",
            *code.lines,
            "  br label %end",
            "end:",
            "  ret void",
            "}",
        ]
    )
