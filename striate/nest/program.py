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

A thread that waits at a barrier spins for some microseconds, and then sleeps until the last one
wakes it: a partner that does not run, because others want its processor, or because a quota is used
up, gets this one.
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
_TAKEN, _BASE, _BARRIER, _EXPECTED, _ARRIVED, _ASLEEP = 8, 9, 10, 11, 16, 17
_JOB_WORDS = 24  # three cache lines: the counters that all threads write have lines of their own
_SPINS = 4000  # turns at a barrier before the processor is offered to others
# Linux: system calls that wait for a word of memory to change, and that wake who waits.
_FUTEX = {"x86_64": 202, "aarch64": 98}
_WAIT, _WAKE = 128, 129  # among the threads of one process
# Of the control word of floating-point arithmetic: subnormal results, and arguments, are zero.
_FLUSH = {"x86": 0x8040, "arm": 1 << 24}


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
        self._table = np.zeros((max(len(jobs), 1), _JOB_WORDS), np.int64)
        self._keep: list[np.ndarray] = []
        for row, job in zip(self._table, jobs, strict=False):
            row[_CALLS], row[_CALL_COUNT] = self._calls(job.calls)
            row[_STARTS], row[_START_COUNT] = self._calls(job.starts)
            row[_ENDS], row[_END_COUNT] = self._calls(job.ends)
            row[_BARRIER] = job.barrier
        self.resize({})
        self._table[: len(jobs), _BASE] = 0
        self._work, self._code = _worker(target or host())

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

    def prepare(self, threads: int | None = None) -> None:
        """Before each run, while no thread is at work: where the counters stand.

        Counters only ever grow, so that a thread that is late to leave a barrier never sees
        the next run's numbers.

        Args:
            threads: how many will run it, at most `threads`, which is the default.
        """
        self._running = self.threads if threads is None else threads
        used = self._table[: len(self._jobs)]
        used[:, _BASE] = used[:, _TAKEN]
        used[:, _EXPECTED] = used[:, _ARRIVED] + self._running

    def run(self, thread: int) -> None:
        """The part of one thread; every thread from 0 on of those that it was prepared for must
        call it. Called again by one of them, it does nothing.
        """
        self._call(thread, self._running)

    def run_alone(self) -> None:
        """All of it, by this thread and without preparation; called again, it does all again."""
        self._call(0, 0)

    def _call(self, thread: int, threads: int) -> None:
        table, jobs = self._table.ctypes.data, len(self._jobs)
        self._work(table, jobs, thread, threads, _offer(), self._flushes)


@functools.cache
def _offer() -> int:
    """The C function by which a thread that waits gives its processor away: on Linux `syscall`,
    else one without arguments.
    """
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    elif sys.platform == "linux":
        function = ctypes.CDLL(None).syscall
    else:
        function = ctypes.CDLL(None).sched_yield
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


@functools.cache
def _worker(target: Target) -> tuple[Callable[..., None], Loaded]:
    """The function that runs a program, and what keeps its code in memory."""
    loaded: Loaded = load("program", lambda symbol: worker_source(symbol, target), target)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(loaded.address), loaded


def worker_source(symbol: str, target: Target) -> str:
    """The function that runs a program.  What it does, in Python:

    if flushes:
        let subnormal numbers be zero, until the end
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
    declarations = ["declare void @llvm.x86.sse2.pause()"] if target.is_x86 else []
    control = _control_word(code, target)
    flushes = code.emit("icmp ne i64 %flushes, 0")
    before = control.read()
    code.when(
        flushes, lambda: control.write(code.emit(f"or {control.kind} {before}, {control.flush}"))
    )
    code.loop("%jobs", 1, [], "", lambda index, _: _job(code, index, target))
    code.when(flushes, lambda: control.write(before))
    return "\n".join(
        [
            *declarations,
            *sorted(code.declarations),
            f"define void @{symbol}"
            "(i64 %table, i64 %jobs, i64 %thread, i64 %threads, i64 %offer, i64 %flushes) {",
            "entry:",
            "  %table.pointer = inttoptr i64 %table to ptr",
            *code.lines,
            "  ret void",
            "}",
            _call_all_source(),
        ]
    )


@dataclass(frozen=True)
class _ControlWord:
    """The word that says how this thread's floating-point unit works."""

    kind: str
    flush: int
    read: Callable[[], Value]
    write: Callable[[Value], None]


