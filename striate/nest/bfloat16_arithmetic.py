"""Pairs of bfloat16 numbers: the upper halves of two 32-bit floating numbers in one word.

A processor with AVX-512 BF16 rounds and multiplies them by instructions of its own.  Elsewhere the
same is spelled out, with the same results to the last bit but for denormals, which these
instructions take for zero: see Intel's description of VCVTNE2PS2BF16 and VDPBF16PS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.nest.ir import Function, Value

# Vectors that the instructions know, by their words.
_SUFFIX = {4: "128", 8: "256", 16: "512"}
_LEAST = min(_SUFFIX)
_INTRINSIC = "llvm.x86.avx512bf16"


@dataclass(frozen=True)
class Pairs:
    """Operations on vectors of `count` pairs; `native` where the processor has them."""

    code: Function
    count: int
    native: bool

    def pack(self, first: Value, second: Value) -> Value:
        """Pairs of the numbers of two vectors."""
        if not self.native:
            low = self._bits("lshr", self._rounded(first), 16)
            high = self._bits("and", self._rounded(second), -1 << 16)
            return self.code.emit(f"or {self._words} {low}, {high}")
        turns = [lane + side * self.count for lane in range(self.count) for side in (0, 1)]
        return self._as_words(self._lanes(self._halves, self._narrow(first, second), turns))

    def neighbours(self, address: Value) -> Value:
        """Pairs of the numbers that lie side by side from an address on."""
        twice = f"<{2 * self.count} x float>"
        numbers = self.code.emit(f"load {twice}, ptr {address}, align 4")
        if not self.native:
            even = range(0, 2 * self.count, 2)
            first = self._lanes(twice, numbers, even)
            return self.pack(first, self._lanes(twice, numbers, [lane + 1 for lane in even]))
        first = self._lanes(twice, numbers, range(self.count))
        second = self._lanes(twice, numbers, range(self.count, 2 * self.count))
        return self._as_words(self._narrow(first, second))

    def multiply_add(self, left: Value, right: Value, addend: Value) -> Value:
        """The addend, plus the product of the second numbers, plus that of the first."""
        if self.native and self.count < _LEAST:
            return self._by_wider(left, right, addend)
        if self.native:
            halves = [
                self.code.emit(f"bitcast {self._words} {pairs} to {self._halves}")
                for pairs in (left, right)
            ]
            return self.code.call(
                self._floats,
                f"{_INTRINSIC}.dpbf16ps.{_SUFFIX[self.count]}",
                (self._floats, addend),
                *((self._halves, value) for value in halves),
            )
        for half in (self._second, self._first):
            # 8 times 8 bits fit into 24: the product is exact.
            product = self.code.emit(f"fmul {self._floats} {half(left)}, {half(right)}")
            addend = self.code.emit(f"fadd {self._floats} {addend}, {product}")
        return addend

    # --- with instructions of their own -----------------------------------------------------

    def _by_wider(self, left: Value, right: Value, addend: Value) -> Value:
        """The same of vectors with some lanes of zeros."""
        lanes = [min(lane, self.count) for lane in range(_LEAST)]
        zero = "zeroinitializer"
        wide = [
            self.code.emit(
                f"shufflevector {kind} {value}, {kind} {zero}, "
                f"<{_LEAST} x i32> {self.code.integers(lanes)}"
            )
            for kind, value in (
                (self._words, left),
                (self._words, right),
                (self._floats, addend),
            )
        ]
        result = Pairs(self.code, _LEAST, True).multiply_add(*wide)
        return self._lanes(f"<{_LEAST} x float>", result, range(self.count))

    def _narrow(self, first: Value, second: Value) -> Value:
        """The numbers of `first`, then those of `second`, as bfloat16."""
        if self.count in _SUFFIX:
            name = f"{_INTRINSIC}.cvtne2ps2bf16.{_SUFFIX[self.count]}"
            return self.code.call(self._halves, name, (self._floats, second), (self._floats, first))
        numbers = self.code.shuffle(first, second, "f32", self.count, range(2 * self.count))
        return self.code.emit(f"fptrunc <{2 * self.count} x float> {numbers} to {self._halves}")

    def _as_words(self, halves: Value) -> Value:
        return self.code.emit(f"bitcast {self._halves} {halves} to {self._words}")

    def _lanes(self, kind: str, value: Value, lanes: Sequence[int]) -> Value:
        mask = f"<{len(lanes)} x i32> {self.code.integers(lanes)}"
        return self.code.emit(f"shufflevector {kind} {value}, {kind} poison, {mask}")

    # --- without ------------------------------------------------------------------------------

    def _rounded(self, numbers: Value) -> Value:
        """The bits of 32-bit numbers with bfloat16 in their upper halves."""
        bits = self.code.emit(f"bitcast {self._floats} {numbers} to {self._words}")
        last = self._bits("and", self._bits("lshr", bits, 16), 1)
        half = self._bits("add", last, 0x7FFF)
        rounded = self.code.emit(f"add {self._words} {bits}, {half}")
        # A NaN might round to infinity: it is cut off instead, and stays quiet.
        nan = self.code.emit(f"fcmp uno {self._floats} {numbers}, {numbers}")
        quiet = self._bits("or", bits, 1 << 22)
        return self.code.emit(
            f"select <{self.count} x i1> {nan}, {self._words} {quiet}, {self._words} {rounded}"
        )

    def _first(self, pairs: Value) -> Value:
        return self._as_floats(self._bits("shl", pairs, 16))

    def _second(self, pairs: Value) -> Value:
        return self._as_floats(self._bits("and", pairs, -1 << 16))

    def _as_floats(self, words: Value) -> Value:
        return self.code.emit(f"bitcast {self._words} {words} to {self._floats}")

    def _bits(self, operation: str, value: Value, operand: int) -> Value:
        many = self.code.integers([operand] * self.count)
        return self.code.emit(f"{operation} {self._words} {value}, {many}")

    @property
    def _words(self) -> str:
        return f"<{self.count} x i32>"

    @property
    def _halves(self) -> str:
        return f"<{2 * self.count} x bfloat>"

    @property
    def _floats(self) -> str:
        return f"<{self.count} x float>"
