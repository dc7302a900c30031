"""Writes the sums of a convolution's gradients as Markdown or as a LaTeX document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from striate.common.arrays import Array
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

TERMS_OF_A_LINE = 4
LINE = 75.0
"""Digits of a line of matrices."""


LAYERS = "The raised number in brackets is that of the layer."


def markdown(all_of_it: Contents) -> str:
    """The contents as Markdown with formulas between dollar signs."""
    parts = [f"# {_with_layers(all_of_it.title)}", *map(_with_layers, _notes(all_of_it))]
    for kind in all_of_it.arrays:
        parts += _arrays(kind, "$$")

    def aligned(formula: str) -> str:
        return f"$$\n\\begin{{aligned}}\n{formula}\n\\end{{aligned}}\n$$"

    for section in all_of_it.sections:
        parts += [
            f"## {_with_layers(section.heading)}",
            *[_with_layers(section.said)] * bool(section.said),
        ]
        parts += [aligned(_written_out(one)) for one in section.sums]
        parts += _arrays(section.arrays, "$$")
        if local := _local_gradients(section):
            parts += ["## The local gradients", aligned(local)]
    if all_of_it.descent:
        parts += ["## One step of gradient descent", aligned(_descent(all_of_it))]
    parts.append("## Checked: the largest differences")
    parts.append("\n".join(f"- {check}" for check in all_of_it.checks))
    return "\n\n".join(parts)


def latex(all_of_it: Contents) -> str:
    """The contents as a LaTeX document of ASCII characters.

    It needs amsmath and graphicx only; arrays that are wider than the page are made smaller.
    """
    arrays = [one for kind in all_of_it.arrays for one in kind]
    arrays += [one for section in all_of_it.sections for one in section.arrays]
    widest = max(40, *(values.shape[1] for _, values in arrays))
    parts = [
        "\\documentclass{article}\n\\usepackage[margin=2cm]{geometry}\n"
        "\\usepackage{amsmath,graphicx}\n\\setlength{\\parindent}{0pt}\n"
        f"\\setcounter{{MaxMatrixCols}}{{{widest}}}\n\\allowdisplaybreaks\n\\begin{{document}}",
        f"\\section*{{{_for_tex(all_of_it.title)}}}",
        "\n\n".join(map(_for_tex, _notes(all_of_it))),
    ]
    for kind in all_of_it.arrays:
        parts += _arrays(kind, "")

    def aligned(formula: str) -> str:
        return f"\\begin{{align*}}\n{formula}\n\\end{{align*}}"

    for section in all_of_it.sections:
        parts.append(f"\\subsection*{{{_for_tex(section.heading)}}}")
        parts += [_for_tex(section.said)] * bool(section.said)
        if section.sums:
            parts.append(aligned(" \\\\[1ex]\n".join(map(_written_out, section.sums))))
        parts += _arrays(section.arrays, "")
        if local := _local_gradients(section):
            parts += ["\\subsection*{The local gradients}", aligned(local)]
    if all_of_it.descent:
        parts += ["\\subsection*{One step of gradient descent}", aligned(_descent(all_of_it))]
    parts.append("\\subsection*{Checked: the largest differences}")
    items = "\n".join(f"\\item {_for_tex(check)}" for check in all_of_it.checks)
    parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n\\end{{document}}")
    return "\n\n".join(parts)


def _notes(all_of_it: Contents) -> list[str]:
    return [LAYERS, *all_of_it.notes] if all_of_it.chain else all_of_it.notes


def _arrays(arrays: Sequence[Named], fence: str) -> list[str]:
    """Matrices with their names, in formulas of as many as fit on a line."""
    opening, closing = (f"{fence}\n", f"\n{fence}") if fence else ("\\[\n", "\n\\]")
    formulas: list[list[str]] = []
    used = 0.0
    for names, values in arrays:
        formula, width = _matrix(names, values), _width(values) + 9.0 * (len(names) - 1)
        if width > LINE and not fence:
            formula = f"\\resizebox{{0.98\\linewidth}}{{!}}{{$ {formula} $}}"
        if not formulas or used + width > LINE:
            formulas.append([])
            used = 0.0
        formulas[-1].append(formula)
        used += width
    return [opening + ", \\quad\n".join(line) + closing for line in formulas]


def _width(values: Array) -> float:
    """About how wide a matrix with its name is, in digits."""
    columns = (max(len(number(value)) for value in column) for column in values.T)
    return 9.0 + sum(wide + 2.0 for wide in columns)


def _matrix(names: Sequence[Symbol], values: Array) -> str:
    rows = " \\\\ ".join(" & ".join(map(number, row)) for row in values)
    shown = " = ".join(map(_tex, names))
    return f"{shown} = \\begin{{pmatrix}} {rows} \\end{{pmatrix}}"


def _local_gradients(section: Section) -> str:
    """∂O_11/∂F_11 = X_11 and all others, those of an output in one paragraph."""
    return " \\\\\n".join(
        line for output, local in section.local for line in _local_lines(output, local)
    )


def _local_lines(output: Symbol, local: Sequence[LocalGradient]) -> list[str]:
    lines = []
    for kind in "FX":
        items = [f"{_ratio(output, by)} = {_tex(name)}" for by, name, _ in local if by.kind == kind]
        lines += [
            "& " + ", \\quad ".join(items[start : start + TERMS_OF_A_LINE])
            for start in range(0, len(items), TERMS_OF_A_LINE)
        ]
    return lines


def _written_out(one: Sum | Maximum) -> str:
    return _maximum(one) if isinstance(one, Maximum) else _aligned(one)


def _maximum(one: Maximum) -> str:
    symbols, numbers = ", ".join(map(_tex, one.among)), ", ".join(map(number, one.values))
    lines = [f"\\max({symbols})", f"\\max({numbers}) = {number(one.value)}"]
    if len(one.among) > TERMS_OF_A_LINE:
        return f"{_tex(one.of)} &= " + " \\\\\n&= ".join(lines)
    return f"{_tex(one.of)} &= " + " = ".join(lines)


def _aligned(one: Sum) -> str:
    name = _tex(one.of)
    if not one.terms:
        return f"{name} &= 0"
    rows = []
    if one.of.slope:
        rows.append([f"{_tex(term.factors[0])} * {_local(term, one.of)}" for term in one.terms])
    sign = " * " if one.of.slope else ""
    rows.append([sign.join(map(_tex, factors(one, term))) for term in one.terms])
    rows.append([product(one, term, " \\cdot ") for term in one.terms])
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


def _local(term: GradientTerm, of: Symbol) -> str:
    """The local gradient ∂O/∂F, ∂O/∂X or ∂O/∂b as LaTeX."""
    return _ratio(term.factors[0].value, of.value)


def _descent(all_of_it: Contents) -> str:
    rate = number(all_of_it.learning_rate)
    lines = ["F &\\leftarrow F - \\alpha \\cdot \\frac{\\partial L}{\\partial F}"]
    for symbol, before, slope, after in all_of_it.descent:
        lines.append(
            f"{_tex(symbol)} &\\leftarrow {number(before)} - {rate} \\cdot "
            f"{bracketed(number(slope))} = {number(after)}"
        )
    return " \\\\\n".join(lines)


def _tex(symbol: Symbol) -> str:
    """X_{11}, or \\frac{\\partial L}{\\partial O^{(2)}_{11}}."""
    raised = [f"({symbol.number})"] * bool(symbol.number) + [symbol.raised] * bool(symbol.planes)
    above, below = f"^{{{','.join(raised)}}}", f"_{{{symbol.where}}}"
    shown = f"{symbol.kind}{above * bool(raised)}{below * bool(symbol.place)}"
    return f"\\frac{{\\partial L}}{{\\partial {shown}}}" if symbol.slope else shown


def _ratio(above: Symbol, below: Symbol) -> str:
    return f"\\frac{{\\partial {_tex(above)}}}{{\\partial {_tex(below)}}}"


def _for_tex(text: str) -> str:
    """A sentence as LaTeX: its names of numbers and signs as formulas, so that all is ASCII."""
    text = re.sub(r"∂L/∂([A-Zb])\b", r"$\\partial L/\\partial \1$", _with_layers(text))
    return text.replace("×", "$\\times$").replace("·", "$\\cdot$").replace("α", "$\\alpha$")


def _with_layers(text: str) -> str:
    """A sentence with names such as X2 and ∂L/∂X2 as formulas, as they are written elsewhere."""

    def formula(found: re.Match[str]) -> str:
        slope = "\\partial L/\\partial " if found[1] else ""
        return f"${slope}{_tex(Symbol(found[2], (), (), int(found[3])))}$"

    return re.sub(r"(∂L/∂)?\b([XFbORP])(\d+)\b", formula, text)
