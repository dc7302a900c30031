"""Stages of a plan as calls on stretches of memory: no Python, no allocation, no addresses.

A plan holds the addresses of this process. Here each becomes a segment and a number of bytes. Some
buffers are given: images, outputs, weights that are learned. What is only read is constant: weights
that are laid out already, tables. All else shares the arena.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType

import numpy as np

from striate.common.memory import whole_lines
from striate.nest.target import Target
from striate.nest.worker import run_of_tasks
from striate.plan.build.assembly import Assembly, reached
from striate.plan.layout import Buffer
from striate.plan.memory.allocation import allot
from striate.plan.memory.placement import Memory
from striate.plan.stage import BoundNest, Stage


class Segment(IntEnum):
    """A stretch of memory; what a program is called with.

    A program that learns has two more: what lasts from step to step (weights, and what is kept
    about them), and what a step begins with and leaves (labels, a gradient).
    """

    IMAGES, OUTPUTS, CONSTANTS, ARENA, STATE, STEP = range(1, 7)


# One number tells a segment, for constants the buffer, and a place there.
_SEGMENT_BYTES, _BUFFER_BYTES = 1 << 96, 1 << 64
# Elements of a line, which spans of constants begin with.
_LINE = 16

NO_ZEROS: Mapping[Buffer, tuple[range, ...]] = MappingProxyType({})
Given = Mapping[Buffer, tuple[Segment, int]]
"""Where buffers lie that a program does not place itself: segments, and bytes there."""


@dataclass(frozen=True)
class SegmentPlace:
    """A place in memory: bytes from the beginning of a segment, and how far it moves."""

    segment: Segment
    offset: int
    per_task: int = 0
    per_shard: int = 0


@dataclass(frozen=True)
class Call:
    """A nest on places in memory, one for each of `Nest.buffers`.

    Attributes:
        step: the nest.
        places: where its buffers are.
        zeros: of each, the elements that are zero, counted from there.
    """

    step: BoundNest
    places: tuple[SegmentPlace, ...]
    zeros: tuple[tuple[range, ...], ...]


@dataclass(frozen=True)
class Shard:
    """Calls before, for each of some tasks, and after."""

    number: int
    starts: tuple[Call, ...]
    calls: tuple[Call, ...]
    ends: tuple[Call, ...]
    tasks: range


@dataclass(frozen=True)
class ArenaBuffer:
    """A part of the arena.

    Attributes:
        layer: which writes it first; "input" for the images as the first layer reads them.
        bytes: how much it is.
        start, stop: the first and the last step that needs it, of all in order.
    """

    layer: str
    bytes: int
    start: int
    stop: int


class SegmentedProgram:
    """Stages as calls, and what their memory is.

    Args:
        stages: all of the stages that `memory` is of, or those that are still to be run.
        memory: of a plan for one thread; it has what is constant.
        target: the machine.
        given: where some buffers lie.
        zeros: elements of buffers that are zero whenever they are read: see
            `striate.freestanding.program.known_zeros`.

    Attributes:
        shards: what is done, in order.
        constants: the bytes of that segment: of each buffer what is read.
        arena_bytes: how many bytes the arena has; what is in it before a run does not matter.
        arena_buffers: its parts, of which those share memory that are not needed at once.
    """

    def __init__(
        self,
        stages: list[Stage],
        memory: Memory,
        target: Target,
        given: Given,
        zeros: Mapping[Buffer, tuple[range, ...]] = NO_ZEROS,
    ) -> None:
        self._memory, self._target, self._zeros = memory, target, zeros
        self._offsets = dict(given)
        self.arena_bytes = self._place_arena(stages)
        self.constants = self._place_constants(stages)
        self.shards = [shard for stage in stages for shard in self._shards_of(stage)]

    # --- memory ----------------------------------------------------------------------------

    def _place_arena(self, stages: list[Stage]) -> int:
        """Places for all that is written; how many bytes they take together."""
        written: dict[Buffer, str] = {}  # with the layer that does so first
        for stage in stages:
            for step in stage.all_steps:
                layer = step.label.rpartition(" ")[0] or step.label
                for store in step.nest.stores:
                    written.setdefault(step.places[store.target.buffer].buffer, layer)
        uses = [use for use in self._memory.uses() if use.buffer in written.keys() - self._offsets]
        # A run writes all of them before it reads them, so that any may share memory.
        shared = {use.buffer: replace(use.buffer, scope="temporary") for use in uses}
        for buffer in shared:
            if buffer.form is not None:
                raise ValueError(f"{buffer.name!r} has a halo that no step writes")
        found = allot([replace(use, buffer=shared[use.buffer]) for use in uses], "f32").arrays
        self.arena_buffers = tuple(
            ArenaBuffer(written[use.buffer], found[shared[use.buffer]].nbytes, use.start, use.stop)
            for use in uses
        )
        begin = min((array.ctypes.data for array in found.values()), default=0)
        size = 0
        for buffer, proxy in shared.items():
            offset = found[proxy].ctypes.data - begin
            self._offsets[buffer] = (Segment.ARENA, offset)
            size = max(size, offset + found[proxy].nbytes)
        return size

    def _place_constants(self, stages: list[Stage]) -> bytes:
        """Places for all else, which is read alone; what is there."""
        read: dict[Buffer, list[range]] = {}
        for stage in stages:
            for step in stage.all_steps:
                for role, place in step.places.items():
                    if place.buffer not in self._offsets:
                        read.setdefault(place.buffer, []).append(_reach(step, role, stage))
        self._spans: dict[Buffer, list[_ConstantSpan]] = {}
        parts, size = list[bytes](), 0
        for number, (buffer, ranges) in enumerate(read.items()):
            array, spans = self._memory.arrays[buffer], list[_ConstantSpan]()
            for span in _merged(ranges):
                data = np.ascontiguousarray(array[span.start : span.stop]).tobytes()
                spans.append(_ConstantSpan(span, size - span.start * array.itemsize))
                parts.append(data + bytes(whole_lines(len(data)) - len(data)))
                size += len(parts[-1])
            self._spans[buffer] = spans
            # Until its span is known, each has a stretch of its own.
            self._offsets[buffer] = (Segment.CONSTANTS, number * _BUFFER_BYTES)
        return b"".join(parts)

    def place_of(self, buffer: Buffer) -> tuple[Segment, int]:
        """The segment of a buffer that is no constant, and where it begins there, in bytes."""
        return self._offsets[buffer]

    # --- calls -----------------------------------------------------------------------------

    def _shards_of(self, stage: Stage) -> Iterator[Shard]:
        placed = {
            buffer: (segment * _SEGMENT_BYTES + offset, self._memory.arrays[buffer].itemsize)
            for buffer, (segment, offset) in self._offsets.items()
        }
        assembly = Assembly(self._memory, self._target, placed)
        final = assembly.final(stage)
        tasks, shards = stage.tasks // stage.grain, stage.used_shards

        def calls(steps: Iterable[BoundNest]) -> tuple[Call, ...]:
            return tuple(
                Call(step, self._places(step, stage, assembly), self._known_zeros(step))
                for step in steps
            )

        starts, inner, ends = calls(final.starts), calls(final.steps), calls(final.ends)
        moving = any(place.per_shard for call in inner for place in call.places)
        if not starts and not ends and not moving:
            yield Shard(0, (), inner, (), range(tasks))
            return
        for shard in range(shards):
            yield Shard(shard, starts, inner, ends, run_of_tasks(tasks, shards, shard))

    def _known_zeros(self, step: BoundNest) -> tuple[tuple[range, ...], ...]:
        return tuple(
            tuple(
                range(run.start - place.offset, run.stop - place.offset)
                for run in self._zeros.get(place.buffer, ())
            )
            for place in (step.places[role] for role in step.nest.buffers)
        )

    def _places(
        self, step: BoundNest, stage: Stage, assembly: Assembly
    ) -> tuple[SegmentPlace, ...]:
        """Where a step finds its buffers."""
        found = []
        for role, argument in zip(step.nest.buffers, assembly.arguments(step, stage), strict=True):
            number, offset = divmod(argument.base, _SEGMENT_BYTES)
            segment = Segment(number)
            if segment is Segment.CONSTANTS:
                first = _reach(step, role, stage).start
                spans = self._spans[step.places[role].buffer]
                offset = offset % _BUFFER_BYTES + next(
                    span.shift for span in spans if first in span.elements
                )
            found.append(SegmentPlace(segment, offset, argument.task, argument.shard))
        return tuple(found)


@dataclass(frozen=True)
class _ConstantSpan:
    """Elements of a buffer that are constants of the program.

    Attributes:
        elements: which.
        shift: where the buffer would begin in the segment, if all of it were there; in bytes.
    """

    elements: range
    shift: int


def _reach(step: BoundNest, role: str, stage: Stage) -> range:
    """The elements of a buffer that a step may read."""
    whole = range(step.places[role].buffer.size)
    touched = [reached(step, t, stage) or whole for t in step.nest.tensors() if t.buffer == role]
    return range(min(t.start for t in touched), max(t.stop for t in touched))


def _merged(ranges: list[range]) -> list[range]:
    """Runs of whole lines that have all elements of some ranges."""
    found: list[range] = []
    for one in sorted(ranges, key=lambda one: one.start):
        start, stop = one.start // _LINE * _LINE, one.stop
        if found and start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, stop))
        else:
            found.append(range(start, stop))
    return found
