"""The drawing of the last stage, the convolution, in the manner of the article's figures 11 and 12.

It shows the image with the windows that slide over it, the sums of two neurons, the filters, and
their outputs for the image.
"""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.windows import Windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The most groups and windows that are drawn, and the most weights that are drawn with their names.
_GROUPS, _WINDOWS, _NAMED = 4, 9, 9


def group_colour(group: int) -> Any:
    """The colour of a group's neurons."""
    from matplotlib import colormaps

    return colormaps["tab10"](group % 10)


def draw_convolution(figure: Any, derivation: DerivationData) -> None:
    """Draw image, windows, two sums, filters and outputs into a matplotlib figure or subfigure."""
    windows = derivation.windows
    if windows is None:
        return
    filters = derivation.neurons // windows.count
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _draw_windows(left, derivation, windows)
    right.axis("off")
    lines = [_equation(derivation, windows, n) for n in range(min(windows.count, 2))]
    if derivation.image[2] > 1:
        lines.append(f"… and so for each of the {derivation.image[2]} channels, all added")
    right.text(
        0, 1.02, "\n".join(lines), va="top", fontsize=8, family="monospace",
        transform=right.transAxes,
    )  # fmt: skip
    _draw_filters(right, derivation)
    _draw_outputs(right, derivation, windows)
    if filters > _GROUPS:
        note = f"{_GROUPS} of {filters:,} groups"
        right.text(0, -0.08, note, fontsize=8, transform=right.transAxes)
    figure.suptitle(
        f"Convolution: the patches of a group are one {windows.size[0]}×{windows.size[1]} filter, "
        f"{filters:,} in all\n{derivation.stage('convolution').weights:,} weights",
        fontsize=10,
    )


def _draw_windows(ax: Axes, derivation: DerivationData, windows: Windows) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    height, width, channels = derivation.image
    if derivation.picture is not None:
        values = derivation.picture.pixels
        shown = values if channels == 3 else values[..., 0]
        ax.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1)
    else:
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
        ax.set_aspect("equal")
    few = windows.count <= _WINDOWS
    positions = [*range(windows.count)] if few else [0, 1, 2, windows.count - 1]
    for order, position in enumerate(positions):
        colour = colormaps["plasma"](0.25 + 0.7 * order / max(len(positions) - 1, 1))
        row, column = divmod(position, windows.positions[1])
        # Without it the edges of overlapping windows would hide each other.
        inset = 0.06 * (order % 5) * min(windows.size) / 2
        y = row * windows.stride[0] - windows.pads[0] - 0.5 + inset
        x = column * windows.stride[1] - windows.pads[2] - 0.5 + inset
        down, across = windows.size[0] - 2 * inset, windows.size[1] - 2 * inset
        ax.add_patch(Rectangle((x, y), across, down, fill=False, ec=colour, lw=2, clip_on=False))
        ax.annotate(
            f"{position:,}", (x, y), (3, -9), textcoords="offset points", color=colour,
            fontsize=8, weight="bold", annotation_clip=False,
        )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    which = "all" if few else "some"
    label = f"{which} of the {windows.count:,} windows, one for each neuron of a group"
    ax.set_xlabel(label, fontsize=8)


def _equation(derivation: DerivationData, windows: Windows, neuron: int) -> str:
    """The sum that a neuron computes, as in figure 11: "neuron 0 = w1·x(0,0) + …"."""
    rows, columns = windows.rows_and_columns(derivation.size, neuron)
    row, column = divmod(neuron, windows.positions[1])
    top = row * windows.stride[0] - windows.pads[0]
    left = column * windows.stride[1] - windows.pads[2]
    few = len(rows) * len(columns) <= _NAMED
    terms = [
        f"w{(y - top) * windows.size[1] + x - left + 1}·x({y},{x})"
        for y, x in islice(product(rows, columns), _NAMED if few else 5)
    ]
    if not few:
        terms.append("…")
    lines = [" + ".join(terms[i : i + 3]) for i in range(0, len(terms), 3)]
    head = f"neuron {neuron} = "
    if not terms:
        return head + "0, of padding alone"
    return head + ("\n" + " " * (len(head) - 2) + "+ ").join(lines)


def _draw_filters(ax: Axes, derivation: DerivationData) -> None:
    """Draw the first channel of the first filters, with the names of a small filter's weights."""
    filters = derivation.outputs.filters if derivation.outputs else None
    if filters is None:
        return
    shown = [filters[:, :, 0, k] for k in range(min(filters.shape[3], _GROUPS))]
    for inset, values in _row(ax, shown, bottom=0.42, height=0.3):
        if values.size > _NAMED:
            continue
        for (row, column), value in np.ndenumerate(values):
            name = f"w{row * values.shape[1] + column + 1}\n{value:.2g}"
            inset.text(column, row, name, ha="center", va="center", fontsize=6)
    which = " (first channel)" if filters.shape[2] > 1 else ""
    ax.text(0, 0.735, f"filters{which}", fontsize=8, transform=ax.transAxes)


def _draw_outputs(ax: Axes, derivation: DerivationData, windows: Windows) -> None:
    """Draw the output maps of the first groups."""
    outputs = derivation.outputs.neurons.get("convolution") if derivation.outputs else None
    if outputs is None:
        return
    maps = outputs.reshape(-1, *windows.positions)[:_GROUPS]
    for number, (inset, _) in enumerate(_row(ax, list(maps), bottom=0.02, height=0.3)):
        inset.set_xlabel(f"group {number}", fontsize=8)
    ax.text(0, 0.335, "outputs", fontsize=8, transform=ax.transAxes)


def _row(ax: Axes, arrays: list[Array], bottom: float, height: float) -> list[tuple[Axes, Array]]:
    """Draw arrays side by side, blue below 0 and red above; their axes, each with its array."""
    limit = max(float(np.abs(values).max()) for values in arrays) or 1.0
    made = []
    for number, values in enumerate(arrays):
        inset = ax.inset_axes((number * 0.25, bottom, 0.22, height))
        inset.imshow(values, cmap="RdBu_r", vmin=-1.4 * limit, vmax=1.4 * limit)
        inset.set_xticks([])
        inset.set_yticks([])
        for spine in inset.spines.values():
            spine.set(color=group_colour(number), linewidth=2)
        made.append((inset, values))
    return made
