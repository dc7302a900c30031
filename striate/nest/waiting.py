"""Waiting for another thread, as code: spin for some microseconds, then sleep.

What is waited for is a counter in shared memory that only ever grows.  A thread that sleeps has
given its processor to others, which may be the very thread that it waits for, where others want the
processors too, or a quota is used up.

Nobody falls asleep unseen: whoever waits counts itself among the sleepers before it reads the
counter once more, and whoever changes the counter does so before it reads the number of sleepers;
and the system lets a thread sleep only while the counter is what that thread saw.
"""

from __future__ import annotations

import ctypes
import functools
import sys

from striate.nest.ir import Function, Value
from striate.nest.target import Target

_SPINS = 4000  # turns before the processor is offered to others: some 100 microseconds
# Linux: system calls that wait for a word of memory to change, and that wake who waits.
_FUTEX = {"x86_64": 202, "aarch64": 98}
_WAIT, _WAKE = 128, 129  # among the threads of one process


@functools.cache
def offer() -> int:
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


def wait_until(
    code: Function, counter: Value, sleepers: Value, expected: Value, target: Target
) -> None:
    """Wait until a counter is `expected` or more.

    Args:
        code: where it is written; the value %offer must be `offer()`.
        counter, sleepers: pointers to the counter, and to the number of those who sleep.
        expected: an i64.
        target: the machine.
    """

    def has_come() -> tuple[Value, Value]:
        now = code.emit(f"load atomic i64, ptr {counter} seq_cst, align 8")
        return now, code.emit(f"icmp sge i64 {now}, {expected}")

    before, spin, on, sleep = (code.name(n) for n in ("before", "spin", "on", "sleep"))
    again, rest, awake, leave = (code.name(n) for n in ("again", "rest", "awake", "leave"))
    spins, following = "%" + code.name(), "%" + code.name()
    code.effect(f"br label %{before}")
    code.label(before)
    code.effect(f"br label %{spin}")
    code.label(spin)
    code.lines.append(f"  {spins} = phi i64 [ 0, %{before} ], [ {following}, %{on} ]")
    _, ready = has_come()
    code.effect(f"{following} = add i64 {spins}, 1")
    code.effect(f"br i1 {ready}, label %{leave}, label %{on}")
    code.label(on)
    if target.is_x86:
        code.declarations.add("declare void @llvm.x86.sse2.pause()")
        code.effect("call void @llvm.x86.sse2.pause()")
    long = code.emit(f"icmp sgt i64 {following}, {_SPINS}")
    code.effect(f"br i1 {long}, label %{sleep}, label %{spin}")
    code.label(sleep)
    code.emit(f"atomicrmw add ptr {sleepers}, i64 1 seq_cst")
    code.effect(f"br label %{again}")
    code.label(again)
    now, ready = has_come()
    code.effect(f"br i1 {ready}, label %{awake}, label %{rest}")
    code.label(rest)
    if _has_futex(target):
        _futex(code, counter, _WAIT, code.emit(f"trunc i64 {now} to i32"), target)
    else:
        code.effect(f"call i32 {code.emit('inttoptr i64 %offer to ptr')}()")
    code.effect(f"br label %{again}")
    code.label(awake)
    code.emit(f"atomicrmw sub ptr {sleepers}, i64 1 seq_cst")
    code.effect(f"br label %{leave}")
    code.label(leave)


def wake(code: Function, counter: Value, sleepers: Value, target: Target) -> None:
    """Wake all who sleep until a counter changes, after it has been changed."""
    if not _has_futex(target):
        return
    count = code.emit(f"load atomic i64, ptr {sleepers} seq_cst, align 8")
    some = code.emit(f"icmp sgt i64 {count}, 0")
    code.when(some, lambda: _futex(code, counter, _WAKE, str(2**31 - 1), target))


def _has_futex(target: Target) -> bool:
    return "linux" in target.triple


def _futex(code: Function, counter: Value, operation: int, value: Value, target: Target) -> None:
    number = _FUTEX["x86_64" if target.is_x86 else "aarch64"]
    function = code.emit("inttoptr i64 %offer to ptr")
    arguments = f"i64 {number}, ptr {counter}, i32 {operation}, i32 {value}, ptr null"
    code.emit(f"call i64 (i64, ...) {function}({arguments})")
