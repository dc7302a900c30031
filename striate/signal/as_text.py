"""Writes numbers, rows and grids of numbers as a person would, within lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from striate.common.arrays import Array

ROWS = 16  # of a two-dimensional array that is shown whole
VALUES = 24  # of a one-dimensional one


def number(value: Any) -> str:
    """Write a number with about six digits: 3.33333, 123456.7, 1000000, 1e-09, (1+2j)."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (complex, np.complexfloating)):
        sign = "-" if value.imag < 0 else "+"
        return f"({number(value.real)}{sign}{number(abs(value.imag))}j)"
    if not isinstance(value, (float, np.floating)):
        return str(value)
    real = float(value)
    if 1e5 <= abs(real) < 1e15:
        return f"{real:.1f}".removesuffix(".0")
    return f"{real + 0.0:.6g}"  # + 0.0 makes a zero of -0.0


def weight(value: Any) -> str:
    """Write an element of a kernel: as a fraction where it is one, such as 1/3, else a number."""
    if not isinstance(value, (float, np.floating)) or not np.isfinite(value):
        return number(value)
    short = number(value)
    if float(type(value)(short)) == float(value):
        return short
    near = Fraction(float(value)).limit_denominator(1000)
    if near and type(value)(near.numerator / near.denominator) == value:
        return f"{near.numerator}/{near.denominator}"
    return short


def line(values: Sequence[Any] | Array, write: Any = number, most: int = VALUES) -> str:
    """Write values on one line; of more than `most` only the first and the last."""
    count = len(values)
    if count <= most:
        return "  ".join(map(write, values))
    ends = max(most // 5, 1)
    first, last = "  ".join(map(write, values[:ends])), "  ".join(map(write, values[-ends:]))
    return f"{first}  … {count - 2 * ends:,} more …  {last}"


def grid(values: Array, write: Any = number) -> list[str]:
    """Write a two-dimensional array as lines with aligned columns."""
    cells = [[write(value) for value in row] for row in values]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]


def beside(*blocks: Sequence[str]) -> list[str]:
    """Put blocks of lines next to each other."""
    height = max(map(len, blocks))
    padded = []
    for block in blocks:
        width = max(map(len, block))
        padded.append([text.ljust(width) for text in [*block, *[""] * (height - len(block))]])
    return ["".join(parts).rstrip() for parts in zip(*padded, strict=True)]


def labelled(label: str, block: Sequence[str]) -> list[str]:
    """Put a label before the first line of a block."""
    return beside([label], block)
