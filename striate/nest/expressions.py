"""Expressions at a place in a nest: what is read, computed and written there.

A vector of lanes is one value.  Elements that several points of a tile read are loaded once: the
evaluator remembers them until `forget`, which the emitter calls where memory may have changed or
where the code that follows is not reached from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from striate.nest.algebra import (
    Accumulator,
    Binary,
    Constant,
    Expression,
    Index,
    Keep,
    MultiplyAdd,
    Pair,
    PairProduct,
    Strides,
    Tensor,
    Unary,
    Where,
)
from striate.nest.bfloat16_arithmetic import Pairs
from striate.nest.convert import convert
from striate.nest.functions import Arithmetic
from striate.nest.induction_pointers import InductionPointer
from striate.nest.ir import BYTES, Function, Number, Value, scalar, vector

_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}


@dataclass(frozen=True)
class IterationPoint:
    """Where an expression is evaluated.

    Attributes:
        loops: axes with their index: a number, or a value that exists at run time.
        count: lanes of a vector here.
        inside: offsets inside a tile or an unrolled loop, added to the indices.
    """

    loops: tuple[tuple[str, int | Value], ...]
    count: int
    inside: tuple[tuple[str, int], ...] = ()

    def at(self, axis: str, index: int | Value) -> IterationPoint:
        """The same place, with the index of one more axis."""
        return IterationPoint((*self.loops, (axis, index)), self.count, self.inside)

    def wide(self, count: int) -> IterationPoint:
        """The same place for vectors of `count` lanes."""
        return IterationPoint(self.loops, count, self.inside)

    def point(self, offsets: Mapping[str, int]) -> IterationPoint:
        """A point of a tile here."""
        return IterationPoint(self.loops, self.count, (*self.inside, *offsets.items()))


class Evaluator:
    """Emits the code of expressions; `lane` is the axis along which a vector's lanes lie.

    Where the last vector is masked, `lanes_in_use` is the extent of that axis.
    """

    def __init__(
        self,
        code: Function,
        buffers: Sequence[str],
        lane: str,
        element: Number,
        fused: bool,
        pairs: bool = False,
        lanes_in_use: int | None = None,
    ) -> None:
        self._lanes_in_use = lanes_in_use
        self.code, self.lane, self.element, self.fused = code, lane, element, fused
        self._has_pairs = pairs
        self._pointers = {name: f"%b{i}" for i, name in enumerate(buffers)}
        self._loaded: dict[object, Value] = {}
        self._known: dict[int, Value] | None = None
        # What loops carry: pointers by what they move with, with what they are for, and the
        # elements that indices known beforehand add.
        self._carried: dict[object, list[tuple[InductionPointer, int, Value]]] = {}

    def arithmetic(self, count: int) -> Arithmetic:
        """Operations on vectors of `count` lanes."""
        return Arithmetic(self.code, self.element, count, self.fused)

    def add_pairs(self, term: PairProduct, place: IterationPoint, accumulator: Value) -> Value:
        """The accumulator and the products of two pairs."""
        left, right = self._raw(term.left, place), self._raw(term.right, place)
        return self._pairs(place.count).multiply_add(left, right, accumulator)

    def _pairs(self, count: int) -> Pairs:
        return Pairs(self.code, count, self._has_pairs)

    def forget(self) -> None:
        """Load everything anew from here on."""
        self._loaded = {}

    def values(
        self, expressions: Sequence[Expression], place: IterationPoint, own: Sequence[Value] = ()
    ) -> list[Value]:
        """The values of expressions at one place; what they share is computed once.

        Shared is what is the same object, so expressions made on the way must not be passed on.
        """
        self._known = {}
        try:
            return [self.value(expression, place, own) for expression in expressions]
        finally:
            self._known = None

    def value(
        self, expression: Expression, place: IterationPoint, own: Sequence[Value] = ()
    ) -> Value:
        """The value of an expression; `own` are the accumulators of this point."""
        if self._known is None:
            return self._computed(expression, place, own)
        if id(expression) not in self._known:
            self._known[id(expression)] = self._computed(expression, place, own)
        return self._known[id(expression)]

    def _computed(
        self, expression: Expression, place: IterationPoint, own: Sequence[Value]
    ) -> Value:
        arithmetic = self.arithmetic(place.count)

        def value(child: Expression) -> Value:
            return self.value(child, place, own)

        match expression:
            case Constant(number):
                return arithmetic.constant(number)
            case Accumulator(number):
                return own[number]
            case Tensor():
                return self._read(expression, place)
            case Binary("max", left, right):
                return arithmetic.maximum(value(left), value(right))
            case Binary("min", left, right):
                return arithmetic.minimum(value(left), value(right))
            case Binary(operation, left, right):
                return arithmetic.binary(_BINARY[operation], value(left), value(right))
            case MultiplyAdd(left, right, addend):
                return arithmetic.multiply_add(value(left), value(right), value(addend))
            case Pair(first, second):
                pairs = self._pairs(place.count)
                if isinstance(first, Tensor) and self._alternate(first, second):
                    return pairs.neighbours(self._address(first, place))
                return pairs.pack(value(first), value(second))
            case PairProduct():
                return self.add_pairs(expression, place, arithmetic.constant(0.0))
            case Unary(operation, operand):
                return arithmetic.unary(operation, value(operand))
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
                bits = arithmetic.bits(self._raw(key, place), words, salt)
                limit = self.code.integers([threshold] * place.count)
                kept = self.code.emit(f"icmp uge <{place.count} x i32> {bits}, {limit}")
                return arithmetic.select(kept, arithmetic.constant(1.0), arithmetic.constant(0.0))
        raise TypeError(f"no code for {expression!r}")

    def write(
        self, tensor: Tensor, place: IterationPoint, value: Value, streaming: bool = False
    ) -> None:
        """Store a vector where the tensor says, lane by lane if they lie apart."""
        kind, count = self._type(tensor), place.count
        many, size = vector(kind, count), BYTES[kind]
        if kind != "pair":
            value = convert(self.code, value, self.element, kind, count)
        if count == 1 or tensor.stride(self.lane) == 1:
            address = self._address(tensor, place)
            if mask := self._mask(place):
                name = f"llvm.masked.store.v{count}{kind}.p0"
                self.code.declarations.add(
                    f"declare void @{name}({many}, ptr, i32, <{count} x i1>)"
                )
                self.code.effect(
                    f"call void @{name}({many} {value}, ptr {address}, i32 {size}, {mask})"
                )
                return
            hint = f"align {size * count}, !nontemporal !0" if streaming else f"align {size}"
            self.code.effect(f"store {many} {value}, ptr {address}, {hint}")
            return
        for lane in range(count):
            one = self.code.emit(f"extractelement {many} {value}, i32 {lane}")
            address = self._address(tensor, place, lane)
            self.code.effect(f"store {scalar(kind)} {one}, ptr {address}, align {size}")

    def fetch(self, tensor: Tensor, place: IterationPoint, *, near: bool = True) -> None:
        """Bring a line into the nearest cache, or the core's larger one, if it can be read."""
        self.code.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        address = self._address(tensor, place)
        self.code.effect(
            f"call void @llvm.prefetch.p0(ptr {address}, i32 0, i32 {3 if near else 2}, i32 1)"
        )

    def _mask(self, place: IterationPoint) -> str | None:
        """The lanes of a vector here that are in use, if not all are."""
        if self._lanes_in_use is None:
            return None
        _, first = self._linear(((self.lane, 1),), 0, place)
        bits = [first + lane < self._lanes_in_use for lane in range(place.count)]
        if all(bits):
            return None
        return f"<{place.count} x i1> <{', '.join(f'i1 {str(bit).lower()}' for bit in bits)}>"

    # --- reading ---------------------------------------------------------------------------

    def _read(self, tensor: Tensor, place: IterationPoint) -> Value:
        """The elements of a tensor here, as the kernel's type."""
        return self._remembered(tensor, place, self.element)

    def _raw(self, tensor: Tensor, place: IterationPoint) -> Value:
        """The elements of a tensor here, as they are."""
        return self._remembered(tensor, place, self._type(tensor))

    def _remembered(self, tensor: Tensor, place: IterationPoint, wanted: str) -> Value:
        lanes = (tensor.stride(self.lane), tensor.rows, tensor.shift, place.count)
        key = (self._position(tensor, place), wanted, *lanes)
        if key not in self._loaded:
            value = self._load(tensor, place)
            self._loaded[key] = convert(self.code, value, self._type(tensor), wanted, place.count)
        return self._loaded[key]

    def _position(self, tensor: Tensor, place: IterationPoint) -> tuple[object, ...]:
        """What tells an element of a tensor from others."""
        element = self._linear(tensor.strides, tensor.offset, place)
        row = self._linear(tensor.rows or (), 0, place)
        return (tensor.buffer, element, row, *(self._position(t, place) for t in tensor.shift))

    def _load(self, tensor: Tensor, place: IterationPoint) -> Value:
        kind, count = self._type(tensor), place.count
        one, many, size = scalar(kind), vector(kind, count), BYTES[kind]
        stride, scattered = tensor.stride(self.lane), tensor.is_looked_up(self.lane)
        if stride == 1 and not scattered:
            address = self._address(tensor, place)
            if mask := self._mask(place):
                name = f"llvm.masked.load.v{count}{kind}.p0"
                self.code.declarations.add(
                    f"declare {many} @{name}(ptr, i32, <{count} x i1>, {many})"
                )
                zeros = f"{many} zeroinitializer"
                return self.code.emit(
                    f"call {many} @{name}(ptr {address}, i32 {size}, {mask}, {zeros})"
                )
            return self.code.emit(f"load {many}, ptr {address}, align {size}")
        if (stride == 0 and not scattered) or count == 1:
            address = self._address(tensor, place)
            element = self.code.emit(f"load {one}, ptr {address}, align {size}")
            return self.code.splat(element, kind, count)
        gathered = "poison"
        for lane in range(count):
            address = self._address(tensor, place, lane)
            element = self.code.emit(f"load {one}, ptr {address}, align {size}")
            gathered = self.code.emit(
                f"insertelement {many} {gathered}, {one} {element}, i32 {lane}"
            )
        return gathered

    def _index(self, strides: Strides, offset: int, place: IterationPoint) -> Value:
        """A linear form of the axes as a vector of 32-bit integers."""
        moving, constant = self._linear(strides, offset, place)
        step = dict(strides).get(self.lane, 0)
        lanes = self.code.integers([constant + step * i for i in range(place.count)])
        if moving is None:
            return lanes
        narrow = moving
        if self.code.index != "i32":
            narrow = self.code.once(
                ("narrow", moving),
                lambda: self.code.emit(f"trunc {self.code.index} {moving} to i32"),
            )
        many = self.code.splat(narrow, "i32", place.count)
        return self.code.emit(f"add <{place.count} x i32> {many}, {lanes}")

    def _alternate(self, first: Tensor, second: Expression) -> bool:
        """Whether the lanes of both, one by one in turn, are numbers side by side."""
        return (
            self._type(first) == "f32"
            and first.stride(self.lane) == 2
            and second == replace(first, offset=first.offset + 1)
        )

    # --- pointers that a loop carries -------------------------------------------------------

    def pointed(self, wanted: InductionPointer, place: IterationPoint) -> Value:
        """Where a pointer stands before its loop, of which `place` is the first turn."""
        tensor = replace(wanted.tensor, offset=wanted.middle)
        return self._address(tensor, place)

    def carry(self, wanted: InductionPointer, place: IterationPoint, pointer: Value) -> None:
        """Read through a pointer that the loop around `place` carries."""
        moving, known = self._linear(wanted.tensor.strides, 0, place)
        key = (wanted.tensor.buffer, moving, self._type(wanted.tensor))
        self._carried.setdefault(key, []).append((wanted, known, pointer))

    # --- addresses -------------------------------------------------------------------------

    def _type(self, tensor: Tensor) -> str:
        return self.element if tensor.element == "real" else tensor.element

    def _address(self, tensor: Tensor, place: IterationPoint, lane: int = 0) -> Value:
        kind = scalar(self._type(tensor))
        offset = tensor.offset + lane * tensor.stride(self.lane)
        moving, constant = self._linear(tensor.strides, offset, place)
        if self._carried and tensor.rows is None and not tensor.shift:
            key = (tensor.buffer, moving, self._type(tensor))
            for wanted, known, carried in self._carried.get(key, ()):
                if wanted.first <= constant - known <= wanted.last:
                    far = constant - known - wanted.middle
                    return self.code.emit(
                        f"getelementptr {kind}, ptr {carried}, {self.code.index} {far}"
                    )
        start = pointer = self._start(tensor, place, lane)
        if moving is not None:
            pointer = self.code.once(
                ("pointer", start, moving, kind),
                lambda: self.code.emit(
                    f"getelementptr {kind}, ptr {start}, {self.code.index} {moving}"
                ),
            )
        if constant == 0:
            return pointer
        return self.code.emit(f"getelementptr {kind}, ptr {pointer}, {self.code.index} {constant}")

    def _start(self, tensor: Tensor, place: IterationPoint, lane: int) -> Value:
        """Where offset and strides count from: the buffer, or what tables name."""
        start = self._pointers[tensor.buffer]
        if tensor.rows is not None:
            row = self._entry(Tensor(tensor.buffer, tensor.rows, 0, "u64"), place, lane)
            start = self.code.once(("row", row), lambda: self.code.emit(f"load ptr, ptr {row}"))
        kind = scalar(self._type(tensor))
        for table in tensor.shift:
            start = self._moved(start, kind, self._step(table, place, lane))
        return start

    def _step(self, table: Tensor, place: IterationPoint, lane: int) -> Value:
        """What a table of steps says."""
        kind, entry = scalar(self._type(table)), self._entry(table, place, lane)
        return self.code.once(
            ("step", entry), lambda: f"{kind} {self.code.emit(f'load {kind}, ptr {entry}')}"
        )

    def _moved(self, start: Value, kind: str, step: Value) -> Value:
        return self.code.once(
            ("moved", start, kind, step),
            lambda: self.code.emit(f"getelementptr {kind}, ptr {start}, {step}"),
        )

    def _entry(self, table: Tensor, place: IterationPoint, lane: int) -> Value:
        """The address of an entry of a table, the same value for the same entry."""
        start = self._start(table, place, lane)
        offset = table.offset + lane * table.stride(self.lane)
        moving, constant = self._linear(table.strides, offset, place)
        return self.code.once(
            ("entry", start, moving, constant),
            lambda: self._address(table, place, lane),
        )

    def _linear(
        self, strides: Strides, offset: int, place: IterationPoint
    ) -> tuple[Value | None, int]:
        """A linear form as a part known at run time and a constant."""
        form = dict(strides)
        constant = offset + sum(form.get(axis, 0) * index for axis, index in place.inside)
        moving: Value | None = None
        for axis, index in place.loops:
            stride = form.get(axis, 0)
            if isinstance(index, int):
                constant += stride * index
            elif stride:
                part = index if stride == 1 else self._once("mul", index, stride)
                moving = part if moving is None else self._once("add", moving, part)
        return moving, constant

    def _once(self, operation: str, left: Value, right: Value | int) -> Value:
        return self.code.once(
            (operation, left, right),
            lambda: self.code.emit(f"{operation} nsw {self.code.index} {left}, {right}"),
        )
