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

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from striate.nest.algebra import COUNTS, Binary, Expression, Nest, PairProduct
from striate.nest.expressions import Evaluator, IterationPoint
from striate.nest.ir import Function, IndexType, Number, Value, scalar, vector
from striate.nest.rewrite import written_out
from striate.nest.schedule import Schedule, can_mask
from striate.nest.software_prefetch import fetched

_NEUTRAL = {"sum": 0.0, "max": float("-inf"), "argmax": float("-inf")}
Point = Mapping[str, int]


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
    name: str = "body",
    element: Number = "f32",
    *,
    fused: bool = True,
    pairs: bool = False,
    index: IndexType = "i64",
    prefetch: bool = True,
    rounds: bool = True,
    writes_out: bool = True,
) -> Emitted:
    """A nest under a schedule as one function of a module.

    Args:
        name: what it is called there.
        fused: whether the processor multiplies and adds in one step.
        pairs: whether it has instructions for pairs of bfloat16 numbers.
        index: as wide as its addresses.
        prefetch: whether to ask for what is read later.
        rounds: whether it has an instruction that rounds to whole numbers.
        writes_out: whether unrolled axes are written out; if not, they are the innermost loops, and
            sums have the same order.
    """
    code = Function(index=index, rounds=rounds)
    emitter = _Emitter(
        written_out(nest), schedule, element, fused, pairs, code, prefetch, writes_out
    )
    return emitter.function(name)


@dataclass(frozen=True)
class Round:
    """Which of the rounds of a sum is at hand: whether it is the first, an i1; and the last."""

    is_first: Value
    is_last: bool


