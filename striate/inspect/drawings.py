"""Figures of effective receptive fields; and pictures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.figure_files import kind_of
from striate.data.dataset import DataError
from striate.pictures.figures import write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.inspect.effective_receptive_fields import Effective, EffectiveField

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
