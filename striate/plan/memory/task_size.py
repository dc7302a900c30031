"""The size of tasks: how many blocks of images a thread takes through a stage at a time.

Those that fit its cache together, or more where a step wants them, but not so many that threads go
idle.
"""

from __future__ import annotations

import math
from dataclasses import replace

from striate.nest.ir import BYTES, Number
from striate.nest.target import Target
from striate.plan.stage import BoundNest, RecordedStages, Stage, is_per_block

# What the blocks of one task may touch together, as a part of a core's own cache.
_NEAR = 5 / 8
# Tasks of a stage, at least: so many threads find work.
_LEAST_TASKS = 8


def choose_task_sizes(recording: RecordedStages, element: Number, target: Target) -> None:
    """Set the `grain` of every stage over blocks, and cut sums over shards to those with tasks."""
    for stage in recording.stages:
        if stage.by_block:
            stage.grain = _grain(stage, recording.blocks, element, target)
    for stage in recording.stages:
        stage.steps = [_of_its_shards(step) for step in stage.steps]


def tasks_of(blocks: int, grain: int) -> int:
    """How many tasks the first `blocks` blocks are."""
    return math.ceil(blocks / grain)


def _grain(stage: Stage, blocks: int, element: Number, target: Target) -> int:
    """Blocks that one task takes.  All tasks are equal."""
    buffers = {place.buffer for step in stage.steps for place in step.places.values()}
    near = BYTES[element] * sum(
        b.span if b.near is None else -(-b.near // 64) * 64 for b in buffers if is_per_block(b)
    )
    fitting = int(_NEAR * target.core_cache) // max(near, 1)
    most = max(blocks // _LEAST_TASKS, 1, min(stage.wanted, blocks // 2))
    wanted = max(min(max(fitting, stage.wanted), most), 1)
    divisors = [g for g in range(1, blocks + 1) if blocks % g == 0]
    return max(g for g in divisors if g <= wanted)


def _of_its_shards(step: BoundNest) -> BoundNest:
    if step.shards_of is None:
        return step
    shards = step.shards_of.used_shards
    axes = tuple((name, shards if name == "s" else extent) for name, extent in step.nest.axes)
    return replace(step, nest=replace(step.nest, axes=axes))
