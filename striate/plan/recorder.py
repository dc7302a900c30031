"""Collect the steps of a program, allot their memory, and build it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from striate.nest.algebra import Nest, Tensor
from striate.nest.ir import Number
from striate.nest.kernel import Kernel, compile_nest
from striate.nest.tape import Argument, Call, Job, Program
from striate.plan.layout import Buffer, Place

_DTYPES = {"f32": np.float32, "f64": np.float64, "u8": np.uint8, "u32": np.uint32}


Places = Mapping[str, Place]


@dataclass(frozen=True)
class Step:
    """A nest bound to memory; `advance`: elements from one task to the next, by role."""

    nest: Nest
    places: Places
    advance: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Section:
    """Steps that become one job."""

    tasks: int
    shards: int
    by_block: bool
    steps: list[Step] = field(default_factory=list)
    starts: list[Step] = field(default_factory=list)
    barrier: bool = True


def in_tasks(total: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(first, count, size): `count` tasks of one size from `first` on, then one of what is left."""
    count, rest = divmod(total, size)
    if count:
        yield 0, count, size
    if rest:
        yield total - rest, 1, rest


class Recorder:
    """The steps of a plan, in order.

    Steps over blocks of images that follow each other become one job: a block goes through all
    of them while it is in the cache.  Other steps are jobs of their own.
    """

    def __init__(self, blocks: int, shards: int, element: Number) -> None:
        self.blocks, self.shards, self.element = blocks, shards, element
        self.sections: list[Section] = []
        self.arrays: dict[Buffer, npt.NDArray[np.generic]] = {}
        self._per_thread: set[Buffer] = set()

    def blockwise(self, nest: Nest, places: Places) -> None:
        """A step for every block of images."""
        self._blocks().steps.append(Step(nest, places))

    def at_shard_start(self, nest: Nest, places: Places) -> None:
        """A step done once before the blocks of a shard."""
        self._blocks().starts.append(Step(nest, places))

    def tasks(
        self,
        nest: Nest,
        count: int,
        advance: Mapping[str, int],
        places: Places,
        *,
        barrier: bool = True,
    ) -> None:
        """A step over `count` tasks that are not blocks of images.

        `advance` says how many elements each role moves on from task to task.  `barrier=False`
        where the next step does not need this one's result.
        """
        section = Section(count, count, False, barrier=barrier)
        section.steps.append(Step(nest, places, advance))
        self.sections.append(section)

    def once(self, nest: Nest, places: Places, *, barrier: bool = True) -> None:
        """A step done by whichever thread comes first."""
        self.tasks(nest, 1, {}, places, barrier=barrier)

    def _blocks(self) -> Section:
        if not self.sections or not self.sections[-1].by_block:
            self.sections.append(Section(self.blocks, self.shards, True))
        return self.sections[-1]

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
        used: dict[Buffer, set[int]] = {}
        for number, section in enumerate(self.sections):
            for step in section.steps + section.starts:
                for place in step.places.values():
                    used.setdefault(place.buffer, set()).add(number)
        for buffer, sections in used.items():
            alone = len(sections) == 1 and self.sections[min(sections)].by_block
            if buffer.scope == "auto" and alone:
                self._per_thread.add(buffer)
            if buffer not in self.arrays:
                self.arrays[buffer] = _aligned(
                    self._instances(buffer, threads) * buffer.span, self._dtype(buffer), buffer.fill
                )

    def _dtype(self, buffer: Buffer) -> npt.DTypeLike:
        return _DTYPES[self.element if buffer.element == "real" else buffer.element]

    def allot_unused(self, buffer: Buffer) -> None:
        """Memory for a buffer that no step uses, so that it can be written all the same."""
        size = self._instances(buffer, 1) * buffer.span
        self.arrays[buffer] = _aligned(size, self._dtype(buffer), buffer.fill)

    def _instances(self, buffer: Buffer, threads: int) -> int:
        if buffer.scope == "global":
            return 1
        if buffer.scope == "shard":
            return self.shards
        return threads if buffer in self._per_thread else self.blocks

    @property
    def bytes(self) -> int:
        """Memory of all buffers."""
        return sum(array.nbytes for array in self.arrays.values())

    # --- the program -----------------------------------------------------------------------

    def build(self, threads: int) -> Program:
        """Compile every nest and lay out the calls; `allot` comes first."""
        if self.sections:
            self.sections[-1].barrier = True  # a run has ended when all threads have
        return Program([self._job(section) for section in self.sections], threads)

    def _job(self, section: Section) -> Job:
        return Job(
            calls=tuple(self._call(step, section) for step in section.steps),
            starts=tuple(self._call(step, section) for step in section.starts),
            tasks=section.tasks,
            shards=min(section.shards, section.tasks),
            barrier=section.barrier,
        )

    def _call(self, step: Step, section: Section) -> Call:
        kernel: Kernel = compile_nest(step.nest, element=self.element)
        if missing := set(step.nest.buffers) ^ set(step.places):
            raise KeyError(f"roles without memory, or memory without role: {sorted(missing)}")
        for tensor in step.nest.tensors():
            self._check_reach(step, tensor, section)
        return Call(
            kernel,
            tuple(
                self._argument(step.places[role], step.advance.get(role, 0), section.by_block)
                for role in step.nest.buffers
            ),
        )

    def _check_reach(self, step: Step, tensor: Tensor, section: Section) -> None:
        """No kernel may leave its buffer: that would be silent damage, so it is proved here."""
        place, advance = step.places[tensor.buffer], step.advance.get(tensor.buffer, 0)
        low, high = step.nest.reach(tensor)
        low, high = low + place.offset, high + place.offset
        size = place.buffer.size
        if not section.by_block:
            high += advance * (section.tasks - 1)
            size = self.arrays[place.buffer].size
        if low < 0 or high >= size:
            raise IndexError(
                f"{tensor.buffer!r} reaches elements {low} to {high} of the {size} of "
                f"{place.buffer.name!r}"
            )

    def _argument(self, place: Place, advance: int, by_block: bool) -> Argument:
        buffer = place.buffer
        size = self.arrays[buffer].itemsize
        base = self.arrays[buffer].ctypes.data + place.offset * size
        span = buffer.span * size
        if not by_block:
            return Argument(base, task=advance * size)
        if buffer.scope == "shard":
            return Argument(base, shard=span)
        if buffer.scope == "global":
            return Argument(base)
        if buffer in self._per_thread:
            return Argument(base, thread=span)
        return Argument(base, task=span)


def _aligned(size: int, dtype: npt.DTypeLike, fill: float) -> npt.NDArray[np.generic]:
    """Memory that begins at a cache line, filled."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.empty(size + 64 // itemsize, dtype)
    start = (-raw.ctypes.data % 64) // itemsize
    array = raw[start : start + size]
    array.fill(fill)
    return array
