"""Writes arrays and sums as lines of text, wrapped to a page."""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.arrays import Array
from striate.common.tables import beside, grid, labelled
from striate.common.text import sizes

WIDTH = 100


def planes(name: str, values: Array, counts: Sequence[int] = ()) -> list[list[str]]:
    """Each plane of an array (rows, columns, planes) with its name before it, X or X^2.

    Args:
        name: of the array.
        values: the array.
        counts: (channels, filters) where planes are both, so that each has two raised numbers.
    """
    count = values.shape[2]
    blocks = []
    for plane in range(count):
        raised = ""
        if count > 1:
            inner = [plane + 1]
            if len(counts) > 1:
                both = divmod(plane, counts[1])
                inner = [place + 1 for place, n in zip(both, counts, strict=True) if n > 1]
            raised = f"^{','.join(map(str, inner))}"
        blocks.append(labelled(f"{name}{raised} = ", grid(values[..., plane])))
    return blocks


def paragraph(blocks: Sequence[Sequence[str]]) -> list[str]:
    """Blocks next to each other, as many as fit on a line."""
    lines: list[str] = []
    row: list[Sequence[str]] = []
    for block in blocks:
        widened = [*row, ["    "], block] if row else [block]
        if row and max(map(len, beside(*widened))) > WIDTH:
            lines += [*beside(*row), ""]
            widened = [block]
        row = widened
    return [*lines, *beside(*row)]


def wrapped(terms: Sequence[str], head: str, sign: str = " + ") -> list[str]:
    """Terms as lines that begin below the head."""
    before = " " * max(len(head) - 2, 2)
    lines = [head + terms[0]]
    for term in terms[1:]:
        if len(lines[-1]) + 3 + len(term) > WIDTH:
            if sign == ", ":
                lines[-1] += ","
            lines.append(before + (f"+ {term}" if sign == " + " else term))
        else:
            lines[-1] += f"{sign}{term}"
    return lines


def equation(name: str, ways: Sequence[Sequence[str]], sign: str = " + ") -> list[str]:
    """`name` = a + b = 1 + 2 = 3: on one line if it fits, else a line or more for each way.

    Args:
        name: what is equal to all of it.
        ways: of each its terms.
        sign: between the terms.
    """
    whole = f"{name} = {' = '.join(sign.join(way) for way in ways)}"
    if len(whole) <= WIDTH:
        return [whole]
    lines: list[str] = []
    for way in ways:
        lines += wrapped(way, f"{name if not lines else ' ' * len(name)} = ", sign)
    return lines


def both(pair: Sequence[int]) -> str:
    """A pair as one number where both are equal, else 2×1."""
    return str(pair[0]) if pair[0] == pair[1] else sizes(pair)
