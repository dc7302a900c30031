"""What the lowering of every layer shares: values, gradients, parameters, and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from striate.layers import Layer
from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Nest,
    Store,
    Tensor,
    strides_of,
)
from striate.nest.rewrite import in_rounds
from striate.ops.shapes import Pads
from striate.plan.analysis.activations import activated, derived, told_by
from striate.plan.analysis.operations import Graph, Operation
from striate.plan.layout import (
    EVERY_PIXEL,
    Access,
    Axes,
    Buffer,
    Image,
    Location,
    Scope,
    image_buffer,
    vector,
)
from striate.plan.lowering.place_gradients import PlaceGradients
from striate.plan.lowering.recomputation import Recomputation
from striate.plan.lowering.recorder import ALIKE, IN_TRAINING, Recorder
from striate.plan.lowering.shard_gradients import Shards, shards_of
from striate.plan.settings import Settings
from striate.plan.stage import Locations, in_tasks

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.model.parameters import Slot

# Numbers that one task clears.
_PART = 1 << 14
Kept = TypeVar("Kept")


class Builder:
    """The state of lowering one network: see `striate.plan.plan` for the order of things."""

    def __init__(self, network: Model, graph: Graph, settings: Settings) -> None:
        self.network, self.graph, self.settings = network, graph, settings
        self.lanes = settings.lanes
        self.channel_lanes = settings.lanes == 1
        # Without gradients shards cost nothing.
        shards = settings.blocks if settings.loss is None else shards_of(graph, settings.batch_size)
        shards = min(settings.blocks, shards)
        alike = ALIKE if settings.loss is None else IN_TRAINING
        self.recorder = Recorder(settings.blocks, shards, alike)
        self.activations: dict[int, Layer] = {
            o.node: o.activation for o in graph.operations if o.activation
        }
        self.values: dict[int, Image] = {}
        self.gradients: dict[int, Image] = {}
        self.tables: dict[Buffer, npt.NDArray[np.float64]] = {}
        self.deferred: list[Callable[[], None]] = []
        self._remembered: dict[tuple[int, str], object] = {}
        self.recomputation = Recomputation(network, graph, settings, self.recorder, self.values)
        self.weights = Buffer("weights", network.flat.size, "real", "global")
        self.statistics = Buffer("statistics", network.state_flat.size, "real", "global")
        self.gradient = Buffer("gradient", network.flat.size, "real", "global")
        # For every image of a block: 1, or 0 where the batch has fewer images; random bits.
        self.mask = Buffer("mask", self.lanes, "real", "block")
        self.keys = Buffer("keys", self.lanes, "u32", "block")
        # For every block: 1 / its images, and its part of the batch.  And the batch's images.
        self.shares = Buffer("shares", 2, "real", "block")
        self.images = Buffer("images", 1, "real", "global")
        self.places = PlaceGradients(network, self.gradient)
        self.shards = Shards(network, self.recorder, self.places)
        self._slots = {(slot.node, slot.parameter.name): slot for slot in network.slots}
        self._state_slots = {(s.node, s.parameter.name): s for s in network.state_slots}
        self._frozen, self._steady = network.frozen_nodes, network.steady_nodes
        self._to_write = self.graph.readers()
        self._written: dict[int, int] = {}

    def name(self, value: int) -> str:
        """The name of the layer that makes a value."""
        return "input" if value < 0 else self.network.nodes[value].name

    # --- values ----------------------------------------------------------------------------

    def image(
        self, name: str, shape: tuple[int, ...], halo: Pads = (0, 0, 0, 0), fill: float = 0.0
    ) -> Image:
        """Memory for a value in the lanes layout."""
        return image_buffer(name, shape, self.lanes, halo, fill)

    def buffer(self, name: str, size: int, scope: Scope = "auto") -> Buffer:
        """Memory for anything else."""
        return Buffer(name, size, "real", scope)

    def remember(self, operation: Operation, name: str, thing: object) -> None:
        """Keep something of the forward pass for the backward pass."""
        self._remembered[operation.node, name] = thing

    def has(self, operation: Operation, name: str) -> bool:
        """Whether something was remembered."""
        return (operation.node, name) in self._remembered

    def recall(self, operation: Operation, name: str, kind: type[Kept]) -> Kept:
        """What was remembered."""
        thing = self._remembered[operation.node, name]
        if not isinstance(thing, kind):
            raise TypeError(f"{name} of node {operation.node} is a {type(thing).__name__}")
        return thing

    def constant(self, name: str, values: npt.NDArray[np.float64]) -> Buffer:
        """A table of numbers, written once."""
        buffer = self.buffer(name, values.size, "global")
        self.tables[buffer] = values
        return buffer

    def defer(self, record: Callable[[], None]) -> None:
        """Record steps that need the whole batch's backward pass, once that is recorded."""
        label = self.recorder.label

        def labelled() -> None:
            self.recorder.label = label
            record()

        self.deferred.append(labelled)

    def store(self, operation: Operation, result: Expression, walk: Access) -> Store:
        """Store a result as the operation's value, with what is added, through its activation."""
        target = self.values[operation.node].tensor("out", walk)
        if operation.addend is not None:
            result = result + self.values[operation.addend].tensor("addend", walk)
        return Store(target, activated(operation.activation, result))

    def stored(self, operation: Operation) -> dict[str, Image]:
        """The images that `store` writes and reads, by role."""
        images = {"out": self.values[operation.node]}
        if operation.addend is not None:
            images["addend"] = self.values[operation.addend]
        return images

    def out(self, operation: Operation) -> Location:
        """Where the operation's value lies."""
        return Location(self.values[operation.node].buffer)

    # --- parameters ------------------------------------------------------------------------

    def slot(self, operation: Operation, name: str) -> Slot:
        """Where a parameter lies in the flat buffers."""
        return self._slots[self.network.owner(operation.node), name]

    def parameter(self, operation: Operation, name: str) -> Location:
        """The parameter itself."""
        return Location(self.weights, self.slot(operation, name).start)

    def parameter_gradient(self, operation: Operation, name: str) -> Location:
        """Its gradient in this place, summed over the batch."""
        return self.places.place(operation.node, self.slot(operation, name))

    def shard_gradient(self, operation: Operation, name: str) -> Location:
        """Its gradient in this place, summed over the images of one shard."""
        return self.shards.place(operation.node, name)

    def clear(self, place: Location, size: int) -> None:
        """A step that writes `size` zeros, by all threads."""
        for first, count, part in in_tasks(size, _PART):
            nest = Nest((("e", part),), (Store(vector("out", e=1), Constant(0.0)),))
            there = Location(place.buffer, place.offset + first)
            self.recorder.tasks(nest, count, {"out": part}, {"out": there})

    def clear_shard(self, operation: Operation, name: str) -> None:
        """Zeros to begin with, at the start of each shard of the stage at hand."""
        slot = self.slot(operation, name)
        nest = Nest((("e", slot.stop - slot.start),), (Store(vector("out", e=1), Constant(0.0)),))
        self.recorder.at_shard_start(nest, {"out": self.shard_gradient(operation, name)})

    def sums_by_shard(self, operation: Operation) -> bool:
        """Whether every shard sums up its own gradient of the filters."""
        return self.shards.has(operation.node, "filters")

    def statistic(self, operation: Operation, name: str) -> Location:
        """A running statistic."""
        owner = self.network.owner(operation.node)
        return Location(self.statistics, self._state_slots[owner, name].start)

    # --- gradients of values ---------------------------------------------------------------

    def learns(self, operation: Operation) -> bool:
        """Whether gradients of the operation's own parameters are wanted: not of frozen layers."""
        return operation.node not in self._frozen

    def uses_batch_statistics(self, operation: Operation) -> bool:
        """Whether batch normalisation uses the batch's statistics: in training, unless it is frozen
        or keeps its running ones.
        """
        return self.settings.training and operation.node not in self._steady

    def needs_gradient(self, value: int) -> bool:
        """Whether anything before `value` learns."""
        return value in self.gradients

    def has_no_gradient_yet(self, value: int) -> bool:
        """Whether a gradient is needed that no reader has written to."""
        return self.needs_gradient(value) and not self._written.get(value)

    def alias_gradient(self, reader: int, value: int) -> None:
        """Let the gradient of a reader be what it adds to the gradient of `value`, in place."""
        self.gradients[value] = self.gradients[reader]
        self._written[value] = 1

    @contextmanager
    def writing_gradient(self, value: int) -> Iterator[GradientWriter]:
        """Add one reader's part to the gradient of a value.

        The first reader stores, the others add, and the last also multiplies by the derivative
        of the activation that was fused into the value: from then on it is the gradient of what
        went into the activation.
        """
        done = self._written.get(value, 0)
        last = done + 1 == self._to_write[value]
        activation = self.activations.get(value) if last else None
        yield GradientWriter(self, value, first=done == 0, activation=activation)
        self._written[value] = done + 1


