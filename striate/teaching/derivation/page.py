"""A derivation as one HTML page that works offline: no script, all drawings inside."""

from __future__ import annotations

from typing import Any

from striate.common.figure_files import figure_bytes
from striate.common.page_parts import base64_text
from striate.common.templates import rendered
from striate.teaching.derivation import as_text, drawing
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.figure_connections import drawable, figure_called

# The stage whose sentence stands with a figure of another name; what a page leaves out; and dots
# per inch, enough for a page.
_STAGE = {"patch": "local", "slide": "convolution"}
_LEFT_OUT = ("local", "convolution", "correlation", "volume", "sigma")
_DPI = 80


def page(derivation: DerivationData) -> str:
    """The text of the page."""
    notes = list(derivation.notes)
    if derivation.further:
        notes.append(as_text.behind(derivation))
    found = as_text.equalities(derivation)
    measured = bool(derivation.measurements)
    values = {
        "heading": as_text.heading(derivation),
        "counts": as_text.counts(derivation),
        "stages": [_figure(derivation, name) for name in _shown(derivation)],
        "notes": notes,
        "compared": as_text.compared_note(derivation),
        "equalities": [["difference", "of what", "numbers"], *found] if found else [],
        "measured_note": as_text.measured_note(derivation) + ".",
        "measured": as_text.measured_rows(derivation) if measured else [],
        "unmeasured": as_text.unmeasured(derivation),
    }
    return rendered("striate.teaching.derivation", "html/derivation.html", values) + "\n"


def _shown(derivation: DerivationData) -> list[str]:
    """The figures of a page: those of the article that these sizes come to, and the volume."""
    return [name for name in drawable(derivation) if name not in _LEFT_OUT]


def _figure(derivation: DerivationData, name: str) -> dict[str, Any]:
    wanted = figure_called(name)
    stage = next((one for one in derivation.stages if one.name == _STAGE.get(name, name)), None)
    notes = []
    if name == "patch" and derivation.unshared:
        notes.append(f"{derivation.unshared.sentence} That is a locally connected layer.")
    figure = drawing.stage_figure(derivation, name)
    return {
        "title": wanted.title,
        "figure": wanted.number,
        "name": name,
        "sentence": stage.sentence if stage else "",
        "layer": stage.layer if stage else "",
        "picture": base64_text(figure_bytes(figure, "png", _DPI)),
        "notes": notes,
    }
