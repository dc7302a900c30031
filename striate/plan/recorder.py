"""Collect the steps of a program, and build it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from striate.nest.algebra import Nest, Tensor, strides_of
from striate.nest.ir import Number
from striate.nest.kernel import Kernel, compile_nest
from striate.nest.rewrite import in_rounds, with_tensors
from striate.nest.schedule import Schedule
from striate.nest.tape import Argument, Call, Job, Program
from striate.plan.layout import Buffer, Place
from striate.plan.memory import Use, allot, dtype_of

Places = Mapping[str, Place]
When = Literal["first", "before", "now"]
# What the blocks of one task may touch together, so that it stays in a core's own cache.
_NEAR_BYTES = 640 << 10
# Steps that want so many times as many blocks together as others do not go with them.
_ALIKE = 4
# Buffers of more bytes than this are not in the caches any more when they are read.
_FAR_BYTES = 24 << 20
_LINE_BYTES = 64
# Products that are summed up before a sum is stored, at least.
_ROUND = 128
# Tasks of a section, at least: so many threads find work.
_LEAST_TASKS = 8


@dataclass(frozen=True)
class Step:
    """A nest bound to memory.

    Attributes
    ----------
    advance
        Elements from one task to the next, by role (sections that do not run over blocks).
    before
        In front of which axis the axis over a task's blocks belongs; outermost if None.
    label
        For whom it is done: `Recorder.label` as it was recorded.
    schedule
        How the nest is run, where that must not be chosen anew.
    late
        Whether the step should rather begin the next section than end this one.
    """

    nest: Nest
    places: Places
    advance: Mapping[str, int] = field(default_factory=dict)
    before: str | None = None
    label: str = ""
    schedule: Schedule | None = None
    late: bool = False


@dataclass
class Section:
    """Steps that become one job.

    `starts` and `ends` are done once for each shard, before and after its tasks.  A task of a
    section over blocks of images takes `grain` of them.
    """

    tasks: int
    shards: int
    by_block: bool
    steps: list[Step] = field(default_factory=list)
    starts: list[Step] = field(default_factory=list)
    ends: list[Step] = field(default_factory=list)
    barrier: bool = True
    grain: int = 1
    wanted: int = 0

    @property
    def all_steps(self) -> list[Step]:
        """In the order in which they are done."""
        return [*self.starts, *self.steps, *self.ends]


def in_tasks(total: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(first, count, size): `count` tasks of one size from `first` on, then one of what is left."""
    count, rest = divmod(total, size)
    if count:
        yield 0, count, size
    if rest:
        yield total - rest, 1, rest


