"""How C goes through the axes of a nest: in tiles of sizes that a schedule gives, or near them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from striate.freestanding.c.c_loops import CLoop
from striate.nest.algebra import Nest
from striate.nest.schedule import Schedule

LEAST_TURNS = 16
"""GCC writes loops of less turns out, number by number, before it looks for vectors in them."""
# Numbers that a tile may have if its lanes are chosen here: those of 12 vectors of AVX.
_ROOM = 96


def variables(axis: str) -> tuple[str, str, str, str]:
    """Variables for an axis: its index, that inside a tile, where a tile begins, its extent."""
    return axis, axis * 2, f"{axis}_tile", f"{axis}_count"


def extent_of(nest: Nest, axis: str) -> int | str:
    """The extent of an axis, or the variable that holds it."""
    return variables(axis)[3] if axis in nest.counted else nest.extent(axis)


@dataclass(frozen=True)
class TiledAxis:
    """An axis that is gone through `size` of its indices at a time.

    Where tiles do not go into its extent, the last one begins earlier.
    """

    axis: str
    extent: int | str
    size: int

    @property
    def indices(self) -> tuple[str, ...]:
        """The variables whose sum is its index."""
        if self.extent == 1:
            return ()
        return (self.axis,) if self.size in (1, self.extent) else (self.axis, self.axis * 2)

    def loops(self) -> Iterator[CLoop]:
        """The loop over its tiles, if there are several."""
        if self.size == self.extent:
            return
        if self.size == 1 or (isinstance(self.extent, int) and self.extent % self.size == 0):
            yield CLoop(self.axis, self.extent, self.size)
            return
        counted = isinstance(self.extent, str)
        last = f"{self.extent} - {self.size}" if counted else int(self.extent) - self.size
        tile = variables(self.axis)[2]
        first = f"const int {self.axis} = {tile} < {last} ? {tile} : {last};"
        yield CLoop(tile, self.extent, self.size, (first,))


def tiled_axes(nest: Nest, schedule: Schedule) -> dict[str, TiledAxis]:
    """The axes around the sums, outermost first: as the nest has them, but the lanes innermost."""
    around, lane = [*nest.around], schedule.lane
    if lane not in nest.rounds:
        around.sort(key=lambda axis: axis == lane)
    return {
        axis: TiledAxis(axis, extent_of(nest, axis), _size(nest, schedule, axis)) for axis in around
    }


def _size(nest: Nest, schedule: Schedule, axis: str) -> int:
    """How many indices of an axis a tile has."""
    extent = nest.extent(axis)
    if nest.reduction == "none" or axis in nest.rounds:
        return 1
    unit = schedule.lanes if axis == schedule.lane else 1
    size = dict(schedule.tile).get(axis, 1) * unit
    repeats = nest.may_repeat and not nest.rounds
    if axis in nest.counted:
        return size if repeats and size <= extent else 1
    if size >= extent:
        return extent
    even = -(-extent // -(-extent // size))  # as many tiles, of about the same size
    size = min(-(-even // unit) * unit, extent)
    if extent % size == 0 or repeats:
        return size
    return next(less for less in range(size, 0, -1) if extent % less == 0)


def with_long_lanes(nest: Nest, schedule: Schedule) -> Schedule:
    """The schedule with lanes along another axis, if theirs has few indices and that one many, all
    side by side where they are read. The order of sums stays.
    """
    lane, lanes, extents = schedule.lane, schedule.lanes, dict(nest.axes)
    few = extents[lane] < LEAST_TURNS and extents[lane] % lanes
    if lanes == 1 or not few or lane not in nest.outputs or nest.reduction == "none":
        return schedule
    for axis in reversed(nest.outputs):
        beside = all(t.stride(axis) in (0, 1) and not t.is_looked_up(axis) for t in nest.read)
        if axis not in nest.counted and extents[axis] >= LEAST_TURNS and beside:
            tile = ((axis, -(-LEAST_TURNS // lanes)), (lane, _ROOM // LEAST_TURNS))
            return replace(schedule, lane=axis, tile=tile)
    return schedule
