"""Figures of effective receptive fields, and of the experiment with an altered stroke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.figure_files import kind_of
from striate.common.text import percent
from striate.data.dataset import DataError
from striate.pictures.figures import write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.common.arrays import Array
    from striate.inspect.effective_receptive_fields import Effective, EffectiveField
    from striate.inspect.stroke_experiment import AlteredStroke

ACROSS = 4
MOST = 32
_LINE = "tab:red"


def check_picture(path: str | Path) -> str:
    """The kind of picture, one of `KINDS`, by the ending of a file's name; DataError for others."""
    return kind_of(path, "a picture", error=DataError)


def write_picture(path: str | Path, figure: Figure) -> None:
    """Write a figure to a file; DataError if it cannot be written."""
    write_figure(path, check_picture(path), lambda: figure)


def draw_fields(effective: Effective) -> Figure:
    """Draw each layer's effective field, bright where the gradient is large.

    A red frame shows the receptive field. Of very many layers the first and the last are drawn.
    """
    from matplotlib.figure import Figure

    fields = effective.fields
    if len(fields) > MOST:
        fields = fields[: MOST // 2] + fields[-MOST // 2 :]
    across = min(len(fields), ACROSS)
    down = -(-len(fields) // across)
    height, width = fields[0].heat.shape
    tall = min(max(height / width, 0.3), 3.0)
    figure = Figure(figsize=(2.6 * across, (2.6 * tall + 0.65) * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels[len(fields) :]:
        axes.set_axis_off()
    for axes, field in zip(panels, fields, strict=False):
        _field(axes, field)
    return figure


def _field(axes: Axes, field: EffectiveField) -> None:
    from matplotlib.patches import Rectangle

    heat = field.heat
    # The square root makes small gradients visible.
    axes.imshow(np.sqrt(heat / heat.max()) if not field.is_dead else heat, cmap="gray", vmin=0,
                vmax=1, interpolation="nearest")  # fmt: skip
    top, left = field.field.rows[0] - 0.5, field.field.columns[0] - 0.5
    tall, wide = field.field.size
    # The part of the frame in the padding is cut off at the image's edge.
    axes.add_patch(Rectangle((left, top), wide, tall, fill=False, edgecolor=_LINE, linewidth=1.5))
    axes.set_xlim(-0.5, heat.shape[1] - 0.5)
    axes.set_ylim(heat.shape[0] - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    says = (
        "nothing moves it"
        if field.is_dead
        else f"field {tall}×{wide}, effective {field.size:.1f}×{field.size:.1f}"
    )
    axes.set_title(f"{field.layer}\n{says}", fontsize=9)


def draw_stroke(found: AlteredStroke, index: int | None = None) -> Figure:
    """Draw a digit and the altered one, their Sobel responses, and these after each pooling.

    Args:
        found: the result of the experiment.
        index: of the digit; by default the one that was altered most.
    """
    from matplotlib.figure import Figure

    if index is None:
        # In float64, because differences of bytes would wrap around.
        moved = found.after.astype(np.float64) - found.before
        index = int(np.abs(moved).sum((1, 2)).argmax())
    columns: list[tuple[str, Array, Array]] = [("digit", found.before[index], found.after[index])]
    for row in found.survival:
        one, two = found.answers[row.pool]
        name = "Sobel" if row.pool == 1 else f"max-pooled {row.pool}×{row.pool}"
        columns.append((name, one[index], two[index]))
    figure = Figure(figsize=(2.1 * len(columns), 4.8), layout="constrained")
    panels = figure.subplots(2, len(columns), squeeze=False)
    for place, (name, one, two) in enumerate(columns):
        largest = float(one.max()) or 1.0
        for axes, values in ((panels[0, place], one), (panels[1, place], two)):
            axes.imshow(values, cmap="gray", vmin=0, vmax=largest, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        panels[0, place].set_title(name, fontsize=10)
        if place:
            share = found.survival[place - 1].share
            panels[1, place].set_xlabel(f"{percent(share, '.0f')} survive", fontsize=10)
    panels[0, 0].set_ylabel("as written", fontsize=10)
    panels[1, 0].set_ylabel("altered", fontsize=10)
    panels[1, 0].set_xlabel(f"of {found.digits} digits:", fontsize=10)
    return figure
