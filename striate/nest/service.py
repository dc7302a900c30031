"""How threads are given programs: two functions in machine code, and the memory between them.

A helper thread calls `serve` once, and stays there: Python's interpreter is not asked who may run
next, and a program that follows the last one soon finds the helper still awake.  Whoever has a
program to run calls `start`, which writes it into the mailbox of each helper and then takes its own
part.  What they do, in Python:

    def serve(box):                             def start(boxes, program, ticket):
        while True:                                 for box in boxes:
            wait_until(box.posted > box.taken)          if box.posted < ticket:
            program = box.program                           wait_until(box.taken == box.posted)
            box.taken = box.posted                          box.program = program
            if program is None:                             box.posted = ticket
                return                              program.run(thread=0)
            program.run(box.thread)
            box.left = box.taken

Who started a program goes on as soon as all have done their parts; a helper may be late to leave
it, so the program must stay where it is until then.  A start that is made again, with the same
ticket, does what was left of it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from enum import IntEnum

from striate.nest.compiler import load
from striate.nest.ir import Function, Value
from striate.nest.target import Loaded, Target, host
from striate.nest.waiting import offer, wait_until, wake

BOX_WORDS = 24
"""Words of a mailbox: three cache lines, since each of both sides writes to lines of its own."""


class BoxWord(IntEnum):
    """Where in a mailbox what stands: the program first, by the arguments of its worker."""

    WORKER, TABLE, JOBS, THREAD, THREADS, OFFER, FLUSHES = range(7)
    POSTED, TAKEN, LEFT, SLEEPERS = 8, 16, 17, 18


_ARGUMENTS = (
    BoxWord.TABLE,
    BoxWord.JOBS,
    BoxWord.THREAD,
    BoxWord.THREADS,
    BoxWord.OFFER,
    BoxWord.FLUSHES,
)


@functools.cache
def _function(name: str) -> tuple[Callable[..., None], Loaded]:
    """A function by its name, and what keeps its code in memory."""
    source, arguments = {"serve": (serve_source, 2), "start": (start_source, 9)}[name]
    target = host()
    code: Loaded = load(name, lambda symbol: source(symbol, target), target)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(code.address), code


def serve(box: int) -> None:
    """Run what is put into the mailbox at an address, until `end`."""
    _function("serve")[0](box, offer())


def start(
    boxes: int, helpers: int, ticket: int, worker: int, table: int, jobs: int, flushes: int
) -> None:
    """Run a program by this thread, and by those with the first `helpers` mailboxes.

    Args:
        boxes: the address of the mailboxes.
        helpers: how many threads take part, besides this one.
        ticket: the number of this start, larger than all before.
        worker: the address of the function that runs the program: see `striate.nest.worker`.
        table, jobs, flushes: its arguments.
    """
    _function("start")[0](
        boxes, helpers, ticket, worker, table, jobs, helpers + 1, offer(), flushes
    )


def end(boxes: int, helpers: int, ticket: int) -> None:
    """Let the threads leave `serve`."""
    _function("start")[0](boxes, helpers, ticket, 0, 0, 0, 0, offer(), 0)


def serve_source(symbol: str, target: Target) -> str:
    """IR of `serve`."""
    code = Function()
    box = code.emit("inttoptr i64 %box to ptr")
    again, run, leave = code.name("again"), code.name("run"), code.name("leave")
    code.effect(f"br label %{again}")
    code.label(again)
    posted, taken = _field(code, box, BoxWord.POSTED), _field(code, box, BoxWord.TAKEN)
    # Of this word only this thread writes: it is the ticket of its last program.
    before = code.emit(f"load i64, ptr {taken}")
    following = code.emit(f"add i64 {before}, 1")
    wait_until(code, posted, _field(code, box, BoxWord.SLEEPERS), following, target)
    ticket = code.emit(f"load atomic i64, ptr {posted} seq_cst, align 8")
    worker = _load(code, box, BoxWord.WORKER)
    arguments = [_load(code, box, word) for word in _ARGUMENTS]
    code.effect(f"store atomic i64 {ticket}, ptr {taken} seq_cst, align 8")
    ends = code.emit(f"icmp eq i64 {worker}, 0")
    code.effect(f"br i1 {ends}, label %{leave}, label %{run}")
    code.label(run)
    _call(code, worker, arguments)
    left = _field(code, box, BoxWord.LEFT)
    code.effect(f"store atomic i64 {ticket}, ptr {left} seq_cst, align 8")
    code.effect(f"br label %{again}")
    code.label(leave)
    return _defined(code, symbol, ("box", "offer"))


def start_source(symbol: str, target: Target) -> str:
    """IR of `start`."""
    code = Function()

    def post(index: Value, _: list[Value]) -> list[Value]:
        offset = code.emit(f"mul i64 {index}, {BOX_WORDS}")
        boxes = code.emit("inttoptr i64 %boxes to ptr")
        box = code.emit(f"getelementptr i64, ptr {boxes}, i64 {offset}")
        posted, taken = _field(code, box, BoxWord.POSTED), _field(code, box, BoxWord.TAKEN)
        last = code.emit(f"load i64, ptr {posted}")
        thread = code.emit(f"add i64 {index}, 1")

        def write() -> None:
            # It has taken its last program, unless that had no jobs: then soon.
            _spin(code, taken, last, target)
            for word, value in {
                BoxWord.WORKER: "%worker",
                BoxWord.TABLE: "%table",
                BoxWord.JOBS: "%jobs",
                BoxWord.THREAD: thread,
                BoxWord.THREADS: "%threads",
                BoxWord.OFFER: "%offer",
                BoxWord.FLUSHES: "%flushes",
            }.items():
                code.effect(f"store i64 {value}, ptr {_field(code, box, word)}")
            code.effect(f"store atomic i64 %ticket, ptr {posted} seq_cst, align 8")
            wake(code, posted, _field(code, box, BoxWord.SLEEPERS), target)

        code.when(code.emit(f"icmp slt i64 {last}, %ticket"), write)
        return []

    def post_all() -> None:
        code.loop("%helpers", 1, [], "", post)

    code.when(code.emit("icmp sgt i64 %helpers, 0"), post_all)
    own = ["%table", "%jobs", "0", "%threads", "%offer", "%flushes"]
    code.when(code.emit("icmp ne i64 %worker, 0"), lambda: _call(code, "%worker", own))
    names = "boxes helpers ticket worker table jobs threads offer flushes"
    return _defined(code, symbol, tuple(names.split()))


def _spin(code: Function, counter: Value, expected: Value, target: Target) -> None:
    again, leave = code.name("again"), code.name("leave")
    code.effect(f"br label %{again}")
    code.label(again)
    if target.is_x86:
        code.declarations.add("declare void @llvm.x86.sse2.pause()")
        code.effect("call void @llvm.x86.sse2.pause()")
    now = code.emit(f"load atomic i64, ptr {counter} seq_cst, align 8")
    ready = code.emit(f"icmp sge i64 {now}, {expected}")
    code.effect(f"br i1 {ready}, label %{leave}, label %{again}")
    code.label(leave)


def _field(code: Function, box: Value, word: BoxWord) -> Value:
    return code.emit(f"getelementptr i64, ptr {box}, i64 {int(word)}")


def _load(code: Function, box: Value, word: BoxWord) -> Value:
    return code.emit(f"load i64, ptr {_field(code, box, word)}")


def _call(code: Function, worker: Value, arguments: list[Value]) -> None:
    function = code.emit(f"inttoptr i64 {worker} to ptr")
    code.effect(f"call void {function}({', '.join(f'i64 {value}' for value in arguments)})")


def _defined(code: Function, symbol: str, parameters: tuple[str, ...]) -> str:
    names = ", ".join(f"i64 %{name}" for name in parameters)
    return "\n".join(
        [
            *sorted(code.declarations),
            f"define void @{symbol}({names}) {{",
            "entry:",
            *code.lines,
            "  ret void",
            "}",
        ]
    )
