"""Nests whose rows and columns are counted at run time: one kernel serves images of any size.

What is left in a nest is the least that it may be: a tile of rows, a vector of columns, or one. So
all nests that differ in nothing else are equal, and so is their code.
"""

from __future__ import annotations

from dataclasses import replace

from striate.nest.algebra import Nest
from striate.nest.schedule import Schedule

_AXES = ("y", "x", "b")


def with_counts(nest: Nest, schedule: Schedule) -> tuple[Nest, tuple[int, ...]]:
    """Return the nest with its rows, columns and blocks counted, and how many of each there are.

    Args:
        nest: a nest of this room. Those with planes stay as they are: their tables depend on the
            number of rows.
        schedule: how it is run.
    """
    extents = dict(nest.axes)
    if "z" in extents or any(axis in schedule.unroll for axis in _AXES):
        return nest, ()
    least = {
        axis: _least(nest, schedule, axis, extent)
        for axis, extent in nest.axes
        if axis in _AXES and axis not in nest.rounds
    }
    counted = tuple(axis for axis, size in least.items() if size is not None)
    axes = tuple((axis, least.get(axis) or extent) for axis, extent in nest.axes)
    return replace(nest, axes=axes, counted=counted), tuple(extents[axis] for axis in counted)


def _least(nest: Nest, schedule: Schedule, axis: str, extent: int) -> int | None:
    """What a counted axis is at least; None if it must stay as it is."""
    tile = dict(schedule.tile).get(axis, 1)
    if axis != schedule.lane:
        return tile if tile == 1 or nest.may_repeat else None
    if axis in nest.reduce:
        return schedule.lanes  # whole vectors
    if nest.may_repeat and extent >= tile * schedule.lanes:
        return tile * schedule.lanes
    return 1 if tile == 1 else None
