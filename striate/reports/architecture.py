"""The tables of a page's last section: the network's layers, connections and unread pixels."""

from __future__ import annotations

import math
from typing import Any

from striate.common.text import counted, in_bytes, percent, sizes, span
from striate.inspect import Cure, LayerReach, Unread
from striate.inspect.summary import SummaryRow
from striate.reports import embedded_images
from striate.reports.data import Report


def layers(report: Report) -> list[dict[str, str]]:
    """A row of text for each layer: sizes, work and receptive fields."""
    unread = {layer.name: _lines(layer.unread) for layer in report.ledger.layers}
    rows = zip(report.summary.rows, report.reach.layers, strict=True)
    made: list[dict[str, str]] = []
    previous = "input"
    for row, seen in rows:
        made.append(_layer(row, seen, previous) | {"unread": unread.get(row.name, "")})
        previous = row.name
    return made


def _layer(row: SummaryRow, seen: LayerReach, previous: str) -> dict[str, str]:
    least, most = seen.sizes
    values = math.prod(seen.shape)
    return {
        "name": row.name,
        "type": row.type_behind(previous),
        "output": sizes(row.output_shape),
        "parameters": f"{row.parameters:,}" if row.parameters else "",
        "multiply_adds": f"{row.multiply_adds:,}" if row.multiply_adds else "",
        "memory": in_bytes(row.activation_bytes),
        "field": span(sizes(least), sizes(most)),
        "jump": "" if seen.jump is None else sizes(seen.jump),
        "inside": "all" if seen.units_inside == values else f"{seen.units_inside:,} of {values:,}",
    }


def _lines(unread: Unread) -> str:
    """How many rows and columns are unread; a text below the table says which."""
    lines = ((unread.rows, "row"), (unread.columns, "column"))
    parts = [counted(len(found), what) for found, what in lines if found]
    return ", ".join(parts) or counted(unread.pixels, "pixel")


def connections(report: Report) -> list[dict[str, str]]:
    """A row of text for each layer with windows and each dense layer."""
    return [
        {
            "name": layer.name,
            "weights": f"{layer.weights:,}" if layer.weights else "",
            "connections": f"{layer.connections:,}",
            "dense": f"{layer.dense:,}",
            "share": percent(layer.share, ".3g"),
            "reads": span(*(f"{count:,}" for count in layer.reads)),
            "reached": span(*(f"{count:,}" for count in layer.reached)),
        }
        for layer in report.connectivity.layers
    ]


def unread(report: Report) -> dict[str, Any]:
    """The unread pixels: sentences, changes that would cure them, and their place in an image."""
    ledger = report.ledger
    image = report.chosen[0]
    height, width, _ = report.network.input_shape
    shown = embedded_images.shown(report.pictures[image.index], report.black, report.white)
    return {
        "sentences": ledger.sentences,
        "cures": [_cure(cure) for cure in ledger.cures],
        "tried": ledger.tried,
        "layers": bool(ledger.layers),
        "anything": bool(ledger.unread),
        "what": str(ledger.unread),
        "height": height,
        "width": width,
        # Single unread pixels are not drawn, only whole rows and columns.
        "rows": ledger.unread.rows,
        "columns": ledger.unread.columns,
        "picture": embedded_images.png(shown) if ledger.unread else "",
    }


def _cure(cure: Cure) -> dict[str, str]:
    return {
        "changes": " and ".join(f"{c.layer}: {c.argument}={_value(c.value)}" for c in cure.changes),
        "outputs": ", ".join(sizes(change.output_shape) for change in cure.changes),
        "unread": str(cure.unread) if cure.unread else "nothing",
        "parameters": f"{cure.parameters:+,}" if cure.parameters else "as many",
    }


def _value(value: str | tuple[int, ...]) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
