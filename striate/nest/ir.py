"""A small writer of LLVM IR text: values, loops and vectors, nothing about nests.

Text, because building llvmlite's object tree first takes longer than LLVM needs to compile it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Literal

Number = Literal["f32", "f64", "i32", "i64"]
IndexType = Literal["i32", "i64"]
Value = str
# LLVM's integers have no sign: whether one is meant is said by the instruction.
_NAMES = {"f32": "float", "f64": "double", "bf16": "i16", "pair": "i32"} | {
    f"{sign}{bits}": f"i{bits}" for sign in "iu" for bits in (8, 16, 32, 64)
}
BYTES = {"bf16": 2, "pair": 4} | {
    f"{kind}{bits}": bits // 8
    for kind in "fiu"
    for bits in (8, 16, 32, 64)
    if bits > 16 or kind != "f"
}


def vector(element: str, count: int) -> str:
    """The LLVM name of a vector type."""
    return f"<{count} x {_NAMES[element]}>"


def scalar(element: str) -> str:
    """The LLVM name of an element type."""
    return _NAMES[element]


def suffix(element: str, count: int) -> str:
    """A vector type as the names of intrinsics end."""
    return f"v{count}{element if element in ('f32', 'f64') else _NAMES[element]}"


def literal(value: float, element: Number) -> str:
    """A constant as LLVM wants it: floating ones as the bits of a double that the type can hold."""
    if element.startswith("i"):
        return str(int(value))
    if element == "f32":
        value = struct.unpack("f", struct.pack("f", value))[0]
    return f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"


class Function:
    """The body of one function under construction.

    Attributes:
        index: the integer type of indices and of what is added to addresses: as wide as these.
        rounds: whether the processor has an instruction that rounds to whole numbers.
        relaxed: whether multiply-adds are WebAssembly's, see `Target.relaxed`.
    """

    def __init__(
        self,
        block: str = "entry",
        index: IndexType = "i64",
        *,
        rounds: bool = True,
        relaxed: bool = False,
    ) -> None:
        self.index, self.rounds, self.relaxed = index, rounds, relaxed
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self._count = 0
        self._block = block
        self._scopes: list[dict[object, Value]] = [{}]

    def name(self, prefix: str = "v") -> str:
        """A fresh name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def emit(self, text: str) -> Value:
        """Append an instruction that yields a value; return the value."""
        value = "%" + self.name()
        self.lines.append(f"  {value} = {text}")
        return value

    def effect(self, text: str) -> None:
        """Append an instruction that yields nothing."""
        self.lines.append("  " + text)

    def once(self, key: object, make: Callable[[], Value]) -> Value:
        """The value made earlier under `key` in a block that dominates this one, or a new one."""
        for scope in reversed(self._scopes):
            if key in scope:
                return scope[key]
        value = self._scopes[-1][key] = make()
        return value

    def constant(self, value: float, element: Number, count: int) -> Value:
        """A vector with `value` in every lane, as an operand."""
        kind = scalar(element)
        return "<" + ", ".join([f"{kind} {literal(value, element)}"] * count) + ">"

    def integers(self, values: Sequence[int]) -> Value:
        """A vector of 32-bit integers, as an operand."""
        return "<" + ", ".join(f"i32 {_signed(value)}" for value in values) + ">"

    def call(self, result: str, function: str, *arguments: tuple[str, Value]) -> Value:
        """Call an intrinsic, declaring it."""
        kinds = ", ".join(kind for kind, _ in arguments)
        self.declarations.add(f"declare {result} @{function}({kinds})")
        values = ", ".join(f"{kind} {value}" for kind, value in arguments)
        return self.emit(f"call {result} @{function}({values})")

    def splat(self, value: Value, element: str, count: int) -> Value:
        """`value` in every lane."""
        kind = vector(element, count)
        first = self.emit(f"insertelement {kind} poison, {scalar(element)} {value}, i32 0")
        return self.shuffle(first, "poison", element, count, [0] * count)

    def shuffle(
        self, left: Value, right: Value, element: str, count: int, lanes: Sequence[int]
    ) -> Value:
        """Lanes chosen from two vectors of `count` lanes, those of `right` counting on."""
        kind = vector(element, count)
        mask = f"<{len(lanes)} x i32> {self.integers(lanes)}"
        return self.emit(f"shufflevector {kind} {left}, {kind} {right}, {mask}")

    def loop(
        self,
        stop: int | Value,
        step: int,
        carried: Sequence[Value],
        kind: str | Sequence[str],
        body: Callable[[Value, list[Value]], list[Value]],
        start: int | Value = 0,
    ) -> list[Value]:
        """A loop from `start` below `stop` (it runs at least once) that carries values.

        `body` takes the index and the carried values, and returns their next ones; `kind` is the
        type of all, or of each.
        """
        kinds = [kind] * len(carried) if isinstance(kind, str) else kind
        before, head, after = self._block, self.name("loop"), self.name("done")
        self.effect(f"br label %{head}")
        self._open(head)
        index, following = "%" + self.name(), "%" + self.name()
        phis = ["%" + self.name() for _ in carried]
        place = len(self.lines)
        results = body(index, phis)
        latch = self._block
        heads = [f"  {index} = phi {self.index} [ {start}, %{before} ], [ {following}, %{latch} ]"]
        for phi, one, first, result in zip(phis, kinds, carried, results, strict=True):
            heads.append(f"  {phi} = phi {one} [ {first}, %{before} ], [ {result}, %{latch} ]")
        self.lines[place:place] = heads
        self.effect(f"{following} = add nuw nsw {self.index} {index}, {step}")
        more = self.emit(f"icmp slt {self.index} {following}, {stop}")
        self.effect(f"br i1 {more}, label %{head}, label %{after}")
        self._scopes.pop()
        self.label(after)
        return results

    def moved_on(self, pointer: Value, size: int) -> Value:
        """A pointer so many bytes on; LLVM is kept from computing it in any other way."""
        following = self.emit(f"getelementptr i8, ptr {pointer}, {self.index} {size}")
        return self.emit(f'call ptr asm "", "=r,0"(ptr {following})')

    def when(self, condition: Value, body: Callable[[], None]) -> None:
        """Run what `body` emits only if `condition`, an i1, is true."""
        then, after = self.name("then"), self.name("after")
        self.effect(f"br i1 {condition}, label %{then}, label %{after}")
        self._open(then)
        body()
        self._scopes.pop()
        self.effect(f"br label %{after}")
        self.label(after)

    def _open(self, label: str) -> None:
        self.label(label)
        self._scopes.append({})

    def label(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self._block = label


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value
