"""Stages as jobs: which native calls they become, once every buffer has its memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.nest.algebra import Nest, Tensor, strides_of
from striate.nest.ir import Number
from striate.nest.compiler import CompiledNest, compile_nest
from striate.nest.rewrite import in_rounds, joined, with_tensors
from striate.nest.program import Argument, KernelCall, Job
from striate.plan.layout import Buffer, Location
from striate.plan.memory.non_temporal import with_non_temporal_stores

if TYPE_CHECKING:
    from striate.plan.stage import Locations, Stage, BoundNest

# Products that are summed up before a sum is stored, at least.
_ROUND = 128


@dataclass(frozen=True)
class Assembly:
    """Makes jobs of stages.

    Attributes
    ----------
    arrays, strides
        The memory of each buffer, and bytes from one thread's to the next's: see
        `striate.plan.memory.allocation.Memory`.
    near
        Buffers that each thread has for itself.
    """

    element: Number
    arrays: Mapping[Buffer, npt.NDArray[np.generic]]
    strides: Mapping[Buffer, int]
    near: Set[Buffer]

    def job(self, stage: Stage) -> Job:
        """Its calls, for all tasks."""
        tasks = stage.tasks // stage.grain
        read = {s.places[role].buffer for s in stage.all_steps for role in s.nest.inputs}
        steps = [self._final(step, stage, read) for step in stage.steps]
        return Job(
            calls=tuple(self._call(step, stage) for step in steps),
            starts=tuple(self._call(step, stage) for step in stage.starts),
            ends=tuple(self._call(step, stage) for step in stage.ends),
            tasks=tasks,
            shards=stage.used_shards,
            barrier=stage.barrier,
        )

    def _final(self, step: BoundNest, stage: Stage, read: Set[Buffer]) -> BoundNest:
        """The step as it is run, in a stage that reads these buffers."""
        step = self._grained(self._streamed(step, stage, read), stage)
        return step if step.schedule else replace(step, nest=joined(step.nest))

    def _grained(self, step: BoundNest, stage: Stage) -> BoundNest:
        """The step for all blocks of a task: with one more axis n over them.

        A nest that stores nothing block by block sums over it.
        """
        if stage.grain == 1 or not stage.by_block:
            return step
        nest = over_blocks(step.nest, step.places, stage.grain, step.before)
        return replace(step, nest=nest)

    def _streamed(self, step: BoundNest, stage: Stage, read: Set[Buffer]) -> BoundNest:
        """The step with stores that go past the caches, where nothing in this stage reads what
        is stored."""
        stored = {store.target.buffer for store in step.nest.stores}
        if len(stored) != 1 or not stage.by_block:
            return step
        place = step.places[min(stored)]
        if place.buffer in self.near or place.buffer in read:
            return step
        return with_non_temporal_stores(step, self.arrays[place.buffer], place)

    def _call(self, step: BoundNest, stage: Stage) -> KernelCall:
        kernel: CompiledNest = compile_nest(step.nest, step.schedule, element=self.element)
        if missing := set(step.nest.buffers) ^ set(step.places):
            raise KeyError(f"roles without memory, or memory without role: {sorted(missing)}")
        for tensor in step.nest.tensors():
            self._check_reach(step, tensor, stage)
        return KernelCall(
            kernel,
            tuple(
                self._argument(step.places[role], step.advance.get(role, 0), stage)
                for role in step.nest.buffers
            ),
        )

    def _check_reach(self, step: BoundNest, tensor: Tensor, stage: Stage) -> None:
        """No kernel may leave its buffer: that would be silent damage, so it is proved here.

        What tables say cannot be: whoever fills them answers for it.
        """
        if tensor.rows is not None:
            tensor = Tensor(tensor.buffer, tensor.rows)
        elif tensor.shift:
            return
        place, advance = step.places[tensor.buffer], step.advance.get(tensor.buffer, 0)
        low, high = step.nest.reach(tensor)
        low, high = low + place.offset, high + place.offset
        size = place.buffer.size
        if not stage.by_block:
            high += advance * (stage.tasks - 1)
            size = self.arrays[place.buffer].size
        elif is_per_block(place.buffer):
            size += (stage.grain - 1) * place.buffer.span
        if low < 0 or high >= size:
            raise IndexError(
                f"{tensor.buffer!r} reaches elements {low} to {high} of the {size} of "
                f"{place.buffer.name!r}"
            )

    def _argument(self, place: Location, advance: int, stage: Stage) -> Argument:
        buffer = place.buffer
        size = self.arrays[buffer].itemsize
        base = self.arrays[buffer].ctypes.data + place.offset * size
        span = buffer.span * size
        if not stage.by_block:
            return Argument(base, task=advance * size)
        if buffer.scope in ("shard", "partial"):
            return Argument(base, shard=span)
        if buffer.scope in ("global", "temporary"):
            return Argument(base)
        if buffer in self.near:
            return Argument(base, thread=self.strides[buffer])
        return Argument(base, task=span * stage.grain)


def is_per_block(buffer: Buffer) -> bool:
    """Whether every block of images has an instance of it."""
    return buffer.scope in ("auto", "block")


def over_blocks(nest: Nest, places: Locations, blocks: int, before: str | None) -> Nest:
    """The nest with an axis n over blocks, in front of another; reduced where nothing is
    stored block by block."""

    def along(tensor: Tensor) -> Tensor:
        buffer = places[tensor.buffer].buffer
        if not is_per_block(buffer):
            return tensor
        if tensor.rows is not None:
            return replace(tensor, rows=strides_of({**dict(tensor.rows), "n": buffer.span}))
        return replace(tensor, strides=strides_of({**dict(tensor.strides), "n": buffer.span}))

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