def _control_word(code: Function, target: Target) -> _ControlWord:
    if target.is_x86:
        place = code.emit("alloca i32")
        code.declarations |= {
            "declare void @llvm.x86.sse.stmxcsr(ptr)",
            "declare void @llvm.x86.sse.ldmxcsr(ptr)",
        }

        def read() -> Value:
            code.effect(f"call void @llvm.x86.sse.stmxcsr(ptr {place})")
            return code.emit(f"load i32, ptr {place}")

        def write(value: Value) -> None:
            code.effect(f"store i32 {value}, ptr {place}")
            code.effect(f"call void @llvm.x86.sse.ldmxcsr(ptr {place})")

        return _ControlWord("i32", _FLUSH["x86"], read, write)
    code.declarations |= {
        "declare i64 @llvm.aarch64.get.fpcr()",
        "declare void @llvm.aarch64.set.fpcr(i64)",
    }
    return _ControlWord(
        "i64",
        _FLUSH["arm"],
        lambda: code.emit("call i64 @llvm.aarch64.get.fpcr()"),
        lambda value: code.effect(f"call void @llvm.aarch64.set.fpcr(i64 {value})"),
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
    # A thread that is not prepared counts from where the counter stands.
    alone = code.emit("icmp eq i64 %threads, 0")
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
    """Wait for the other threads: spin, then sleep.

    Whoever arrives last wakes the others, if any sleeps. Each of both writes its own counter before
    it reads the other's, so that none falls asleep unseen; and it sleeps only while the number of
    those who arrived is the one that it saw.
    """
    meeting = code.emit(f"icmp ne i64 {_load(code, row, _BARRIER)}, 0")
    several = code.emit("icmp sgt i64 %threads, 1")
    wanted = code.emit(f"and i1 {meeting}, {several}")
    arrived, asleep = _field(code, row, _ARRIVED), _field(code, row, _ASLEEP)
    linux = "linux" in target.triple
    futex = _FUTEX["x86_64" if target.is_x86 else "aarch64"]

    def system_call(operation: int, value: Value) -> None:
        function = code.emit("inttoptr i64 %offer to ptr")
        arguments = f"i64 {futex}, ptr {arrived}, i32 {operation}, i32 {value}, ptr null"
        code.emit(f"call i64 (i64, ...) {function}({arguments})")

    def has_all() -> tuple[Value, Value]:
        now = code.emit(f"load atomic i64, ptr {arrived} seq_cst, align 8")
        return now, code.emit(f"icmp sge i64 {now}, {expected}")

    def wait() -> None:
        spin, on, sleep = code.name("spin"), code.name("on"), code.name("sleep")
        again, rest, leave = code.name("again"), code.name("rest"), code.name("leave")
        spins, following = "%" + code.name(), "%" + code.name()
        before = code.name("before")
        code.effect(f"br label %{before}")
        code.label(before)
        code.effect(f"br label %{spin}")
        code.label(spin)
        code.lines.append(f"  {spins} = phi i64 [ 0, %{before} ], [ {following}, %{on} ]")
        _, ready = has_all()
        code.effect(f"{following} = add i64 {spins}, 1")
        code.effect(f"br i1 {ready}, label %{leave}, label %{on}")
        code.label(on)
        if target.is_x86:
            code.effect("call void @llvm.x86.sse2.pause()")
        long = code.emit(f"icmp sgt i64 {following}, {_SPINS}")
        code.effect(f"br i1 {long}, label %{sleep}, label %{spin}")
        code.label(sleep)
        code.emit(f"atomicrmw add ptr {asleep}, i64 1 seq_cst")
        code.effect(f"br label %{again}")
        code.label(again)
        now, ready = has_all()
        done = code.name("awake")
        code.effect(f"br i1 {ready}, label %{done}, label %{rest}")
        code.label(rest)
        if linux:
            system_call(_WAIT, code.emit(f"trunc i64 {now} to i32"))
        else:
            code.effect(f"call i32 {code.emit('inttoptr i64 %offer to ptr')}()")
        code.effect(f"br label %{again}")
        code.label(done)
        code.emit(f"atomicrmw sub ptr {asleep}, i64 1 seq_cst")
        code.effect(f"br label %{leave}")
        code.label(leave)

    def wake() -> None:
        count = code.emit(f"load atomic i64, ptr {asleep} seq_cst, align 8")
        code.when(code.emit(f"icmp sgt i64 {count}, 0"), lambda: system_call(_WAKE, str(2**31 - 1)))

    def meet() -> None:
        earlier = code.emit(f"atomicrmw add ptr {arrived}, i64 1 seq_cst")
        mine = code.emit(f"add i64 {earlier}, 1")
        last = code.emit(f"icmp sge i64 {mine}, {expected}")
        code.when(code.emit(f"xor i1 {last}, true"), wait)
        if linux:
            code.when(last, wake)

    expected = _load(code, row, _EXPECTED)
    code.when(wanted, meet)


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
