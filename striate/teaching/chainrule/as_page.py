"""Writes the sums of a convolution's gradients as one HTML page that works offline: MathML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from striate.common.arrays import Array
from striate.common.page_parts import base64_text
from striate.common.templates import rendered
from striate.common.text import bracketed, number
from striate.teaching.chainrule.contents import Contents, Section, factors, product
from striate.teaching.chainrule.passages import Maximum
from striate.teaching.chainrule.sums import Sum, Symbol


def page(all_of_it: Contents, picture: bytes) -> str:
    """The text of the page, with the drawing in it, which is the content of an SVG file."""
    values: dict[str, Any] = {
        "chain": all_of_it.chain,
        "heading": all_of_it.title,
        "notes": all_of_it.notes,
        "picture": base64_text(picture),
        "arrays": [_array(*one) for kind in all_of_it.arrays for one in kind],
        "sections": [_section(section) for section in all_of_it.sections],
        "steps": [_step(step, all_of_it.learning_rate) for step in all_of_it.descent],
        "checks": all_of_it.checks,
    }
    return rendered("striate.teaching.chainrule", "html/gradients.html", values)


def _section(section: Section) -> dict[str, Any]:
    return {
        "heading": section.heading,
        "said": section.said,
        "sums": list(map(_rows, section.sums)),
        "arrays": [_array(*one) for one in section.arrays],
        "local": [
            [_math(f"{_ratio(output, by)}<mo>=</mo>{_mi(name)}") for by, name, _ in local]
            for output, local in section.local
        ],
    }


def _array(names: Sequence[Symbol], values: Array) -> str:
    rows = "".join(
        f"<mtr>{''.join(f'<mtd>{_number(value)}</mtd>' for value in row)}</mtr>" for row in values
    )
    table = f"<mrow><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></mrow>"
    return _math("<mo>=</mo>".join([*map(_mi, names), table]))


def _rows(one: Sum | Maximum) -> dict[str, Any]:
    """A sum as its name and rows of terms; each term is a formula, so that lines may break."""
    rows: list[list[str]] = []
    if isinstance(one, Maximum):
        for inside in (map(_mi, one.among), map(_number, one.values)):
            rows.append([f"<mi>max</mi><mo>(</mo>{'<mo>,</mo>'.join(inside)}<mo>)</mo>"])
    elif one.terms:
        if one.of.slope:
            arriving = [term.factors[0] for term in one.terms]
            rows.append(
                [f"{_mi(a)}<mo>·</mo>{_ratio(a.value, one.of.value)}" for a in arriving]
            )  # fmt: skip
        rows.append(["<mo>·</mo>".join(map(_mi, factors(one, term))) for term in one.terms])
        rows.append(
            [f"<mtext>{escape(product(one, term, ' · '))}</mtext>" for term in one.terms]
        )  # fmt: skip
    rows.append([_number(one.value)])
    return {"name": _math(_mi(one.of)), "rows": [list(map(_math, row)) for row in rows]}


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
    """X with its place below and its layer and planes above, or ∂L/∂O as a fraction."""
    name = f"<mi>{symbol.kind}</mi>"
    below = f"<mn>{symbol.where}</mn>"
    raised = [f"({symbol.number})"] * bool(symbol.number) + [symbol.raised] * bool(symbol.planes)
    above = f"<mn>{','.join(raised)}</mn>"
    if symbol.place and raised:
        name = f"<msubsup>{name}{below}{above}</msubsup>"
    elif symbol.place:
        name = f"<msub>{name}{below}</msub>"
    elif raised:
        name = f"<msup>{name}{above}</msup>"
    if not symbol.slope:
        return name
    return f"<mfrac><mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo>{name}</mrow></mfrac>"


def _ratio(above: Symbol, below: Symbol) -> str:
    return f"<mfrac><mrow><mo>∂</mo>{_mi(above)}</mrow><mrow><mo>∂</mo>{_mi(below)}</mrow></mfrac>"
