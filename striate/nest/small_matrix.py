"""A small constant matrix applied to expressions, with few operations.

Each row is computed as its even part plus its odd part, in columns 0, 2, … and 1, 3, …: rows of
points p and -p share both.  Parts are divided by their last number, so that multiples of one
another are shared too.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from striate.nest.algebra import Binary, Constant, Expression, Matrix, MultiplyAdd

_Part = tuple[tuple[int, Fraction], ...]


def apply(matrix: Matrix, values: Sequence[Expression]) -> list[Expression]:
    """``matrix @ values``; rows of zeros are not allowed."""
    known: dict[_Part, Expression] = {}
    return [_row(row, values, known) for row in matrix]


def apply_both(
    left: Matrix, right: Matrix, values: Sequence[Sequence[Expression]]
) -> list[list[Expression]]:
    """``left @ values @ right.T``."""
    columns = [apply(left, column) for column in zip(*values, strict=True)]
    return [apply(right, row) for row in zip(*columns, strict=True)]


def _row(
    row: Sequence[Fraction], values: Sequence[Expression], known: dict[_Part, Expression]
) -> Expression:
    parts = []
    for parity in (0, 1):
        terms = [(i, c) for i, c in enumerate(row) if c and i % 2 == parity]
        if terms:
            scale = terms[-1][1]
            normal = tuple((i, c / scale) for i, c in terms)
            if normal not in known:
                known[normal] = _part(normal, values)
            parts.append((scale, known[normal]))
    # What needs no factor comes first: the other is then multiplied as it is added.
    parts.sort(key=lambda part: part[0] != 1)
    scale, total = parts[0]
    if scale != 1:
        total = total * float(scale)
    for factor, part in parts[1:]:
        total = _added(total, factor, part)
    return total


def _part(terms: _Part, values: Sequence[Expression]) -> Expression:
    *others, (last, _) = terms
    total = values[last]
    for i, factor in others:
        total = _added(total, factor, values[i])
    return total


def _added(total: Expression, factor: Fraction, value: Expression) -> Expression:
    if abs(factor) == 1:
        return Binary("add" if factor > 0 else "sub", total, value)
    return MultiplyAdd(value, Constant(float(factor)), total)


def grid_of(left: Matrix, right: Matrix) -> tuple[tuple[str, int], ...]:
    """The axes of a grid: (i, j) of what comes out of a transform, (p, q) of what goes in.

    A store that moves along i and j stands for one for each of their indices; what is inside
    `Transformed` moves along p and q.  So a transform of a tile, hundreds of sums and differences
    of whole vectors, is planned, compared and looked up as the few lines that say what it is.
    """
    return (("i", len(left)), ("j", len(right)), ("p", len(left[0])), ("q", len(right[0])))
