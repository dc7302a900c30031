"""A convolutional layer as planes: the channels of the image and the output of each filter.

The planes stand one behind the other, as the article *From Convolution to Neural Network*
(G. Gundersen) draws a layer: with the weights as coloured lines, or with one depth column, which
are the neurons of all filters that read the same patch.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.drawing_colours import (
    gray_levels,
    ink_on,
    line_style,
    short,
    signed_colour,
    weight_colour,
)
from striate.teaching.derivation.figure_connections import connections, corner_of, place_of, read_by
from striate.teaching.derivation.windows import Windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The most planes and lines, and the largest plane that is drawn cell by cell.
_PLANES, _LINES, _CELLS = 4, 200, 1024


def draw_planes(ax: Axes, derivation: DerivationData, neuron: int | None, column: bool) -> None:
    """Draw image and outputs as planes.

    Args:
        ax: where.
        derivation: with windows.
        neuron: the only neuron whose lines are drawn; None for all of the first group, or for the
            one in the middle where those are too many.
        column: mark the depth column of that neuron, and draw the lines to all its neurons.
    """
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return
    channels, filters = derivation.image[2], derivation.neurons // windows.count
    pads = windows.pads
    size = (derivation.image[0] + pads[0] + pads[1], derivation.image[1] + pads[2] + pads[3])
    taps = windows.taps * channels
    many = windows.count * taps > _LINES
    at = (neuron or 0) % group if neuron is not None or not (many or column) else group // 2
    first = neuron // group if neuron is not None else 0
    groups = [*range(min(filters, _PLANES))]
    if first not in groups:
        groups[-1] = first
    step = 0.5 * size[1] + 1.6
    begin = min(channels, _PLANES) * step + 0.35 * max(size) + 1
    after = 0.5 * windows.positions[1] + 1.6
    small = max(*size, *windows.positions) <= 6

    def from_input(row: float, column_: float, channel: int) -> tuple[float, float]:
        return channel * step + 0.5 * column_, -row + 0.3 * column_

    def from_output(row: float, column_: float, place: int) -> tuple[float, float]:
        lower = (size[0] - windows.positions[0]) / 2
        return begin + place * after + 0.5 * column_, -row - lower + 0.3 * column_

    values = (
        derivation.picture.pixels if derivation.picture else np.broadcast_to(1.0, derivation.image)
    )
    for channel in range(min(channels, _PLANES)):
        if size[0] * size[1] > _CELLS:
            _outline(ax, size, partial(from_input, channel=channel))
            continue
        padded = np.pad(
            gray_levels(values)[..., channel], (pads[:2], pads[2:]), constant_values=np.nan
        )
        numbers = np.pad(values[..., channel], (pads[:2], pads[2:]))
        _plane(ax, padded, numbers, partial(from_input, channel=channel), None, small)
    outputs = derivation.outputs.neurons.get("convolution") if derivation.outputs else None
    maps = (
        np.broadcast_to(0.0, (filters, *windows.positions))
        if outputs is None
        else outputs.reshape(filters, *windows.positions)
    )
    limit = 1.0 if outputs is None else float(np.abs(outputs).max()) or 1.0
    for place, of in enumerate(groups):
        if windows.count > _CELLS:
            _outline(ax, windows.positions, partial(from_output, place=place))
        else:
            numbered = small and outputs is not None
            _plane(ax, maps[of], maps[of], partial(from_output, place=place), limit, numbered)
        ax.text(
            *from_output(windows.positions[0] + 0.7, windows.positions[1] / 2, place),
            f"filter {of}", ha="center", va="top", fontsize=7,
        )  # fmt: skip
    one = many or column or neuron is not None
    read = [first * group + at] if one else [*range(group)]
    if column:
        read = [of * group + at for of in groups]
    _mark(ax, windows, from_input, min(channels, _PLANES), corner_of(derivation, read[0]), one)
    for neuron_, place in ((n, groups.index(n // group)) for n in read):
        row, column_ = divmod(neuron_ % group, windows.positions[1])
        end = from_output(row + 0.5, column_ + 0.5, place)
        for line in connections(derivation, "planes", _around(derivation, neuron_), [neuron_]):
            y, x, channel = place_of(derivation, line.pixel)
            if channel < _PLANES:
                start = from_input(y + pads[0] + 0.5, x + pads[2] + 0.5, channel)
                colour = weight_colour(line.weight, taps, line.group)
                ax.plot(
                    *zip(start, end, strict=True), color=colour, ls=line_style(line.group),
                    lw=1.1 if one else 0.8, alpha=0.85, zorder=4, gid="line",
                )  # fmt: skip
        if one:
            ax.plot(*end, "o", ms=15, mfc="none", mec="black", mew=1.6, zorder=6)
    ax.set_aspect("equal")
    ax.axis("off")
    ax.autoscale_view()
    ax.set_title(_title(derivation, windows, at, maps if outputs is not None else None, column))
    ax.title.set_fontsize(9)


def _around(derivation: DerivationData, neuron: int) -> list[int]:
    """The pixels inside the image that the neuron reads."""
    return [*islice(read_by(derivation, neuron), _LINES)]


def _title(
    derivation: DerivationData, windows: Windows, at: int, maps: Array | None, column: bool
) -> str:
    filters = derivation.neurons // windows.count
    height, width, channels = derivation.image
    down, across = windows.positions
    text = f"{height}×{width}×{channels} → {down}×{across}×{filters}"
    text += "; a colour is one weight"
    if not column:
        return text
    row, place = divmod(at, across)
    text = f"depth column at ({row},{place}): {filters:,} neurons read the same patch"
    if maps is not None:
        shown = ", ".join(short(float(value)) for value in maps[:8, row, place])
        text += f"\noutputs {shown}" + ", …" * (filters > 8)
    return text


def _mark(
    ax: Axes, windows: Windows, where: Any, channels: int, corner: tuple[int, int], one: bool
) -> None:
    """The window of the neuron that is singled out, on each plane of the image."""
    from matplotlib.patches import Polygon

    if not one:
        return
    top, left = corner[0] + windows.pads[0], corner[1] + windows.pads[2]
    bottom, right = top + windows.size[0], left + windows.size[1]
    for channel in range(channels):
        corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
        points = [where(row, column, channel) for row, column in corners]
        ax.add_patch(Polygon(points, fill=False, ec="#d62728", lw=2, zorder=5, gid="window"))


def _outline(ax: Axes, size: tuple[int, int], where: Any) -> None:
    """A plane of too many cells to be drawn one by one."""
    from matplotlib.patches import Polygon

    rows, columns = size
    corners = [where(*at) for at in ((0, 0), (0, columns), (rows, columns), (rows, 0))]
    ax.add_patch(Polygon(corners, fc="0.85", ec="0.4", zorder=2))


def _plane(
    ax: Axes, shades: Array, values: Array, where: Any, limit: float | None, numbered: bool
) -> None:
    """A plane, cell by cell; gray, or of signed numbers with a limit. NaN is a cell of padding."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patheffects import withStroke

    polygons, colours = [], []
    for (row, column), shade in np.ndenumerate(shades):
        corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
        polygons.append([where(*corner) for corner in corners])
        padding = bool(np.isnan(shade))
        colour: Any = "white" if padding else str(float(shade))
        if limit is not None:
            colour = signed_colour(float(shade), limit)
        colours.append(colour)
        if numbered or (padding and max(shades.shape) <= 12):
            x, y = where(row + 0.5, column + 0.5)
            ax.text(
                x, y, short(float(values[row, column])), fontsize=5, ha="center", va="center",
                color=ink_on(colour), zorder=8,
                path_effects=[withStroke(linewidth=1.5, foreground=colour)],
            )  # fmt: skip
    ax.add_collection(
        PolyCollection(polygons, facecolors=colours, edgecolors="0.5", linewidths=0.4, zorder=2)
    )