@dataclass(frozen=True)
class OutputWriter:
    """Writes an operation's value as `GradientWriter` writes gradients: every pixel once.

    Attributes:
        bias: whether sums begin with the operation's parameter "bias", or with zero.
    """

    builder: Builder
    operation: Operation
    bias: bool

    def nest(
        self,
        axes: Axes,
        term: Expression,
        places: Locations,
        *,
        walk: Access,
        reduce: tuple[str, ...],
        before: str | None = None,
        blocks: int | None = None,
        rounds: Mapping[str, int] | None = None,
    ) -> None:
        """A nest that sums up the pixels that `walk` visits; in `rounds` of so many indices."""
        nest = Nest(
            axes,
            stores=(self.builder.store(self.operation, Accumulator(), walk),),
            terms=(term,),
            reduce=reduce,
            reduction="sum",
            initial=(self._bias(walk),) if self.bias else (),
        )
        self.builder.recorder.blockwise(
            _in_rounds(nest, rounds, before),
            {**places, **self._places},
            before=before,
            blocks=blocks,
        )

    def zeros(self, axes: Axes, walk: Access) -> None:
        """Pixels to which nothing is added."""
        result: Expression = self._bias(walk) if self.bias else Constant(0.0)
        nest = Nest(axes, stores=(self.builder.store(self.operation, result, walk),))
        self.builder.recorder.blockwise(nest, self._places)

    def _bias(self, walk: Access) -> Tensor:
        """The numbers of the channels that `walk` visits."""
        return Tensor("bias", strides_of(walk.c), walk.start[2])

    @property
    def _places(self) -> dict[str, Location]:
        images = self.builder.stored(self.operation)
        places = {role: Location(image.buffer) for role, image in images.items()}
        if self.bias:
            places["bias"] = self.builder.parameter(self.operation, "bias")
        return places


