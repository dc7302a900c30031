"""Tables and other blocks of lines as text, for a font in which all characters are as wide; and
tables as HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from striate.common.arrays import Array
from striate.common.text import number

ROWS, VALUES = 16, 24
"""An array with more rows is not shown whole, nor is a row with more values."""


def columns(
    rows: Sequence[Sequence[str]],
    *,
    left: int | Callable[[int, str], bool] = 1,
    gap: str = "  ",
) -> list[str]:
    """Rows of cells as lines in which each column is as wide as its widest cell.

    Args:
        rows: cells, in each row as many.
        left: how many columns are aligned left, the first ones; the others are aligned right.
            Or a function that says it of a cell, from its column and its text.
        gap: what stands between two columns.

    Returns:
        A line for each row, without spaces at its end.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def padded(column: int, cell: str) -> str:
        first = left(column, cell) if callable(left) else column < left
        return cell.ljust(widths[column]) if first else cell.rjust(widths[column])

    return [gap.join(padded(i, cell) for i, cell in enumerate(row)).rstrip() for row in rows]


def table(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Rows as lines of text; see `columns`."""
    return "\n".join(columns(rows, left=left))


def ruled(rows: Sequence[Sequence[str]], *, left: int = 1, total: bool = False) -> str:
    """The same with a rule below the first row, and with `total` one above the last."""
    head, *lines = columns(rows, left=left)
    rule = "─" * max(map(len, [head, *lines]))
    if total:
        lines.insert(-1, rule)
    return "\n".join([head, rule, *lines])


def html_table(rows: Sequence[Sequence[str]], *, left: int = 1, most: int | None = None) -> str:
    """Rows of cells as an HTML table for notebooks, the first row as its head.

    Args:
        rows: cells, in each row as many; they are text, and what looks like HTML in it stays text.
        left: how many columns are aligned left, the first ones; the others are aligned right.
        most: of more rows below the head only so many are shown, the first and the last.
    """
    head, *body = rows
    if most is not None and len(body) > most:
        ends = most // 2
        body = [*body[:ends], ["…"] * len(head), *body[-(most - ends) :]]

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ["left" if column < left else "right" for column in range(len(cells))]
        written = (
            f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(written)}</tr>"

    lines = [row(cells, "td") for cells in body]
    return f"<table><thead>{row(head, 'th')}</thead><tbody>{''.join(lines)}</tbody></table>"


def line(
    values: Sequence[Any] | Array, write: Callable[[Any], str] = number, most: int = VALUES
) -> str:
    """Values on one line; of more than `most` only the first and the last."""
    count = len(values)
    if count <= most:
        return "  ".join(map(write, values))
    ends = max(most // 5, 1)
    first, last = "  ".join(map(write, values[:ends])), "  ".join(map(write, values[-ends:]))
    return f"{first}  … {count - 2 * ends:,} more …  {last}"


def grid(values: Array, write: Callable[[Any], str] = number) -> list[str]:
    """A two-dimensional array as lines with aligned columns."""
    return columns([[write(value) for value in row] for row in values], left=0)


def beside(*blocks: Sequence[str]) -> list[str]:
    """Blocks of lines next to each other."""
    height = max(map(len, blocks))
    padded = []
    for block in blocks:
        width = max(map(len, block))
        padded.append([text.ljust(width) for text in [*block, *[""] * (height - len(block))]])
    return ["".join(parts).rstrip() for parts in zip(*padded, strict=True)]


def labelled(label: str, block: Sequence[str]) -> list[str]:
    """A label before the first line of a block."""
    return beside([label], block)
