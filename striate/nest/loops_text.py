"""A nest as its textbook loops, in the syntax of Python: what is computed, for people to read.

for y in range(28):
    for x in range(28):
        for k in range(16):
            total = bias[k]
            for r in range(3):
                for s in range(3):
                    total += x[30*y + x + 30*r + s] * filters[48*r + 16*s + k]
            out[448*y + 16*x + k] = max(total, 0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from striate.common.text import number
from striate.nest.algebra import (
    Accumulator,
    Binary,
    Constant,
    Expression,
    Index,
    Keep,
    MultiplyAdd,
    Nest,
    Pair,
    PairProduct,
    Strides,
    Tensor,
    Transformed,
    Unary,
    Where,
    child_names,
)

_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
# How tightly each binds: sums, products, what needs no brackets.
_SUM, _PRODUCT, _TIGHT = range(3)
_BINDING = {"add": _SUM, "sub": _SUM, "mul": _PRODUCT, "div": _PRODUCT}
_INDENT = "    "


def textbook(nest: Nest) -> str:
    """The loops of a nest, without a schedule."""
    return "\n".join(_Writer(nest).lines())


def indented(lines: Iterable[str], depth: int = 1) -> Iterator[str]:
    """Lines so much farther to the right."""
    return (_INDENT * depth + line for line in lines)


def inside(heads: Sequence[str], body: Iterable[str]) -> list[str]:
    """Loops, the outermost first, around a body."""
    found = list(body)
    for head in reversed(heads):
        found = [head, *indented(found)]
    return found


class _Writer:
    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self._axes = [name for name, _ in (*nest.axes, *nest.grid)]
        self._names: dict[int, str] = {}

    def lines(self) -> list[str]:
        nest = self.nest
        body = [*self._starts()]
        within = [axis for axis in nest.reduce if axis not in nest.rounds]
        if nest.reduction != "none":
            body += inside([self._loop(axis) for axis in within], self._terms())
        body += self._shared(nest.stores)
        body += [f"{self.text(s.target)} = {self.text(s.value)}" for s in nest.stores]
        heads = [self._loop(axis) for axis in nest.around]
        if nest.grid:
            heads.append(f"for {', '.join(axis for axis, _ in nest.grid[:2])} in the grid:")
        return inside(heads, body)

    def _loop(self, axis: str) -> str:
        if axis in self.nest.counted:
            return f"for {axis} in range(counts[{self.nest.counted.index(axis)}]):"
        note = "  # a round: sums go on from what is stored" if axis in self.nest.rounds else ""
        return f"for {axis} in range({self.nest.extent(axis)}):{note}"

    def _sum(self, place: int) -> str:
        return "total" if len(self.nest.terms) == 1 else f"total{place}"

    def _starts(self) -> Iterator[str]:
        nest = self.nest
        if nest.reduction == "sum":
            for place in range(len(nest.terms)):
                begin = self.text(nest.initial[place]) if nest.initial else "0"
                yield f"{self._sum(place)} = {begin}"
        elif nest.reduction == "max":
            yield "best = -inf"
        elif nest.reduction == "argmax":
            yield "best, which = -inf, 0"

    def _terms(self) -> Iterator[str]:
        nest = self.nest
        if nest.reduction == "sum":
            for place, term in enumerate(nest.terms):
                yield f"{self._sum(place)} += {self.text(term)}"
        elif nest.reduction == "max":
            yield f"best = max(best, {self.text(nest.terms[0])})"
        else:
            assert nest.order is not None
            yield f"if {self.text(nest.terms[0])} > best:"
            yield f"{_INDENT}best, which = {self.text(nest.terms[0])}, {self.text(nest.order)}"

    def _shared(self, expressions: Sequence[Expression]) -> Iterator[str]:
        """What is used more than once gets a name; in the order in which it is needed."""
        counts = Counter[int]()
        ordered: list[Expression] = []

        def visit(expression: Expression) -> None:
            counts[id(expression)] += 1
            if counts[id(expression)] > 1:
                return
            for name in child_names(expression):
                visit(getattr(expression, name))
            ordered.append(expression)

        for expression in expressions:
            visit(expression)
        for expression in ordered:
            simple = isinstance(expression, Constant | Accumulator | Index)
            if counts[id(expression)] > 1 and not simple:
                text = self.text(expression)
                self._names[id(expression)] = f"t{len(self._names) + 1}"
                yield f"{self._names[id(expression)]} = {text}"

    # --- expressions -----------------------------------------------------------------------

    def text(self, expression: Expression, least: int = _SUM) -> str:
        """An expression; in brackets if it binds less tightly than `least`."""
        if id(expression) in self._names:
            return self._names[id(expression)]
        match expression:
            case Constant(value):
                return number(value)
            case Accumulator(place) if self.nest.reduction == "sum":
                return self._sum(place)
            case Accumulator(place):
                return ("best", "which")[place]
            case Tensor():
                return self._element(expression)
            case Index(strides, offset):
                return f"({self._form(strides, offset)})"
            case Binary(operation, left, right) if operation in _SIGNS:
                binding = _BINDING[operation]
                found = (
                    f"{self.text(left, binding)} {_SIGNS[operation]} "
                    f"{self.text(right, binding + 1)}"
                )
                return found if binding >= least else f"({found})"
            case Binary(operation, left, right):
                return f"{operation}({self.text(left)}, {self.text(right)})"
            case MultiplyAdd(left, right, addend):
                return f"fma({self.text(left)}, {self.text(right)}, {self.text(addend)})"
            case Unary(operation, operand):
                return f"{operation}({self.text(operand)})"
            case Where(comparison, left, right, then, otherwise):
                return (
                    f"({self.text(then)} if {self.text(left)} {comparison} {self.text(right)} "
                    f"else {self.text(otherwise)})"
                )
            case Keep(key, index, salt, threshold):
                return f"keep({self.text(key)}, {self.text(index)}, {salt}, {threshold})"
            case Pair(first, second):
                return f"pair({self.text(first)}, {self.text(second)})"
            case PairProduct(left, right):
                return f"dot({self.text(left)}, {self.text(right)})"
            case Transformed(left, right, operand):
                sizes = f"{len(left)}×{len(left[0])}, {len(right)}×{len(right[0])}"
                return f"transformed({self.text(operand)}, {sizes})[i, j]"
        raise TypeError(f"no text for {expression!r}")

    def _element(self, tensor: Tensor) -> str:
        row = "" if tensor.rows is None else f"[{self._form(tensor.rows, 0)}]"
        parts = [self._element(table) for table in tensor.shift]
        form = self._form(tensor.strides, tensor.offset)
        if form != "0" or not parts:
            parts.append(form)
        name = tensor.buffer.replace(" ", "_")
        return f"{name}{row}[{' + '.join(parts)}]"

    def _form(self, strides: Strides, offset: int) -> str:
        """A linear form, its axes in the order of the loops."""
        moves = dict(strides)
        parts = [(moves[axis], axis) for axis in self._axes if axis in moves]
        found = ""
        for stride, axis in parts:
            size = axis if abs(stride) == 1 else f"{abs(stride)}*{axis}"
            sign = (" - " if stride < 0 else " + ") if found else ("-" if stride < 0 else "")
            found += f"{sign}{size}"
        if offset or not found:
            sign = (" - " if offset < 0 else " + ") if found else ("-" if offset < 0 else "")
            found += f"{sign}{abs(offset)}"
        return found
