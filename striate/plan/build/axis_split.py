"""One image on several threads: every nest of a plan is cut along one of its output axes, or bands
of the image go through a chain of nests, each on a thread of its own that waits for no other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import groupby

from striate.nest import tuned
from striate.nest.algebra import Nest, Tensor
from striate.nest.compiler import machine, tuned_key
from striate.nest.rewrite import joined, written_out
from striate.nest.schedule import Schedule, choose, order_of_sums
from striate.plan.build.row_parts import chains
from striate.plan.layout import Buffer, Location
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, Stage, can_be_cut, in_tasks, strides_along

# Multiply-adds, or numbers stored, that are worth waiting for another thread.
_WORTH = 10_000
# Vector operations in which a number comes from memory, most of it while others are multiplied; and
# from where another thread has written it.
_READING, _FROM_OTHERS = 0.5, 1.0


def split(stage: Stage, parts: int, settings: Settings, users: Mapping[Buffer, int]) -> list[Stage]:
    """A stage over one block as stages whose tasks are parts of a step, or of the image.

    Args:
        stage: all steps of some layers.
        parts: threads.
        settings: of the plan.
        users: how many steps of the whole plan use each buffer.
    """
    stages: list[Stage] = []
    for label, group in groupby(
        stage.steps, lambda step: step.label if step.band is not None else None
    ):
        steps = list(group)
        if label:
            steps = [_joined(step) for step in steps]
            bands = [list(band) for _, band in groupby(steps, lambda step: step.band)]
            if _pays(bands, steps, parts, settings.vector):
                stages += _side_by_side(bands)
            else:
                stages += _step_by_step(steps, parts, settings)
        else:
            stages += _in_rows(steps, parts, settings, users)
    return stages


def users_of(stages: Sequence[Stage]) -> Counter[Buffer]:
    """How many steps use each buffer."""
    return Counter(
        buffer
        for stage in stages
        for step in stage.all_steps
        for buffer in {place.buffer for place in step.places.values()}
    )


def _pays(
    portions: Sequence[list[BoundNest]], steps: Sequence[BoundNest], parts: int, lanes: int
) -> bool:
    """Whether it costs less to take each portion through all steps than to cut every step."""
    costs = sorted(sum(_cost(step.nest, None, 1, lanes) for step in some) for some in portions)
    longest = sum(costs[-math.ceil(len(portions) / parts) :])
    return bool(portions) and longest < _cost_of_cuts(steps, parts, lanes)


def _side_by_side(portions: Sequence[list[BoundNest]]) -> list[Stage]:
    """A stage for each portion; all wait for each other at the end."""
    stages = [Stage(1, 1, False, steps=some, barrier=False) for some in portions]
    stages[-1].barrier = True
    return stages


def _in_rows(
    steps: Sequence[BoundNest], parts: int, settings: Settings, users: Mapping[Buffer, int]
) -> list[Stage]:
    """Stages whose tasks take their rows through several layers, or parts of one step."""
    stages: list[Stage] = []
    waiting: list[BoundNest] = []
    place = 0
    while place < len(steps):
        for chain in reversed(chains(steps[place:], users)):
            some, portions = steps[place : place + len(chain.layers)], chain.parts(parts)
            if not _pays(portions, some, parts, settings.vector):
                continue
            if in_order := _in_order(portions, some, settings):
                stages += _step_by_step(waiting, parts, settings) + _side_by_side(in_order)
                waiting = []
                place += len(some)
                break
        else:
            waiting.append(steps[place])
            place += 1
    return [*stages, *_step_by_step(waiting, parts, settings)]


def _in_order(
    portions: Sequence[list[BoundNest]], steps: Sequence[BoundNest], settings: Settings
) -> list[list[BoundNest]]:
    """Portions of steps in which every sum keeps the order that it has in the whole; none if it
    cannot.
    """
    whole = [_scheduled(step, step.nest, settings) for step in map(_joined, steps)]
    found: list[list[BoundNest]] = []
    for portion in portions:
        some = [_joined(step) for step in portion]
        for step, all_of_it in zip(some, whole, strict=True):
            if [axis for axis, _ in step.nest.axes] != [axis for axis, _ in all_of_it.nest.axes]:
                return []
        found.append([_like(step, one, settings) for step, one in zip(some, whole, strict=True)])
    return found


def _joined(step: BoundNest) -> BoundNest:
    """The step as it is run where it is not cut."""
    return replace(step, nest=joined(step.nest))


def _step_by_step(steps: Sequence[BoundNest], parts: int, settings: Settings) -> list[Stage]:
    """Stages whose tasks are parts of a step."""
    stages: list[Stage] = []
    whole: Stage | None = None  # small steps that follow each other, on one thread
    for one in steps:
        step = _joined(one)
        cut = _cut(step, parts, settings) if _work(step.nest) >= _WORTH else []
        if cut:
            stages.extend(cut)
            whole = None
        elif whole is not None:
            whole.steps.append(step)
        else:
            whole = Stage(1, 1, False, steps=[step])
            stages.append(whole)
    return stages


def _cost_of_cuts(steps: Sequence[BoundNest], parts: int, lanes: int) -> float:
    """Vector operations of the longest parts of steps that are cut one by one."""
    joint = [_joined(step) for step in steps]
    written = {place.buffer for step in joint for place in _written(step)}
    return sum(_cost_of_cut(step, written, parts, lanes) for step in joint)


def _cost_of_cut(step: BoundNest, written: Set[Buffer], parts: int, lanes: int) -> float:
    """Vector operations of a part of a step, and in which it waits for the others at its end and
    fetches what they have `written`.
    """
    nest = step.nest
    axis = _axis(nest, parts, lanes) if _work(nest) >= _WORTH else None
    others = [tensor for tensor in nest.read if step.places[tensor.buffer].buffer in written]
    fetched = sum(_numbers(nest, tensor) for tensor in others)
    crossing = _FROM_OTHERS * fetched * (1 - 1 / parts) / parts
    return _cost(nest, axis, parts, lanes) + crossing + _WORTH / lanes


def _written(step: BoundNest) -> list[Location]:
    return [step.places[store.target.buffer] for store in step.nest.stores]


def _numbers(nest: Nest, tensor: Tensor) -> int:
    """How many numbers a nest reads through a tensor."""
    return math.prod(nest.extent(axis) for axis, _ in tensor.strides)


def _work(nest: Nest) -> int:
    stored = len(written_out(nest).stores)
    return nest.multiply_adds * (1 if nest.reduction != "none" else 2 * stored)


def _axis(nest: Nest, parts: int, lanes: int) -> str | None:
    """The axis of the outputs that is best cut, between vectors."""
    whole = [axis for axis in nest.outputs if can_be_cut(nest, axis)]
    beside = {axis for store in nest.stores for axis, stride in store.target.strides if stride == 1}
    apart = [axis for axis in whole if axis not in beside and nest.extent(axis) > 1]
    if apart:
        return min(apart, key=lambda axis: (_cost(nest, axis, parts, lanes), -nest.extent(axis)))
    return next((axis for axis in whole if nest.extent(axis) >= 2 * lanes), None)


def _cost(nest: Nest, axis: str | None, parts: int, lanes: int) -> float:
    """Vector operations of the largest part, and the time in which it reads its numbers: of those
    that do not move along the axis, such as weights where pixels are cut, every part reads all.
    All of it, if there is no axis.
    """
    extents = dict(nest.axes)
    share = -(-extents[axis] // parts) / extents[axis] if axis else 1.0
    numbers = sum(
        _numbers(nest, tensor) * (share if axis and tensor.stride(axis) else 1.0)
        for tensor in nest.read
    )
    return share * _work(nest) / lanes + _READING * numbers


def _cut(step: BoundNest, parts: int, settings: Settings) -> list[Stage]:
    """The parts of a step; none if it has no axis to be cut along."""
    nest, lanes = step.nest, settings.vector
    axis = _axis(nest, parts, lanes)
    if axis is None:
        return []
    whole = _scheduled(step, nest, settings)
    size = -(-nest.extent(axis) // parts)
    strides = strides_along(nest, axis)
    if any(store.target.stride(axis) == 1 for store in nest.stores):
        size = -(-size // lanes) * lanes
    stages: list[Stage] = []
    for first, count, some in in_tasks(nest.extent(axis), size):
        advance = {role: some * stride for role, stride in strides.items()}
        part = replace(step.part(axis, range(first, first + some)), advance=advance)
        part = _like(part, whole, settings)
        stages.append(Stage(count, count, False, steps=[part], barrier=False))
    stages[-1].barrier = True
    return stages


def _scheduled(step: BoundNest, nest: Nest, settings: Settings) -> BoundNest:
    """A step with the schedule of its nest: the one that was measured, or the cheapest."""
    kept = _kept(nest, settings)
    schedule = kept or choose(nest, settings.target, settings.element)
    return replace(step, schedule=schedule, tuned=kept is not None)


def _like(part: BoundNest, whole: BoundNest, settings: Settings) -> BoundNest:
    """A part of a step with the schedule of the whole, so that every sum keeps its order, and its
    bits; or with its own, if one was measured that does.
    """
    own, schedule = _kept(part.nest, settings), whole.schedule
    assert schedule is not None
    if own is None or _order(part.nest, own) != _order(part.nest, schedule):
        own = None
    return replace(part, schedule=own or schedule, tuned=own is not None or whole.tuned)


def _kept(nest: Nest, settings: Settings) -> Schedule | None:
    """The schedule that was measured to be the fastest, if any was."""
    return tuned.schedule_for(tuned_key(nest, settings.element), machine(settings.target))


def _order(nest: Nest, schedule: Schedule) -> tuple[object, ...]:
    """What decides about the bits of a nest's sums."""
    return schedule.lane, schedule.lanes, order_of_sums(written_out(nest), schedule)
