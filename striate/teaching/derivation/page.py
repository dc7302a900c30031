"""A derivation as one HTML page that works offline: no script, all drawings inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from string import Template

from striate.teaching.derivation import drawing
from striate.teaching.derivation.as_text import (
    behind,
    compared_note,
    counts,
    equalities,
    heading,
    measured_note,
    measured_rows,
    unmeasured,
)
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.stages import DerivationStage

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       margin: 0 auto; padding: 1rem; max-width: 66rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right;
         white-space: nowrap; }
th:first-child, td:first-child, .two th:nth-child(2), .two td:nth-child(2) { text-align: left; }
img { width: 100%; min-width: 30rem; max-width: 50rem; height: auto; }
code { font-family: ui-monospace, monospace; font-size: .9em; }
.note { color: #555; }
</style>
</head>
<body>
<h1>From a fully connected layer to a convolution</h1>
<p>$heading</p>
<div class="wide two">$counts</div>
$stages
$rest
</body>
</html>
""")


def page(derivation: DerivationData) -> str:
    """The text of the page."""
    return _PAGE.substitute(
        title=escape(f"striate derive: {heading(derivation)}"),
        heading=escape(heading(derivation)),
        counts=_table(counts(derivation)),
        stages="\n".join(
            _stage(derivation, number, stage) for number, stage in enumerate(derivation.stages, 1)
        ),
        rest="\n".join(_rest(derivation)),
    )


def _stage(derivation: DerivationData, number: int, stage: DerivationStage) -> str:
    title = drawing.TITLES[stage.name]
    picture = base64.b64encode(
        drawing.figure_bytes(drawing.stage_figure(derivation, stage.name), "svg")
    )
    parts = [
        f"<h2>{number}. {escape(title)}</h2>",
        f"<p>{escape(stage.sentence)} <code>{escape(stage.layer)}</code></p>",
        f'<div class="wide"><img alt="{escape(stage.sentence)}" '
        f'src="data:image/svg+xml;base64,{picture.decode("ascii")}"></div>',
    ]
    if stage.name == "local" and derivation.unshared:
        parts.append(
            _paragraph(f"{derivation.unshared.sentence} That is a locally connected layer.")
        )
    return "\n".join(parts)


def _rest(derivation: DerivationData) -> list[str]:
    parts = [_paragraph(note) for note in derivation.notes]
    if derivation.further:
        parts.append(_paragraph(behind(derivation)))
    if found := equalities(derivation):
        rows = [["difference", "of what", "numbers"], *found]
        parts += [
            "<h2>What agrees</h2>",
            _paragraph(compared_note(derivation)),
            '<div class="wide two">' + _table(rows) + "</div>",
        ]
    if derivation.measurements:
        parts += [
            "<h2>What it costs</h2>",
            _paragraph(measured_note(derivation) + "."),
            '<div class="wide">' + _table(measured_rows(derivation)) + "</div>",
            *(_paragraph(note) for note in unmeasured(derivation)),
        ]
    return parts


def _paragraph(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body
    ]
    return "<table>\n" + "\n".join(lines) + "\n</table>"
