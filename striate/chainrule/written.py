"""Puts a derivation on paper: as text, as Markdown with formulas, or as a LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.shapes import Array
from striate.signal.written import beside, grid, labelled, number

if TYPE_CHECKING:
    from striate.chainrule.derivation import Gradients, Sum, Symbol, Term

FORMS = ("text", "markdown", "latex")
WIDTH = 100
TERMS_OF_A_LINE = 4


def write(written: Gradients, form: str) -> str:
    """`written` in one of `FORMS`; ValueError for another."""
    if form not in FORMS:
        raise ValueError(f"gradients: the format must be {', '.join(FORMS)}, got {form!r}")
    return {"text": _text, "markdown": _markdown, "latex": _latex}[form](written)


# What all forms say.


def _title(written: Gradients) -> str:
    layer = written.layer
    height, width, channels = written.x.shape
    rows, columns, count = written.gradient.shape
    of = f" with {channels} channels" * (channels > 1)
    taps = _by(layer.size)
    filters = f"{count} filters F of {taps}" if count > 1 else f"a {taps} filter F"
    pads = layer.pads(written.x.shape)
    padding = str(pads[0]) if len(set(pads)) == 1 else f"{pads} (top, bottom, left, right)"
    spread = f", dilation {_both(layer.dilation)}" * (layer.dilation != (1, 1))
    return (
        f"A {height}×{width} input X{of} and {filters}, stride {_both(layer.stride)}, padding "
        f"{padding}{spread}: {rows}×{columns} outputs O"
    )


def _notes(written: Gradients) -> list[str]:
    """What the symbols mean where it is not plain."""
    notes = []
    channels, count = written.f.shape[2:]
    if channels > 1:
        notes.append("The raised number of X is its channel.")
    if channels > 1 or count > 1:
        which = " and ".join(["channel"] * (channels > 1) + ["filter"] * (count > 1))
        notes.append(f"The raised number{'s' * (which.count(' and '))} of F: {which}.")
    if count > 1:
        notes.append("The raised number of O is its filter.")
    if any(written.layer.pads(written.x.shape)):
        notes.append("Products with the padding are zero and left out.")
    return notes


def _sections(written: Gradients) -> list[tuple[str, tuple[Sum, ...]]]:
    return [
        ("The outputs", written.outputs),
        ("The gradient of the filter", written.filter_gradients),
        ("The gradient of the input", written.input_gradients),
    ]


def _checks(written: Gradients) -> list[str]:
    """What was compared, in sentences."""
    found = written.checked
    return [
        f"outputs, ∂L/∂F, ∂L/∂X from the kernels (float64): {found['outputs']:.2g}, "
        f"{found['∂L/∂F']:.2g}, {found['∂L/∂X']:.2g}",
        f"∂L/∂F, ∂L/∂X from finite differences: {found['∂L/∂F, finite differences']:.2g}, "
        f"{found['∂L/∂X, finite differences']:.2g}",
        f"the new F from a training step (float32): {found['step']:.2g}",
    ]


def _steps(written: Gradients) -> list[tuple[Symbol, float, float, float]]:
    """Of each weight its symbol, its value, its gradient, and the value after the step."""
    return [
        (one.of, float(before), one.value, float(after))
        for one, before, after in zip(
            written.filter_gradients, written.f.ravel(), written.new_f.ravel(), strict=True
        )
    ]


# Text.


def _text(written: Gradients) -> str:
    lines = [f"{_title(written)}.", *_notes(written), ""]
    blocks = [
        *_planes("X", written.x),
        *_planes("F", written.f.reshape(*written.f.shape[:2], -1), written.f.shape[2:]),
        *_planes("∂L/∂O", written.gradient),
    ]
    lines += _paragraph(blocks)
    for title, sums in _sections(written):
        lines += ["", title, ""]
        for one in sums:
            lines += _sum_lines(one)
    rate = number(written.learning_rate)
    lines += ["", f"One step of gradient descent, F ← F - α·∂L/∂F with α = {rate}", ""]
    for symbol, before, slope, after in _steps(written):
        moved = f"{number(before)} - {rate}·{_bracketed(slope)}"
        lines.append(f"{symbol} ← {symbol} - α·∂L/∂{symbol} = {moved} = {number(after)}")
    lines += ["", "Checked: the largest differences of"]
    lines += [f"- {check}" for check in _checks(written)]
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
    slope = one.of.kind in "FX"
    name = f"∂L/∂{one.of}" if slope else str(one.of)
    if not one.terms:
        why = "no output reads it" if one.of.kind == "X" else "it meets the padding only"
        return [f"{name} = 0, for {why}"]
    rows = []
    if slope:
        rows.append([f"{term.factors[0]}·{_local(term, one.of)}" for term in one.terms])
    rows.append([f"{a}·{b}" for a, b in (term.factors for term in one.terms)])
    rows.append([f"{number(a)}·{_bracketed(b)}" for a, b in (term.values for term in one.terms)])
    rows.append([number(one.value)])
    lines: list[str] = []
    for row in rows:
        head = f"{name} = " if not lines else " " * len(name) + " = "
        lines += _wrapped(row, head)
    return lines


def _local(term: Term, of: Symbol) -> str:
    """The local gradient, such as ∂O_11/∂F_11."""
    return f"{str(term.factors[0])[3:]}/∂{of}"


def _wrapped(terms: Sequence[str], head: str) -> list[str]:
    lines = [head + terms[0]]
    for term in terms[1:]:
        if len(lines[-1]) + 3 + len(term) > WIDTH:
            lines.append(" " * (len(head) - 2) + f"+ {term}")
        else:
            lines[-1] += f" + {term}"
    return lines


def _bracketed(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)


# Markdown and LaTeX.


def _markdown(written: Gradients) -> str:
    parts = [f"# {_title(written)}", *_notes(written), *_arrays(written, "$$")]
    for title, sums in _sections(written):
        parts.append(f"## {title}")
        for one in sums:
            parts.append("$$\n\\begin{aligned}\n" + _aligned(one) + "\n\\end{aligned}\n$$")
    parts.append("## One step of gradient descent")
    parts.append("$$\n\\begin{aligned}\n" + _descent(written) + "\n\\end{aligned}\n$$")
    parts.append("## Checked: the largest differences")
    parts.append("\n".join(f"- {check}" for check in _checks(written)))
    return "\n\n".join(parts)


def _latex(written: Gradients) -> str:
    parts = [
        "\\documentclass{article}\n\\usepackage[margin=2cm]{geometry}\n\\usepackage{amsmath}\n"
        "\\setcounter{MaxMatrixCols}{40}\n\\allowdisplaybreaks\n\\begin{document}",
        f"\\section*{{{_for_tex(_title(written))}}}",
        *map(_for_tex, _notes(written)),
        *_arrays(written, ""),
    ]
    for title, sums in _sections(written):
        parts.append(f"\\subsection*{{{_for_tex(title)}}}")
        parts.append(
            "\\begin{align*}\n" + " \\\\[1ex]\n".join(map(_aligned, sums)) + "\n\\end{align*}"
        )
    parts.append("\\subsection*{One step of gradient descent}")
    parts.append("\\begin{align*}\n" + _descent(written) + "\n\\end{align*}")
    parts.append("\\subsection*{Checked: the largest differences}")
    items = "\n".join(f"\\item {_for_tex(check)}" for check in _checks(written))
    parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n\\end{{document}}")
    return "\n\n".join(parts)


def _arrays(written: Gradients, fence: str) -> list[str]:
    """X, F and ∂L/∂O as matrices, a formula for each of the three."""
    opening, closing = (f"{fence}\n", f"\n{fence}") if fence else ("\\[\n", "\n\\]")
    channels, count = written.f.shape[2:]
    slope = "\\frac{\\partial L}{\\partial O}"
    kinds = [
        [("X", written.x[..., c], (c + 1,) * (channels > 1)) for c in range(channels)],
        [
            ("F", written.f[..., c, k], (c + 1,) * (channels > 1) + (k + 1,) * (count > 1))
            for c, k in np.ndindex(channels, count)
        ],
        [(slope, written.gradient[..., k], (k + 1,) * (count > 1)) for k in range(count)],
    ]
    return [
        opening + ", \\quad\n".join(_matrix(*plane) for plane in planes) + closing
        for planes in kinds
    ]


def _matrix(name: str, values: Array, planes: tuple[int, ...]) -> str:
    rows = " \\\\ ".join(" & ".join(map(number, row)) for row in values)
    raised = f"^{{{','.join(map(str, planes))}}}" * bool(planes)
    return f"{name}{raised} = \\begin{{pmatrix}} {rows} \\end{{pmatrix}}"


def _aligned(one: Sum) -> str:
    slope = one.of.kind in "FX"
    name = _slope(one.of) if slope else _tex(one.of)
    if not one.terms:
        return f"{name} &= 0"
    rows = []
    if slope:
        rows.append([f"{_tex(term.factors[0])} * {_local_tex(term, one.of)}" for term in one.terms])
        rows.append([f"{_tex(a)} * {_tex(b)}" for a, b in (term.factors for term in one.terms)])
    else:
        rows.append([f"{_tex(a)}{_tex(b)}" for a, b in (term.factors for term in one.terms)])
    rows.append(
        [f"{number(a)} \\cdot {_bracketed(b)}" for a, b in (term.values for term in one.terms)]
    )
    rows.append([number(one.value)])
    lines = []
    for index, row in enumerate(rows):
        pieces = [
            " + ".join(row[start : start + TERMS_OF_A_LINE])
            for start in range(0, len(row), TERMS_OF_A_LINE)
        ]
        head = name if index == 0 else ""
        lines.append(f"{head} &= " + " \\\\\n&\\quad + ".join(pieces))
    return " \\\\\n".join(lines)


def _local_tex(term: Term, of: Symbol) -> str:
    """The local gradient."""
    return f"\\frac{{\\partial {_tex(term.factors[0], plain=True)}}}{{\\partial {_tex(of)}}}"


def _descent(written: Gradients) -> str:
    rate = number(written.learning_rate)
    lines = ["F &\\leftarrow F - \\alpha \\cdot \\frac{\\partial L}{\\partial F}"]
    for symbol, before, slope, after in _steps(written):
        lines.append(
            f"{_tex(symbol)} &\\leftarrow {number(before)} - {rate} \\cdot {_bracketed(slope)} = "
            f"{number(after)}"
        )
    return " \\\\\n".join(lines)


def _tex(symbol: Symbol, plain: bool = False) -> str:
    """X_{11}, or \\frac{\\partial L}{\\partial O_{11}}; `plain` leaves out the loss."""
    row, column = symbol.place
    comma = "," * (max(symbol.place) > 9)
    raised = f"^{{{','.join(map(str, symbol.planes))}}}" * bool(symbol.planes)
    name = "O" if symbol.kind == "L" else symbol.kind
    shown = f"{name}{raised}_{{{row}{comma}{column}}}"
    if plain or symbol.kind != "L":
        return shown
    return f"\\frac{{\\partial L}}{{\\partial {shown}}}"


def _slope(symbol: Symbol) -> str:
    return f"\\frac{{\\partial L}}{{\\partial {_tex(symbol)}}}"


def _for_tex(text: str) -> str:
    """Text with its formulas between dollars."""
    for plain, formula in (
        ("∂L/∂F", "$\\partial L/\\partial F$"),
        ("∂L/∂X", "$\\partial L/\\partial X$"),
        ("×", "$\\times$"),
    ):
        text = text.replace(plain, formula)
    return text


def _by(pair: Sequence[int]) -> str:
    return "×".join(map(str, pair))


def _both(pair: Sequence[int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else _by(pair)