class Recorder:
    """The steps of a plan, in order.

    Steps over blocks of images that follow each other become one job: some blocks go through all
    of them while they are in the cache.  Other steps are jobs of their own.
    """

    def __init__(self, blocks: int, shards: int, element: Number) -> None:
        self.blocks, self.shards, self.element = blocks, shards, element
        self.sections: list[Section] = []
        self.preparation: list[Section] = []
        self.arrays: dict[Buffer, npt.NDArray[np.generic]] = {}
        self._per_thread: set[Buffer] = set()
        self._strides: dict[Buffer, int] = {}
        self._closed = False
        self.label = ""  # for whom the steps that follow are done

    def blockwise(
        self,
        nest: Nest,
        places: Places,
        *,
        before: str | None = None,
        blocks: int | None = None,
        late: bool = False,
    ) -> None:
        """A step for every block of images.

        A task may take several blocks: then the nest gets one more axis, in front of the axis
        `before`.  At least `blocks` should go together for the step's sake; steps that want very
        different numbers of them come into sections of their own.  `late` steps before such a one
        go with it: they write more than they read, and what is written need not be kept then.
        """
        section = self.section()
        if blocks is not None:
            if section.wanted and not 1 / _ALIKE < blocks / section.wanted < _ALIKE:
                steps = section.steps
                kept = len(steps)
                while kept and steps[kept - 1].late:
                    kept -= 1
                steps[kept:], later = [], steps[kept:]
                self.close()
                section = self.section()
                section.steps += later
            section.wanted = max(section.wanted, blocks)
        section.steps.append(Step(nest, places, before=before, label=self.label, late=late))

    def at_shard_start(self, nest: Nest, places: Places) -> None:
        """A step done once before the blocks of a shard, in the section at hand."""
        self.section().starts.append(Step(nest, places, label=self.label))

    def at_shard_end(self, nest: Nest, places: Places) -> None:
        """A step done once after the blocks of a shard, in the section at hand."""
        self.section().ends.append(Step(nest, places, label=self.label))

    def tasks(
        self,
        nest: Nest,
        count: int,
        advance: Mapping[str, int],
        places: Places,
        *,
        barrier: bool = True,
        when: When = "now",
    ) -> None:
        """A step over `count` tasks that are not blocks of images.

        `advance` says how many elements each role moves on from task to task.  `barrier=False`
        where the next step does not need this one's result.  What depends on no image may be done
        "first" of all, or "before" the section at hand.
        """
        section = Section(count, count, False, barrier=barrier and when != "first")
        section.steps.append(Step(nest, places, advance, label=self.label))
        if when == "first":
            self.preparation.append(section)
        elif when == "before" and self.section_is_open:
            self.sections.insert(-1, section)
        else:
            self.sections.append(section)

    def spread(
        self, nest: Nest, along: str, places: Places, *, barrier: bool = True, when: When = "now"
    ) -> None:
        """A step whose tasks are the indices of one axis."""

        def still(tensor: Tensor) -> Tensor:
            return replace(tensor, strides=tuple(s for s in tensor.strides if s[0] != along))

        advance = {tensor.buffer: tensor.stride(along) for tensor in nest.tensors()}
        inside = with_tensors(nest, still)
        inside = replace(inside, axes=tuple(axis for axis in nest.axes if axis[0] != along))
        self.tasks(inside, nest.extent(along), advance, places, barrier=barrier, when=when)

    def whole_batch(self, nest: Nest, along: str, places: Places) -> None:
        """A step that sums over all blocks of images; its tasks are the indices of one axis."""
        self.spread(self._over_blocks(nest, places, self.blocks, None), along, places)

    def once(self, nest: Nest, places: Places, *, barrier: bool = True, when: When = "now") -> None:
        """A step done by whichever thread comes first."""
        self.tasks(nest, 1, {}, places, barrier=barrier, when=when)

    @property
    def section_is_open(self) -> bool:
        """Whether the next step over blocks goes to the last section."""
        return bool(self.sections) and self.sections[-1].by_block and not self._closed

    def section(self) -> Section:
        """The section over blocks at hand, or a new one."""
        if not self.section_is_open:
            if self.sections:
                self.sections[-1].barrier = True
            self.sections.append(Section(self.blocks, self.shards, True))
            self._closed = False
        return self.sections[-1]

    def close(self) -> None:
        """Let the next step begin a section of its own."""
        self._closed = True

    @property
    def all_sections(self) -> list[Section]:
        """What depends on no image, then the rest."""
        if self.preparation:
            self.preparation[-1].barrier = True
        return [*self.preparation, *self.sections]

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
        self._per_thread = self._used_by_one_job()
        for section in self.sections:
            if section.by_block:
                section.grain = self._grain(section)
        uses = [use for use in self.uses(threads) if use.buffer not in given]
        memory = allot(uses, self.element)
        self.arrays.update(memory.arrays)
        self._strides.update(memory.strides)

    def uses(self, threads: int) -> list[Use]:
        """From when to when each buffer holds something, and how much memory that is.

        Time counts steps.  Sections without a barrier between them happen at once.  What one
        thread uses while its blocks go through one job is needed from step to step only; all
        else from barrier to barrier.
        """
        uses: dict[Buffer, Use] = {}
        begin = time = 0
        touched: list[Buffer] = []
        for section in self.all_sections:
            own: dict[Buffer, tuple[int, int]] = {}
            first = time
            for step in section.all_steps:
                for place in step.places.values():
                    start, _ = own.get(place.buffer, (time, time))
                    own[place.buffer] = (start, time)
                time += 1
            lasting = [p.buffer for s in section.starts + section.ends for p in s.places.values()]
            for buffer in lasting:
                own[buffer] = (first, time - 1)
            for buffer, (start, stop) in own.items():
                alone = buffer in self._per_thread
                grain = section.grain if buffer.scope == "auto" else 1
                size = _elements(buffer, grain if alone else self._instances(buffer))
                begins = uses[buffer].start if buffer in uses else start if alone else begin
                uses[buffer] = Use(buffer, size, begins, stop, threads if alone else 0)
                if not alone:
                    touched.append(buffer)
            if section.barrier:
                for buffer in touched:
                    uses[buffer] = replace(uses[buffer], stop=time - 1)
                begin, touched = time, []
        return list(uses.values())

    def _used_by_one_job(self) -> set[Buffer]:
        used: dict[Buffer, set[int]] = {}
        for number, section in enumerate(self.sections):
            for step in section.all_steps:
                for place in step.places.values():
                    used.setdefault(place.buffer, set()).add(number)
        return {
            buffer
            for buffer, sections in used.items()
            if buffer.scope in ("auto", "thread")
            and len(sections) == 1
            and self.sections[min(sections)].by_block
        }

    def _grain(self, section: Section) -> int:
        """Blocks that one task takes: those that fit the cache together, or more if a step wants
        them, but not so many that threads go idle.  All tasks are equal."""
        buffers = {place.buffer for step in section.steps for place in step.places.values()}
        size = np.dtype(self._dtype(Buffer("", 0, "real"))).itemsize
        near = size * sum(
            b.span if b.near is None else -(-b.near // 64) * 64
            for b in buffers
            if self._is_per_block(b)
        )
        fitting = _NEAR_BYTES // max(near, 1)
        most = max(self.blocks // _LEAST_TASKS, 1, min(section.wanted, self.blocks // 2))
        wanted = max(min(max(fitting, section.wanted), most), 1)
        divisors = [g for g in range(1, self.blocks + 1) if self.blocks % g == 0]
        return max(g for g in divisors if g <= wanted)

    def _is_per_block(self, buffer: Buffer) -> bool:
        return buffer.scope in ("auto", "block")

    def _dtype(self, buffer: Buffer) -> npt.DTypeLike:
        return dtype_of(buffer, self.element)

    def allot_unused(self, buffer: Buffer) -> None:
        """Memory for a buffer that no step uses, so that it can be written all the same."""
        size = _elements(buffer, self._instances(buffer))
        self.arrays.update(allot([Use(buffer, size, 0, 0)], self.element).arrays)

    def _instances(self, buffer: Buffer) -> int:
        if buffer.scope in ("global", "temporary"):
            return 1
        if buffer.scope == "shard":
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
        return self.program(self.all_sections, threads)

    def program(self, sections: Sequence[Section], threads: int) -> Program:
        """Some sections as a program."""
        if sections:
            sections[-1].barrier = True  # a run has ended when all threads have
        return Program([self._job(section) for section in sections], threads)

    def _job(self, section: Section) -> Job:
        tasks = section.tasks // section.grain
        return Job(
            calls=tuple(self._call(self._final(step, section), section) for step in section.steps),
            starts=tuple(self._call(step, section) for step in section.starts),
            ends=tuple(self._call(step, section) for step in section.ends),
            tasks=tasks,
            shards=min(section.shards, tasks),
            barrier=section.barrier,
        )

    def _final(self, step: Step, section: Section) -> Step:
        return self._grained(self._streamed(step, section), section)

    def _grained(self, step: Step, section: Section) -> Step:
        """The step for all blocks of a task: with one more axis n over them.

        A nest that stores nothing block by block sums over it.
        """
        if section.grain == 1 or not section.by_block:
            return step
        nest = self._over_blocks(step.nest, step.places, section.grain, step.before)
        return replace(step, nest=nest)

    def _streamed(self, step: Step, section: Section) -> Step:
        """The step with stores that go past the caches, where nothing in this section reads what
        is stored, and what comes later would not find it there."""
        stored = {store.target.buffer for store in step.nest.stores}
        if len(stored) != 1 or not section.by_block:
            return step
        place = step.places[min(stored)]
        array = self.arrays[place.buffer]
        if place.buffer in self._per_thread or array.nbytes <= _FAR_BYTES:
            return step
        others = [p.buffer for s in section.all_steps if s is not step for p in s.places.values()]
        if place.buffer in others or not _fills_lines(step.nest, place, array):
            return step
        stores = tuple(replace(store, streaming=True) for store in step.nest.stores)
        return replace(step, nest=replace(step.nest, stores=stores))

    def _over_blocks(self, nest: Nest, places: Places, blocks: int, before: str | None) -> Nest:
        """The nest with an axis n over blocks, in front of another; reduced where nothing is
        stored block by block."""

        def along(tensor: Tensor) -> Tensor:
            buffer = places[tensor.buffer].buffer
            if not self._is_per_block(buffer):
                return tensor
            if tensor.rows is not None:
                return replace(tensor, rows=strides_of({**dict(tensor.rows), "n": buffer.span}))
            return replace(tensor, strides=strides_of({**dict(tensor.strides), "n": buffer.span}))

        stored = [places[store.target.buffer].buffer for store in nest.stores]
        if any(self._is_per_block(buffer) for buffer in stored):
            names = [name for name, _ in nest.axes]
            place = names.index(before) if before in names else 0
            axes = (*nest.axes[:place], ("n", blocks), *nest.axes[place:])
            return with_tensors(replace(nest, axes=axes), along)
        summed = with_tensors(
            replace(nest, axes=(("n", blocks), *nest.axes), reduce=("n", *nest.reduce)), along
        )
        return summed if not nest.initial else _in_rounds(summed)

    def _call(self, step: Step, section: Section) -> Call:
        kernel: Kernel = compile_nest(step.nest, step.schedule, element=self.element)
        if missing := set(step.nest.buffers) ^ set(step.places):
            raise KeyError(f"roles without memory, or memory without role: {sorted(missing)}")
        for tensor in step.nest.tensors():
            self._check_reach(step, tensor, section)
        return Call(
            kernel,
            tuple(
                self._argument(step.places[role], step.advance.get(role, 0), section)
                for role in step.nest.buffers
            ),
        )

    def _check_reach(self, step: Step, tensor: Tensor, section: Section) -> None:
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
        if not section.by_block:
            high += advance * (section.tasks - 1)
            size = self.arrays[place.buffer].size
        elif self._is_per_block(place.buffer):
            size += (section.grain - 1) * place.buffer.span
        if low < 0 or high >= size:
            raise IndexError(
                f"{tensor.buffer!r} reaches elements {low} to {high} of the {size} of "
                f"{place.buffer.name!r}"
            )

    def _argument(self, place: Place, advance: int, section: Section) -> Argument:
        buffer = place.buffer
        size = self.arrays[buffer].itemsize
        base = self.arrays[buffer].ctypes.data + place.offset * size
        span = buffer.span * size
        if not section.by_block:
            return Argument(base, task=advance * size)
        if buffer.scope == "shard":
            return Argument(base, shard=span)
        if buffer.scope in ("global", "temporary"):
            return Argument(base)
        if buffer in self._per_thread:
            return Argument(base, thread=self._strides[buffer])
        return Argument(base, task=span * section.grain)


def _fills_lines(nest: Nest, place: Place, array: npt.NDArray[np.generic]) -> bool:
    """Whether every vector stored is a whole, aligned cache line, and nothing is read there."""
    line = _LINE_BYTES // array.itemsize
    targets = {store.target for store in nest.stores}
    reads = [t for t in nest.tensors() if t.buffer in {target.buffer for target in targets}]
    if set(reads) != targets or place.offset % line:
        return False
    steps = [(t.offset, t.strides) for t in targets]
    return all(
        offset % line == 0
        and all(
            stride % line == 0 or (stride == 1 and nest.extent(axis) % line == 0)
            for axis, stride in strides
        )
        for offset, strides in steps
    )


def _in_rounds(nest: Nest) -> Nest:
    """Sum over some blocks at a time, if these alone are enough to be worth storing the sums."""
    blocks = nest.extent("n")
    points = math.prod(nest.extent(a) for a in nest.reduce if a not in ("n", *nest.rounds))
    sizes = [g for g in range(1, blocks + 1) if blocks % g == 0 and g * points >= _ROUND]
    return in_rounds(nest, "n", sizes[0]) if sizes and sizes[0] < blocks else nest


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