class _Emitter:
    def __init__(
        self,
        nest: Nest,
        schedule: Schedule,
        element: Number,
        fused: bool,
        pairs: bool,
        code: Function,
        prefetch: bool,
        writes_out: bool,
    ) -> None:
        self.prefetch = prefetch
        self.nest, self.schedule, self.element = nest, schedule, element
        self.extents = dict(nest.axes)
        self.tile = dict(schedule.tile)
        inside = [axis for axis in nest.reduce if axis in schedule.unroll]
        self.unrolled, self.innermost = (inside, []) if writes_out else ([], inside)
        self.code = code
        self.masked = self._masked()
        lanes_in_use = nest.extent(schedule.lane) if self.masked else None
        self.at = Evaluator(
            self.code, nest.buffers, schedule.lane, element, fused, pairs, lanes_in_use
        )
        self.counts: dict[str, Value] = {}
        self.round: Round | None = None
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
            self._tile(place, sizes)
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
            self.round = Round(first, is_last=False)
            self.code.when(more, partial(self._outputs, rest, there, sizes))
            self.round = Round(first, is_last=True)
            self.code.when(done, partial(self._outputs, rest, there, sizes))
            self.round = None

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

    # --- one tile: accumulators, the reduction, the stores -------------------------------------

    def _tile(self, place: IterationPoint, sizes: Mapping[str, int]) -> None:
        points = [self._scaled(point, place) for point in _points(sizes)]
        accumulators = self._initial(place, points)
        if self.nest.reduction != "none":
            outside = {*self.schedule.unroll, *self.nest.rounds}
            loops = [axis for axis in self.nest.reduce if axis not in outside]
            accumulators = self._reduce([*loops, *self.innermost], place, points, accumulators)
        self.at.forget()
        if self.lane_reduced:
            accumulators = self._summed(accumulators)
            place = place.wide(1)
        for point, own in zip(points, _split(accumulators, len(points)), strict=True):
            self._store(place.point(point), own)

    def _scaled(self, point: Point, place: IterationPoint) -> Point:
        """A point of a tile as offsets: along the lane axis it counts vectors.  Zeros are left
        out.
        """
        lane, count = self.schedule.lane, place.count
        return {a: i * count if a == lane else i for a, i in point.items() if i}

    def _initial(self, place: IterationPoint, points: list[Point]) -> list[Value]:
        nest, arithmetic = self.nest, self.at.arithmetic(place.count)
        if nest.reduction == "none":
            return []
        first = arithmetic.constant(_NEUTRAL[nest.reduction])
        if nest.reduction == "argmax":
            return [first, arithmetic.constant(0.0)] * len(points)
        if not nest.initial or self.lane_reduced or nest.rounds or nest.goes_on:
            return [first] * (len(points) * len(nest.terms))
        self.at.forget()
        return [self.at.value(e, place.point(point)) for point in points for e in nest.initial]

    def _reduce(
        self,
        loops: list[str],
        place: IterationPoint,
        points: list[Point],
        accumulators: list[Value],
    ) -> list[Value]:
        """The loops over the reduced axes, carrying the accumulators in registers."""
        if not loops:
            return self._accumulate(place, points, accumulators)
        axis, rest = loops[0], loops[1:]
        step = self.schedule.lanes if axis == self.schedule.lane else 1
        stop: int | Value = self.counts.get(axis, self.extents[axis])
        if stop == step:
            return self._reduce(rest, place.at(axis, 0), points, accumulators)

        def turn(index: Value, carried: list[Value]) -> list[Value]:
            there = place.at(axis, index)
            if self.prefetch and not rest:
                self._fetch(axis, there, points)
            return self._reduce(rest, there, points, carried)

        kind = vector(self.element, place.count)
        return self.code.loop(stop, step, accumulators, kind, turn)

    def _fetch(self, axis: str, place: IterationPoint, points: list[Point]) -> None:
        """Ask for what the loop over `axis` reads later: see `striate.nest.software_prefetch`."""
        body = [{**point, **step} for step in self._steps() for point in points]
        for wanted in fetched(self.nest, self.schedule, axis, body, self.element):
            self.at.fetch(wanted.tensor, place.point(wanted.point), near=wanted.near)

    def _steps(self) -> list[Point]:
        """The points of the reduced axes that are written out."""
        return [*_points({axis: self.extents[axis] for axis in self.unrolled})]

    def _accumulate(
        self, place: IterationPoint, points: list[Point], accumulators: list[Value]
    ) -> list[Value]:
        """One turn of the innermost loop: every unrolled point of the reduction, in every point
        of the tile.
        """
        self.at.forget()
        own = _split(accumulators, len(points))
        steps = self._steps()
        for together in self._sharing(points):
            for step in steps:
                for i in together:
                    own[i] = self._combine(place.point({**points[i], **step}), own[i])
        return [value for values in own for value in values]

    def _sharing(self, points: list[Point]) -> list[list[int]]:
        """Which points of a tile read something together: those that differ along axes that some
        tensor does not move along.  Others come one after the other, which needs less registers.
        """
        apart = [
            axis for axis in self.tile if all(tensor.stride(axis) for tensor in self.nest.read)
        ]
        groups: dict[tuple[int, ...], list[int]] = {}
        for i, point in enumerate(points):
            groups.setdefault(tuple(point.get(axis, 0) for axis in apart), []).append(i)
        return [*groups.values()]

    def _combine(self, place: IterationPoint, own: list[Value]) -> list[Value]:
        """The accumulators of one point after one more term."""
        nest, arithmetic = self.nest, self.at.arithmetic(place.count)
        if nest.reduction == "sum":
            return [
                self._add(term, place, value) for term, value in zip(nest.terms, own, strict=True)
            ]
        term = self.at.value(nest.terms[0], place)
        # Only a strictly larger value wins, so the first of equals stays.
        wins = arithmetic.wins(term, own[0])
        best = arithmetic.select(wins, term, own[0])
        if nest.order is None:
            return [best]
        return [best, arithmetic.select(wins, self.at.value(nest.order, place), own[1])]

    def _add(self, term: Expression, place: IterationPoint, accumulator: Value) -> Value:
        arithmetic = self.at.arithmetic(place.count)
        if isinstance(term, PairProduct):
            return self.at.add_pairs(term, place, accumulator)
        if isinstance(term, Binary) and term.operation == "mul":
            left, right = self.at.value(term.left, place), self.at.value(term.right, place)
            return arithmetic.multiply_add(left, right, accumulator)
        return arithmetic.binary("fadd", accumulator, self.at.value(term, place))

    def _summed(self, accumulators: list[Value]) -> list[Value]:
        """The sums over the lanes, as vectors of one lane: from here on all is one number."""
        sums = self.at.arithmetic(self.schedule.lanes).sums(accumulators)
        kind, one = vector(self.element, 1), scalar(self.element)
        return [self.code.emit(f"insertelement {kind} poison, {one} {s}, i32 0") for s in sums]

    def _store(self, place: IterationPoint, own: list[Value]) -> None:
        """What one point of the tile leaves behind.  All is read before anything is written."""
        if self.round:
            own = self._after_round(place, own, self.round)
            if not self.round.is_last:
                for store, value in zip(self.nest.stores, own, strict=True):
                    self.at.write(store.target, place, value)
                self.at.forget()
                return
        elif (self.lane_reduced or self.nest.goes_on) and self.nest.initial:
            own = self._added(self.nest.initial, place, own)
        values = self.at.values([store.value for store in self.nest.stores], place, own)
        for store, value in zip(self.nest.stores, values, strict=True):
            self.at.write(store.target, place, value, store.streaming)
        self.at.forget()

    def _added(
        self, expressions: Sequence[Expression], place: IterationPoint, own: Sequence[Value]
    ) -> list[Value]:
        arithmetic = self.at.arithmetic(place.count)
        return [
            arithmetic.binary("fadd", self.at.value(expression, place), value)
            for expression, value in zip(expressions, own, strict=True)
        ]

    def _after_round(self, place: IterationPoint, own: Sequence[Value], at: Round) -> list[Value]:
        """The sums so far: those of a round and what was stored after the one before, of which
        there is none before the first.
        """
        kept = tuple(store.target for store in self.nest.stores)
        if self.nest.initial == kept:
            return self._added(kept, place, own)
        arithmetic = self.at.arithmetic(place.count)
        zero = arithmetic.constant(0.0)
        begun = [self.at.value(e, place) for e in self.nest.initial] or [zero] * len(own)
        stored = [self.at.value(target, place) for target in kept]
        return [
            arithmetic.binary("fadd", arithmetic.either(at.is_first, start, before), value)
            for start, before, value in zip(begun, stored, own, strict=True)
        ]


def _vectors(extent: int, lanes: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, lanes): full vectors, then half, quarter … vectors for what is left."""
    done = 0
    while done < extent:
        while lanes > extent - done:
            lanes //= 2
        stop = done + (extent - done) // lanes * lanes
        yield done, stop, lanes
        done = stop


def _points(sizes: Mapping[str, int]) -> Iterator[Point]:
    """All points of a small box, the last axis fastest."""
    for offsets in itertools.product(*(range(size) for size in sizes.values())):
        yield dict(zip(sizes, offsets, strict=True))


def _split(values: list[Value], parts: int) -> list[list[Value]]:
    """Equal parts, one for each point."""
    width = len(values) // parts
    return [values[i * width : (i + 1) * width] for i in range(parts)]
