"""A network as a list of calls on four stretches of memory: no Python, no allocation, no addresses.

A plan holds the addresses of this process. Here each becomes a segment and a number of bytes: the
images, the outputs, the constants (weights laid out as the nests read them, tables), and the arena
that all else shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from striate.common.memory import whole_lines
from striate.freestanding.known_zeros import known_zeros
from striate.nest.target import Target, host
from striate.nest.worker import run_of_tasks
from striate.plan.analysis.batchnorm_folding import folded
from striate.plan.build.assembly import Assembly, reached
from striate.plan.layout import Buffer
from striate.plan.memory.allocation import allot
from striate.plan.plan import Plan
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, Stage

if TYPE_CHECKING:
    from striate.model.model import Model


class Segment(IntEnum):
    """A stretch of memory; what a program is called with."""

    IMAGES, OUTPUTS, CONSTANTS, ARENA = range(1, 5)


# One number tells a segment, for constants the buffer, and a place there.
_SEGMENT_BYTES, _BUFFER_BYTES = 1 << 96, 1 << 64
# Elements of a line, which spans of constants begin with.
_LINE = 16


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


class FrozenProgram:
    """A network that no longer learns, made for one target.

    Args:
        network: the network; it is not changed.
        target: the machine; a portable one, see `Target.portable`, gives all machines' bits.
        batch_size: images of a run.

    Attributes:
        shards: what is done, in order.
        constants: the bytes of that segment: of each buffer what is read.
        arena_bytes: how many bytes the arena has; what is in it before a run does not matter.
    """

    def __init__(self, network: Model, target: Target, batch_size: int = 1) -> None:
        self.network, self.target, self.batch_size = network, target, batch_size
        settings = Settings(
            batch_size,
            lanes=1,
            element="f32",
            target=target,
            training=False,
            loss=None,
            exact=True,
            frozen=True,
        )
        own = folded(network.branch())
        self.plan = plan = Plan(own, settings, 1, own.flat, own.state_flat, smallest=True)
        plan.input_stage.set_preprocessing(own.preprocessing)
        plan.prepare(host(portable=target.portable))  # this processor lays the weights out
        self._place(plan.stages)
        finite = all(np.isfinite(array).all() for array in (own.flat, own.state_flat))
        self._zeros = known_zeros(plan.stages) if finite else {}
        self.shards = [shard for stage in plan.stages for shard in self._shards_of(stage)]

    # --- memory ----------------------------------------------------------------------------

    def _place(self, stages: list[Stage]) -> None:
        """Choose a segment for each buffer, and its place there."""
        plan = self.plan
        steps = [step for stage in stages for step in stage.all_steps]
        written = {
            step.places[store.target.buffer].buffer for step in steps for store in step.nest.stores
        }
        used = dict.fromkeys(place.buffer for step in steps for place in step.places.values())
        images, outputs = plan.input_stage.raw, plan.out
        for buffer in (images, outputs):
            buffer.step = buffer.size  # one image behind the other, without a gap
        inner = written - {outputs}
        uses = [use for use in plan.memory.uses() if use.buffer in inner]
        found = allot(uses, "f32").arrays
        begin = min((a.ctypes.data for a in found.values()), default=0)
        self._offsets: dict[Buffer, tuple[Segment, int]] = {
            images: (Segment.IMAGES, 0),
            outputs: (Segment.OUTPUTS, 0),
        }
        self.arena_bytes = 0
        for buffer, array in found.items():
            offset = array.ctypes.data - begin
            self._offsets[buffer] = (Segment.ARENA, offset)
            self.arena_bytes = max(self.arena_bytes, offset + array.nbytes)
        read: dict[Buffer, list[range]] = {b: [] for b in used if b not in self._offsets}
        for stage in stages:
            for step in stage.all_steps:
                for role, place in step.places.items():
                    if place.buffer in read:
                        read[place.buffer].append(_reach(step, role, stage))
        self._spans: dict[Buffer, list[_ConstantSpan]] = {}
        parts, size = list[bytes](), 0
        for number, (buffer, ranges) in enumerate(read.items()):
            array, spans = plan.memory.arrays[buffer], list[_ConstantSpan]()
            for span in _merged(ranges):
                data = np.ascontiguousarray(array[span.start : span.stop]).tobytes()
                spans.append(_ConstantSpan(span, size - span.start * array.itemsize))
                parts.append(data + bytes(whole_lines(len(data)) - len(data)))
                size += len(parts[-1])
            self._spans[buffer] = spans
            # Until its span is known, each has a stretch of its own.
            self._offsets[buffer] = (Segment.CONSTANTS, number * _BUFFER_BYTES)
        self.constants = b"".join(parts)

    @property
    def image_bytes(self) -> int:
        """Bytes of the images of a run."""
        return 4 * self.batch_size * int(np.prod(self.network.input_shape))

    @property
    def output_bytes(self) -> int:
        """Bytes of what it says of them."""
        return 4 * self.batch_size * int(np.prod(self.network.output_shape))

    def place_of(self, buffer: Buffer) -> tuple[Segment, int]:
        """The segment of a buffer that is no constant, and where it begins there, in bytes."""
        return self._offsets[buffer]

    # --- calls -----------------------------------------------------------------------------

    def _shards_of(self, stage: Stage) -> Iterator[Shard]:
        placed = {
            buffer: (segment * _SEGMENT_BYTES + offset, self.plan.memory.arrays[buffer].itemsize)
            for buffer, (segment, offset) in self._offsets.items()
        }
        assembly = Assembly(self.plan.memory, self.target, placed)
        final = assembly.final(stage)
        tasks, shards = stage.tasks // stage.grain, stage.used_shards

        def calls(steps: list[BoundNest]) -> tuple[Call, ...]:
            return tuple(
                Call(step, self._places(step, stage, assembly), self._known_zeros(step))
                for step in steps
            )

        starts, inner, ends = calls(final.starts), calls(final.steps), calls(final.ends)
        if not starts and not ends:
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
