"""Draws which values one unit sees, layer by layer back to the image: the pyramid of its field.

As in the figure of *CNN 1 (Convolutional Neural Network Basics)*, Sparse Connectivity, in which y3
sees x1 to x5 through h2 to h4. Layers of one row are columns of circles with a line for each
connection; other layers are planes, with lines from the corners of what is read to what reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.text import counted, cut_in_the_middle, sizes
from striate.inspect.dependency_masks import Mask, trace_back
from striate.inspect.receptive_fields import NetworkReach, layer_index
from striate.layers.reads import Pointwise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.model.model import Model

MOST_CIRCLES = 40
"""In a column; of a longer row a plane is drawn."""
MOST_PANELS = 8
"""Layers of a picture; of a deeper network some are left out."""
PITCH, INCHES = 1.55, 1.3
"""From a plane to the next, in sides of the largest; and inches of such a side."""
LONGEST_NAME = 22
SEEN, UNSEEN, LINE = "#6baed6", "white", "tab:blue"


@dataclass(frozen=True)
class Panel:
    """A layer, or the image, with what of it the unit depends on.

    Attributes:
        name: of the layer; of the image "x".
        seen: bool (rows, columns); of a vector (features, 1).
        channels: how many values there are at each place.
        sources: for each place (row, column) that is seen, the places of the panel before that it
            reads; empty where planes are drawn.
    """

    name: str
    seen: Mask
    channels: int
    sources: dict[tuple[int, int], list[tuple[int, int]]]

    @property
    def is_row(self) -> bool:
        """Whether it is a single row or column, short enough to be circles."""
        return bool(min(self.seen.shape) == 1) and max(self.seen.shape) <= MOST_CIRCLES


def draw_field(seen: NetworkReach, layer: str, unit: Sequence[int]) -> Figure:
    """Draw what a unit sees.

    Args:
        seen: of the network, from `striate.inspect.reach`.
        layer: the name of the unit's layer.
        unit: its place, (row, column[, channel]) or (feature,).

    Raises:
        ValueError: there is no such layer or unit.
    """
    from matplotlib.figure import Figure

    panels, left_out = _panels(seen, layer, unit)
    rows = all(panel.is_row for panel in panels)
    tall = max(max(panel.seen.shape) for panel in panels)
    wide, high = 1.9 * len(panels), 0.42 * tall + 1.2
    if not rows:
        wide, high = PITCH * len(panels) * INCHES, 2.2 * INCHES
    figure = Figure(figsize=(max(wide, 4.5), high))
    axes: Any = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.axis("off")
    place = ", ".join(map(str, unit))
    said = f"{layer}, unit ({place}), sees {_counted(panels[0])}"
    if left_out:
        said += f"; of the layers between, {left_out} are not drawn"
    (_draw_circles if rows else _draw_planes)(axes, panels, said)
    return figure


def _counted(image: Panel) -> str:
    return f"{counted(int(image.seen.sum()), 'pixel')} of {image.seen.size:,}"


# What is drawn.


def _panels(reached: NetworkReach, layer: str, unit: Sequence[int]) -> tuple[list[Panel], int]:
    """The panels from the image to the unit, and how many layers have none for want of room.

    Layers that treat each number alone, such as ReLU, see what the one before sees, and have none.
    """
    network = reached.network
    node = layer_index(network, layer)
    own = reached[layer]
    wanted = np.zeros(own.grid, bool)
    wanted[own.unit(*unit)] = True
    masks = trace_back(network, node, wanted)
    shown = [at for at in sorted(masks) if at < 0 or at == node or not _is_pointwise(network, at)]
    if len(shown) > MOST_PANELS:
        chosen = np.linspace(0, len(shown) - 1, MOST_PANELS).round().astype(int)
        left_out, shown = len(shown) - MOST_PANELS, [shown[i] for i in chosen]
    else:
        left_out = 0
    panels = []
    for at, before in zip(shown, (None, *shown[:-1]), strict=True):
        name = "x" if at < 0 else network.nodes[at].name
        seen = _plane(masks[at])
        channels = 1 if masks[at].shape[:2] == (1, 1) else masks[at].shape[2]
        panel = Panel(name, seen, channels, {})
        if before is not None and panel.is_row and not left_out:
            panel = Panel(name, seen, panel.channels, _sources(network, at, before, masks))
        panels.append(panel)
    return panels, left_out


def _is_pointwise(network: Model, node: int) -> bool:
    shapes = network.input_shapes(node)
    return isinstance(network.nodes[node].layer.reads(*shapes), Pointwise)


def _plane(mask: Mask) -> Mask:
    """(rows, columns) of a mask; (features, 1) of a vector's."""
    vector = mask.shape[:2] == (1, 1)
    return np.asarray(mask[0, 0][:, None] if vector else np.any(mask, axis=-1))


