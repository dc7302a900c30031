"""The function that runs a program: its source, and the table that it reads.

The table has a row for each job (`JobWord`), which points to rows of calls. All threads share the
counters in it: how many shards are taken, and how many threads have arrived at a barrier.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from striate.nest.compiler import load
from striate.nest.ir import Function, Value
from striate.nest.target import Loaded, Target
from striate.nest.waiting import wait_until, wake

ARGUMENTS = 12
"""Buffers that a kernel takes at most."""
CALL_WORDS = 2 + 4 * ARGUMENTS
"""Words of a call: address, number of arguments, and four for each; see `KernelCall.words`."""
JOB_WORDS = 24
"""Words of a job: three cache lines, as the counters that all threads write have their own."""


class JobWord(IntEnum):
    """Where in the row of a job what stands."""

    CALLS, CALL_COUNT, STARTS, START_COUNT, ENDS, END_COUNT, SHARDS, TASKS = range(8)
    TAKEN, BASE, BARRIER, EXPECTED, MEETS = 8, 9, 10, 11, 12
    ARRIVED, ASLEEP = 16, 17


class Barrier(IntEnum):
    """What the threads wait for at the end of a job: until all shards up to there are done,
    whoever did them, or until all threads are there, which no longer touch the program then.
    """

    NONE, SHARDS, THREADS = range(3)


# Of the control word of floating-point arithmetic: subnormal results, and arguments, are zero.
_FLUSH = {"x86": 0x8040, "arm": 1 << 24}


@functools.cache
def worker(target: Target) -> tuple[Callable[..., None], Loaded]:
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
            if job.meets:
                arrive(job.meets)
        if job.barrier == THREADS:
            arrive(job)
        if job.barrier:
            wait_until_all_have_arrived(job)
    """
    code = Function()
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
    offset = code.emit(f"mul i64 {index}, {JOB_WORDS}")
    row = code.emit(f"getelementptr i64, ptr %table.pointer, i64 {offset}")
    shards, tasks, base = (
        _load(code, row, field) for field in (JobWord.SHARDS, JobWord.TASKS, JobWord.BASE)
    )
    calls, call_count = _load(code, row, JobWord.CALLS), _load(code, row, JobWord.CALL_COUNT)
    starts, start_count = _load(code, row, JobWord.STARTS), _load(code, row, JobWord.START_COUNT)
    ends, end_count = _load(code, row, JobWord.ENDS), _load(code, row, JobWord.END_COUNT)
    taken = _field(code, row, JobWord.TAKEN)
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
    _count_shard(code, row, target)
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


def _count_shard(code: Function, row: Value, target: Target) -> None:
    """Where threads wait for shards: one more is done."""
    meets = _load(code, row, JobWord.MEETS)
    counts = code.emit(f"icmp ne i64 {meets}, 0")

    def count() -> None:
        number = code.emit(f"sub i64 {meets}, 1")
        offset = code.emit(f"mul i64 {number}, {JOB_WORDS}")
        there = code.emit(f"getelementptr i64, ptr %table.pointer, i64 {offset}")
        _arrive(code, there, _load(code, there, JobWord.EXPECTED), target)

    code.when(code.emit(f"and i1 {counts}, {_several(code)}"), count)


def _barrier(code: Function, row: Value, target: Target) -> None:
    """Wait for the shards or for the other threads; whoever arrives last wakes them.

    What is expected is read first: once all have arrived, it may be set for the next run.
    """
    barrier, several = _load(code, row, JobWord.BARRIER), _several(code)
    expected = _load(code, row, JobWord.EXPECTED)
    for_threads = code.emit(f"icmp eq i64 {barrier}, {int(Barrier.THREADS)}")
    arrives = code.emit(f"and i1 {for_threads}, {several}")
    code.when(arrives, lambda: _arrive(code, row, expected, target))
    some = code.emit(f"icmp ne i64 {barrier}, {int(Barrier.NONE)}")
    arrived, asleep = _field(code, row, JobWord.ARRIVED), _field(code, row, JobWord.ASLEEP)
    code.when(
        code.emit(f"and i1 {some}, {several}"),
        lambda: wait_until(code, arrived, asleep, expected, target),
    )


def _several(code: Function) -> Value:
    return code.emit("icmp sgt i64 %threads, 1")


def _arrive(code: Function, row: Value, expected: Value, target: Target) -> None:
    """Count one more at a barrier; the last one wakes who waits there."""
    arrived, asleep = _field(code, row, JobWord.ARRIVED), _field(code, row, JobWord.ASLEEP)
    earlier = code.emit(f"atomicrmw add ptr {arrived}, i64 1 seq_cst")
    mine = code.emit(f"add i64 {earlier}, 1")
    last = code.emit(f"icmp sge i64 {mine}, {expected}")
    code.when(last, lambda: wake(code, arrived, asleep, target))


def _call_all_source() -> str:
    """Run the calls in a table for tasks from `first` to `last`."""
    code = Function("begin")

    def task(index: Value, _: list[Value]) -> list[Value]:
        code.loop("%count", 1, [], "", lambda number, _: call(index, number))
        return []

    def call(index: Value, number: Value) -> list[Value]:
        offset = code.emit(f"mul i64 {number}, {CALL_WORDS}")
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
