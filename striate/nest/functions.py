"""Vector functions that processors lack: exponentials, logarithm, Mills' ratio, hashing,
horizontal sums.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from striate.nest.ir import BYTES, Function, Number, Value, vector

# 2**n is made by writing n + bias above the mantissa.
_MANTISSA = {"f32": 23, "f64": 52}
_BIAS = {"f32": 127, "f64": 1023}
_WORD = {"f32": "i32", "f64": "i64"}
# ln 2 in two parts, the first with few bits, so that n * high is exact (Cody and Waite, 1980).
LN2 = {
    "f32": (0.693359375, -2.12194440054690583e-4),
    "f64": (0.693147180369123816490, 1.90821492927058770002e-10),
}
EXP_RANGE = {"f32": (-87.0, 88.0), "f64": (-708.0, 709.0)}
EXP_TERMS = {"f32": 8, "f64": 15}
LOG_TERMS = {"f32": 6, "f64": 13}
# Mills' ratio at a is t times a polynomial of 2t - 1, t = c / (a + c): c and the coefficients, by
# interpolation at Chebyshev's points of 0 <= a <= 13.3 and 38.
MILLS: dict[str, tuple[float, tuple[float, ...]]] = {
    "f32": (
        3.5,
        (
            0.5331355376909015, 0.4050437662135857, 0.22590092755517255, 0.0831138527029167,
            0.012466417115356116, -0.004643191295986516, -0.002276943009604712,
            0.0003351940026806014, 0.0003131066526315705, -6.164304106741788e-05,
            -1.288830061536052e-05,
        ),
    ),
    "f64": (
        5.0,
        (
            0.3856162094306315, 0.3335733190377919, 0.2483094123147733, 0.1571822151093203,
            0.0827289431465342, 0.03465094681705805, 0.01042510048258242, 0.0015006565698167484,
            -0.00039999239758641545, -0.000273171880159621, -2.9766583015763758e-05,
            2.4947376432567124e-05, 8.362748345720697e-06, -1.9957415406126883e-06,
            -1.3883695413692516e-06, 1.6880319484181996e-07, 2.1723116426343652e-07,
            -2.1286030077401843e-08, -3.3112318228280846e-08, 4.757658282008269e-09,
            3.841668424577711e-09, -9.132731451027576e-10, -6.800704703170771e-11,
        ),
    ),
}  # fmt: skip


class Arithmetic:
    """Operations on vectors of one type."""

    def __init__(self, code: Function, element: Number, count: int, fused: bool = True) -> None:
        self.code, self.element, self.count, self.fused = code, element, count, fused
        self.kind = vector(element, count)
        self.integer = element.startswith("i")
        self._suffix = f"v{count}{element}"
        self._words = f"<{count} x {_WORD.get(element, element)}>"

    def constant(self, value: float) -> Value:
        return self.code.constant(value, self.element, self.count)

    def binary(self, operation: str, left: Value, right: Value) -> Value:
        """An operation by LLVM's name for floating numbers; integers wrap."""
        if self.integer:
            operation = operation.removeprefix("f")
        return self.code.emit(f"{operation} {self.kind} {left}, {right}")

    def unary(self, operation: str, value: Value) -> Value:
        """A function of one vector by its name in `striate.nest.algebra.Unary`."""
        functions = {
            "exp": self.exp,
            "expm1": self.expm1,
            "log": self.log,
            "sqrt": self.sqrt,
            "rint": self.rint,
            "mills": self.mills,
        }
        return functions[operation](value)

    def multiply_add(self, left: Value, right: Value, addend: Value) -> Value:
        """left * right + addend, with one rounding if the processor can."""
        if self.integer or not self.fused:  # LLVM would call the C library for every lane
            return self.binary("fadd", self.binary("fmul", left, right), addend)
        if self.code.relaxed:
            return self._relaxed_multiply_add(left, right, addend)
        arguments = [(self.kind, value) for value in (left, right, addend)]
        return self.code.call(self.kind, f"llvm.fma.{self._suffix}", *arguments)

    def _relaxed_multiply_add(self, left: Value, right: Value, addend: Value) -> Value:
        """The same by WebAssembly's instruction, which takes four numbers of 32 bits."""
        if self.element != "f32":
            raise ValueError(f"WebAssembly has no multiply-add of {self.kind}")
        four, name = vector(self.element, 4), "llvm.wasm.relaxed.madd.v4f32"
        parts = []
        for first in range(0, self.count, 4):
            lanes = range(first, first + 4)
            given = (self._lanes(value, self.count, lanes) for value in (left, right, addend))
            parts.append(self.code.call(four, name, *((four, value) for value in given)))
        found, count = parts[0], 4
        for part in parts[1:]:
            order = [*range(count), *range(count, count + 4)]
            wide = self._lanes(part, 4, range(count))
            found = self._lanes(found, count, order, wide)
            count += 4
        return self._lanes(found, count, range(self.count))

    def _lanes(
        self, value: Value, count: int, lanes: Sequence[int], other: Value = "poison"
    ) -> Value:
        """Some lanes of a vector of `count`; those beyond are of another one, or are anything."""
        if [*lanes] == [*range(count)]:
            return value
        kind, most = vector(self.element, count), count * (1 if other == "poison" else 2)
        order = ", ".join(f"i32 {lane if lane < most else 'poison'}" for lane in lanes)
        return self.code.emit(
            f"shufflevector {kind} {value}, {kind} {other}, <{len(lanes)} x i32> <{order}>"
        )

    def maximum(self, left: Value, right: Value) -> Value:
        """The larger one; `left` where it is NaN."""
        return self.select(self.compare("olt", left, right), right, left)

    def minimum(self, left: Value, right: Value) -> Value:
        """The smaller one; `left` where it is NaN."""
        return self.select(self.compare("ogt", left, right), right, left)

    def wins(self, term: Value, best: Value) -> Value:
        """Where a term replaces the best one so far: if strictly larger, or NaN."""
        larger, nan = self.compare("ogt", term, best), self.compare("uno", term, term)
        return self.code.emit(f"or <{self.count} x i1> {larger}, {nan}")

    def _keep_nan(self, value: Value, result: Value) -> Value:
        return self.select(self.compare("uno", value, value), value, result)

    def compare(self, relation: str, left: Value, right: Value) -> Value:
        return self.code.emit(f"fcmp {relation} {self.kind} {left}, {right}")

    def select(self, condition: Value, then: Value, otherwise: Value) -> Value:
        return self.code.emit(
            f"select <{self.count} x i1> {condition}, {self.kind} {then}, {self.kind} {otherwise}"
        )

    def either(self, condition: Value, then: Value, otherwise: Value) -> Value:
        """One of two vectors as a whole: `condition` is an i1."""
        return self.code.emit(f"select i1 {condition}, {self.kind} {then}, {self.kind} {otherwise}")

    def sqrt(self, value: Value) -> Value:
        return self.code.call(self.kind, f"llvm.sqrt.{self._suffix}", (self.kind, value))

    def rint(self, value: Value) -> Value:
        """The nearest whole number, of two the even one."""
        return self._rint(value) if self.code.rounds else self._rint_by_sums(value)

    def _rint_by_sums(self, value: Value) -> Value:
        """The same where no instruction rounds: numbers of this size have no fraction."""
        size = self.constant(float(2 ** _MANTISSA[self.element]))
        name = f"llvm.copysign.{self._suffix}"
        far = self.code.call(self.kind, name, (self.kind, size), (self.kind, value))
        there = self.binary("fadd", value, far)
        back = self.binary("fsub", there, far)
        found = self.code.call(self.kind, name, (self.kind, back), (self.kind, value))
        return self.select(self.compare("olt", self.magnitude(value), size), found, value)

    def magnitude(self, value: Value) -> Value:
        """The number without its sign."""
        return self.code.call(self.kind, f"llvm.fabs.{self._suffix}", (self.kind, value))

    def _rint(self, value: Value) -> Value:
        return self.code.call(self.kind, f"llvm.rint.{self._suffix}", (self.kind, value))

    def exp(self, value: Value) -> Value:
        """2**n * (1 + expm1(r)), with value = n ln 2 + r."""
        power, small = self._reduced(value)
        return self._keep_nan(value, self.multiply_add(power, small, power))

    def expm1(self, value: Value) -> Value:
        """2**n * expm1(r) + (2**n - 1): no digit is lost near zero, where n is 0."""
        power, small = self._reduced(value)
        grown = self.multiply_add(power, small, self.binary("fsub", power, self.constant(1.0)))
        return self._keep_nan(value, grown)

    def _reduced(self, value: Value) -> tuple[Value, Value]:
        """2**n and expm1(r), with value = n ln 2 + r and |r| at most half of ln 2."""
        low, high = EXP_RANGE[self.element]
        value = self.maximum(value, self.constant(low))
        above = self.compare("ogt", value, self.constant(high))
        value = self.select(above, self.constant(high), value)
        n = self.binary("fmul", value, self.constant(1.0 / math.log(2.0)))
        n = self.rint(n)
        rest = value
        for part in LN2[self.element]:
            rest = self.multiply_add(n, self.constant(-part), rest)
        series = [1.0 / math.factorial(k) for k in range(1, EXP_TERMS[self.element])]
        small = self.binary("fmul", rest, self._polynomial(rest, series))
        word = self.code.emit(f"fptosi {self.kind} {n} to {self._words}")
        shift, bias = _MANTISSA[self.element], _BIAS[self.element]
        word = self._integer("add", word, bias)
        word = self._integer("shl", word, shift)
        return self.code.emit(f"bitcast {self._words} {word} to {self.kind}"), small

    def log(self, value: Value) -> Value:
        """n ln 2 + 2 artanh(f), f = (m - 1) / (m + 1), with value = 2**n * m."""
        shift = _MANTISSA[self.element]
        root = _bits(math.sqrt(0.5), self.element)
        word = self.code.emit(f"bitcast {self.kind} {value} to {self._words}")
        # Counting from sqrt(1/2) puts m between sqrt(1/2) and sqrt(2).
        shifted = self._integer("sub", word, root)
        n = self._integer("ashr", shifted, shift)
        power = self._integer("shl", n, shift)
        mantissa = self.code.emit(f"sub {self._words} {word}, {power}")
        m = self.code.emit(f"bitcast {self._words} {mantissa} to {self.kind}")
        n = self.code.emit(f"sitofp {self._words} {n} to {self.kind}")
        one = self.constant(1.0)
        f = self.binary("fdiv", self.binary("fsub", m, one), self.binary("fadd", m, one))
        square = self.binary("fmul", f, f)
        terms = [2.0 / (2 * k + 1) for k in range(LOG_TERMS[self.element])]
        series = self.binary("fmul", f, self._polynomial(square, terms))
        high, low = LN2[self.element]
        series = self.multiply_add(n, self.constant(low), series)
        return self._keep_nan(value, self.multiply_add(n, self.constant(high), series))

    def mills(self, value: Value) -> Value:
        """Mills' ratio of a number that is not negative.

        By it, times the density of the standard normal distribution, one finds how probable larger
        numbers are.  Its relative error is at most 3e-7 in f32 and 2e-15 in f64, up to where that
        probability is smaller than all numbers.
        """
        shift, coefficients = MILLS[self.element]
        offset, one = self.constant(shift), self.constant(1.0)
        t = self.binary("fdiv", offset, self.binary("fadd", value, offset))
        centred = self.binary("fsub", self.binary("fadd", t, t), one)
        return self.binary("fmul", t, self._polynomial(centred, coefficients))

    def _polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's rule; the first coefficient is that of x to the power of 0."""
        result = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.multiply_add(result, x, self.constant(coefficient))
        return result

    def _integer(self, operation: str, value: Value, operand: int) -> Value:
        kind = _WORD[self.element]
        many = "<" + ", ".join([f"{kind} {operand}"] * self.count) + ">"
        return self.code.emit(f"{operation} {self._words} {value}, {many}")

    def bits(self, key: Value, index: Value, salt: int) -> Value:
        """Hashed 32-bit words: `striate.common.random_bits` has the same in NumPy."""
        words = f"<{self.count} x i32>"
        code = self.code

        def step(operation: str, value: Value, constant: int) -> Value:
            many = code.integers([constant] * self.count)
            return code.emit(f"{operation} {words} {value}, {many}")

        counter = step("mul", index, 0x9E3779B9)
        counter = step("add", counter, salt * 0x85EBCA6B)
        h = code.emit(f"xor {words} {key}, {counter}")
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, None)):
            h = code.emit(f"xor {words} {h}, {step('lshr', h, shift)}")
            if factor is not None:
                h = step("mul", h, factor)
        return h

    def sums_in_lanes(self, vectors: Sequence[Value]) -> list[Value]:
        """Vectors whose lanes are, in turn, the sums over the lanes of the given ones.

        Vectors are added in pairs, half of each, so that log2(lanes) rounds serve as many
        vectors as there are lanes: about two shuffles a sum instead of two a round and sum.
        Neighbouring lanes are added first, then neighbouring pairs, and so on.
        """
        starts = range(0, len(vectors), self.count)
        return [self._sums_in_lanes([*vectors[start : start + self.count]]) for start in starts]

    def numbers(self, vectors: Sequence[Value], count: int) -> list[Value]:
        """The first lanes of some vectors, as scalars."""
        return [
            self.code.emit(
                f"extractelement {self.kind} {vectors[i // self.count]}, i32 {i % self.count}"
            )
            for i in range(count)
        ]

    def _sums_in_lanes(self, vectors: list[Value]) -> Value:
        """A vector whose lane i is the sum over the lanes of vector i."""
        block = min(16 // BYTES[self.element], self.count)  # shuffles inside 128 bits are cheap
        rounds = [(1, block)] * _log2(block) + [(block, self.count)] * _log2(self.count // block)
        for unit, span in rounds:
            pairs = [vectors[i : i + 2] for i in range(0, len(vectors), 2)]
            vectors = [self._add_halves(pair[0], pair[-1], unit, span) for pair in pairs]
        return vectors[0]

    def _add_halves(self, left: Value, right: Value, unit: int, span: int) -> Value:
        """Neighbouring units added, in every span: those of `left`, then those of `right`."""
        even = [
            side + start + lane
            for start in range(0, self.count, span)
            for side in (0, self.count)
            for first in range(0, span, 2 * unit)
            for lane in range(first, first + unit)
        ]
        odd = [lane + unit for lane in even]
        halves = [
            self.code.shuffle(left, right, self.element, self.count, lanes) for lanes in (even, odd)
        ]
        return self.binary("fadd", *halves)


def _log2(value: int) -> int:
    return value.bit_length() - 1


def _bits(value: float, element: Number) -> int:
    """The bits of a number, as a signed integer."""
    real, word = ("<f", "<i") if element == "f32" else ("<d", "<q")
    return int(struct.unpack(word, struct.pack(real, value))[0])
