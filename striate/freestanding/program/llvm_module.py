"""A program as one LLVM module: a function for each nest, and one that calls them in order.

    void NAME_run_on(const float *images, float *outputs, const void *constants, void *arena)

Images and outputs are 32-bit floating-point numbers, NHWC; constants and arena begin at a multiple
of 64 bytes, or of 4 where vectors are that short.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.segmented_program import Call, Segment, SegmentPlace, Shard
from striate.nest.emit import NON_TEMPORAL, emit_function
from striate.nest.ir import Function, Value
from striate.nest.schedule import choose
from striate.nest.target import Target

_POINTERS = {segment: f"%{segment.name.lower()}" for segment in Segment}
_OF_RUN = (Segment.IMAGES, Segment.OUTPUTS, Segment.CONSTANTS, Segment.ARENA)


@dataclass(frozen=True)
class Module:
    """LLVM IR, and what is called by which name.

    Attributes:
        text: of the module, without target.
        functions: the name of each nest's function, with the label of its step.
    """

    text: str
    functions: dict[str, str]


def write_module(program: FrozenProgram, name: str, target: Target | None = None) -> Module:
    """The module of a program.

    Args:
        program: the calls.
        name: what the names of all functions begin with; a name in C.
        target: what runs it, by default the program's own; another one, say without vectors, has
            the same constants and arena, and finds the same bits if both are portable.
    """
    writer = ModuleWriter(name, target or program.target)
    writer.define(f"{name}_run_on", program.shards, _OF_RUN)
    return writer.module()


def constant_table(name: str, constants: bytes, target: Target) -> str:
    """Constants that are inside of a module, as `@NAME_constants`."""
    words = struct.unpack(f"<{len(constants) // 4}I", constants)
    table = ", ".join(f"i32 {word}" for word in words)
    return (
        f"@{name}_constants = internal constant [{len(words)} x i32] [{table}], "
        f"align {max(target.vector_bytes, 4)}\n"
    )


def runs_alike(shards: Sequence[Shard]) -> Iterator[Sequence[Shard]]:
    """Shards that follow each other and differ by their numbers alone, together."""
    start = 0
    for stop in range(1, len(shards) + 1):
        first = shards[start]
        if stop < len(shards):
            one = shards[stop]
            same = one.calls is first.calls and len(one.tasks) == len(first.tasks)
            if same and one.number > first.number:
                continue
        yield shards[start:stop]
        start = stop


class ModuleWriter:
    """Writes functions that do what shards say.

    Args:
        name: what the names of all functions begin with; a name in C.
        target: the machine.

    Attributes:
        declarations: of the intrinsics that are called, one a line.
    """

    def __init__(self, name: str, target: Target) -> None:
        self.name, self.target = name, target
        self.declarations: set[str] = set()
        self._texts: list[str] = []
        self._labels: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._functions: list[str] = []

    def define(
        self,
        symbol: str,
        shards: Sequence[Shard],
        segments: Sequence[Segment],
        *,
        linkage: str = "",
    ) -> None:
        """A function of some segments that runs shards; "internal" linkage hides it."""
        self.code = Function(index=self.target.index)
        for run in runs_alike(shards):
            self._run(run)
        names = ", ".join(f"ptr noalias nocapture {_POINTERS[segment]}" for segment in segments)
        self.add(f"{linkage} void @{symbol}({names})".strip(), self.code)

    def add(self, signature: str, code: Function, result: str = "void") -> None:
        """A function of which all is written but what goes around."""
        self.declarations |= code.declarations
        self._functions.append(
            "\n".join(
                [f"define {signature} nounwind {{", "entry:", *code.lines, f"  ret {result}", "}"]
            )
        )

    def module(self) -> Module:
        """All of it."""
        text = "\n".join(
            [*sorted(self.declarations), *self._texts, *self._functions, NON_TEMPORAL, ""]
        )
        return Module(text, self._labels)

    def _run(self, shards: Sequence[Shard]) -> None:
        """Shards with the same calls and as many tasks."""
        first, size = shards[0], len(shards[0].tasks)

        def one(shard: int | Value, begin: int | Value) -> None:
            for call in first.starts:
                self._call(call, 0, shard)
            if size == 1:
                self._calls(first, begin, shard)
            elif size:
                self._loop(size, lambda task: self._calls(first, self._sum(begin, task), shard))
            for call in first.ends:
                self._call(call, 0, shard)

        if len(shards) == 1:
            one(first.number, first.tasks.start)
            return
        code = self.code

        def of_many(index: Value) -> None:
            tasks = index if size == 1 else code.emit(f"mul nsw {code.index} {index}, {size}")
            one(self._sum(first.number, index), self._sum(first.tasks.start, tasks))

        self._loop(len(shards), of_many)

    def _loop(self, count: int, body: Callable[[Value], None]) -> None:
        def turn(index: Value, _: list[Value]) -> list[Value]:
            body(index)
            return []

        self.code.loop(count, 1, [], "", turn)

    def _sum(self, first: int | Value, second: Value) -> Value:
        if first == 0:
            return second
        return self.code.emit(f"add nsw {self.code.index} {second}, {first}")

    def _calls(self, shard: Shard, task: int | Value, number: int | Value) -> None:
        for call in shard.calls:
            self._call(call, task, number)

    def _call(self, call: Call, task: int | Value, shard: int | Value) -> None:
        arguments = ", ".join(f"ptr {self._address(p, task, shard)}" for p in call.places)
        self.code.effect(f"call void @{self._function(call)}({arguments})")

    def _address(self, place: SegmentPlace, task: int | Value, shard: int | Value) -> Value:
        code, offset, pointer = self.code, place.offset, _POINTERS[place.segment]
        for index, step in ((task, place.per_task), (shard, place.per_shard)):
            if isinstance(index, int):
                offset += index * step
            elif step:
                moved = self._scaled(index, step)
                pointer = code.emit(f"getelementptr i8, ptr {pointer}, {code.index} {moved}")
        if not offset:
            return pointer
        return code.emit(f"getelementptr i8, ptr {pointer}, {code.index} {offset}")

    def _scaled(self, index: Value, step: int) -> Value:
        code = self.code
        return code.once(
            ("scaled", index, step), lambda: code.emit(f"mul nsw {code.index} {index}, {step}")
        )

    def _function(self, call: Call) -> str:
        """The function of a nest: one for all that compute the same."""
        step, target = call.step, self.target
        schedule = step.schedule or choose(step.nest, target)
        key = f"{step.nest!r} {schedule!r} {call.zeros}"
        if key not in self._known:
            name = self._free(step.label)
            zeros = dict(zip(step.nest.buffers, call.zeros, strict=True))
            made = emit_function(step.nest, schedule, name, target, zeros=zeros)
            self._texts.append(made.text)
            self.declarations |= made.declarations
            self._known[key], self._labels[name] = name, step.label
        return self._known[key]

    def _free(self, label: str) -> str:
        words = re.sub(r"[^0-9a-z]+", "_", label.lower()).strip("_") or "step"
        base = found = f"{self.name}_{words}"
        number = 1
        while found in self._labels:
            number += 1
            found = f"{base}_{number}"
        return found
