"""From a nest and a schedule to LLVM IR: the one emitter behind every kernel.

It becomes a function of the addresses of its buffers, in the order of `Nest.buffers`: the textbook
nest with three changes:

- the lane axis advances by a vector at a time (or by several, where it is tiled), its remainder
  by ever shorter vectors, or by one that is masked, in a tile that takes all of the axis;
- a tile of output points is computed at once, each with accumulators of its own;
- reduced axes named in `Schedule.unroll` are written out, or are the innermost loops.

Of an axis whose extent is known at run time only, the last tile begins earlier where it would reach
beyond the end, and repeats some of the one before: so there is one body for all extents.  Where
that must not be, because a nest reads what it writes, or the extent may be less than one tile, ever
shorter vectors follow, each behind a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from striate.nest.algebra import COUNTS, Nest
from striate.nest.expressions import Evaluator, IterationPoint
from striate.nest.ir import Function, Number, Value
from striate.nest.rewrite import written_out
from striate.nest.schedule import Schedule, can_mask
from striate.nest.target import Target
from striate.nest.tile_emitter import NO_ZEROS, Round, TileEmitter, Zeros


@dataclass(frozen=True)
class Emitted:
    """A nest as a function of the addresses of its buffers, in the order of `Nest.buffers`.

    Attributes:
        text: its definition: ``internal void @name(ptr, …)``.
        declarations: of the intrinsics that it calls, one a line.
        count: how many buffers it takes.
    """

    text: str
    declarations: frozenset[str]
    count: int


# What a store past the caches refers to: a module with such stores ends with it.
NON_TEMPORAL = "!0 = !{i32 1}"


def emit_function(
    nest: Nest,
    schedule: Schedule,
    name: str,
    target: Target,
    element: Number = "f32",
    zeros: Zeros = NO_ZEROS,
) -> Emitted:
    """A nest under a schedule as one function of a module.

    Args:
        nest: what is computed.
        schedule: how.
        name: what the function is called.
        target: the processor: what it can do in one instruction, and what addresses it can form.
        element: the type of the nest's numbers.
        zeros: elements of buffers that are known to be zero: sums leave products with them out.
    """
    return _Emitter(written_out(nest), schedule, target, element, zeros).function(name)


class _Emitter:
    def __init__(
        self, nest: Nest, schedule: Schedule, target: Target, element: Number, zeros: Zeros
    ) -> None:
        self.nest, self.schedule, self.element = nest, schedule, element
        self.extents = dict(nest.axes)
        self.tile = dict(schedule.tile)
        self.code = Function(index=target.index, rounds=target.rounds, relaxed=target.relaxed)
        self.masked = self._masked()
        self.at = Evaluator(
            self.code,
            nest.buffers,
            schedule.lane,
            element,
            target.fused,
            target.bfloat16,
            nest.extent(schedule.lane) if self.masked else None,
        )
        self.counts: dict[str, Value] = {}
        self.tiles = TileEmitter(
            nest, schedule, target, element, self.code, self.at, self.counts, zeros
        )
        self._round: Round | None = None
        self.lane_reduced = schedule.lane in nest.reduce
        if self.lane_reduced and nest.reduction != "sum":
            raise ValueError(f"lanes can be summed up, but not reduced by {nest.reduction}")
        if self.lane_reduced and self.extents[schedule.lane] % schedule.lanes:
            raise ValueError(
                f"axis {schedule.lane!r} fills the lanes and is reduced, so its extent "
                f"{self.extents[schedule.lane]} must be a multiple of {schedule.lanes}"
            )

    def _masked(self) -> int:
        """How many vectors a tile has along the lane axis, the last one masked; 0 if none is."""
        lane, lanes = self.schedule.lane, self.schedule.lanes
        vectors = self.tile.get(lane, 1)
        if self.element != "f32" or not can_mask(self.nest, lane, lanes):
            return 0
        return vectors if vectors == -(-self.extents[lane] // lanes) else 0

    def function(self, name: str) -> Emitted:
        """All of it. With the pointers as parameters LLVM may be told that the buffers do not
        overlap; it then keeps what it has loaded across stores.
        """
        for i, axis in enumerate(self.nest.counted):
            place = f"%b{self.nest.buffers.index(COUNTS)}"
            word = self.code.emit(f"getelementptr i64, ptr {place}, i64 {i}")
            count = self.code.emit(f"load i64, ptr {word}")
            if self.code.index != "i64":
                count = self.code.emit(f"trunc i64 {count} to {self.code.index}")
            self.counts[axis] = count
        start = IterationPoint((), self.schedule.lanes if self.lane_reduced else 1)
        self._outputs([*self.nest.around], start, {})
        buffers = len(self.nest.buffers)
        parameters = ", ".join(f"ptr noalias nocapture %b{i}" for i in range(buffers))
        lines = [
            f"define internal void @{name}({parameters}) noinline nounwind {{",
            "entry:",
            *self.code.lines,
            "  ret void",
            "}",
        ]
        return Emitted("\n".join(lines), frozenset(self.code.declarations), buffers)

    # --- the loops over the output axes ------------------------------------------------------

    def _outputs(self, axes: list[str], place: IterationPoint, sizes: dict[str, int]) -> None:
        """Loops over the axes around the sums, outermost first, down to one tile."""
        if not axes:
            self.tiles.emit(place, sizes, self._round)
            return
        if axes[0] in self.nest.rounds:
            self._rounds(axes, place, sizes)
            return
        axis, extent = axes[0], self.extents[axes[0]]
        if axis in self.counts:
            self._counted(axes, place, sizes)
            return
        runs = [(0, extent, 1)]
        if axis == self.schedule.lane:
            if self.masked:
                self._inside(axes, place.wide(self.schedule.lanes), {**sizes, axis: self.masked}, 0)
                return
            runs = [*_vectors(extent, self.schedule.lanes)]
        for first, end, count in runs:
            wide = place.wide(count) if axis == self.schedule.lane else place
            size = self.tile.get(axis, 1) * count
            whole = first + (end - first) // size * size
            for start, stop, step in ((first, whole, size), (whole, end, end - whole)):
                inside = partial(self._inside, axes, wide, {**sizes, axis: step // count})
                self._range(start, stop, step, inside)

    def _rounds(self, axes: list[str], place: IterationPoint, sizes: dict[str, int]) -> None:
        """`_outputs` for an axis that is summed over; inside of the last one, what is stored
        depends on the round.
        """
        axis, rest = axes[0], axes[1:]

        def turn(index: int | Value) -> None:
            there = place.at(axis, index)
            if self.nest.goes_on or {*rest} & {*self.nest.rounds}:
                self._outputs(rest, there, sizes)
                return
            first, more = self._first_and_more(there)
            done = self.code.emit(f"xor i1 {more}, true")
            self._round = Round(first, is_last=False)
            self.code.when(more, partial(self._outputs, rest, there, sizes))
            self._round = Round(first, is_last=True)
            self.code.when(done, partial(self._outputs, rest, there, sizes))
            self._round = None

        self._range(0, self.extents[axis], 1, turn)

    def _first_and_more(self, place: IterationPoint) -> tuple[Value, Value]:
        """Whether this is the first round, and whether more follow it."""
        code = self.code
        first = more = None
        for axis, index in place.loops:
            if axis in self.nest.rounds and not isinstance(index, int):
                begins = code.emit(f"icmp eq {code.index} {index}, 0")
                goes_on = code.emit(f"icmp ne {code.index} {index}, {self.extents[axis] - 1}")
                first = begins if first is None else code.emit(f"and i1 {first}, {begins}")
                more = goes_on if more is None else code.emit(f"or i1 {more}, {goes_on}")
        return first or "true", more or "false"

    def _counted(self, axes: list[str], place: IterationPoint, sizes: dict[str, int]) -> None:
        """`_outputs` for an axis whose extent is known at run time."""
        code, axis = self.code, axes[0]
        total, tile = self.counts[axis], self.tile.get(axis, 1)
        is_lane = axis == self.schedule.lane
        count = self.schedule.lanes if is_lane else 1

        def inside(count: int, tile: int, index: Value) -> None:
            wide = place.wide(count) if is_lane else place
            self._inside(axes, wide, {**sizes, axis: tile}, index)

        step = tile * count
        if step == 1:
            self._loop(0, total, 1, partial(inside, 1, 1))
        elif self.nest.may_repeat and self.extents[axis] >= step:
            last = code.emit(f"sub nsw {code.index} {total}, {step}")

            def clamped(index: Value) -> None:
                before = code.emit(f"icmp slt {code.index} {index}, {last}")
                at = code.emit(f"select i1 {before}, {code.index} {index}, {code.index} {last}")
                inside(count, tile, at)

            self._loop(0, total, step, clamped)
        elif tile > 1:
            raise ValueError(
                f"axis {axis!r} has a tile of {tile}, but may have {self.extents[axis]} indices "
                "or is stored to where it is read"
            )
        else:
            start: int | Value = 0
            while count:
                stop = code.emit(f"and {code.index} {total}, {-count}")
                some = code.emit(f"icmp slt {code.index} {start}, {stop}")
                code.when(some, partial(self._loop, start, stop, count, partial(inside, count, 1)))
                start, count = stop, count // 2

    def _loop(
        self, start: int | Value, stop: int | Value, step: int, body: Callable[[Value], None]
    ) -> None:
        """A loop that carries nothing and turns at least once."""

        def turn(index: Value, _: list[Value]) -> list[Value]:
            body(index)
            return []

        self.code.loop(stop, step, [], "", turn, start)

    def _inside(
        self, axes: list[str], place: IterationPoint, sizes: dict[str, int], index: int | Value
    ) -> None:
        self._outputs(axes[1:], place.at(axes[0], index), sizes)

    def _range(self, start: int, stop: int, step: int, body: Callable[[int | Value], None]) -> None:
        """A loop that carries nothing; a single turn is no loop, none is nothing."""
        if stop - start == step > 0:
            body(start)
        elif stop > start:
            self._loop(start, stop, step, body)


def _vectors(extent: int, lanes: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, lanes): full vectors, then half, quarter … vectors for what is left."""
    done = 0
    while done < extent:
        while lanes > extent - done:
            lanes //= 2
        stop = done + (extent - done) // lanes * lanes
        yield done, stop, lanes
        done = stop