@dataclass(frozen=True)
class GradientWriter:
    """Writes one reader's part of a gradient; every pixel exactly once."""

    builder: Builder
    value: int
    first: bool
    activation: Layer | None

    def nest(
        self,
        axes: Axes,
        term: Expression,
        places: Locations,
        *,
        walk: Access = EVERY_PIXEL,
        reduce: tuple[str, ...] = (),
        before: str | None = None,
        blocks: int | None = None,
        late: bool = False,
        rounds: Mapping[str, int] | None = None,
    ) -> None:
        """A nest that computes the part of the pixels that `walk` visits; sums in `rounds` of so
        many indices.
        """
        target = self.builder.gradients[self.value].tensor("out", walk)
        result: Expression = Accumulator() if reduce else term
        nest = Nest(
            axes,
            stores=(self.store(result, walk, added=bool(reduce)),),
            terms=(term,) if reduce else (),
            reduce=reduce,
            reduction="sum" if reduce else "none",
            initial=(target,) if reduce and not self.first else (),
        )
        self.builder.recorder.blockwise(
            _in_rounds(nest, rounds, before),
            {**places, **self.places},
            before=before,
            blocks=blocks,
            late=late,
        )

    @property
    def images(self) -> dict[str, Image]:
        """What a store writes and reads, by role."""
        images = {"out": self.builder.gradients[self.value]}
        activation = self.activation
        if activation is not None and told_by(activation) != "nothing":
            images["value"] = self.builder.values[self.value]
        return images

    @property
    def places(self) -> dict[str, Location]:
        """Their memory."""
        return {role: Location(image.buffer) for role, image in self.images.items()}

    def store(self, result: Expression, walk: Access, *, added: bool = False) -> Store:
        """Store this reader's part; `added`: what earlier readers stored is in it already."""
        target = self.builder.gradients[self.value].tensor("out", walk)
        if not self.first and not added:
            result = result + target
        if self.activation is not None:
            value = self.builder.values[self.value].tensor("value", walk)
            result = derived(self.activation, value, result)
        return Store(target, result)

    def zeros(self, axes: Axes, walk: Access, *, late: bool = False) -> None:
        """Pixels that this reader does not read."""
        if self.first or self.activation is not None:
            self.nest(axes, Constant(0.0), {}, walk=walk, late=late)


def _in_rounds(nest: Nest, rounds: Mapping[str, int] | None, before: str | None) -> Nest:
    for axis, size in (rounds or {}).items():
        nest = in_rounds(nest, axis, size, before)
    return nest
