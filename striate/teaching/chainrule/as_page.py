"""Writes the sums of a convolution's gradients as one HTML page that works offline: MathML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from striate.common.arrays import Array
from striate.common.figure_files import figure_bytes
from striate.common.page_parts import base64_text
from striate.common.templates import rendered
from striate.common.text import bracketed, number
from striate.teaching.chainrule.contents import (
    checks,
    local_gradients,
    named_planes,
    notes_on,
    product,
    sections,
    steps_of,
    title_of,
)
from striate.teaching.chainrule.gradient_drawing import gradient_figure
from striate.teaching.chainrule.sums import ONE, GradientSums, Sum, Symbol


def page(written: GradientSums, only: Sequence[str]) -> str:
    """The text of the page, with the drawing in it; `only` leaves out all sums but those."""
    picture = figure_bytes(gradient_figure(written, only), "svg")
    values: dict[str, Any] = {
        "heading": title_of(written),
        "notes": notes_on(written),
        "picture": base64_text(picture),
        "arrays": [_array(*plane) for planes in named_planes(written) for plane in planes],
        "sections": [(heading, list(map(_rows, sums))) for heading, sums in
                     sections(written, only)],
        "local": [
            [_math(f"{_ratio(output, by)}<mo>=</mo>{_mi(name)}") for by, name, _ in local]
            for output, local in local_gradients(written, only)
        ],
        "steps": [_step(step, written.learning_rate) for step in steps_of(written, only)],
        "checks": checks(written),
    }  # fmt: skip
    return rendered("striate.teaching.chainrule", "html/gradients.html", values)


def _array(name: Symbol, values: Array) -> str:
    rows = "".join(
        f"<mtr>{''.join(f'<mtd>{_number(value)}</mtd>' for value in row)}</mtr>" for row in values
    )
    table = f"<mrow><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></mrow>"
    return _math(f"{_mi(name)}<mo>=</mo>{table}")


def _rows(one: Sum) -> dict[str, Any]:
    """A sum as its name and rows of terms; each term is a formula, so that lines may break."""
    slope = one.of.kind in "FXb"
    name = _slope(one.of) if slope else _mi(one.of)
    rows: list[list[str]] = []
    if slope and one.terms:
        rows.append([_mi(t.factors[0]) + "<mo>·</mo>" + _local(t.factors[0], one.of)
                     for t in one.terms])  # fmt: skip
    if one.terms:
        rows.append(
            [_mi(a) if b is ONE else f"{_mi(a)}<mo>·</mo>{_mi(b)}"
             for a, b in (t.factors for t in one.terms)]
        )  # fmt: skip
        rows.append([f"<mtext>{escape(product(t, ' · '))}</mtext>" for t in one.terms])
    rows.append([_number(one.value)])
    return {"name": _math(name), "rows": [list(map(_math, row)) for row in rows]}


def _step(step: tuple[Symbol, float, float, float], rate: float) -> str:
    symbol, before, slope, after = step
    moved = f"{number(before)} - {number(rate)} · {bracketed(number(slope))} = {number(after)}"
    return _math(f"{_mi(symbol)}<mo>←</mo><mtext>{escape(moved)}</mtext>")


# MathML.


def _math(inner: str) -> str:
    return f"<math><mrow>{inner}</mrow></math>"


def _number(value: float) -> str:
    return f"<mn>{escape(number(value))}</mn>"


def _mi(symbol: Symbol) -> str:
    """X with its place below and its planes above, or ∂L/∂O as a fraction."""
    if symbol.kind == "L":
        return _slope(Symbol("O", symbol.place, symbol.planes))
    name = f"<mi>{symbol.kind}</mi>"
    below = f"<mn>{(',' * (max(symbol.place, default=0) > 9)).join(map(str, symbol.place))}</mn>"
    above = f"<mn>{','.join(map(str, symbol.planes))}</mn>"
    if symbol.place and symbol.planes:
        return f"<msubsup>{name}{below}{above}</msubsup>"
    if symbol.place:
        return f"<msub>{name}{below}</msub>"
    return f"<msup>{name}{above}</msup>" if symbol.planes else name


def _slope(symbol: Symbol) -> str:
    return f"<mfrac><mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo>{_mi(symbol)}</mrow></mfrac>"


def _ratio(above: Symbol, below: Symbol) -> str:
    return f"<mfrac><mrow><mo>∂</mo>{_mi(above)}</mrow><mrow><mo>∂</mo>{_mi(below)}</mrow></mfrac>"


def _local(arriving: Symbol, of: Symbol) -> str:
    return _ratio(Symbol("O", arriving.place, arriving.planes), of)
