"""Collect the steps of a program, and know what memory they need from when to when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from striate.nest.algebra import Nest, Tensor
from striate.nest.ir import Number
from striate.nest.program import Program
from striate.nest.rewrite import with_tensors
from striate.plan.build.assembly import Assembly, is_per_block, over_blocks
from striate.plan.layout import Buffer
from striate.plan.memory.allocation import Use, allot, dtype_of
from striate.plan.stage import BoundNest, Locations, Stage, When

# What the blocks of one task may touch together, so that it stays in a core's own cache.
_NEAR_BYTES = 640 << 10
# Steps that want more than so many times as many blocks together as others do not go with them.
_ALIKE = 4
# Tasks of a stage, at least: so many threads find work.
_LEAST_TASKS = 8


class Recorder:
    """The steps of a plan, in order.

    Steps over blocks of images that follow each other become one job: some blocks go through all
    of them while they are in the cache.  Other steps are jobs of their own.
    """

    def __init__(self, blocks: int, shards: int, element: Number) -> None:
        self.blocks, self.shards, self.element = blocks, shards, element
        self.stages: list[Stage] = []
        self.preparation: list[Stage] = []
        self.arrays: dict[Buffer, npt.NDArray[np.generic]] = {}
        self._per_thread: set[Buffer] = set()
        self._strides: dict[Buffer, int] = {}
        self._closed = False
        self.label = ""  # for whom the steps that follow are done

    def blockwise(
        self,
        nest: Nest,
        places: Locations,
        *,
        before: str | None = None,
        blocks: int | None = None,
        late: bool = False,
    ) -> None:
        """A step for every block of images.

        A task may take several blocks: then the nest gets one more axis, in front of the axis
        `before`.  At least `blocks` should go together for the step's sake; steps that want very
        different numbers of them come into stages of their own.  `late` steps before such a one
        go with it: they write more than they read, and what is written need not be kept then.
        """
        stage = self.stage()
        if blocks is not None:
            if stage.wanted and not 1 / _ALIKE <= blocks / stage.wanted <= _ALIKE:
                steps = stage.steps
                kept = len(steps)
                while kept and steps[kept - 1].late:
                    kept -= 1
                steps[kept:], later = [], steps[kept:]
                self.close()
                stage = self.stage()
                stage.steps += later
            stage.wanted = max(stage.wanted, blocks)
        stage.steps.append(BoundNest(nest, places, before=before, label=self.label, late=late))

    def at_shard_start(self, nest: Nest, places: Locations) -> None:
        """A step done once before the blocks of a shard, in the stage at hand."""
        self.stage().starts.append(BoundNest(nest, places, label=self.label))

    def at_shard_end(self, nest: Nest, places: Locations) -> None:
        """A step done once after the blocks of a shard, in the stage at hand."""
        self.stage().ends.append(BoundNest(nest, places, label=self.label))

    def tasks(
        self,
        nest: Nest,
        count: int,
        advance: Mapping[str, int],
        places: Locations,
        *,
        barrier: bool = True,
        when: When = "now",
        shards_of: Stage | None = None,
    ) -> None:
        """A step over `count` tasks that are not blocks of images.

        `advance` says how many elements each role moves on from task to task.  `barrier=False`
        where the next step does not need this one's result.  What depends on no image may be done
        "first" of all, or "before" the stage at hand.  An axis s over the shards of a stage is
        cut to those that will have tasks.
        """
        stage = Stage(count, count, False, barrier=barrier and when != "first")
        step = BoundNest(nest, places, advance, label=self.label, shards_of=shards_of)
        stage.steps.append(step)
        if when == "first":
            self.preparation.append(stage)
        elif when == "before" and self.stage_is_open:
            self.stages.insert(-1, stage)
        else:
            self.stages.append(stage)

    def spread(
        self, nest: Nest, along: str, places: Locations, *, barrier: bool = True, when: When = "now"
    ) -> None:
        """A step whose tasks are the indices of one axis."""

        def still(tensor: Tensor) -> Tensor:
            return replace(tensor, strides=tuple(s for s in tensor.strides if s[0] != along))

        advance = {tensor.buffer: tensor.stride(along) for tensor in nest.tensors()}
        inside = with_tensors(nest, still)
        inside = replace(inside, axes=tuple(axis for axis in nest.axes if axis[0] != along))
        self.tasks(inside, nest.extent(along), advance, places, barrier=barrier, when=when)

    def whole_batch(self, nest: Nest, along: str, places: Locations) -> None:
        """A step that sums over all blocks of images; its tasks are the indices of one axis."""
        self.spread(over_blocks(nest, places, self.blocks, None), along, places)

    def once(
        self, nest: Nest, places: Locations, *, barrier: bool = True, when: When = "now"
    ) -> None:
        """A step done by whichever thread comes first."""
        self.tasks(nest, 1, {}, places, barrier=barrier, when=when)

    @property
    def stage_is_open(self) -> bool:
        """Whether the next step over blocks goes to the last stage."""
        return bool(self.stages) and self.stages[-1].by_block and not self._closed

    def stage(self) -> Stage:
        """The stage over blocks at hand, or a new one."""
        if not self.stage_is_open:
            if self.stages:
                self.stages[-1].barrier = True
            self.stages.append(Stage(self.blocks, self.shards, True))
            self._closed = False
        return self.stages[-1]

    def close(self) -> None:
        """Let the next step begin a stage of its own."""
        self._closed = True

    @property
    def all_stages(self) -> list[Stage]:
        """What depends on no image, then the rest."""
        if self.preparation:
            self.preparation[-1].barrier = True
        return [*self.preparation, *self.stages]

    # --- memory --------------------------------------------------------------------------

    def allot(self, threads: int, given: Mapping[Buffer, npt.NDArray[np.generic]]) -> None:
        """Give every buffer its memory; `given` has some already.

        A buffer that is only used while one block goes through one job exists once per thread.
        """
        for buffer, array in given.items():
            if (
                array.dtype != self._dtype(buffer)
                or array.size < buffer.size
                or not array.flags.c_contiguous
            ):
                raise ValueError(
                    f"{buffer.name!r} needs {buffer.size} contiguous numbers of "
                    f"{np.dtype(self._dtype(buffer))}, got {array.dtype} of shape {array.shape}"
                )
        self.arrays.update(given)
        self._per_thread = self.used_by_one_job()
        self.choose_grains()
        uses = [use for use in self.uses(threads) if use.buffer not in given]
        memory = allot(uses, self.element)
        self.arrays.update(memory.arrays)
        self._strides.update(memory.strides)

    def uses(self, threads: int) -> list[Use]:
        """From when to when each buffer holds something, and how much memory that is.

        Time counts steps.  Stages without a barrier between them happen at once.  What one
        thread uses while its blocks go through one job is needed from step to step only; all
        else from barrier to barrier.
        """
        uses: dict[Buffer, Use] = {}
        begin = time = 0
        touched: list[Buffer] = []
        for stage in self.all_stages:
            own: dict[Buffer, tuple[int, int]] = {}
            first = time
            for step in stage.all_steps:
                for place in step.places.values():
                    start, _ = own.get(place.buffer, (time, time))
                    own[place.buffer] = (start, time)
                time += 1
            lasting = [p.buffer for s in stage.starts + stage.ends for p in s.places.values()]
            for buffer in lasting:
                own[buffer] = (first, time - 1)
            for buffer, (start, stop) in own.items():
                alone = buffer in self._per_thread
                grain = stage.grain if buffer.scope == "auto" else 1
                size = _elements(buffer, grain if alone else self._instances(buffer))
                begins = uses[buffer].start if buffer in uses else start if alone else begin
                uses[buffer] = Use(buffer, size, begins, stop, threads if alone else 0)
                if not alone:
                    touched.append(buffer)
            if stage.barrier:
                for buffer in touched:
                    uses[buffer] = replace(uses[buffer], stop=time - 1)
                begin, touched = time, []
        return list(uses.values())

    def used_by_one_job(self) -> set[Buffer]:
        """Buffers that each thread has for itself, since nothing outside one job needs them."""
        used: dict[Buffer, set[int]] = {}
        for number, stage in enumerate(self.stages):
            for step in stage.all_steps:
                for place in step.places.values():
                    used.setdefault(place.buffer, set()).add(number)
        return {
            buffer
            for buffer, stages in used.items()
            if buffer.scope in ("auto", "thread")
            and len(stages) == 1
            and self.stages[min(stages)].by_block
        }

    def choose_grains(self) -> None:
        """How many blocks of images a task takes, in every stage over blocks."""
        for stage in self.stages:
            if stage.by_block:
                stage.grain = self._grain(stage)
        for stage in self.stages:
            stage.steps = [_of_its_shards(step) for step in stage.steps]

    def _grain(self, stage: Stage) -> int:
        """Blocks that one task takes: those that fit the cache together, or more if a step wants
        them, but not so many that threads go idle.  All tasks are equal."""
        buffers = {place.buffer for step in stage.steps for place in step.places.values()}
        size = np.dtype(self._dtype(Buffer("", 0, "real"))).itemsize
        near = size * sum(
            b.span if b.near is None else -(-b.near // 64) * 64 for b in buffers if is_per_block(b)
        )
        fitting = _NEAR_BYTES // max(near, 1)
        most = max(self.blocks // _LEAST_TASKS, 1, min(stage.wanted, self.blocks // 2))
        wanted = max(min(max(fitting, stage.wanted), most), 1)
        divisors = [g for g in range(1, self.blocks + 1) if self.blocks % g == 0]
        return max(g for g in divisors if g <= wanted)

    def _dtype(self, buffer: Buffer) -> npt.DTypeLike:
        return dtype_of(buffer, self.element)

    def allot_unused(self, buffer: Buffer) -> None:
        """Memory for a buffer that no step uses, so that it can be written all the same."""
        size = _elements(buffer, self._instances(buffer))
        self.arrays.update(allot([Use(buffer, size, 0, 0)], self.element).arrays)

    def _instances(self, buffer: Buffer) -> int:
        if buffer.scope in ("global", "temporary"):
            return 1
        if buffer.scope in ("shard", "partial"):
            return self.shards
        return self.blocks

    @property
    def bytes(self) -> int:
        """Memory of all buffers."""
        bases = {id(_base(array)): _base(array) for array in self.arrays.values()}
        return sum(array.nbytes for array in bases.values())

    # --- the program -----------------------------------------------------------------------

    def build(self, threads: int) -> Program:
        """Compile every nest and lay out the calls; `allot` comes first."""
        return self.program(self.all_stages, threads)

    def program(self, stages: Sequence[Stage], threads: int) -> Program:
        """Some stages as a program."""
        if stages:
            stages[-1].barrier = True  # a run has ended when all threads have
        assembly = Assembly(self.element, self.arrays, self._strides, self._per_thread)
        return Program([assembly.job(stage) for stage in stages], threads)


def _of_its_shards(step: BoundNest) -> BoundNest:
    if step.shards_of is None:
        return step
    shards = step.shards_of.used_shards
    axes = tuple((name, shards if name == "s" else extent) for name, extent in step.nest.axes)
    return replace(step, nest=replace(step.nest, axes=axes))


def _elements(buffer: Buffer, instances: int) -> int:
    """Elements of so many instances."""
    if buffer.step is None:
        return instances * buffer.span
    return (instances - 1) * buffer.step + buffer.size


def _base(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return array if not isinstance(array.base, np.ndarray) else _base(array.base)


def tasks_of(blocks: int, grain: int) -> int:
    """How many tasks the first `blocks` blocks are."""
    return math.ceil(blocks / grain)
