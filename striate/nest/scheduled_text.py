"""A nest's loops under a schedule, for people to read: tiles, vectors, what registers hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from striate.common.text import counted
from striate.nest.algebra import Nest, Tensor
from striate.nest.loops_text import inside
from striate.nest.rewrite import written_out
from striate.nest.schedule import Schedule, can_mask


def scheduled_text(nest: Nest, schedule: Schedule) -> str:
    """The loops as they run, outermost first, and what one turn of the innermost one does.

    An axis into which its tiles do not go has a rest, of a smaller tile or of shorter vectors; that
    is said behind its loop.
    """
    return "\n".join(_Text(written_out(nest), schedule).lines())


class _Text:
    def __init__(self, nest: Nest, schedule: Schedule) -> None:
        self.nest, self.schedule = nest, schedule
        self.tile = dict(schedule.tile)
        self.lane, self.lanes = schedule.lane, schedule.lanes
        self.summed = self.lane in nest.reduce

    def lines(self) -> list[str]:
        nest, heads = self.nest, list[str]()
        for axis in nest.around:
            if loop := self._loop(axis):
                heads.append(loop)
        return [*self._head(), "", *inside(heads, self._body())]

    def _head(self) -> Iterator[str]:
        yield f"# {counted(self.lanes, 'lane')} along {self.lane}" + (
            ", added up in the end" if self.summed else ""
        )
        if self.tile:
            sizes = " × ".join(
                f"{size} of {axis}" + (" (vectors)" if axis == self.lane else "")
                for axis, size in self.tile.items()
            )
            yield f"# a tile, in registers: {sizes}"
        if unrolled := [a for a in self.schedule.unroll if self.nest.extent(a) > 1]:
            yield f"# written out: {' '.join(unrolled)}"

    def _loop(self, axis: str) -> str | None:
        """The loop over an axis around the tile; None if one turn takes all of it."""
        count = self.lanes if axis == self.lane and not self.summed else 1
        step = self.tile.get(axis, 1) * count
        if axis in self.nest.counted:
            return f"for {axis} in range(0, counts[{self.nest.counted.index(axis)}], {step}):"
        extent = self.nest.extent(axis)
        if can_mask(self.nest, axis, self.lanes) and axis == self.lane:
            vectors = -(-extent // self.lanes)
            if self.tile.get(axis, 1) == vectors:
                return f"with all of {axis}: # the last vector masked to {extent % self.lanes}"
        if extent <= step:
            return None if extent == step else f"for {axis} in range(0, {extent}, {step}):"
        whole, rest = extent // step * step, extent % step
        note = f"  # then the last {rest}" if rest else ""
        steps = f"0, {whole}, {step}" if step > 1 else f"{whole}"
        return f"for {axis} in range({steps}):{note}"

    def _sizes(self) -> Mapping[str, int]:
        """Points of a whole tile: indices, and vectors along the lanes."""
        return {axis: size for axis, size in self.tile.items() if size > 1}

    def _body(self) -> list[str]:
        nest = self.nest
        points = math.prod(self._sizes().values())
        stored = counted(points * len(nest.stores), self._unit)
        if nest.reduction == "none":
            return [f"compute and store {stored}"]
        sums = points * max(len(nest.terms), 1)
        begin = "start values" if nest.initial else {"sum": "0"}.get(nest.reduction, "-inf")
        kind = {"sum": "sum", "max": "maximum", "argmax": "maximum"}[nest.reduction]
        if self.lanes > 1:
            held = f"{counted(sums, 'vector')} of {self.lanes} {_plural(kind)}"
        else:
            held = f"{sums} {kind if sums == 1 else _plural(kind)}"
        loops = []
        for axis in nest.reduce:
            turns = nest.extent(axis) // (self.lanes if axis == self.lane else 1)
            if axis in self.schedule.unroll or axis in nest.rounds or turns == 1:
                continue
            step = self.lanes if axis == self.lane else 1
            steps = f"0, {nest.extent(axis)}, {step}" if step > 1 else f"{turns}"
            loops.append(f"for {axis} in range({steps}):")
        body = [f"{held} = {begin}", *inside(loops, [self._turn(sums)])]
        if self.summed and self.lanes > 1:
            body.append("add the lanes of each up")
        return [*body, f"store {stored}"]

    @property
    def _unit(self) -> str:
        return "vector" if self.lanes > 1 and not self.summed else "number"

    def _turn(self, sums: int) -> str:
        """What one turn of the innermost loop does."""
        steps = {axis: self.nest.extent(axis) for axis in self.schedule.unroll}
        inside_ = {**self._sizes(), **steps}
        work = sums * math.prod(steps.values())
        loads = sum(self._loads(tensor, inside_) for tensor in self.nest.read)
        what = {"sum": "multiply-add"}.get(self.nest.reduction, "comparison")
        wide = f" of {self.lanes} lanes" if self.lanes > 1 else ""
        return f"{counted(work, what)}{wide}, {counted(loads, 'load')}"

    def _loads(self, tensor: Tensor, sizes: Mapping[str, int]) -> int:
        """Distinct loads of a tensor in a turn."""
        offsets = {0}
        for axis, size in sizes.items():
            move = tensor.stride(axis) * (self.lanes if axis == self.lane else 1)
            offsets = {o + move * i for o in offsets for i in range(size)}
        apart = tensor.stride(self.lane) not in (0, 1) or tensor.is_looked_up(self.lane)
        return len(offsets) * (self.lanes if apart else 1)


def _plural(kind: str) -> str:
    return {"sum": "sums", "maximum": "maxima"}[kind]
