"""Liveness: from which step to which step each buffer holds something, and for whom.

Time counts the steps of all stages.  Stages without a barrier between them happen at once.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from striate.plan.layout import Buffer
from striate.plan.stage import RecordedStages, Stage


@dataclass(frozen=True)
class Use:
    """That a buffer needs `elements` of memory from step `start` to step `stop`, both included.

    With `threads` each of them needs that much.
    """

    buffer: Buffer
    elements: int
    start: int
    stop: int
    threads: int = 0


def private_buffers(recording: RecordedStages) -> set[Buffer]:
    """Buffers that each thread has for itself, since nothing outside one stage needs them: they are
    written and read while some blocks of images go through it.
    """
    used: dict[Buffer, set[int]] = {}
    for number, stage in enumerate(recording.stages):
        for step in stage.all_steps:
            for place in step.places.values():
                used.setdefault(place.buffer, set()).add(number)
    return {
        buffer
        for buffer, stages in used.items()
        if buffer.scope in ("auto", "thread")
        and len(stages) == 1
        and recording.stages[min(stages)].by_block
    }


def uses_of(recording: RecordedStages, private: Set[Buffer], threads: int) -> list[Use]:
    """From when to when each buffer holds something, and how much memory that is.

    What one thread uses while its blocks go through one stage is needed from step to step only; all
    else from barrier to barrier.
    """
    starts: dict[Buffer, int] = {}
    stops: dict[Buffer, int] = {}
    sizes: dict[Buffer, int] = {}
    begin = time = 0
    touched: set[Buffer] = set()
    for stage in recording.all_stages:
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
            alone = buffer in private
            grain = stage.grain if buffer.scope == "auto" else 1
            sizes[buffer] = elements_of(buffer, grain if alone else instances_of(buffer, recording))
            starts.setdefault(buffer, start if alone else begin)
            stops[buffer] = stop
            if not alone:
                touched.add(buffer)
        if stage.barrier:
            for buffer in touched:
                stops[buffer] = time - 1
            begin, touched = time, set()
    return [
        Use(buffer, size, starts[buffer], stops[buffer], threads if buffer in private else 0)
        for buffer, size in sizes.items()
    ]


def last_touches(stages: Sequence[Stage], buffer: Buffer, parts: Sequence[range]) -> list[int]:
    """Of each part of a buffer of which there is one, the number of the last stage that reads or
    writes any of it; -1 where none does.
    """
    last = [-1] * len(parts)
    for number, stage in enumerate(stages):
        for step in stage.all_steps:
            for tensor in step.nest.tensors():
                place = step.places[tensor.buffer]
                if place.buffer is not buffer:
                    continue
                moves = (stage.tasks - 1) * step.advance.get(tensor.buffer, 0)
                low, high = step.nest.reach(tensor)
                start, stop = (
                    place.offset + low + min(moves, 0),
                    place.offset + high + max(moves, 0),
                )
                for i, part in enumerate(parts):
                    # Rows that a table tells may lie anywhere.
                    if tensor.rows is not None or (start < part.stop and stop >= part.start):
                        last[i] = number
    return last


def instances_of(buffer: Buffer, recording: RecordedStages) -> int:
    """How many instances of a shared buffer there are."""
    if buffer.scope in ("global", "temporary"):
        return 1
    if buffer.scope in ("shard", "partial"):
        return recording.shards
    return recording.blocks


def elements_of(buffer: Buffer, instances: int) -> int:
    """Elements of so many instances."""
    if buffer.step is None:
        return instances * buffer.span
    return (instances - 1) * buffer.step + buffer.size
