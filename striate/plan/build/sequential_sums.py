"""Sums over shards for a single thread: each shard adds what it has found as it ends.

So there is memory for one shard and not for all of them. The shards are added in the same order, so
the sums have the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from striate.nest.algebra import Nest, Store, Tensor, strides_of
from striate.plan.layout import Buffer, Location
from striate.plan.stage import BoundNest, Stage

_OF_SHARDS = ("shard", "partial")


@dataclass(frozen=True)
class _ShardSum:
    """Numbers of a shard's buffer from `start` on, and where they are added."""

    buffer: Buffer
    start: int
    stop: int
    target: Location

    def parts(self, place: Location, size: int) -> Iterator[tuple[int, Location, Location]]:
        """The numbers of a stretch that belong to it: how many, from where, to where."""
        start, stop = max(self.start, place.offset), min(self.stop, place.offset + size)
        if place.buffer is self.buffer and start < stop:
            there = Location(self.target.buffer, self.target.offset + start - self.start)
            yield stop - start, Location(self.buffer, start), there


def added_at_once(stages: Sequence[Stage]) -> tuple[list[Stage], list[Buffer]]:
    """The stages without sums over shards, and the buffers that must be zero before they run.

    Memory of shards becomes memory of one. Where a shard finds its sums in another stage than it
    begins them, all is left as it is.
    """
    sums = [found for stage in stages for found in _sums(stage)]
    if not all(_is_whole(stage) for stage in stages):
        return [*stages], []
    kept = [stage for stage in stages if not any(True for _ in _sums(stage))]
    for stage in kept:
        for step in stage.starts:
            for size, part, target in _cleared(step, sums):
                stage.ends.append(_addition(step.label, size, part, target))
    for found in sums:
        found.buffer.scope = "temporary"
    return kept, [*dict.fromkeys(found.target.buffer for found in sums)]


def _sums(stage: Stage) -> Iterator[_ShardSum]:
    """What a stage adds over shards, if it does nothing else."""
    if stage.by_block:
        return
    for step in stage.steps:
        for source in (step.places[role] for role in step.nest.inputs):
            if source.buffer.scope in _OF_SHARDS:
                size = step.nest.extent("e") * stage.tasks
                target = step.places[step.nest.stores[0].target.buffer]
                yield _ShardSum(source.buffer, source.offset, source.offset + size, target)


def _is_whole(stage: Stage) -> bool:
    """Whether all that a stage's shards sum up is zero at their beginning."""
    cleared = [(step.places["out"], step.nest.extent("e")) for step in stage.starts]
    return all(
        any(
            place.buffer is own.buffer and own.offset <= place.offset < own.offset + size
            for own, size in cleared
        )
        for step in (*stage.steps, *stage.ends)
        if stage.by_block
        for place in step.places.values()
        if place.buffer.scope in _OF_SHARDS
    )


def _cleared(
    step: BoundNest, sums: Sequence[_ShardSum]
) -> Iterator[tuple[int, Location, Location]]:
    """What a step clears at the beginning of a shard, part by part with its place in a sum."""
    place = step.places["out"]
    for found in sums:
        yield from found.parts(place, step.nest.extent("e"))


def _addition(label: str, size: int, part: Location, target: Location) -> BoundNest:
    out, found = (Tensor(role, strides_of({"e": 1})) for role in ("out", "part"))
    nest = Nest((("e", size),), (Store(out, out + found),))
    return BoundNest(nest, {"out": target, "part": part}, label=f"{label} sum")
