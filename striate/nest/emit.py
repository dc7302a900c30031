"""From a nest and a schedule to LLVM IR: the one emitter behind every kernel.

A kernel is ``void kernel(ptr arguments)``: it takes the address of an array of buffer pointers,
in the order of `Nest.buffers`.  What is emitted is the textbook nest with three changes:

- the lane axis advances by a vector at a time, its remainder by ever shorter vectors;
- a tile of output points is computed at once, each with an accumulator of its own;
- reduced axes named in `Schedule.unroll` are written out.

Each point of a tile is emitted plainly; an element that several points read is loaded once,
because `Function.once` remembers it until the body ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from striate.nest.algebra import (
    Accumulator,
    Binary,
    Constant,
    Expression,
    Index,
    Keep,
    Nest,
    Store,
    Strides,
    Tensor,
    Unary,
    Where,
)
from striate.nest.functions import Arithmetic
from striate.nest.ir import BYTES, Function, Number, Value, scalar, vector
from striate.nest.schedule import Schedule

_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_NEUTRAL = {"sum": 0.0, "max": float("-inf"), "argmax": float("-inf")}


def emit(nest: Nest, schedule: Schedule, symbol: str = "kernel", element: Number = "f32") -> str:
    """The IR of a nest under a schedule."""
    return _Emitter(nest, schedule, element).module(symbol)


@dataclass(frozen=True)
class _Place:
    """Where an expression is evaluated: loop indices, the offset inside the tile, the width."""

    loops: tuple[tuple[str, int | Value], ...]
    count: int
    inside: tuple[tuple[str, int], ...] = ()

    def at(self, axis: str, index: int | Value) -> _Place:
        return _Place((*self.loops, (axis, index)), self.count, self.inside)

    def point(self, offsets: Mapping[str, int]) -> _Place:
        return _Place(self.loops, self.count, (*self.inside, *offsets.items()))


class _Emitter:
    def __init__(self, nest: Nest, schedule: Schedule, element: Number) -> None:
        self.nest, self.schedule, self.element = nest, schedule, element
        self.extents = dict(nest.axes)
        self.tile = dict(schedule.tile)
        self.code = Function()
        self.lane_reduced = schedule.lane in nest.reduce
        self.values: dict[object, Value] = {}
        if self.lane_reduced and self.extents[schedule.lane] % schedule.lanes:
            raise ValueError(
                f"axis {schedule.lane!r} fills the lanes and is reduced, so its extent "
                f"{self.extents[schedule.lane]} must be a multiple of {schedule.lanes}"
            )

    def module(self, symbol: str) -> str:
        names = self.nest.buffers
        self._outputs([*self.nest.outputs], _Place((), 1), {})
        pointers = ", ".join(f"ptr noalias nocapture %b{i}" for i in range(len(names)))
        passed = []
        entry = [f"define void @{symbol}(ptr %arguments) {{"]
        for i in range(len(names)):
            entry.append(f"  %a{i} = getelementptr ptr, ptr %arguments, i64 {i}")
            entry.append(f"  %p{i} = load ptr, ptr %a{i}")
            passed.append(f"ptr %p{i}")
        entry += [f"  call void @body({', '.join(passed)})", "  ret void", "}"]
        body = [
            f"define internal void @body({pointers}) noinline nounwind {{",
            "entry:",
            *self.code.lines,
            "  ret void",
            "}",
        ]
        return "\n".join([*sorted(self.code.declarations), *body, *entry, ""])

    # --- the loops over the output axes -------------------------------------------------

    def _outputs(self, axes: list[str], place: _Place, sizes: dict[str, int]) -> None:
        """Loops over the output axes, outermost first, down to one tile."""
        if self.lane_reduced and place.count == 1:
            place = _Place(place.loops, self.schedule.lanes)
        if not axes:
            self._tile(place, sizes)
            return
        axis, rest = axes[0], axes[1:]
        if axis == self.schedule.lane:
            self._lane_loop(
                lambda index, count: self._outputs(
                    rest, _Place((*place.loops, (axis, index)), count), sizes
                )
            )
            return
        size = self.tile.get(axis, 1)
        whole = self.extents[axis] // size * size
        self._range(
            0,
            whole,
            size,
            lambda index: self._outputs(rest, place.at(axis, index), {**sizes, axis: size}),
        )
        if left := self.extents[axis] - whole:
            self._outputs(rest, place.at(axis, whole), {**sizes, axis: left})

    def _lane_loop(self, body: Callable[[int | Value, int], None]) -> None:
        """Full vectors first, then half, quarter … vectors for what is left."""
        done, count = 0, self.schedule.lanes
        extent = self.extents[self.schedule.lane]
        while done < extent:
            while count > extent - done:
                count //= 2
            whole = (extent - done) // count * count

            def step(index: int | Value, width: int = count) -> None:
                body(index, width)

            self._range(done, done + whole, count, step)
            done += whole

    def _range(self, start: int, stop: int, step: int, body: Callable[[int | Value], None]) -> None:
        """A loop without results; a single turn is no loop."""
        if stop - start == step:
            body(start)
        elif stop > start:

            def turn(index: Value, _: list[Value]) -> list[Value]:
                body(index)
                return []

            self.code.loop(stop, step, [], "", turn, start)

    # --- one tile: accumulators, the reduction, the stores -------------------------------

    def _tile(self, place: _Place, sizes: dict[str, int]) -> None:
        many = {axis: size for axis, size in sizes.items() if size > 1}
        points = [
            dict(zip(many, offsets, strict=True))
            for offsets in itertools.product(*(range(size) for size in many.values()))
        ]
        arithmetic = Arithmetic(self.code, self.element, place.count)
        accumulators = self._initial(place, points, arithmetic)
        if self.nest.reduction != "none":
            loops = [axis for axis in self.nest.reduce if axis not in self.schedule.unroll]
            accumulators = self._reduce(loops, place, points, accumulators, arithmetic)
        width = len(accumulators) // len(points)
        own = [accumulators[i * width : (i + 1) * width] for i in range(len(points))]
        self.values = {}
        if self.lane_reduced:
            self._store_sums(place, points, own, arithmetic)
            return
        for point, results in zip(points, own, strict=True):
            here = place.point(point)
            values = [self._value(s.value, here, results, arithmetic) for s in self.nest.stores]
            for store, value in zip(self.nest.stores, values, strict=True):
                self._write(store.target, here, value)
            self.values = {}

    def _initial(
        self, place: _Place, points: Sequence[Mapping[str, int]], arithmetic: Arithmetic
    ) -> list[Value]:
        if self.nest.reduction == "none":
            return []
        first = arithmetic.constant(_NEUTRAL[self.nest.reduction])
        if self.nest.reduction == "argmax":
            return [first, arithmetic.constant(0.0)] * len(points)
        self.values = {}
        if not self.nest.initial or self.lane_reduced:
            return [first] * (len(points) * len(self.nest.terms))
        return [
            self._value(expression, place.point(point), [], arithmetic)
            for point in points
            for expression in self.nest.initial
        ]

    def _reduce(
        self,
        loops: list[str],
        place: _Place,
        points: Sequence[Mapping[str, int]],
        accumulators: list[Value],
        arithmetic: Arithmetic,
    ) -> list[Value]:
        """The loops over the reduced axes, carrying the accumulators in registers."""
        if not loops:
            return self._accumulate(place, points, accumulators, arithmetic)
        axis, rest = loops[0], loops[1:]
        step = self.schedule.lanes if axis == self.schedule.lane else 1
        if self.extents[axis] == step:
            return self._reduce(rest, place.at(axis, 0), points, accumulators, arithmetic)
        return self.code.loop(
            self.extents[axis],
            step,
            accumulators,
            arithmetic.kind,
            lambda index, carried: self._reduce(
                rest, place.at(axis, index), points, carried, arithmetic
            ),
        )

    def _accumulate(
        self,
        place: _Place,
        points: Sequence[Mapping[str, int]],
        accumulators: list[Value],
        arithmetic: Arithmetic,
    ) -> list[Value]:
        """One turn of the innermost loop: every unrolled reduction point of every tile point."""
        self.values = {}
        unrolled = [axis for axis in self.nest.reduce if axis in self.schedule.unroll]
        results = list(accumulators)
        width = len(accumulators) // len(points)
        for offsets in itertools.product(*(range(self.extents[axis]) for axis in unrolled)):
            step = dict(zip(unrolled, offsets, strict=True))
            for i, point in enumerate(points):
                here = place.point({**point, **step})
                part = slice(i * width, (i + 1) * width)
                results[part] = self._combine(here, results[part], arithmetic)
        return results

    def _combine(self, place: _Place, own: list[Value], arithmetic: Arithmetic) -> list[Value]:
        reduction = self.nest.reduction
        if reduction == "argmax":
            term = self._value(self.nest.terms[0], place, [], arithmetic)
            order = self._value(cast(Index, self.nest.order), place, [], arithmetic)
            # Only a strictly larger value wins, so the first of equals stays.
            greater = arithmetic.compare("ogt", term, own[0])
            return [
                arithmetic.select(greater, term, own[0]),
                arithmetic.select(greater, order, own[1]),
            ]
        return [
            self._add(term, place, accumulator, arithmetic)
            if reduction == "sum"
            else arithmetic.maximum(self._value(term, place, [], arithmetic), accumulator)
            for term, accumulator in zip(self.nest.terms, own, strict=True)
        ]

    def _add(
        self, term: Expression, place: _Place, accumulator: Value, arithmetic: Arithmetic
    ) -> Value:
        if isinstance(term, Binary) and term.operation == "mul":
            left, right = (self._value(e, place, [], arithmetic) for e in (term.left, term.right))
            return arithmetic.multiply_add(left, right, accumulator)
        return arithmetic.binary("fadd", accumulator, self._value(term, place, [], arithmetic))

    def _store_sums(
        self,
        place: _Place,
        points: Sequence[Mapping[str, int]],
        own: list[list[Value]],
        arithmetic: Arithmetic,
    ) -> None:
        """Accumulators whose lanes are summed up: from here on, every value is one number."""
        flat = arithmetic.sums([value for results in own for value in results])
        single = Arithmetic(self.code, self.element, 1)
        kind = vector(self.element, 1)
        ones = [
            self.code.emit(f"insertelement {kind} poison, {scalar(self.element)} {value}, i32 0")
            for value in flat
        ]
        width = len(own[0])
        for i, point in enumerate(points):
            here = _Place(place.loops, 1, tuple(point.items()))
            results = ones[i * width : (i + 1) * width]
            if self.nest.initial:
                results = [
                    single.binary("fadd", self._value(expression, here, [], single), result)
                    for expression, result in zip(self.nest.initial, results, strict=True)
                ]
            values = [self._value(s.value, here, results, single) for s in self.nest.stores]
            for store, value in zip(self.nest.stores, values, strict=True):
                self._write(store.target, here, value)
            self.values = {}

    # --- expressions ---------------------------------------------------------------------

    def _value(
        self, expression: Expression, place: _Place, own: list[Value], arithmetic: Arithmetic
    ) -> Value:
        def value(child: Expression) -> Value:
            return self._value(child, place, own, arithmetic)

        match expression:
            case Constant(number):
                return arithmetic.constant(number)
            case Accumulator(number):
                return own[number]
            case Tensor():
                return self._read(expression, place)
            case Binary("max", left, right):
                return arithmetic.maximum(value(left), value(right))
            case Binary(operation, left, right):
                return arithmetic.binary(_BINARY[operation], value(left), value(right))
            case Unary(operation, operand):
                function = getattr(arithmetic, operation)
                return cast(Value, function(value(operand)))
            case Where(comparison, left, right, then, otherwise):
                relation = "ogt" if comparison == ">" else "oeq"
                condition = arithmetic.compare(relation, value(left), value(right))
                return arithmetic.select(condition, value(then), value(otherwise))
            case Index(strides, offset):
                words = self._index(strides, offset, place)
                kind = f"<{place.count} x i32>"
                return self.code.emit(f"sitofp {kind} {words} to {arithmetic.kind}")
            case Keep(key, index, salt, threshold):
                words = self._index(index.strides, index.offset, place)
                bits = arithmetic.bits(self._read(key, place), words, salt)
                limit = self.code.integers([threshold] * place.count)
                kept = self.code.emit(f"icmp uge <{place.count} x i32> {bits}, {limit}")
                return arithmetic.select(kept, arithmetic.constant(1.0), arithmetic.constant(0.0))
        raise TypeError(f"no code for {expression!r}")

    def _index(self, strides: Strides, offset: int, place: _Place) -> Value:
        """A linear form of the axes as a vector of 32-bit integers."""
        base, constant = self._linear(dict(strides), offset, place)
        lane = dict(strides).get(self.schedule.lane, 0)
        steps = self.code.integers([constant + lane * i for i in range(place.count)])
        if base is None:
            return steps
        narrow = self.code.once(
            ("narrow", base), lambda: self.code.emit(f"trunc i64 {base} to i32")
        )
        many = self.code.splat(narrow, "i32", place.count)
        return self.code.emit(f"add <{place.count} x i32> {many}, {steps}")

    # --- memory ----------------------------------------------------------------------------

    def _linear(
        self, strides: Mapping[str, int], offset: int, place: _Place
    ) -> tuple[Value | None, int]:
        """A linear form as a run-time part and a constant."""
        constant = offset + sum(strides.get(axis, 0) * index for axis, index in place.inside)
        moving: Value | None = None
        for axis, index in place.loops:
            stride = strides.get(axis, 0)
            if not stride:
                continue
            if isinstance(index, int):
                constant += stride * index
                continue
            part = self._product(index, stride)
            moving = part if moving is None else self._plus(moving, part)
        return moving, constant

    def _product(self, index: Value, stride: int) -> Value:
        if stride == 1:
            return index
        return self.code.once(
            ("mul", index, stride), lambda: self.code.emit(f"mul nsw i64 {index}, {stride}")
        )

    def _plus(self, left: Value, right: Value) -> Value:
        return self.code.once(
            ("add", left, right), lambda: self.code.emit(f"add nsw i64 {left}, {right}")
        )

    def _type(self, tensor: Tensor) -> str:
        return self.element if tensor.element == "real" else tensor.element

    def _address(self, tensor: Tensor, place: _Place, lane: int = 0) -> Value:
        kind = scalar(self._type(tensor))
        offset = tensor.offset + lane * tensor.stride(self.schedule.lane)
        moving, constant = self._linear(dict(tensor.strides), offset, place)
        pointer = f"%b{self.nest.buffers.index(tensor.buffer)}"
        if moving is not None:
            base, start = moving, pointer
            pointer = self.code.once(
                ("base", start, base, kind),
                lambda: self.code.emit(f"getelementptr {kind}, ptr {start}, i64 {base}"),
            )
        if constant == 0:
            return pointer
        return self.code.emit(f"getelementptr {kind}, ptr {pointer}, i64 {constant}")

    def _read(self, tensor: Tensor, place: _Place) -> Value:
        """The elements of a tensor at a place, converted to the kernel's type."""
        moving, constant = self._linear(dict(tensor.strides), tensor.offset, place)
        key = (tensor.buffer, tensor.stride(self.schedule.lane), moving, constant, place.count)
        if key not in self.values:
            self.values[key] = self._converted(self._load(tensor, place), tensor, place.count)
        return self.values[key]

    def _load(self, tensor: Tensor, place: _Place) -> Value:
        kind, count = scalar(self._type(tensor)), place.count
        stride = tensor.stride(self.schedule.lane)
        size = BYTES[self._type(tensor)]
        if stride == 1:
            many = vector(self._type(tensor), count)
            return self.code.emit(f"load {many}, ptr {self._address(tensor, place)}, align {size}")
        if stride == 0 or count == 1:
            one = self.code.emit(f"load {kind}, ptr {self._address(tensor, place)}, align {size}")
            return self.code.splat(one, self._type(tensor), count)
        gathered = "poison"
        for lane in range(count):
            address = self._address(tensor, place, lane)
            one = self.code.emit(f"load {kind}, ptr {address}, align {size}")
            many = vector(self._type(tensor), count)
            gathered = self.code.emit(f"insertelement {many} {gathered}, {kind} {one}, i32 {lane}")
        return gathered

    def _converted(self, value: Value, tensor: Tensor, count: int) -> Value:
        if tensor.element != "u8":
            return value
        wide = self.code.emit(f"zext {vector('u8', count)} {value} to <{count} x i32>")
        return self.code.emit(f"sitofp <{count} x i32> {wide} to {vector(self.element, count)}")

    def _write(self, tensor: Tensor, place: _Place, value: Value) -> None:
        kind, count = scalar(self._type(tensor)), place.count
        size, many = BYTES[self._type(tensor)], vector(self._type(tensor), count)
        if tensor.stride(self.schedule.lane) == 1 or count == 1:
            self.code.effect(
                f"store {many} {value}, ptr {self._address(tensor, place)}, align {size}"
            )
            return
        for lane in range(count):
            one = self.code.emit(f"extractelement {many} {value}, i32 {lane}")
            self.code.effect(
                f"store {kind} {one}, ptr {self._address(tensor, place, lane)}, align {size}"
            )


__all__ = ["Store", "emit"]
