"""One tile of a nest: its accumulators in registers, the loops of the sums, the stores."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from striate.nest.algebra import Binary, Expression, Nest, PairProduct, Tensor
from striate.nest.expressions import Evaluator, IterationPoint
from striate.nest.induction_pointers import induction_pointers
from striate.nest.ir import BYTES, Function, Number, Value, scalar, vector
from striate.nest.point_order import in_registers
from striate.nest.schedule import Schedule, lane_parts, writes_out
from striate.nest.software_prefetch import fetched
from striate.nest.target import Target

_NEUTRAL = {"sum": 0.0, "max": float("-inf"), "argmax": float("-inf")}
Point = Mapping[str, int]
Zeros = Mapping[str, Sequence[range]]
"""Of buffers, elements that are known to be zero whenever they are read."""
NO_ZEROS: Zeros = MappingProxyType({})


@dataclass(frozen=True)
class Round:
    """Which of the rounds of a sum is at hand: whether it is the first, an i1; and the last."""

    is_first: Value
    is_last: bool


class TileEmitter:
    """Emits what a nest does at one tile.

    Args:
        nest, schedule: what is computed, and how.
        target: the processor.
        element: the type of the nest's numbers.
        code: what the instructions are appended to.
        at: evaluates expressions there.
        counts: of axes whose extent is known at run time only, the values that say it.
        zeros: elements that are zero, products with which are left out.
    """

    def __init__(
        self,
        nest: Nest,
        schedule: Schedule,
        target: Target,
        element: Number,
        code: Function,
        at: Evaluator,
        counts: Mapping[str, Value],
        zeros: Zeros,
    ) -> None:
        self.nest, self.schedule, self.element = nest, schedule, element
        self.code, self.at, self.counts, self.zeros = code, at, counts, zeros
        self.prefetch, self.reach = target.prefetches, target.reach
        self.registers, self.accumulators = target.registers, target.accumulators
        self.vectors = functools.partial(target.vectors, element_bytes=BYTES[element])
        self.parts = lane_parts(schedule.lanes, target, element)
        self.scalar = target.vector_bytes == BYTES[element] and not target.is_x86
        self.extents, self.tile = dict(nest.axes), dict(schedule.tile)
        self.lane_reduced = schedule.lane in nest.reduce
        inside = [axis for axis in nest.reduce if axis in schedule.unroll]
        self.unrolled, self.innermost = (inside, []) if writes_out(nest, target) else ([], inside)

    def emit(
        self, place: IterationPoint, sizes: Mapping[str, int], at_round: Round | None = None
    ) -> None:
        """Emit the tile of these sizes; in the midst of rounds, what is stored depends on which."""
        points = [self._scaled(point, place) for point in _points(sizes)]
        if self.lane_reduced:
            accumulators = self._summed(place, points)
            place = place.wide(1)
        else:
            accumulators = self._reduced(place, points)
        for point, own in zip(points, _split(accumulators, len(points)), strict=True):
            self._store(place.point(point), own, at_round)

    def _reduced(self, place: IterationPoint, points: list[Point]) -> list[Value]:
        """The accumulators of some points after all their terms."""
        accumulators = self._initial(place, points)
        if self.nest.reduction != "none":
            outside = {*self.schedule.unroll, *self.nest.rounds}
            loops = [axis for axis in self.nest.reduce if axis not in outside]
            loops += self.innermost
            if self.nest.reduction == "max" and not loops and self.scalar:
                accumulators = self._maxima(place, points)
            else:
                accumulators = self._reduce(loops, place, points, accumulators)
        self.at.forget()
        return accumulators

    def _summed(self, place: IterationPoint, points: list[Point]) -> list[Value]:
        """The accumulators of some points along whose lanes is summed up, as vectors of one lane.

        Where the registers do not hold all lanes of the points, one half of them comes after the
        other. Neighbouring lanes are added first, so that changes no sum.
        """
        whole, sums = self.schedule.lanes, len(points) * len(self.nest.terms)
        fits = sums * self.vectors(whole) <= self.accumulators
        lanes = whole if fits else whole // self.parts
        arithmetic = self.at.arithmetic(lanes)
        parts = []
        for first in range(0, whole, lanes):
            part = place.wide(lanes).point({self.schedule.lane: first} if first else {})
            parts.append(arithmetic.sums_in_lanes(self._reduced(part, points)))
        vectors = [
            total[0] if len(total) == 1 else arithmetic.binary("fadd", *total)
            for total in zip(*parts, strict=True)
        ]
        kind, one = vector(self.element, 1), scalar(self.element)
        return [
            # From here on all is one number.
            self.code.emit(f"insertelement {kind} poison, {one} {number}, i32 0")
            for number in arithmetic.numbers(vectors, sums)
        ]

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
        if self.reach is None or rest:
            return self.code.loop(stop, step, accumulators, kind, turn)
        body = self._body(points)
        wanted = induction_pointers(self.nest, axis, body, self.reach, self.element)
        pointers = [self.at.pointed(one, place.at(axis, 0)) for one in wanted]
        count = len(accumulators)

        def carrying(index: Value, carried: list[Value]) -> list[Value]:
            moved = []
            for one, pointer in zip(wanted, carried[count:], strict=True):
                self.at.carry(one, place.at(axis, index), pointer)
                moved.append(self.code.moved_on(pointer, one.turn * step))
            return [*turn(index, carried[:count]), *moved]

        kinds = [kind] * count + ["ptr"] * len(wanted)
        return self.code.loop(stop, step, [*accumulators, *pointers], kinds, carrying)[:count]

    def _fetch(self, axis: str, place: IterationPoint, points: list[Point]) -> None:
        """Ask for what the loop over `axis` reads later: see `striate.nest.software_prefetch`."""
        for wanted in fetched(self.nest, self.schedule, axis, self._body(points), self.element):
            self.at.fetch(wanted.tensor, place.point(wanted.point), near=wanted.near)

    def _steps(self) -> list[Point]:
        """The points of the reduced axes that are written out."""
        return [*_points({axis: self.extents[axis] for axis in self.unrolled})]

    def _body(self, points: list[Point]) -> list[Point]:
        """What one turn of the innermost loop computes."""
        return [{**point, **step} for step in self._steps() for point in points]

    def _accumulate(
        self, place: IterationPoint, points: list[Point], accumulators: list[Value]
    ) -> list[Value]:
        """One turn of the innermost loop: every unrolled point of the reduction, in every point
        of the tile.
        """
        self.at.forget()
        own = _split(accumulators, len(points))
        steps = self._steps()
        free = self.registers - len(accumulators) * self.vectors(place.count)
        for together in self._sharing(points):
            if len(steps) == 1:  # else LLVM finds an order among all steps
                some = [points[i] for i in together]
                together = [together[i] for i in in_registers(some, self.nest.read, free)]
            for step in steps:
                for i in together:
                    own[i] = self._combine(place.point({**points[i], **step}), own[i])
        return [value for values in own for value in values]

    def _maxima(self, place: IterationPoint, points: list[Point]) -> list[Value]:
        """The largest of all terms of each point, or NaN if one is.

        Without vectors each condition goes through the processor's flags, and one that joins two
        takes a dozen instructions. So terms are compared as if none was NaN; whether one is, their
        magnitudes tell when they are added up: that gives no NaN by itself, even of infinities.
        """
        arithmetic, found = self.at.arithmetic(place.count), list[Value]()
        self.at.forget()
        for point in points:
            terms = [
                self.at.value(self.nest.terms[0], place.point({**point, **step}))
                for step in self._steps()
            ]
            best, size = terms[0], arithmetic.magnitude(terms[0])
            for term in terms[1:]:
                best = arithmetic.maximum(best, term)
                size = arithmetic.binary("fadd", size, arithmetic.magnitude(term))
            found.append(arithmetic.select(arithmetic.compare("uno", size, size), size, best))
        return found

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
                value if self._is_zero(term, place) else self._add(term, place, value)
                for term, value in zip(nest.terms, own, strict=True)
            ]
        term = self.at.value(nest.terms[0], place)
        # Only a strictly larger value wins, so the first of equals stays.
        wins = arithmetic.wins(term, own[0])
        best = arithmetic.select(wins, term, own[0])
        if nest.order is None:
            return [best]
        return [best, arithmetic.select(wins, self.at.value(nest.order, place), own[1])]

    def _is_zero(self, term: Expression, place: IterationPoint) -> bool:
        """Whether a term is a product with what is known to be zero, in all turns of the loops."""
        if not self.zeros or not isinstance(term, Binary) or term.operation != "mul":
            return False
        return any(
            isinstance(factor, Tensor) and self._reads_zeros(factor, place)
            for factor in (term.left, term.right)
        )

    def _reads_zeros(self, tensor: Tensor, place: IterationPoint) -> bool:
        runs = self.zeros.get(tensor.buffer, ())
        if not runs or tensor.rows is not None or tensor.shift:
            return False
        strides, running = dict(tensor.strides), set[str]()
        low = tensor.offset
        high = low + (place.count - 1) * strides.get(self.schedule.lane, 0)
        for axis, index in place.loops:
            if not isinstance(index, int):
                running.add(axis)
        for axis in running:
            far = strides.get(axis, 0) * (self.extents[axis] - 1)
            low, high = low + min(far, 0), high + max(far, 0)
        for axis, index in (*place.loops, *place.inside):
            if axis not in running and isinstance(index, int):
                moved = strides.get(axis, 0) * index
                low, high = low + moved, high + moved
        return any(run.start <= low and high < run.stop for run in runs)

    def _add(self, term: Expression, place: IterationPoint, accumulator: Value) -> Value:
        arithmetic = self.at.arithmetic(place.count)
        if isinstance(term, PairProduct):
            return self.at.add_pairs(term, place, accumulator)
        if isinstance(term, Binary) and term.operation == "mul":
            left, right = self.at.value(term.left, place), self.at.value(term.right, place)
            return arithmetic.multiply_add(left, right, accumulator)
        return arithmetic.binary("fadd", accumulator, self.at.value(term, place))

    def _store(self, place: IterationPoint, own: list[Value], at_round: Round | None) -> None:
        """What one point of the tile leaves behind.  All is read before anything is written."""
        if at_round:
            own = self._after_round(place, own, at_round)
            if not at_round.is_last:
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


def _points(sizes: Mapping[str, int]) -> Iterator[Point]:
    """All points of a small box, the last axis fastest."""
    for offsets in itertools.product(*(range(size) for size in sizes.values())):
        yield dict(zip(sizes, offsets, strict=True))


def _split(values: list[Value], parts: int) -> list[list[Value]]:
    """Equal parts, one for each point."""
    width = len(values) // parts
    return [values[i * width : (i + 1) * width] for i in range(parts)]
