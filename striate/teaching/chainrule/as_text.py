"""Writes the sums of a convolution's gradients as text."""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.arrays import Array
from striate.common.tables import beside, grid, labelled
from striate.common.text import bracketed, number
from striate.teaching.chainrule.contents import (
    OUTPUTS,
    checks,
    factors,
    local_gradients,
    notes_on,
    product,
    sections,
    steps_of,
    title_of,
)
from striate.teaching.chainrule.sums import ONE, GradientSums, GradientTerm, Sum, Symbol

WIDTH = 100


def text(written: GradientSums, only: Sequence[str]) -> str:
    """All of it, or the sums `only`, as lines of text."""
    lines = [f"{title_of(written)}.", *notes_on(written), ""]
    blocks = [
        *_planes("X", written.x),
        *_planes("F", written.f.reshape(*written.f.shape[:2], -1), written.f.shape[2:]),
        *_planes("∂L/∂O", written.gradient),
    ]
    if written.b is not None:
        blocks.append(labelled("b = ", grid(written.b[None])))
    lines += _paragraph(blocks)
    for heading, sums in sections(written, only):
        lines += ["", heading, ""]
        for one in sums:
            lines += _sum_lines(one)
        if heading == OUTPUTS:
            lines += _local_lines(written, only)
    rate = number(written.learning_rate)
    steps = steps_of(written, only)
    if steps:
        lines += ["", f"One step of gradient descent, F ← F - α·∂L/∂F with α = {rate}", ""]
    for symbol, before, slope, after in steps:
        moved = f"{number(before)} - {rate}·{bracketed(number(slope))}"
        lines.append(f"{symbol} ← {symbol} - α·∂L/∂{symbol} = {moved} = {number(after)}")
    lines += ["", "Checked: the largest differences of"]
    lines += [f"- {check}" for check in checks(written)]
    return "\n".join(lines)


def _planes(name: str, values: Array, counts: Sequence[int] = ()) -> list[list[str]]:
    """Each plane of an array (rows, columns, planes) with its name before it."""
    planes = values.shape[2]
    blocks = []
    for plane in range(planes):
        raised = ""
        if planes > 1:
            inner = [plane + 1]
            if len(counts) > 1:
                both = divmod(plane, counts[1])
                inner = [place + 1 for place, n in zip(both, counts, strict=True) if n > 1]
            raised = f"^{','.join(map(str, inner))}"
        blocks.append(labelled(f"{name}{raised} = ", grid(values[..., plane])))
    return blocks


def _paragraph(blocks: Sequence[Sequence[str]]) -> list[str]:
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


def _sum_lines(one: Sum) -> list[str]:
    """A sum as symbols, after the chain rule where it is a gradient, and as numbers."""
    slope = one.of.kind in "FXb"
    name = f"∂L/∂{one.of}" if slope else str(one.of)
    if not one.terms:
        why = "no output reads it" if one.of.kind == "X" else "it meets the padding only"
        return [f"{name} = 0, for {why}"]
    rows = []
    if slope:
        rows.append([f"{term.factors[0]}·{_local(term, one.of)}" for term in one.terms])
    rows.append([str(a) if b is ONE else f"{a}·{b}" for a, b in factors(one)])
    rows.append([product(term, "·") for term in one.terms])
    rows.append([number(one.value)])
    lines: list[str] = []
    for row in rows:
        head = f"{name} = " if not lines else " " * len(name) + " = "
        lines += _wrapped(row, head)
    return lines


def _local_lines(written: GradientSums, only: Sequence[str]) -> list[str]:
    lines = ["", "The local gradients", ""]
    for output, local in local_gradients(written, only):
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
    return f"{str(term.factors[0])[3:]}/∂{of}"


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
