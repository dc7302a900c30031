"""A derivation as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from striate.derivation.stages import fewer

if TYPE_CHECKING:
    from striate.derivation.derive import Derivation

_WIDTH = 96


def text(derivation: Derivation) -> str:
    """What was derived, what agrees, and what it costs."""
    parts = [heading(derivation), _table(counts(derivation), left=2)]
    parts += [
        _wrapped(f"{number}. {stage.sentence}", "   ")
        for number, stage in enumerate(derivation.stages, 1)
    ]
    if derivation.unshared:
        parts.append(_wrapped(f"{derivation.unshared.sentence} That is a locally connected layer."))
    if derivation.further:
        parts.append(_wrapped(behind(derivation)))
    parts += [_wrapped(note) for note in derivation.notes]
    if derivation.outputs and derivation.outputs.equalities:
        parts.append("\n".join(equalities(derivation)))
    if derivation.measurements:
        parts.append("\n".join(measured(derivation)))
    return "\n".join(parts)


def heading(derivation: Derivation) -> str:
    """The sizes, in a line."""
    height, width, channels = derivation.image
    line = f"Image {height}×{width}" + f"×{channels}" * (channels > 1)
    line += f", {derivation.pixels:,} pixels" + " of all channels" * (channels > 1)
    line += f"; {derivation.neurons:,} neuron{'s' * (derivation.neurons > 1)}"
    if derivation.group:
        line += f" in groups of {derivation.group:,}"
    if derivation.windows:
        line += f"; windows of {derivation.windows}"
        if derivation.chosen:
            line += " (chosen)"
    return line


def counts(derivation: Derivation) -> list[list[str]]:
    """The stages as rows, below the names of the columns."""
    rows = [["stage", "layer", "weights", "connections", "multiply-adds", "weights against dense"]]
    stages = list(derivation.stages)
    if derivation.unshared:
        stages.insert(2, derivation.unshared)
    for stage in stages:
        rows.append(
            [
                "(not shared)" if stage.name == "unshared" else stage.name,
                stage.layer,
                f"{stage.weights:,}",
                f"{stage.connections:,}",
                f"{stage.multiply_adds:,}",
                "" if stage.name == "dense" else fewer(stage.reduction),
            ]
        )
    return rows


def behind(derivation: Derivation) -> str:
    """The weights of the layers behind, and of all together."""
    first, last = derivation.stages[0], derivation.stages[-1]
    added = " + ".join(f"{layer.weights:,}" for layer in derivation.further)
    line = (
        f"With the dense layers behind ({_products(derivation)}): {first.weights:,} + {added} = "
        f"{derivation.total(first):,} weights"
    )
    if last is not first:
        line += f", or as a {last.name} {last.weights:,} + {added} = {derivation.total(last):,}"
    return line + "."


def _products(derivation: Derivation) -> str:
    return ", ".join(
        f"{layer.inputs:,} × {layer.neurons:,} = {layer.weights:,}" for layer in derivation.further
    )


def equalities(derivation: Derivation) -> list[str]:
    """What was computed on the picture, and how far it is apart."""
    if not derivation.outputs or not derivation.picture:
        return []
    lines = [f"On {derivation.picture.name}, with random weights, largest differences:"]
    for equal in derivation.outputs.equalities:
        if equal.difference is None:
            lines.append(_wrapped(f"  not computed: {equal.what}: {equal.why}", "    "))
        else:
            shown = "0" if equal.difference == 0 else f"{equal.difference:.0e}"
            lines.append(f"  {shown:>6}  {equal.what}")
    return lines


def measured(derivation: Derivation) -> list[str]:
    """Time and memory of each stage."""
    if not derivation.measurements:
        return []
    rows = [
        [
            "",
            "forward",
            "against",
            "with gradients",
            "against",
            "weights",
            "gradients",
            "all memory",
        ]
    ]
    base = derivation.measurements[0]
    notes = []
    for found in derivation.measurements:
        name = "(not shared)" if found.name == "unshared" else found.name
        if found.why:
            notes.append(_wrapped(f"{name} was not measured: {found.why}."))
            continue
        rows.append(
            [
                name,
                milliseconds(found.forward_ms),
                times_as_fast(base.forward_ms, found.forward_ms) if found is not base else "",
                milliseconds(found.step_ms),
                times_as_fast(base.step_ms, found.step_ms) if found is not base else "",
                size(found.weight_bytes),
                size(found.gradient_bytes),
                size(found.step_bytes),
            ]
        )
    head = (
        f"Measured with batches of {derivation.batch_size} images in float32 (medians; all memory "
        "of a training step):"
    )
    return [head, *([_table(rows, left=1)] if len(rows) > 1 else []), *notes]


def milliseconds(value: float) -> str:
    """ "0.123 ms"."""
    return f"{value:.3g} ms" if value < 1000 else f"{value:,.0f} ms"


def times_as_fast(base: float, value: float) -> str:
    """ "3.1 ×", or nothing where there is no base."""
    return f"{base / value:.2g} ×" if base > 0 and value > 0 else ""


def size(count: int) -> str:
    """ "1.5 MiB"."""
    for unit, one in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} B"


def _table(rows: Sequence[Sequence[str]], left: int) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
