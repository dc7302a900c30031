"""The vocabulary of a plan: nests bound to memory, stages of them, and all stages in order.

A stage is a list of nests that some blocks of images (or some other tasks) are taken through
together, while what they work on is in a core's cache.  It becomes one job of a program.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from striate.nest.algebra import Index, Nest, Tensor, forms_in, strides_of
from striate.nest.rewrite import in_rounds, with_fields, with_tensors
from striate.nest.schedule import Schedule
from striate.plan.layout import Buffer, Location

Locations = Mapping[str, Location]
When = Literal["first", "before", "now"]
# Products that are summed up before a sum is stored, at least.
_ROUND = 128


@dataclass(frozen=True)
class BoundNest:
    """A nest bound to memory.

    Attributes:
        advance: elements from one task to the next, by role (stages that do not run over blocks).
        before: in front of which axis the axis over a task's blocks belongs; outermost if None.
        label: the layer, and what is computed for it: "conv2d_1 forward".
        schedule: how the nest is run, where that must not be chosen anew.
        tuned: whether that schedule was measured to be the fastest, and kept.
        late: whether the step should rather begin the next stage than end this one.
        shards_of: the stage whose shards the axis s counts.
        wanted: how many blocks it wants together, or 0.
        band: which part of an image the step works on, if it is one of a chain of steps through
            which each part goes alone: those of one label do not read each other's results.
    """

    nest: Nest
    places: Locations
    advance: Mapping[str, int] = field(default_factory=dict)
    before: str | None = None
    label: str = ""
    schedule: Schedule | None = None
    tuned: bool = False
    late: bool = False
    shards_of: Stage | None = None
    wanted: int = 0
    band: int | None = None

    def part(self, axis: str, indices: range) -> BoundNest:
        """The step for some indices of an axis along which all tensors of a role move alike."""
        axes = tuple((name, len(indices) if name == axis else n) for name, n in self.nest.axes)
        strides = strides_along(self.nest, axis)
        places = {
            role: Location(place.buffer, place.offset + indices.start * strides.get(role, 0))
            for role, place in self.places.items()
        }
        return replace(self, nest=replace(self.nest, axes=axes), places=places)


@dataclass
class Stage:
    """Nests that become one job.

    Attributes:
        tasks, shards: how many tasks there are, and the runs that they are dealt in: see
            `striate.nest.program`.
        by_block: whether the tasks are blocks of images.
        steps, starts, ends: the nests of each task; those done once for each shard, before and
            after its tasks.
        barrier: whether all threads wait for each other at its end.
        grain: how many blocks of images a task takes: set by `striate.plan.memory.task_size`.
        wanted: how many blocks a step wants together, or 0.
    """

    tasks: int
    shards: int
    by_block: bool
    steps: list[BoundNest] = field(default_factory=list)
    starts: list[BoundNest] = field(default_factory=list)
    ends: list[BoundNest] = field(default_factory=list)
    barrier: bool = True
    grain: int = 1
    wanted: int = 0

    @property
    def used_shards(self) -> int:
        """Shards that have tasks; where nothing is summed up over a shard, each task is one, and
        goes to whoever is free.
        """
        tasks = self.tasks // self.grain
        buffers = (place.buffer for step in self.all_steps for place in step.places.values())
        sums = any(buffer.scope in ("shard", "partial") for buffer in buffers)
        return min(self.shards, tasks) if sums or self.starts or self.ends else tasks

    @property
    def all_steps(self) -> list[BoundNest]:
        """In the order in which they are done."""
        return [*self.starts, *self.steps, *self.ends]


@dataclass
class RecordedStages:
    """All stages of a plan in order, before they have memory.

    Attributes:
        blocks, shards: blocks of images of a batch, and the shards that they are dealt in.
        preparation: stages that depend on no image: once for weights that never change, else first
            in each run.
        stages: all others.
    """

    blocks: int
    shards: int
    preparation: list[Stage] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    @property
    def all_stages(self) -> list[Stage]:
        """What depends on no image, then the rest."""
        if self.preparation:
            self.preparation[-1].barrier = True
        return [*self.preparation, *self.stages]


def in_tasks(total: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(first, count, size): `count` tasks of one size from `first` on, then one of what is left."""
    count, rest = divmod(total, size)
    if count:
        yield 0, count, size
    if rest:
        yield total - rest, 1, rest


def strides_along(nest: Nest, axis: str) -> dict[str, int]:
    """How far the tensors of each role move along an axis, where all of them move alike."""
    return {tensor.buffer: tensor.stride(axis) for tensor in nest.tensors()}


def can_be_cut(nest: Nest, axis: str) -> bool:
    """Whether some indices of an axis are a nest of their own: no place in the image is told by it,
    and all tensors of a role move alike along it.
    """
    forms = [form for expression in nest.expressions() for form in forms_in(expression)]
    if any(isinstance(form, Index) and dict(form.strides).get(axis) for form in forms):
        return False
    strides = strides_along(nest, axis)
    return all(strides[tensor.buffer] == tensor.stride(axis) for tensor in nest.tensors())


def is_per_block(buffer: Buffer) -> bool:
    """Whether every block of images has an instance of it."""
    return buffer.scope in ("auto", "block")


def over_blocks(nest: Nest, places: Locations, blocks: int, before: str | None) -> Nest:
    """The nest with an axis n over blocks, in front of another; reduced where nothing is
    stored block by block.
    """

    def along(tensor: Tensor) -> Tensor:
        buffer = places[tensor.buffer].buffer
        if not is_per_block(buffer):
            return tensor
        if tensor.rows is not None:
            return with_fields(tensor, rows=strides_of({**dict(tensor.rows), "n": buffer.span}))
        return with_fields(tensor, strides=strides_of({**dict(tensor.strides), "n": buffer.span}))

    stored = [places[store.target.buffer].buffer for store in nest.stores]
    if any(is_per_block(buffer) for buffer in stored):
        names = [name for name, _ in nest.axes]
        place = names.index(before) if before in names else 0
        axes = (*nest.axes[:place], ("n", blocks), *nest.axes[place:])
        return with_tensors(nest, along, axes=axes)
    axes = (("n", blocks), *nest.axes)
    summed = with_tensors(nest, along, axes=axes, reduce=("n", *nest.reduce))
    return summed if not nest.initial else _in_rounds(summed)


def _in_rounds(nest: Nest) -> Nest:
    """Sum over some blocks at a time, if these alone are enough to be worth storing the sums."""
    blocks = nest.extent("n")
    points = math.prod(nest.extent(a) for a in nest.reduce if a not in ("n", *nest.rounds))
    sizes = [g for g in range(1, blocks + 1) if blocks % g == 0 and g * points >= _ROUND]
    return in_rounds(nest, "n", sizes[0]) if sizes and sizes[0] < blocks else nest
