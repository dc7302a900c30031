"""What a training step begins with, as code: which images there are, and what they should give."""

from __future__ import annotations

import numpy as np

from striate.freestanding.training_code.memory_code import (
    as_index,
    at,
    copy_words,
    fill,
    loop,
    moved,
)
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.nest.ir import Function, Value, literal
from striate.optim.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy


class StepInput:
    """Writes the code that fills the segment of a step, all of which is zero.

    Where there are fewer images than in a batch, the first is there again, and weighs nothing.

    Args:
        code: what is added to.
        program: what learns.
        step: where the segment begins, a pointer.
        images: where the images begin, each of `image_bytes`.
        count: how many there are, an i32 of 1 to the batch size.
    """

    def __init__(
        self,
        code: Function,
        program: TrainingProgram,
        *,
        step: Value,
        images: Value,
        image_bytes: int,
        count: Value,
    ) -> None:
        self.code, self.program, self.step = code, program, step
        self.images, self.image_bytes, self.count = images, image_bytes, as_index(code, count)
        self._total = code.emit(f"sitofp i32 {count} to float")
        self._share = code.emit(f"fdiv float 1.0, {self._total}")

    def write(self) -> None:
        """All of it."""
        if "images" in self.program.step:
            self._store(self._total, at(self.code, self.step, self.program.step["images"].offset))
        loop(self.code, self.program.blocks, self._block)

    def _block(self, number: Value) -> None:
        code, lanes = self.code, self.program.lanes
        first = code.emit(f"mul nuw nsw {code.index} {number}, {lanes}")
        if "shares" in self.program.step:
            self._shares(number, first)
        loop(code, lanes, lambda lane: self._image(number, first, lane))

    def _shares(self, number: Value, first: Value) -> None:
        """Of a block: 1 / its images, and its part of the batch."""
        code = self.code
        left = code.emit(f"sub nsw {code.index} {self.count}, {first}")
        for beyond, limit in (("sgt", self.program.lanes), ("slt", 0)):
            outside = code.emit(f"icmp {beyond} {code.index} {left}, {limit}")
            left = code.emit(f"select i1 {outside}, {code.index} {limit}, {code.index} {left}")
        own = code.emit(f"sitofp {code.index} {left} to float")
        some = code.emit(f"fcmp ogt float {own}, 1.0")
        divisor = code.emit(f"select i1 {some}, float {own}, float 1.0")
        there = self._of_block("shares", number)
        self._store(code.emit(f"fdiv float 1.0, {divisor}"), there)
        self._store(code.emit(f"fdiv float {own}, {self._total}"), at(code, there, 4))

    def _image(self, number: Value, first: Value, lane: Value) -> None:
        code = self.code
        place = code.emit(f"add nuw nsw {code.index} {first}, {lane}")
        present = code.emit(f"icmp slt {code.index} {place}, {self.count}")
        chosen = code.emit(f"select i1 {present}, {code.index} {place}, {code.index} 0")
        image = moved(code, self.images, chosen, self.image_bytes)
        address = moved(code, self._of_block("addresses", number), lane, 8)
        code.effect(f"store ptr {image}, ptr {address}")
        code.when(present, lambda: self._present(number, lane, place))

    def _present(self, number: Value, lane: Value, place: Value) -> None:
        """What is known of an image that is there."""
        code, step = self.code, self.program.step
        for name, value in (("weights", self._share), ("mask", literal(1, "f32"))):
            if name in step:
                self._store(value, moved(code, self._of_block(name, number), lane, 4))
        if "keys" in step:
            own = moved(code, self._of_block("keys", number), lane, 4)
            copy_words(code, own, moved(code, "%keys", place, 4), 1)
        outputs = self.program.learning.network.output_shape[0]
        own = moved(code, self._of_block("targets", number), lane, 4 * outputs)
        loss = self.program.learning.loss
        if isinstance(loss, SoftmaxCrossEntropy):
            self._one_hot(loss, own, outputs, place)
            return
        given = moved(code, "%targets", place, 4 * outputs)
        if isinstance(loss, SigmoidCrossEntropy) and loss.label_smoothing:
            loop(code, outputs, lambda index: self._smooth(loss, own, given, index))
        else:
            copy_words(code, own, given, outputs)

    def _one_hot(self, loss: SoftmaxCrossEntropy, own: Value, outputs: int, place: Value) -> None:
        """What `SoftmaxCrossEntropy.targets` makes of a label."""
        code, rest = self.code, loss.label_smoothing / outputs
        if rest:
            fill(code, own, outputs, rest)
        label = code.emit(f"load i32, ptr {moved(code, '%labels', place, 4)}")
        most = literal(1.0 - loss.label_smoothing + rest, "f32")
        code.when(
            code.emit(f"icmp ult i32 {label}, {outputs}"),
            lambda: self._store(most, moved(code, own, as_index(code, label), 4)),
        )

    def _smooth(self, loss: SigmoidCrossEntropy, own: Value, given: Value, index: Value) -> None:
        """What `SigmoidCrossEntropy.targets` makes of a number."""
        code, share = self.code, np.float32(loss.label_smoothing)
        value = code.emit(f"load float, ptr {moved(code, given, index, 4)}")
        value = code.emit(f"fmul float {value}, {literal(float(1 - share), 'f32')}")
        value = code.emit(f"fadd float {value}, {literal(float(share / 2), 'f32')}")
        self._store(value, moved(code, own, index, 4))

    def _of_block(self, name: str, number: Value) -> Value:
        """Where a buffer of a block begins."""
        found = self.program.step[name]
        return moved(self.code, at(self.code, self.step, found.offset), number, found.block)

    def _store(self, value: Value, place: Value) -> None:
        self.code.effect(f"store float {value}, ptr {place}")
