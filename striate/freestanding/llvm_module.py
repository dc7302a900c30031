"""A program as one LLVM module: a function for each nest, and one that calls them in order.

    void NAME_run_on(const float *images, float *outputs, const void *constants, void *arena)

Images and outputs are 32-bit floating-point numbers, NHWC; constants and arena begin at a multiple
of 64 bytes, or of 4 where vectors are that short.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from striate.freestanding.frozen_program import Call, FrozenProgram, Segment, SegmentPlace, Shard
from striate.nest.emit import NON_TEMPORAL, emit_function
from striate.nest.ir import Function, Value
from striate.nest.schedule import choose

_POINTERS = {
    Segment.IMAGES: "%images",
    Segment.OUTPUTS: "%outputs",
    Segment.CONSTANTS: "%constants",
    Segment.ARENA: "%arena",
}


@dataclass(frozen=True)
class Module:
    """LLVM IR, and what is called by which name.

    Attributes:
        text: of the module, without target.
        functions: the name of each nest's function, with the label of its step.
    """

    text: str
    functions: dict[str, str]


def write_module(program: FrozenProgram, name: str) -> Module:
    """The module of a program.

    Args:
        program: the calls.
        name: what the names of all functions begin with; a name in C.
    """
    return _ModuleWriter(program, name).module()


class _ModuleWriter:
    def __init__(self, program: FrozenProgram, name: str) -> None:
        self.program, self.name, self.target = program, name, program.target
        self.code = Function(index=self.target.index)
        self.texts: list[str] = []
        self.declarations: set[str] = set()
        self.labels: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def module(self) -> Module:
        """All of it."""
        for shard in self.program.shards:
            self._shard(shard)
        names = ", ".join(f"ptr noalias nocapture {p}" for p in _POINTERS.values())
        text = "\n".join(
            [
                *sorted(self.declarations),
                *self.texts,
                f"define void @{self.name}_run_on({names}) nounwind {{",
                "entry:",
                *self.code.lines,
                "  ret void",
                "}",
                NON_TEMPORAL,
                "",
            ]
        )
        return Module(text, self.labels)

    def _shard(self, shard: Shard) -> None:
        for call in shard.starts:
            self._call(call, 0, shard.number)
        count = len(shard.tasks)
        if count == 1:
            for call in shard.calls:
                self._call(call, shard.tasks.start, shard.number)
        elif count:

            def turn(task: Value, _: list[Value]) -> list[Value]:
                for call in shard.calls:
                    self._call(call, task, shard.number)
                return []

            self.code.loop(shard.tasks.stop, 1, [], "", turn, shard.tasks.start)
        for call in shard.ends:
            self._call(call, 0, shard.number)

    def _call(self, call: Call, task: int | Value, shard: int) -> None:
        arguments = ", ".join(f"ptr {self._address(p, task, shard)}" for p in call.places)
        self.code.effect(f"call void @{self._function(call)}({arguments})")

    def _address(self, place: SegmentPlace, task: int | Value, shard: int) -> Value:
        code, offset = self.code, place.offset + shard * place.per_shard
        pointer = _POINTERS[place.segment]
        if isinstance(task, int):
            offset += task * place.per_task
        elif place.per_task:
            moved = code.once(
                ("task", task, place.per_task),
                lambda: code.emit(f"mul nsw {code.index} {task}, {place.per_task}"),
            )
            pointer = code.emit(f"getelementptr i8, ptr {pointer}, {code.index} {moved}")
        if not offset:
            return pointer
        return code.emit(f"getelementptr i8, ptr {pointer}, {code.index} {offset}")

    def _function(self, call: Call) -> str:
        """The function of a nest: one for all that compute the same."""
        step, target = call.step, self.target
        schedule = step.schedule or choose(step.nest, target)
        key = f"{step.nest!r} {schedule!r} {call.zeros}"
        if key not in self._known:
            name = self._free(step.label)
            zeros = dict(zip(step.nest.buffers, call.zeros, strict=True))
            made = emit_function(step.nest, schedule, name, target, zeros=zeros)
            self.texts.append(made.text)
            self.declarations |= made.declarations
            self._known[key], self.labels[name] = name, step.label
        return self._known[key]

    def _free(self, label: str) -> str:
        words = re.sub(r"[^0-9a-z]+", "_", label.lower()).strip("_") or "step"
        base = found = f"{self.name}_{words}"
        number = 1
        while found in self.labels:
            number += 1
            found = f"{base}_{number}"
        return found
