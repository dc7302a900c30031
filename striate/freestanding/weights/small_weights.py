"""Weights of a plan in fewer bits: its steps read them as bfloat16, or as whole numbers of 8 bits.

All arithmetic stays in 32 bits. A bfloat16 number is the upper half of one of these, so it is moved
there as it is read. With whole numbers sums are found as if these were the weights; each sum is
then multiplied by its scale, and the bias is added in the same step. Weights share a scale if any
step adds them up: those of an output channel of a convolution, or of one output of a dense or
locally connected layer.

Only what the terms of sums are multiplied by is rounded. Biases, tables and what is left of batch
normalisation stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Floats
from striate.common.bfloat16_rounding import from_bfloat16, to_bfloat16
from striate.common.errors import StriateValueError
from striate.freestanding.weights.rounded_weights import (
    Weights,
    to_int8,
)
from striate.freestanding.weights.weight_origins import origins_of
from striate.freestanding.weights.weight_reads import WeightRead, labels_of, weight_of
from striate.nest.algebra import Accumulator, Element, Expression, MultiplyAdd, Tensor
from striate.nest.rewrite import with_fields, with_sums, with_tensors
from striate.plan.layout import Buffer, Location
from striate.plan.stage import BoundNest, Stage

if TYPE_CHECKING:
    from striate.model.model import Model

Arrays = dict[Buffer, npt.NDArray[np.generic]]
_WEIGHTS = ("/filters", "/weights")
_ELEMENTS: dict[Weights, Element] = {"bfloat16": "bf16", "int8": "i8"}


class SmallWeights:
    """The weights of some stages, in fewer bits.

    Args:
        stages: of a plan for inference.
        network: whose parameters the plan reads; they are rounded in place, so that it computes
            what the stages do, whatever steps go on reading them as they were.
        memory: the memory of the plan's buffers.
        kind: "bfloat16" or "int8".
        lay_out: fills the constants from the network's parameters.

    Attributes:
        stages: the same, but they read weights in few bits.
        arrays: the memory of the buffers that only they have.
        names: the parameters that are rounded: "conv2d_1/filters".
        kept: the filters and weights that are not, since a step does with them what it could not do
            with scaled ones.
        numbers: how many numbers are rounded.

    Raises:
        ValueError: weights are not finite, or too large for bfloat16.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        network: Model,
        memory: Arrays,
        kind: Weights,
        lay_out: Callable[[], None],
    ) -> None:
        self._kind: Weights = kind
        steps = [step for stage in stages for step in stage.all_steps]
        used = dict.fromkeys(place.buffer for step in steps for place in step.places.values())
        for step in steps:
            for store in step.nest.stores:
                used.pop(step.places[store.target.buffer].buffer, None)
        self._origins = origins_of(used, memory, network.flat, lay_out)
        self._reads: dict[int, WeightRead] = {}
        for step in steps:
            weight = weight_of(step, self._origins)
            if weight is not None:
                origins = self._origins[step.places[weight.buffer].buffer]
                read = WeightRead.of(step, weight, origins)
                if read.rows.min() >= 0:
                    self._reads[id(step)] = read
        self._round(network)
        lay_out()
        self.arrays: Arrays = {}
        self._buffers: dict[Buffer, Buffer] = {}
        self.stages = [
            replace(
                stage,
                starts=[*map(self._rewritten, stage.starts)],
                steps=[*map(self._rewritten, stage.steps)],
                ends=[*map(self._rewritten, stage.ends)],
            )
            for stage in stages
        ]

    # --- numbers ---------------------------------------------------------------------------

    def _round(self, network: Model) -> None:
        """Round the network's weights, and keep what is stored of each."""
        flat = network.flat
        rounded = np.zeros(flat.size, np.bool_)
        for read in self._reads.values():
            rounded[read.rows] = True
        self.numbers = int(rounded.sum())
        self.names = tuple(
            f"{network.nodes[slot.node].name}/{slot.parameter.name}"
            for slot in network.slots
            if rounded[slot.start : slot.stop].any()
        )
        self.kept = tuple(
            name
            for name in network.parameters
            if name.endswith(_WEIGHTS) and name not in self.names
        )
        for name in self.names:
            _check_finite(name, network.parameters[name])
        if self._kind == "bfloat16":
            halves = to_bfloat16(flat[rounded])
            flat[rounded] = from_bfloat16(halves)
            for name in self.names:
                _check_size(name, network.parameters[name])
            self._stored: npt.NDArray[np.generic] = np.zeros(flat.size, np.uint16)
            self._stored[rounded] = halves
            return
        self._labels = labels_of(self._reads.values(), flat.size)
        labels = self._labels[rounded]
        numbers, self._scales = to_int8(flat[rounded], labels)
        flat[rounded] = numbers * self._scales[labels]
        self._stored = np.zeros(flat.size, np.int8)
        self._stored[rounded] = numbers

    def _small(self, buffer: Buffer) -> Buffer:
        """The same weights as in a buffer, in few bits; what else is in there, nobody reads."""
        if buffer not in self._buffers:
            origins = self._origins[buffer]
            small = Buffer(buffer.name, buffer.size, _ELEMENTS[self._kind], "global")
            self._buffers[buffer], self.arrays[small] = small, self._stored[origins]
        return self._buffers[buffer]

    def _scales_of(self, step: BoundNest, read: WeightRead) -> Buffer:
        """The scale of each sum of a step."""
        scales = self._scales[self._labels[read.rows[:, 0]]]
        buffer = Buffer(f"{step.label} scales", scales.size, "real", "global")
        self.arrays[buffer] = scales
        return buffer

    # --- steps -----------------------------------------------------------------------------

    def _rewritten(self, step: BoundNest) -> BoundNest:
        """A step, which reads weights in few bits if it reads any."""
        read = self._reads.get(id(step))
        if read is None:
            return step
        role, element = read.tensor.buffer, _ELEMENTS[self._kind]
        place = step.places[role]
        places = {**step.places, role: Location(self._small(place.buffer), place.offset)}

        def changed(tensor: Tensor) -> Tensor:
            return with_fields(tensor, element=element) if tensor.buffer == role else tensor

        nest = with_tensors(step.nest, changed)
        if self._kind == "int8":
            scale = Tensor(f"{role} scales", read.strides)
            places[scale.buffer] = Location(self._scales_of(step, read))
            scaled: Expression = Accumulator() * scale
            if nest.initial:
                scaled = MultiplyAdd(Accumulator(), scale, nest.initial[0])
            nest = with_sums(nest, lambda _: scaled, initial=())
        return replace(step, nest=nest, places=places)


def _check_finite(name: str, numbers: Floats) -> None:
    if not np.isfinite(numbers).all():
        raise StriateValueError(
            f"export: {name} holds numbers that are not finite, so they cannot be rounded: train "
            "the network with a lower learning rate, or export it with weights='float32'"
        )


def _check_size(name: str, rounded: Floats) -> None:
    if not np.isfinite(rounded).all():
        raise StriateValueError(
            f"export: {name} has numbers beyond 3.39e38, the largest of bfloat16; export it with "
            "weights='int8' or 'float32'"
        )
