"""Writes the sums of a convolution's gradients as Markdown or as a LaTeX document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from striate.common.arrays import Array
from striate.common.text import bracketed, number
from striate.teaching.chainrule.contents import (
    OUTPUTS,
    checks,
    factors,
    local_gradients,
    named_planes,
    notes_on,
    product,
    sections,
    steps_of,
    title_of,
)
from striate.teaching.chainrule.sums import ONE, GradientSums, GradientTerm, Sum, Symbol

TERMS_OF_A_LINE = 4
LINE = 75.0
"""Digits of a line of matrices."""


def markdown(written: GradientSums, only: Sequence[str]) -> str:
    """All of it, or the sums `only`, as Markdown with formulas between dollar signs."""
    parts = [f"# {title_of(written)}", *notes_on(written), *_arrays(written, "$$")]
    for heading, sums in sections(written, only):
        parts.append(f"## {heading}")
        for one in sums:
            parts.append("$$\n\\begin{aligned}\n" + _aligned(one) + "\n\\end{aligned}\n$$")
        if heading == OUTPUTS and (local := _local_gradients(written, only)):
            parts.append("## The local gradients")
            parts.append("$$\n\\begin{aligned}\n" + local + "\n\\end{aligned}\n$$")
    if steps_of(written, only):
        parts.append("## One step of gradient descent")
        descent = _descent(written, only)
        parts.append("$$\n\\begin{aligned}\n" + descent + "\n\\end{aligned}\n$$")
    parts.append("## Checked: the largest differences")
    parts.append("\n".join(f"- {check}" for check in checks(written)))
    return "\n\n".join(parts)


def latex(written: GradientSums, only: Sequence[str]) -> str:
    """All of it, or the sums `only`, as a LaTeX document of ASCII characters.

    It needs amsmath and graphicx only; arrays that are wider than the page are made smaller.
    """
    widest = max(written.x.shape[1], written.f.shape[1], written.f.shape[3], 40)
    parts = [
        "\\documentclass{article}\n\\usepackage[margin=2cm]{geometry}\n"
        "\\usepackage{amsmath,graphicx}\n\\setlength{\\parindent}{0pt}\n"
        f"\\setcounter{{MaxMatrixCols}}{{{widest}}}\n\\allowdisplaybreaks\n\\begin{{document}}",
        f"\\section*{{{_for_tex(title_of(written))}}}",
        "\n\n".join(map(_for_tex, notes_on(written))),
        *_arrays(written, ""),
    ]
    for heading, sums in sections(written, only):
        parts.append(f"\\subsection*{{{_for_tex(heading)}}}")
        parts.append(
            "\\begin{align*}\n" + " \\\\[1ex]\n".join(map(_aligned, sums)) + "\n\\end{align*}"
        )
        if heading == OUTPUTS and (local := _local_gradients(written, only)):
            parts.append("\\subsection*{The local gradients}")
            parts.append("\\begin{align*}\n" + local + "\n\\end{align*}")
    if steps_of(written, only):
        parts.append("\\subsection*{One step of gradient descent}")
        parts.append("\\begin{align*}\n" + _descent(written, only) + "\n\\end{align*}")
    parts.append("\\subsection*{Checked: the largest differences}")
    items = "\n".join(f"\\item {_for_tex(check)}" for check in checks(written))
    parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n\\end{{document}}")
    return "\n\n".join(parts)


def _arrays(written: GradientSums, fence: str) -> list[str]:
    """X, F, ∂L/∂O and b as matrices, in formulas of as many of a kind as fit on a line."""
    opening, closing = (f"{fence}\n", f"\n{fence}") if fence else ("\\[\n", "\n\\]")
    formulas = []
    for planes in named_planes(written):
        line: list[str] = []
        used = 0.0
        for name, values in planes:
            formula, width = _matrix(name, values), _width(values)
            if width > LINE and not fence:
                formula = f"\\resizebox{{0.98\\linewidth}}{{!}}{{$ {formula} $}}"
            if line and used + width > LINE:
                formulas.append(line)
                line, used = [], 0.0
            line.append(formula)
            used += width
        formulas.append(line)
    return [opening + ", \\quad\n".join(line) + closing for line in formulas]


def _width(values: Array) -> float:
    """About how wide a matrix with its name is, in digits."""
    columns = (max(len(number(value)) for value in column) for column in values.T)
    return 9.0 + sum(wide + 2.0 for wide in columns)


def _matrix(name: Symbol, values: Array) -> str:
    rows = " \\\\ ".join(" & ".join(map(number, row)) for row in values)
    raised = f"^{{{','.join(map(str, name.planes))}}}" * bool(name.planes)
    # The raised number belongs to O, not to the fraction.
    slope = f"\\frac{{\\partial L}}{{\\partial O{raised}}}"
    shown = slope if name.kind == "L" else f"{name.kind}{raised}"
    return f"{shown} = \\begin{{pmatrix}} {rows} \\end{{pmatrix}}"


def _local_gradients(written: GradientSums, only: Sequence[str]) -> str:
    """∂O_11/∂F_11 = X_11 and all others, those of an output in one paragraph."""
    lines = []
    for output, local in local_gradients(written, only):
        for kind in "FX":
            items = [
                f"\\frac{{\\partial {_tex(output)}}}{{\\partial {_tex(by)}}} = {_tex(name)}"
                for by, name, _ in local
                if by.kind == kind
            ]
            lines += [
                "& " + ", \\quad ".join(items[start : start + TERMS_OF_A_LINE])
                for start in range(0, len(items), TERMS_OF_A_LINE)
            ]
    return " \\\\\n".join(lines)


def _aligned(one: Sum) -> str:
    slope = one.of.kind in "FXb"
    name = _slope(one.of) if slope else _tex(one.of)
    if not one.terms:
        return f"{name} &= 0"
    rows = []
    if slope:
        rows.append([f"{_tex(term.factors[0])} * {_local_tex(term, one.of)}" for term in one.terms])
    sign = " * " if slope else ""
    rows.append([_tex(a) if b is ONE else f"{_tex(a)}{sign}{_tex(b)}" for a, b in factors(one)])
    rows.append([product(term, " \\cdot ") for term in one.terms])
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


def _local_tex(term: GradientTerm, of: Symbol) -> str:
    """The local gradient ∂O/∂F, ∂O/∂X or ∂O/∂b as LaTeX."""
    return f"\\frac{{\\partial {_tex(term.factors[0], plain=True)}}}{{\\partial {_tex(of)}}}"


def _descent(written: GradientSums, only: Sequence[str]) -> str:
    rate = number(written.learning_rate)
    lines = ["F &\\leftarrow F - \\alpha \\cdot \\frac{\\partial L}{\\partial F}"]
    for symbol, before, slope, after in steps_of(written, only):
        lines.append(
            f"{_tex(symbol)} &\\leftarrow {number(before)} - {rate} \\cdot "
            f"{bracketed(number(slope))} = {number(after)}"
        )
    return " \\\\\n".join(lines)


def _tex(symbol: Symbol, plain: bool = False) -> str:
    """X_{11}, or \\frac{\\partial L}{\\partial O_{11}}; `plain` leaves out the loss."""
    where = ("," * (max(symbol.place, default=0) > 9)).join(map(str, symbol.place))
    raised = f"^{{{','.join(map(str, symbol.planes))}}}" * bool(symbol.planes)
    name = "O" if symbol.kind == "L" else symbol.kind
    shown = f"{name}{raised}" + f"_{{{where}}}" * bool(where)
    if plain or symbol.kind != "L":
        return shown
    return f"\\frac{{\\partial L}}{{\\partial {shown}}}"


def _slope(symbol: Symbol) -> str:
    return f"\\frac{{\\partial L}}{{\\partial {_tex(symbol)}}}"


def _for_tex(text: str) -> str:
    """A sentence as LaTeX: its names of numbers and signs as formulas, so that all is ASCII."""
    text = re.sub(r"∂L/∂(\w)", r"$\\partial L/\\partial \1$", text)
    return text.replace("×", "$\\times$").replace("·", "$\\cdot$").replace("α", "$\\alpha$")