def _sources(
    network: Model, node: int, before: int, masks: dict[int, Mask]
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Which places of the panel before each place of a layer reads, through layers without one."""
    found = {}
    seen = _plane(masks[node])
    for place in zip(*map(list, np.nonzero(seen)), strict=True):
        own = np.zeros_like(masks[node])
        if masks[node].shape[:2] == (1, 1):
            own[0, 0, place[0]] = True
        else:
            own[place] = masks[node][place]
        read = trace_back(network, node, own, before).get(before)
        found[int(place[0]), int(place[1])] = (
            [] if read is None else [(int(r), int(c)) for r, c in np.argwhere(_plane(read))]
        )
    return found


# Circles.


def _draw_circles(axes: Axes, panels: Sequence[Panel], said: str) -> None:
    tall = max(max(panel.seen.shape) for panel in panels)
    where = [_heights(panel, tall) for panel in panels]
    for x, panel in enumerate(panels):
        for place, read in panel.sources.items():
            for one in read:
                ends = (where[x - 1][one], where[x][place])
                axes.plot((x - 1, x), ends, color=LINE, lw=1.6, zorder=1, gid="line")
        for number, place in enumerate(sorted(where[x]), 1):
            y, seen = where[x][place], panel.seen[place]
            axes.plot(x, y, "o", ms=22, mfc=SEEN if seen else UNSEEN, mec="0.3", zorder=2)
            axes.text(x, y, _unit_name(panel.name, number), ha="center", va="center", fontsize=7.5,
                      color="black" if seen else "0.55", zorder=3)  # fmt: skip
        axes.text(x, 0.85, _panel_name(panel), ha="center", fontsize=8, color="0.3")
    axes.set_xlim(-0.6, len(panels) - 0.4)
    axes.set_ylim(-tall, 1.9)
    axes.text(-0.45, 1.5, said, fontsize=9)
    axes.text(-0.45, -tall + 0.1, "Units are numbered from 1.", fontsize=7.5, color="0.4")


def _heights(panel: Panel, tall: int) -> dict[tuple[int, int], float]:
    """The y of each place; columns of another length are centred."""
    count = panel.seen.size
    return {
        (int(row), int(column)): -index - (tall - count) / 2
        for index, (row, column) in enumerate(np.ndindex(panel.seen.shape))
    }


def _unit_name(name: str, number: int) -> str:
    """h2 of a layer with a short name, else 2."""
    return f"{name}{number}" if len(name) <= 2 else str(number)


def _panel_name(panel: Panel) -> str:
    return "the image" if panel.name == "x" else cut_in_the_middle(panel.name, LONGEST_NAME)


# Planes.


def _draw_planes(axes: Axes, panels: Sequence[Panel], said: str) -> None:
    """Planes of one height, left to right, with the corners of what is seen joined."""
    boxes = []
    for x, panel in enumerate(panels):
        rows, columns = panel.seen.shape
        side = 1.15 / max(rows, columns)
        left, top = PITCH * x - side * columns / 2, side * rows / 2
        shades = np.where(panel.seen, 0.45, 0.0)
        extent = (left, left + side * columns, top - side * rows, top)
        axes.imshow(shades, cmap="Blues", vmin=0, vmax=1, extent=extent, interpolation="nearest",
                    aspect="equal", zorder=1)  # fmt: skip
        _draw_grid(axes, extent, panel.seen.shape)
        seen = np.argwhere(panel.seen)
        (r0, c0), (r1, c1) = (seen.min(0), seen.max(0) + 1) if len(seen) else ((0, 0), (0, 0))
        boxes.append((left + side * c0, left + side * c1, top - side * r0, top - side * r1))
        words = f"{_panel_name(panel)}\n{_of_plane(panel)}"
        axes.text(PITCH * x, -0.66, words, ha="center", va="top", fontsize=8)
    for before, after in pairwise(boxes):
        for y in (2, 3):  # the right corners of what is read, the left ones of what reads it
            axes.plot((before[1], after[0]), (before[y], after[y]), color="tab:red", lw=1.0,
                      zorder=3, gid="line")  # fmt: skip
        left, right, high, low = before
        outline = ((left, right, right, left, left), (high, high, low, low, high))
        axes.plot(*outline, color="tab:red", lw=1.0, zorder=3)
    axes.set_xlim(-PITCH / 2, PITCH * (len(panels) - 0.5))
    axes.set_ylim(-1.2, 1.0)
    axes.text(-0.65, 0.85, said, fontsize=9)


def _of_plane(panel: Panel) -> str:
    seen = np.argwhere(panel.seen)
    if not len(seen):
        return "sees padding only"
    if panel.seen.shape[1] == 1:
        return f"{len(seen):,} of {panel.seen.size:,}"
    height, width = seen.max(0) - seen.min(0) + 1
    of = sizes(panel.seen.shape)
    channels = f"\n{panel.channels} channels" * (panel.channels > 1)
    return f"{height}×{width} of {of}{channels}"


def _draw_grid(
    axes: Axes, extent: tuple[float, float, float, float], shape: tuple[int, ...]
) -> None:
    """The lines between cells, or of a plane with many cells its edge."""
    left, right, low, high = extent
    rows, columns = (count if max(shape) <= MOST_CIRCLES else 1 for count in shape)
    for y in np.linspace(low, high, rows + 1):
        axes.plot((left, right), (y, y), color="0.6", lw=0.5, zorder=2)
    for x in np.linspace(left, right, columns + 1):
        axes.plot((x, x), (low, high), color="0.6", lw=0.5, zorder=2)
