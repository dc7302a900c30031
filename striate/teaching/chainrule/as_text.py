"""Writes the sums of convolutions' gradients as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from striate.common.tables import beside, grid, labelled
from striate.common.text import bracketed, number
from striate.teaching.chainrule.contents import (
    Contents,
    LocalGradient,
    Named,
    Section,
    factors,
    product,
)
from striate.teaching.chainrule.passages import Maximum
from striate.teaching.chainrule.sums import GradientTerm, Sum, Symbol

WIDTH = 100


def text(all_of_it: Contents) -> str:
    """The contents as lines of text."""
    lines = textwrap.wrap(f"{all_of_it.title}.", WIDTH)
    if all_of_it.chain:
        lines.append("The number after a letter is that of its layer, such as in F2_11.")
    lines += [*all_of_it.notes, ""]
    lines += _paragraph([one for kind in all_of_it.arrays for one in kind])
    for section in all_of_it.sections:
        lines += _section(section)
    rate = number(all_of_it.learning_rate)
    if all_of_it.descent:
        lines += ["", f"One step of gradient descent, F ← F - α·∂L/∂F with α = {rate}", ""]
    for symbol, before, slope, after in all_of_it.descent:
        moved = f"{number(before)} - {rate}·{bracketed(number(slope))}"
        lines.append(f"{symbol} ← {symbol} - α·∂L/∂{symbol} = {moved} = {number(after)}")
    lines += ["", "Checked: the largest differences of"]
    lines += [f"- {check}" for check in all_of_it.checks]
    return "\n".join(lines)


def _section(section: Section) -> list[str]:
    lines = ["", section.heading, ""]
    if section.said:
        lines += [*textwrap.wrap(section.said, WIDTH), ""]
    for one in section.sums:
        lines += _maximum_lines(one) if isinstance(one, Maximum) else _sum_lines(one)
    if section.arrays:
        lines += ["", *_paragraph(section.arrays)]
    if section.local:
        lines += ["", "The local gradients", ""]
        for output, local in section.local:
            lines += _local_lines(output, local)
    return lines


def _paragraph(arrays: Sequence[Named]) -> list[str]:
    """Matrices with their names next to each other, as many as fit on a line."""
    lines: list[str] = []
    row: list[Sequence[str]] = []
    for names, values in arrays:
        block = labelled(f"{' = '.join(map(str, names))} = ", grid(values))
        widened: list[Sequence[str]] = [*row, ["    "], block] if row else [block]
        if row and max(map(len, beside(*widened))) > WIDTH:
            lines += [*beside(*row), ""]
            widened = [block]
        row = widened
    return [*lines, *beside(*row)]


def _sum_lines(one: Sum) -> list[str]:
    """A sum as symbols, after the chain rule where it is a gradient, and as numbers."""
    name = str(one.of)
    if not one.terms:
        why = "it meets the padding only" if one.of.kind == "F" else "no output reads it"
        return [f"{name} = 0, for {why}"]
    rows = []
    if one.of.slope:
        rows.append([f"{term.factors[0]}·{_local(term, one.of.value)}" for term in one.terms])
    rows.append(["·".join(map(str, factors(one, term))) for term in one.terms])
    rows.append([product(one, term, "·") for term in one.terms])
    rows.append([number(one.value)])
    lines: list[str] = []
    for row in rows:
        head = f"{name} = " if not lines else " " * len(name) + " = "
        lines += _wrapped(row, head)
    return lines


def _maximum_lines(one: Maximum) -> list[str]:
    """A maximum as symbols and as numbers, on one line if they fit there."""
    symbols = f"max({', '.join(map(str, one.among))})"
    numbers = f"max({', '.join(map(number, one.values))}) = {number(one.value)}"
    line = f"{one.of} = {symbols} = {numbers}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{one.of} = {symbols}", f"{' ' * len(str(one.of))} = {numbers}"]


def _local_lines(output: Symbol, local: Sequence[LocalGradient]) -> list[str]:
    lines: list[str] = []
    for kind in "FX":
        items = [
            f"∂{output}/∂{by} = {name} = {number(value)}"
            for by, name, value in local
            if by.kind == kind
        ]
        if items:
            lines += _wrapped(items, "", ", ")
    return lines


def _local(term: GradientTerm, of: Symbol) -> str:
    """The local gradient, such as ∂O_11/∂F_11."""
    return f"∂{term.factors[0].value}/∂{of}"


def _wrapped(terms: Sequence[str], head: str, sign: str = " + ") -> list[str]:
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
