"""Writes the sums of a convolution's gradients as text, as Markdown or as a LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.tables import beside, grid, labelled
from striate.common.text import bracketed, number, plural, sizes
from striate.teaching.chainrule.sums import ONE, GradientSums, GradientTerm, Sum, Symbol

FORMS = ("text", "markdown", "latex")
WIDTH = 100
TERMS_OF_A_LINE = 4


def write(written: GradientSums, form: str, only: Sequence[str] = ()) -> str:
    """The sums as text.

    Args:
        written: the convolution with its sums.
        form: one of `FORMS`.
        only: the sums to write, by name: "O_11", "F_12" or "∂L/∂F_12"; empty for all.

    Raises:
        ValueError: the form is unknown, or there is no sum of such a name.
    """
    if form not in FORMS:
        raise StriateValueError(f"gradients: the format must be {', '.join(FORMS)}, got {form!r}")
    names = tuple(name.removeprefix("∂L/∂") for name in only)
    known = [str(one.of) for _, sums in _sections(written, ()) for one in sums]
    for name in names:
        if name not in known:
            raise StriateValueError(
                f"gradients: there is no sum {name!r}; outputs are {known[0]} to "
                f"{written.outputs[-1].of}, gradients those of {written.filter_gradients[0].of} to "
                f"{written.filter_gradients[-1].of} and {written.input_gradients[0].of} to "
                f"{known[-1]}"
            )
    return {"text": _text, "markdown": _markdown, "latex": _latex}[form](written, names)


# The contents, the same in all forms.


def _title(written: GradientSums) -> str:
    layer = written.layer
    height, width, channels = written.x.shape
    rows, columns, count = written.gradient.shape
    of = f" with {channels} channels" * (channels > 1)
    taps = sizes(layer.size)
    filters = f"{count} filters F of {taps}" if count > 1 else f"a {taps} filter F"
    pads = layer.pads(written.x.shape)
    padding = str(pads[0]) if len(set(pads)) == 1 else f"{pads} (top, bottom, left, right)"
    spread = f", dilation {_both(layer.dilation)}" * (layer.dilation != (1, 1))
    bias = " with bias" * (written.b is not None)
    return (
        f"A {height}×{width} input X{of} and {filters}{bias}, stride {_both(layer.stride)}, "
        f"padding {padding}{spread}: {rows}×{columns} outputs O"
    )


def _notes(written: GradientSums) -> list[str]:
    """Sentences that explain the raised numbers of symbols and the products left out."""
    notes = []
    channels, count = written.f.shape[2:]
    if channels > 1:
        notes.append("The raised number of X is its channel.")
    if channels > 1 or count > 1:
        what = ["channel"] * (channels > 1) + ["filter"] * (count > 1)
        notes.append(f"The raised {plural(len(what), 'number')} of F: {' and '.join(what)}.")
    if count > 1:
        which = "numbers of O and b are" if written.b is not None else "number of O is"
        notes.append(f"The raised {which} its filter.")
    if any(written.layer.pads(written.x.shape)):
        notes.append("Products with the padding are zero and left out.")
    return notes


def _sections(written: GradientSums, only: Sequence[str]) -> list[tuple[str, list[Sum]]]:
    """Each heading with its sums, of those only that `only` names unless it is empty."""
    found = (
        ("The outputs", written.outputs),
        ("The gradient of the filter", written.filter_gradients),
        ("The gradient of the bias", written.bias_gradients),
        ("The gradient of the input", written.input_gradients),
    )
    chosen = (
        (title, [one for one in sums if not only or str(one.of) in only]) for title, sums in found
    )
    return [(title, sums) for title, sums in chosen if sums]


def _checks(written: GradientSums) -> list[str]:
    """The comparisons as sentences."""
    found = written.checked
    bias = []
    if written.b is not None:
        bias = [
            f"∂L/∂b from finite differences: {found['∂L/∂b, finite differences']:.2g}",
            f"the new b from a training step (float32): {found['bias step']:.2g}",
        ]
    return [
        f"outputs, ∂L/∂F, ∂L/∂X from the kernels (float64): {found['outputs']:.2g}, "
        f"{found['∂L/∂F']:.2g}, {found['∂L/∂X']:.2g}",
        f"∂L/∂F, ∂L/∂X from finite differences: {found['∂L/∂F, finite differences']:.2g}, "
        f"{found['∂L/∂X, finite differences']:.2g}",
        f"the new F from a training step (float32): {found['step']:.2g}",
        *bias,
    ]


def _steps(written: GradientSums, only: Sequence[str]) -> list[tuple[Symbol, float, float, float]]:
    """(symbol, value, gradient, value after the step) of each weight and bias."""
    sums = [*written.filter_gradients, *written.bias_gradients]
    before, after = [*written.f.ravel()], [*written.new_f.ravel()]
    if written.b is not None and written.new_b is not None:
        before, after = [*before, *written.b], [*after, *written.new_b]
    return [
        (one.of, float(old), one.value, float(new))
        for one, old, new in zip(sums, before, after, strict=True)
        if not only or str(one.of) in only
    ]


# Text.


def _text(written: GradientSums, only: Sequence[str]) -> str:
    lines = [f"{_title(written)}.", *_notes(written), ""]
    blocks = [
        *_planes("X", written.x),
        *_planes("F", written.f.reshape(*written.f.shape[:2], -1), written.f.shape[2:]),
        *_planes("∂L/∂O", written.gradient),
    ]
    if written.b is not None:
        blocks.append(labelled("b = ", grid(written.b[None])))
    lines += _paragraph(blocks)
    for title, sums in _sections(written, only):
        lines += ["", title, ""]
        for one in sums:
            lines += _sum_lines(one)
    rate = number(written.learning_rate)
    steps = _steps(written, only)
    if steps:
        lines += ["", f"One step of gradient descent, F ← F - α·∂L/∂F with α = {rate}", ""]
    for symbol, before, slope, after in steps:
        moved = f"{number(before)} - {rate}·{bracketed(number(slope))}"
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
    slope = one.of.kind in "FXb"
    name = f"∂L/∂{one.of}" if slope else str(one.of)
    if not one.terms:
        why = "no output reads it" if one.of.kind == "X" else "it meets the padding only"
        return [f"{name} = 0, for {why}"]
    rows = []
    if slope:
        rows.append([f"{term.factors[0]}·{_local(term, one.of)}" for term in one.terms])
    rows.append([str(a) if b is ONE else f"{a}·{b}" for a, b in _factors(one)])
    rows.append([_product(term, "·") for term in one.terms])
    rows.append([number(one.value)])
    lines: list[str] = []
    for row in rows:
        head = f"{name} = " if not lines else " " * len(name) + " = "
        lines += _wrapped(row, head)
    return lines


def _factors(one: Sum) -> list[tuple[Symbol, Symbol]]:
    return [term.factors for term in one.terms]


def _product(term: GradientTerm, sign: str) -> str:
    """A product with its numbers put in."""
    a, b = term.values
    if term.factors[1] is ONE:  # a bias, or a gradient that is added to its gradient
        return bracketed(number(a))
    return f"{number(a)}{sign}{bracketed(number(b))}"


def _local(term: GradientTerm, of: Symbol) -> str:
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


# Markdown and LaTeX.


def _markdown(written: GradientSums, only: Sequence[str]) -> str:
    parts = [f"# {_title(written)}", *_notes(written), *_arrays(written, "$$")]
    for title, sums in _sections(written, only):
        parts.append(f"## {title}")
        for one in sums:
            parts.append("$$\n\\begin{aligned}\n" + _aligned(one) + "\n\\end{aligned}\n$$")
    if _steps(written, only):
        parts.append("## One step of gradient descent")
        descent = _descent(written, only)
        parts.append("$$\n\\begin{aligned}\n" + descent + "\n\\end{aligned}\n$$")
    parts.append("## Checked: the largest differences")
    parts.append("\n".join(f"- {check}" for check in _checks(written)))
    return "\n\n".join(parts)


def _latex(written: GradientSums, only: Sequence[str]) -> str:
    parts = [
        "\\documentclass{article}\n\\usepackage[margin=2cm]{geometry}\n\\usepackage{amsmath}\n"
        "\\setcounter{MaxMatrixCols}{40}\n\\allowdisplaybreaks\n\\begin{document}",
        f"\\section*{{{_for_tex(_title(written))}}}",
        *map(_for_tex, _notes(written)),
        *_arrays(written, ""),
    ]
    for title, sums in _sections(written, only):
        parts.append(f"\\subsection*{{{_for_tex(title)}}}")
        parts.append(
            "\\begin{align*}\n" + " \\\\[1ex]\n".join(map(_aligned, sums)) + "\n\\end{align*}"
        )
    if _steps(written, only):
        parts.append("\\subsection*{One step of gradient descent}")
        parts.append("\\begin{align*}\n" + _descent(written, only) + "\n\\end{align*}")
    parts.append("\\subsection*{Checked: the largest differences}")
    items = "\n".join(f"\\item {_for_tex(check)}" for check in _checks(written))
    parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n\\end{{document}}")
    return "\n\n".join(parts)


def _arrays(written: GradientSums, fence: str) -> list[str]:
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
    if written.b is not None:
        kinds.append([("b", written.b[None], ())])
    return [
        opening + ", \\quad\n".join(_matrix(*plane) for plane in planes) + closing
        for planes in kinds
    ]


def _matrix(name: str, values: Array, planes: tuple[int, ...]) -> str:
    rows = " \\\\ ".join(" & ".join(map(number, row)) for row in values)
    raised = f"^{{{','.join(map(str, planes))}}}" * bool(planes)
    return f"{name}{raised} = \\begin{{pmatrix}} {rows} \\end{{pmatrix}}"


def _aligned(one: Sum) -> str:
    slope = one.of.kind in "FXb"
    name = _slope(one.of) if slope else _tex(one.of)
    if not one.terms:
        return f"{name} &= 0"
    rows = []
    if slope:
        rows.append([f"{_tex(term.factors[0])} * {_local_tex(term, one.of)}" for term in one.terms])
    sign = " * " if slope else ""
    rows.append([_tex(a) if b is ONE else f"{_tex(a)}{sign}{_tex(b)}" for a, b in _factors(one)])
    rows.append([_product(term, " \\cdot ") for term in one.terms])
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
    for symbol, before, slope, after in _steps(written, only):
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
    """Text with its formulas between dollar signs, as LaTeX needs them."""
    for plain, formula in (
        ("∂L/∂F", "$\\partial L/\\partial F$"),
        ("∂L/∂X", "$\\partial L/\\partial X$"),
        ("×", "$\\times$"),
    ):
        text = text.replace(plain, formula)
    return text


def _both(pair: Sequence[int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else sizes(pair)
