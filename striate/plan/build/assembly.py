"""Stages as jobs: which native calls they become, once every buffer has its memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from striate.common.cached_property import cached_property
from striate.nest.algebra import Tensor
from striate.nest.compiler import CompiledNest, compile_nest, source_of
from striate.nest.program import Argument, Job, KernelCall, Program
from striate.nest.rewrite import joined
from striate.nest.target import Target
from striate.plan.layout import Buffer, Location
from striate.plan.memory.non_temporal import with_non_temporal_stores
from striate.plan.memory.placement import Memory
from striate.plan.stage import BoundNest, Stage, is_per_block, over_blocks


def build(stages: Sequence[Stage], memory: Memory, target: Target, threads: int) -> Program:
    """Compile every nest of some stages, and lay out the calls."""
    if stages:
        stages[-1].barrier = True  # a run has ended when all threads have
    assembly = Assembly(memory, target)
    return Program([assembly.job(stage) for stage in stages], threads, target, flushes=True)


def sources(stages: Sequence[Stage], memory: Memory, target: Target) -> list[tuple[str, str]]:
    """What `build` would compile: (label, LLVM IR) of every nest, in order.

    The target need not be this machine: nothing is compiled or run.
    """
    assembly, element = Assembly(memory, target), memory.element
    return [
        (step.label, source_of(step.nest, step.schedule, target, element))
        for stage in stages
        for step in assembly.final(stage).all_steps
    ]


@dataclass(frozen=True)
class Assembly:
    """Makes jobs of stages.

    Attributes:
        memory: that of all buffers.
        target: the machine that runs the jobs.
        placed: where each buffer begins, and the bytes of an element, for those who run the jobs in
            other memory than this.
    """

    memory: Memory
    target: Target
    placed: Mapping[Buffer, tuple[int, int]] | None = None

    def job(self, stage: Stage) -> Job:
        """Its calls, for all tasks."""
        tasks = stage.tasks // stage.grain
        return Job(
            calls=tuple(self._call(step, stage) for step in self.final(stage).steps),
            starts=tuple(self._call(step, stage) for step in stage.starts),
            ends=tuple(self._call(step, stage) for step in stage.ends),
            tasks=tasks,
            shards=stage.used_shards,
            barrier=stage.barrier,
        )

    def final(self, stage: Stage) -> Stage:
        """The stage with the nests of its tasks as they are run."""
        read = {s.places[role].buffer for s in stage.all_steps for role in s.nest.inputs}
        return replace(stage, steps=[self._final(step, stage, read) for step in stage.steps])

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
        is stored.
        """
        stored = {store.target.buffer for store in step.nest.stores}
        if len(stored) != 1 or not stage.by_block:
            return step
        place = step.places[min(stored)]
        if place.buffer in self.memory.private or place.buffer in read:
            return step
        return with_non_temporal_stores(step, self.memory.arrays[place.buffer], place, self.target)

    def _call(self, step: BoundNest, stage: Stage) -> KernelCall:
        kernel: CompiledNest = compile_nest(
            step.nest, step.schedule, element=self.memory.element, target=self.target
        )
        return KernelCall(kernel, self.arguments(step, stage))

    def arguments(self, step: BoundNest, stage: Stage) -> tuple[Argument, ...]:
        """Where a step of a stage finds its buffers, one for each of `Nest.buffers`.

        Raises:
            IndexError: it would leave one of them.
        """
        if missing := set(step.nest.buffers) ^ set(step.places):
            raise KeyError(f"roles without memory, or memory without role: {sorted(missing)}")
        for tensor in step.nest.tensors():
            self._check_reach(step, tensor, stage)
        return tuple(
            self._argument(step.places[role], step.advance.get(role, 0), stage)
            for role in step.nest.buffers
        )

    def _check_reach(self, step: BoundNest, tensor: Tensor, stage: Stage) -> None:
        """No kernel may leave its buffer: that would be silent damage, so it is proved here.

        What tables say cannot be: whoever fills them answers for it.
        """
        touched = reached(step, tensor, stage)
        if touched is None:
            return
        low, high, place = touched.start, touched.stop - 1, step.places[tensor.buffer]
        size = place.buffer.size
        if not stage.by_block:
            size = self.memory.arrays[place.buffer].size
        elif is_per_block(place.buffer):
            size += (stage.grain - 1) * place.buffer.span
        if low < 0 or high >= size:
            raise IndexError(
                f"{tensor.buffer!r} reaches elements {low} to {high} of the {size} of "
                f"{place.buffer.name!r}"
            )

    @cached_property
    def _placed(self) -> Mapping[Buffer, tuple[int, int]]:
        """Where each buffer begins, and the bytes of an element: NumPy takes long to tell."""
        if self.placed is not None:
            return self.placed
        arrays = self.memory.arrays.items()
        return {buffer: (array.ctypes.data, array.itemsize) for buffer, array in arrays}

    def _argument(self, place: Location, advance: int, stage: Stage) -> Argument:
        buffer = place.buffer
        start, size = self._placed[buffer]
        base = start + place.offset * size
        span = buffer.span * size
        if not stage.by_block:
            return Argument(base, task=advance * size)
        if buffer.scope in ("shard", "partial"):
            return Argument(base, shard=span)
        if buffer.scope in ("global", "temporary"):
            return Argument(base)
        if buffer in self.memory.private:
            return Argument(base, thread=self.memory.strides[buffer])
        return Argument(base, task=span * stage.grain)


def reached(step: BoundNest, tensor: Tensor, stage: Stage) -> range | None:
    """The elements of its buffer that a step reads or writes through a tensor: in the first task if
    the tasks are blocks of images, else in all; None where tables say which.
    """
    if tensor.rows is not None:
        tensor = Tensor(tensor.buffer, tensor.rows)
    elif tensor.shift:
        return None
    low, high = step.nest.reach(tensor)
    start, advance = step.places[tensor.buffer].offset, step.advance.get(tensor.buffer, 0)
    far = 0 if stage.by_block else advance * (stage.tasks - 1)
    return range(start + low, start + high + far + 1)
