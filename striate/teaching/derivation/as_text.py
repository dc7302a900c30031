"""A derivation as text."""

from __future__ import annotations

import textwrap

from striate.common.tables import table
from striate.common.text import counted, in_bytes
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.neighbour_correlation import sentences
from striate.teaching.derivation.stages import fewer

_WIDTH = 96


def text(derivation: DerivationData) -> str:
    """The stages, which of them agree, and what they cost, as lines of text."""
    parts = [heading(derivation), table(counts(derivation), left=2)]
    parts += [
        _wrapped(f"{number}. {stage.sentence}", "   ")
        for number, stage in enumerate(derivation.stages, 1)
    ]
    if derivation.unshared:
        parts.append(_wrapped(f"{derivation.unshared.sentence} That is a locally connected layer."))
    if derivation.further:
        parts.append(_wrapped(behind(derivation)))
    parts += [_wrapped(note) for note in derivation.notes]
    if derivation.correlation:
        parts += [_wrapped(line) for line in sentences(derivation.correlation)]
    if found := equalities(derivation):
        parts.append(_wrapped(compared_note(derivation)))
        parts += [_wrapped(f"{apart:>7}  {what}", " " * 9) for apart, what, _ in found]
    if derivation.measurements:
        parts.append(measured_note(derivation) + ":")
        rows = measured_rows(derivation)
        parts += [table(rows)] if len(rows) > 1 else []
        parts += [_wrapped(note) for note in unmeasured(derivation)]
    return "\n".join(parts)


def heading(derivation: DerivationData) -> str:
    """The sizes of image, layer and windows, in a line."""
    height, width, channels = derivation.image
    line = f"Image {height}×{width}" + f"×{channels}" * (channels > 1)
    line += f", {derivation.pixels:,} pixels" + " of all channels" * (channels > 1)
    line += f"; {counted(derivation.neurons, 'neuron')}"
    if derivation.group:
        line += f" in groups of {derivation.group:,}"
    if derivation.windows:
        line += f"; windows of {derivation.windows}"
        if derivation.chosen:
            line += " (chosen)"
    return line


def counts(derivation: DerivationData) -> list[list[str]]:
    """A table of the stages' counts: the names of the columns, then a row for each stage."""
    rows = [["stage", "layer", "weights", "connections", "multiply-adds", "against dense"]]
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


def behind(derivation: DerivationData) -> str:
    """A sentence on the weights of the dense layers that follow, and of all layers together."""
    first, last = derivation.stages[0], derivation.stages[-1]
    added = " + ".join(f"{layer.weights:,}" for layer in derivation.further)
    line = (
        f"With the dense layers behind ({_products(derivation)}): {first.weights:,} + {added} = "
        f"{derivation.total(first):,} weights"
    )
    if last is not first:
        line += f", or as a {last.name} {last.weights:,} + {added} = {derivation.total(last):,}"
    return line + "."


def _products(derivation: DerivationData) -> str:
    return ", ".join(
        f"{layer.inputs:,} × {layer.neurons:,} = {layer.weights:,}" for layer in derivation.further
    )


def equalities(derivation: DerivationData) -> list[list[str]]:
    """The comparisons as rows: the largest difference, what was compared, how many numbers."""
    rows = []
    for equal in derivation.outputs.equalities if derivation.outputs else ():
        if equal.difference is None:
            rows.append(["-", f"{equal.what}: not computed, {equal.why}", f"{equal.numbers:,}"])
        else:
            shown = "0" if equal.difference == 0 else f"{equal.difference:.0e}"
            rows.append([shown, equal.what, f"{equal.numbers:,}"])
    return rows


def compared_note(derivation: DerivationData) -> str:
    """The heading of the comparisons, with the image on which they were made."""
    name = derivation.picture.name if derivation.picture else ""
    kind = "the given" if derivation.outputs and derivation.outputs.given else "random"
    return f"On {name}, with {kind} weights in float64, the largest differences:"


def measured_note(derivation: DerivationData) -> str:
    """The heading of the measurements."""
    return (
        f"Measured with batches of {derivation.batch_size} images in float32: medians, and all "
        "memory of a training step"
    )


def measured_rows(derivation: DerivationData) -> list[list[str]]:
    """A table of time and memory: the names of the columns, then a row for each stage."""
    rows = [["", "forward", "", "training step", "", "weights", "gradients", "all memory", ""]]
    found = [m for m in derivation.measurements or () if not m.why]
    dense = next((m for m in found if m.name == "dense"), None)
    for measured in found:
        base = dense if measured is not dense else None
        rows.append(
            [
                "(not shared)" if measured.name == "unshared" else measured.name,
                milliseconds(measured.forward_ms),
                times(base.forward_ms, measured.forward_ms) if base else "",
                milliseconds(measured.step_ms),
                times(base.step_ms, measured.step_ms) if base else "",
                in_bytes(measured.weight_bytes),
                in_bytes(measured.gradient_bytes),
                in_bytes(measured.step_bytes),
                times(base.step_bytes, measured.step_bytes) if base else "",
            ]
        )
    return rows


def unmeasured(derivation: DerivationData) -> list[str]:
    """A sentence for each stage that was not measured, with the reason."""
    return [f"{m.name}: not measured, {m.why}." for m in derivation.measurements or () if m.why]


def milliseconds(value: float) -> str:
    """ "0.123 ms"."""
    return f"{value:.3g} ms" if value < 1000 else f"{value:,.0f} ms"


def times(base: float, value: float) -> str:
    """How many times as little a value is as the base: "3.1 ×"."""
    share = base / value
    return f"{share:,.0f} ×" if share >= 100 else f"{share:.2g} ×"


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
