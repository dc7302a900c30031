"""A program that learns, as one LLVM module: its parts, and the functions that are called.

    void  NAME_begin_on(void *state, const void *constants)
    float NAME_train_on(const float *images, const int32_t *labels, int32_t count,
                        double learning_rate, void *state, const void *constants, void *arena)
    void  NAME_run_on(const float *images, float *outputs, void *state, const void *constants,
                      void *arena)

`labels` are numbers of classes; of other losses there are ``const float *targets`` in their place,
as many for an image as it has outputs. Networks that drop values at random take ``const uint32_t
*keys`` behind them, a random number for each image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from striate.common.memory import whole_lines
from striate.freestanding.program.llvm_module import Module, ModuleWriter
from striate.freestanding.program.segmented_program import Segment, SegmentedProgram
from striate.freestanding.training_code.memory_code import (
    as_index,
    at,
    copy_words,
    fill,
    loop,
    moved,
)
from striate.freestanding.training_code.step_input import StepInput
from striate.freestanding.training_code.step_numbers import write_numbers
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.nest.ir import Function, Value, literal
from striate.nest.target import Target

_SEGMENTS = {
    "front": (Segment.IMAGES, Segment.OUTPUTS, Segment.CONSTANTS, Segment.ARENA),
    "passes": (Segment.STATE, Segment.STEP, Segment.CONSTANTS, Segment.ARENA),
    "update": (Segment.STATE, Segment.STEP, Segment.CONSTANTS, Segment.ARENA),
    "run": (Segment.IMAGES, Segment.OUTPUTS, Segment.STATE, Segment.CONSTANTS, Segment.ARENA),
}
"""What each part is called with."""


@dataclass(frozen=True)
class Signature:
    """How a function is called that is seen from outside.

    Attributes:
        result: what it returns, in LLVM's words.
        name: without what all names begin with.
        parameters: their types and names, with "constants" among them.
    """

    result: str
    name: str
    parameters: tuple[tuple[str, str], ...]

    def written(self, *, without: str = "") -> str:
        """The parameters as LLVM writes them, but one."""
        kept = (f"{kind} %{name}" for kind, name in self.parameters if name != without)
        return ", ".join(kept)


class TrainingModule:
    """The module of a program that learns.

    Args:
        program: what it does.
        name: what the names of all functions begin with; a name in C.
        target: what runs it, by default the program's own; another one, say without vectors, has
            the same constants, state and arena.

    Attributes:
        constants: the bytes that the functions are given.
        arena_bytes: how many bytes the arena has; what is in it before a call does not matter.
        takes_labels, takes_keys: what `NAME_train_on` is given: see above.
        signatures: of the functions that are seen from outside.
        module: the code.
    """

    def __init__(self, program: TrainingProgram, name: str, target: Target | None = None) -> None:
        self.program, self.name, self.target = program, name, target or program.target
        self.takes_labels = program.learning.takes_labels
        self.takes_keys = "keys" in program.step
        parts: dict[str, SegmentedProgram] = {
            "passes": program.passes,
            "update": program.update,
            "run": program.run,
        }
        if program.front is not None:
            parts["front"] = program.front
        self._lay_out(parts)
        self._writer = ModuleWriter(name, self.target)
        for part, found in parts.items():
            symbol, segments = f"{name}_part_{part}", _SEGMENTS[part]
            self._writer.define(symbol, found.shards, segments, linkage="internal")
        self.signatures: list[Signature] = []
        self._write_begin()
        self._write_train()
        self._write_run()
        self.module: Module = self._writer.module()

    def _lay_out(self, parts: dict[str, SegmentedProgram]) -> None:
        """Where parts find their constants, and where in the arena what is."""
        texts = {part: found.constants for part, found in parts.items()}
        texts["state"] = self.program.initial_state
        padded = [text + bytes(whole_lines(len(text)) - len(text)) for text in texts.values()]
        self._places = dict(zip(texts, [0, *accumulate(map(len, padded))], strict=False))
        self.constants = b"".join(padded)
        # What parts work on, one after the other; then the step; then what the front sees.
        self._step = max(whole_lines(part.arena_bytes) for part in parts.values())
        self._features = self._step + self.program.step_bytes
        front = self.program.front
        features = 0 if front is None else self.program.batch_size * front.output_bytes
        self.arena_bytes = self._features + features

    # --- the functions -----------------------------------------------------------------------

    def _write_begin(self) -> None:
        """Weights as they are, and nothing learned yet."""
        program, code = self.program, self._function()
        given = len(program.initial_state)
        copy_words(code, "%state", at(code, "%constants", self._places["state"]), given // 4)
        fill(code, at(code, "%state", given), (program.state_bytes - given) // 4)
        self._add(code, "begin", *_pointers("state", "constants"))

    def _write_run(self) -> None:
        """What the network says of images now."""
        program, code, images = self.program, self._function(), "%images"
        if program.front is not None:
            images = self._seen(code, program.batch_size)
        self._call(code, "run", images, "%outputs", "%state")
        self._add(code, "run", *_pointers("images", "outputs", "state", "constants", "arena"))

    def _write_train(self) -> None:
        """One step."""
        program, code, images = self.program, self._function(), "%images"
        count = self._count(code)
        if program.front is not None:
            images = self._seen(code, as_index(code, count))
        step = at(code, "%arena", self._step)
        fill(code, step, program.step_bytes // 4)
        image_bytes = 4 * int(np.prod(program.learning.network.input_shape))
        StepInput(
            code, program, step=step, images=images, image_bytes=image_bytes, count=count
        ).write()
        steps = at(code, "%state", program.steps)
        number = code.emit(f"add i32 {code.emit(f'load i32, ptr {steps}')}, 1")
        table = at(code, step, program.step["table"].offset)
        optimizer, factors = program.learning.optimizer, program.factors
        write_numbers(code, optimizer, factors, "%learning_rate", number, table)
        self._call(code, "passes", "%state", step)
        loss = code.emit(f"fptrunc double {self._loss(code, step)} to float")
        # What is infinite or no number teaches nothing: the weights stay as they are.
        zero = code.emit(f"fsub float {loss}, {loss}")

        def update() -> None:
            self._call(code, "update", "%state", step)
            code.effect(f"store i32 {number}, ptr {steps}")

        code.when(code.emit(f"fcmp oeq float {zero}, 0.0"), update)
        given = ["images", "labels" if self.takes_labels else "targets"]
        self._add(
            code,
            "train",
            *_pointers(*given, *["keys"] * self.takes_keys),
            ("i32", "count"),
            ("double", "learning_rate"),
            *_pointers("state", "constants", "arena"),
            result=("float", loss),
        )

    def _add(
        self,
        code: Function,
        name: str,
        *parameters: tuple[str, str],
        result: tuple[str, Value] = ("void", ""),
    ) -> None:
        kind, value = result
        found = Signature(kind, name, parameters)
        self.signatures.append(found)
        head = f"{kind} @{self.name}_{name}_on({found.written()})"
        self._writer.add(head, code, f"{kind} {value}".strip())

    # --- what they are made of -----------------------------------------------------------------

    def _function(self) -> Function:
        return Function(index=self.target.index)

    def _count(self, code: Function) -> Value:
        """The images that there are: what the caller says never leads outside the memory."""
        count = "%count"
        for beyond, limit in (("sgt", self.program.batch_size), ("slt", 1)):
            outside = code.emit(f"icmp {beyond} i32 {count}, {limit}")
            count = code.emit(f"select i1 {outside}, i32 {limit}, i32 {count}")
        return count

    def _seen(self, code: Function, count: int | Value) -> Value:
        """Where there is what the frozen layers see in each image."""
        front = self.program.front
        assert front is not None
        features = at(code, "%arena", self._features)

        def image(index: Value) -> None:
            own = moved(code, "%images", index, front.image_bytes)
            self._call(code, "front", own, moved(code, features, index, front.output_bytes))

        loop(code, count, image)
        return features

    def _loss(self, code: Function, step: Value) -> Value:
        """The loss of the batch, a double: those of its images have their weights."""
        losses = self.program.step["losses"]
        begin = at(code, step, losses.offset)

        def block(number: Value, carried: list[Value]) -> list[Value]:
            own = moved(code, begin, number, losses.block)

            def image(lane: Value, carried: list[Value]) -> list[Value]:
                found = code.emit(f"load float, ptr {moved(code, own, lane, 4)}")
                wide = code.emit(f"fpext float {found} to double")
                return [code.emit(f"fadd double {carried[0]}, {wide}")]

            return code.loop(self.program.lanes, 1, carried, "double", image)

        return code.loop(self.program.blocks, 1, [literal(0, "f64")], "double", block)[0]

    def _call(self, code: Function, part: str, *pointers: Value) -> None:
        """Call a part with its constants and the arena behind the pointers."""
        constants = at(code, "%constants", self._places[part])
        arguments = ", ".join(f"ptr {pointer}" for pointer in (*pointers, constants, "%arena"))
        code.effect(f"call void @{self.name}_part_{part}({arguments})")


def _pointers(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple(("ptr", name) for name in names)
