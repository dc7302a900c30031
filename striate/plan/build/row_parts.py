"""Rows of one image shared among threads: each takes its rows through several layers by itself.

Where a layer reads rows above and below its own, some rows of the layer before are computed by both
neighbours, each in memory of its own.  That costs less than to wait for the other thread after
every layer and to fetch what it has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from striate.plan.build.row_step import RowStep
from striate.plan.layout import Buffer, Location
from striate.plan.stage import BoundNest

# Layers that follow each other, at most.
_LONGEST = 6


@dataclass(frozen=True)
class SharedRows:
    """Layers each of which but the last writes what only those behind it read."""

    layers: Sequence[RowStep]

    def parts(self, count: int) -> list[list[BoundNest]]:
        """The steps of each of so many threads; none if one of them has no rows of some layer."""
        rows = self.layers[-1].rows
        ends = [rows * number // count for number in range(count + 1)]
        parts = [self._part(range(ends[i], ends[i + 1])) for i in range(count)]
        return parts if all(parts) else []

    def _part(self, rows: range) -> list[BoundNest]:
        """All steps for some rows of the last layer, in memory of their own; none if one of them
        has nothing to do.
        """
        own = {layer.buffer: replace(layer.buffer) for layer in self.layers[:-1]}
        needed: dict[Buffer, range] = {self.layers[-1].buffer: rows}
        steps: list[BoundNest] = []
        for number in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[number]
            mine = needed.get(layer.buffer, range(0))
            if not mine:
                return []
            part = layer.part(mine)
            places = {
                role: Location(own.get(place.buffer, place.buffer), place.offset)
                for role, place in part.places.items()
            }
            steps.append(replace(part, places=places))
            for buffer, low, high in layer.reads(mine):
                for maker in self.layers[:number]:
                    if maker.buffer is buffer:
                        more = maker.rows_between(low, high)
                        known = needed.get(buffer, more)
                        first, last = min(known.start, more.start), max(known.stop, more.stop)
                        needed[buffer] = range(first, last)
        return steps[::-1]


def chains(steps: Sequence[BoundNest], users: Mapping[Buffer, int]) -> list[SharedRows]:
    """The chains that begin with the first of some steps, the shortest first.

    Args:
        steps: what follows each other.
        users: how many steps of the whole plan use each buffer.
    """
    layers: list[RowStep] = []
    found: list[SharedRows] = []
    for step in steps[:_LONGEST]:
        layer = RowStep.of(step)
        touched = {buffer for other in layers for buffer in other.buffers}
        if layer is None or layer.buffer in touched:
            break
        layers.append(layer)
        inside = {other.buffer for other in layers[:-1]}
        held = {b: sum(b in other.buffers for other in layers) for b in inside}
        if inside and all(1 < held[buffer] == users[buffer] for buffer in inside):
            found.append(SharedRows([*layers]))
    return found
