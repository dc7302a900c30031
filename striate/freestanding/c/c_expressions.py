"""Expressions of nests as C: `1.0f / (exponential(0.0f - in[12*y + c]) + 1.0f)`.

All operations are written in the order in which LLVM is told to do them, with as few parentheses as
that takes. What several expressions share is given a name, and computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.common.errors import StriateValueError
from striate.freestanding.c.c_numbers import c_float, is_named
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
from striate.nest.ir import BYTES

Indices = Mapping[str, tuple[str, ...]]
"""The variables whose sum is the index of an axis; none where it has but one index."""

_TYPES = {"real": "float", "f32": "float", "f64": "double", "bf16": "uint16_t"} | {
    f"{sign}{bits}": f"{'u' * (sign == 'u')}int{bits}_t"
    for sign in "iu"
    for bits in (8, 16, 32, 64)
}
_NO_BFLOAT16 = "C99 has no numbers of 16 bits, as bfloat16 wants them: leave that out"
# How tightly an expression holds together: what stands in a call or brackets, products, sums.
_WHOLE, _PRODUCT, _SUM, _LOOSE = 3, 2, 1, 0
_OPERATORS = {
    "add": ("+", _SUM),
    "sub": ("-", _SUM),
    "mul": ("*", _PRODUCT),
    "div": ("/", _PRODUCT),
}
_FUNCTIONS = {
    "exp": "exponential",
    "expm1": "exponential_minus_one",
    "log": "logarithm",
    "sqrt": "square_root",
    "rint": "nearest_whole",
    "mills": "mills_ratio",
    "max": "maximum",
    "min": "minimum",
}
# Rows and columns of a filter, and those of the image that they move with.
_ALONG = {"r": "y", "R": "y", "s": "x", "S": "x"}


def c_type(tensor: Tensor) -> str:
    """The type of its elements.

    Raises:
        ValueError: they are pairs of bfloat16.
    """
    if tensor.element not in _TYPES:
        raise StriateValueError(_NO_BFLOAT16)
    return _TYPES[tensor.element]


@dataclass(frozen=True)
class CText:
    """An expression in C.

    Attributes:
        text: of it.
        level: how tightly it holds together.
    """

    text: str
    level: int = _WHOLE

    def within(self, level: int) -> str:
        """As an operand of an operation of some level."""
        return self.text if self.level >= level else f"({self.text})"


def linear(strides: Strides, offset: int, indices: Indices) -> CText:
    """A linear form: `512*(2*y + r + 1) + 16*(x + 1) + c`."""
    left = {axis: stride for axis, stride in strides if indices[axis]}
    parts: list[tuple[int, list[str]]] = []
    for inner, outer in _ALONG.items():
        if {inner, outer} <= left.keys():
            unit = min(left[inner], left[outer], key=abs)
            if not left[inner] % unit and not left[outer] % unit:
                steps = [(axis, left.pop(axis) // unit) for axis in (outer, inner)]
                parts.append(
                    (unit, [text for a, step in steps for text in _terms(step, indices[a])])
                )
    parts += [(stride, [*indices[axis]]) for axis, stride in left.items()]
    parts.sort(key=lambda part: -abs(part[0]))
    terms: list[str] = []
    for stride, inside in parts:
        if offset >= stride > 1:
            inside = [*inside, str(offset // stride)]
            offset %= stride
        terms += _terms(stride, inside)
    if offset or not terms:
        terms.append(str(offset))
    return CText(_sum(terms), _SUM if len(terms) > 1 else _PRODUCT if "*" in terms[0] else _WHOLE)


def _terms(factor: int, inside: Sequence[str]) -> list[str]:
    """What adds up to a factor times a sum."""
    if factor == 1:
        return [*inside]
    whole = inside[0] if len(inside) == 1 and inside[0].isalpha() else f"({_sum(inside)})"
    return [f"-{whole}" if factor == -1 else f"{factor}*{whole}"]


def _sum(terms: Sequence[str]) -> str:
    return " + ".join(terms).replace("+ -", "- ")


class CPoint:
    """Expressions at one point of a nest.

    Args:
        names: what buffers are called.
        indices: see `Indices`.
        helpers: what is called is added to it: names of functions of `templates/functions.h`.

    Attributes:
        own: what the accumulators are here.
        lines: what is computed before.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        indices: Indices,
        helpers: set[str],
    ) -> None:
        self.names, self.indices, self.helpers = names, indices, helpers
        self.own: Sequence[CText] = ()
        self.lines: list[str] = []
        self._shared: set[int] = set()
        self._known: dict[int, CText] = {}

    def share(self, expressions: Sequence[Expression]) -> None:
        """Give a name to what occurs more than once in some expressions."""
        met: set[int] = set()

        def visit(expression: Expression) -> None:
            if id(expression) in met:
                self._shared.add(id(expression))
                return
            met.add(id(expression))
            for child in expression.children():
                visit(child)

        for expression in expressions:
            visit(expression)

    def value(self, expression: Expression) -> CText:
        """An expression; what it shares with others is computed in `lines` before."""
        if id(expression) not in self._known:
            found = self._made(expression)
            takes_time = found.level < _WHOLE or "(" in found.text
            if id(expression) in self._shared and takes_time:
                found = self.named(found)
            self._known[id(expression)] = found
        return self._known[id(expression)]

    def named(self, value: CText, name: str = "") -> CText:
        """A variable with a value, made in `lines`."""
        name = name or f"t{len(self.lines)}"
        self.lines.append(f"const float {name} = {value.text};")
        return CText(name)

    def _made(self, expression: Expression) -> CText:
        match expression:
            case Constant(number):
                return self._constant(number)
            case Accumulator(number):
                return self.own[number]
            case Tensor():
                return self.read(expression)
            case Binary("max" | "min" as name, left, right):
                return self.call(_FUNCTIONS[name], self.value(left).text, self.value(right).text)
            case Binary(operation, left, right):
                sign, level = _OPERATORS[operation]
                one, other = self.value(left), self.value(right)
                return CText(f"{one.within(level)} {sign} {other.within(level + 1)}", level)
            case MultiplyAdd(left, right, addend):
                parts = [self.value(part).text for part in (left, right, addend)]
                return self.call("multiply_add", *parts)
            case Unary(operation, operand):
                return self.call(_FUNCTIONS[operation], self.value(operand).text)
            case Where(comparison, left, right, then, otherwise):
                first, second, yes, no = (
                    self.value(part).within(_SUM) for part in (left, right, then, otherwise)
                )
                return CText(f"{first} {comparison} {second} ? {yes} : {no}", _LOOSE)
            case Index(strides, offset):
                return CText(f"(float){self._form(strides, offset).within(_WHOLE)}", _PRODUCT)
            case Keep(key, index, salt, threshold):
                counted = self._form(index.strides, index.offset).within(_WHOLE)
                return self.call(
                    "keep", self._element(key), f"(uint32_t){counted}", f"{salt}u", f"{threshold}u"
                )
        if isinstance(expression, Pair | PairProduct):
            raise StriateValueError(_NO_BFLOAT16)
        raise TypeError(f"no C for {expression!r}")

    def _constant(self, number: float) -> CText:
        text = c_float(number)
        if is_named(text):
            self.helpers.add("math.h")
        return CText(text)

    def call(self, function: str, *arguments: str) -> CText:
        """A call of a function of `templates/functions.h`."""
        self.helpers.add(function)
        return CText(f"{function}({', '.join(arguments)})")

    # --- memory ----------------------------------------------------------------------------

    def read(self, tensor: Tensor) -> CText:
        """The element of a tensor, as a number of 32 bits."""
        text = self._element(tensor)
        if tensor.element == "bf16":  # the upper half of a float
            self.helpers.add("number_of_bits")
            return CText(f"number_of_bits((uint32_t){text} << 16)")
        return CText(text) if c_type(tensor) == "float" else CText(f"(float){text}", _PRODUCT)

    def write(self, tensor: Tensor, value: CText) -> str:
        """The statement that stores a value; see `striate.nest.convert`."""
        kind, text = c_type(tensor), value.text
        if kind == "double":
            text = f"(double){value.within(_WHOLE)}"
        elif kind != "float":
            whole = "int32_t" if BYTES[tensor.element] < 4 else "int64_t"
            text = f"({kind})({whole}){value.within(_WHOLE)}"
        return f"{self._element(tensor)} = {text};"

    def _element(self, tensor: Tensor) -> str:
        where = self._form(tensor.strides, tensor.offset).text
        buffer = self.names[tensor.buffer]
        if tensor.rows is not None:
            buffer += f"[{self._form(tensor.rows, 0).text}]"
        for table in tensor.shift:
            c_type(table)
            where = f"{where} + {self._element(table)}" if where != "0" else self._element(table)
        return f"{buffer}[{where}]"

    def _form(self, strides: Strides, offset: int) -> CText:
        return linear(strides, offset, self.indices)
