"""The figure of the experiment with an altered stroke: article 001's "2", with its red bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.common.arrays import Array
    from striate.inspect.stroke_experiment import AlteredStroke, KeptBar

_BAR = "red"  # as in the article


def draw_stroke(found: AlteredStroke, index: int | None = None) -> Figure:
    """Draw a digit and the altered one, their Sobel responses, and these after each pooling.

    A red bar is around the longest row of strong responses that both have.

    Args:
        found: the result of the experiment.
        index: of the digit; by default the one that was altered most.
    """
    from matplotlib.figure import Figure

    if index is None:
        index = found.most_altered
    rows = found.seen
    figure = Figure(figsize=(2.5 * (1 + len(rows)), 5.9), layout="constrained")
    panels = figure.subplots(2, 1 + len(rows), squeeze=False)
    digits = found.before[index], found.after[index]
    for axes, digit in zip(panels[:, 0], digits, strict=True):
        _show(axes, digit, float(found.before[index].max()) or 1.0)
    panels[0, 0].set_title("digit", fontsize=11)
    panels[0, 0].set_ylabel("as written", fontsize=11)
    altered = found.change.replace(" made", "\nmade")
    panels[1, 0].set_ylabel(f"altered: {altered}", fontsize=11)
    for place, row in enumerate(rows, 1):
        bar = found.bar(row.pool, index)
        responses = [answers[index] for answers in found.answers[row.pool]]
        largest = float(responses[0].max()) or 1.0
        for axes, values in zip(panels[:, place], responses, strict=True):
            _show(axes, values, largest)
            if bar is not None:
                _draw_bar(axes, bar)
        name = "Sobel" if row.pool == 1 else f"max-pooled {row.pool}×{row.pool}"
        panels[0, place].set_title(name, fontsize=11)
        panels[1, place].set_xlabel(
            f"{row.survived:,} of {row.strong:,} strong\nanswers stay: {percent(row.share, '.0f')}",
            fontsize=10,
        )
    who = "red: the longest row\nthat both have"
    if found.digits > 1:
        who += f"\n(numbers: all {found.digits} digits)"
    panels[1, 0].set_xlabel(who, fontsize=10, color=_BAR)
    return figure


def _show(axes: Axes, values: Array, largest: float) -> None:
    axes.imshow(values, cmap="gray", vmin=0, vmax=largest, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_bar(axes: Axes, bar: KeptBar) -> None:
    from matplotlib.patches import Rectangle

    corner = bar.first - 0.5, bar.row - 0.5
    axes.add_patch(
        Rectangle(corner, bar.length, 1, fill=False, edgecolor=_BAR, linewidth=2.6, zorder=4)
    )
