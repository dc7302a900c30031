"""A derivation as one HTML page that works offline: no script, all drawings inside."""

from __future__ import annotations

import base64
from typing import Any

from striate.common.figure_files import figure_bytes
from striate.common.templates import rendered
from striate.teaching.derivation import as_text, drawing
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.stages import DerivationStage


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
        "stages": [_stage(derivation, stage) for stage in derivation.stages],
        "notes": notes,
        "compared": as_text.compared_note(derivation),
        "equalities": [["difference", "of what", "numbers"], *found] if found else [],
        "measured_note": as_text.measured_note(derivation) + ".",
        "measured": as_text.measured_rows(derivation) if measured else [],
        "unmeasured": as_text.unmeasured(derivation),
    }
    return rendered("striate.teaching.derivation", "html/derivation.html", values) + "\n"


def _stage(derivation: DerivationData, stage: DerivationStage) -> dict[str, Any]:
    notes = []
    if stage.name == "local" and derivation.unshared:
        notes.append(f"{derivation.unshared.sentence} That is a locally connected layer.")
    figure = drawing.stage_figure(derivation, stage.name)
    return {
        "title": drawing.TITLES[stage.name],
        "sentence": stage.sentence,
        "layer": stage.layer,
        "picture": base64.b64encode(figure_bytes(figure, "svg", drawing.DPI)).decode("ascii"),
        "notes": notes,
    }
