"""A layer as two volumes: a local region of the input, and the column of neurons that read it.

The figure of *Convolutional Neural Network* (A. A. Umar, section Convolution process), a region of
a 32×32×3 image connected to the next layer, and that of *From Convolution to Neural Network*
(section Layers as volumes): "the set of neurons all connected to the same region of input is called
the depth column". Height is drawn downwards, depth to the right, and width into the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from striate.common.text import counted, sizes
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.drawing_colours import group_colour
from striate.teaching.derivation.figure_connections import corner_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Corner = tuple[float, float, float]
"""(row, column, depth), in pixels and channels."""
Place = Callable[[Corner], tuple[float, float]]
# The most neurons of a column that are drawn, and how far right and up a column of pixels goes.
_NEURONS, _ACROSS, _UP = 8, 0.45, 0.3
_REGION = "#d62728"


def draw_volume(ax: Axes, derivation: DerivationData, neuron: int | None) -> None:
    """Draw input and output as boxes.

    Args:
        ax: where.
        derivation: with windows.
        neuron: in whose column; None for the middle.
    """
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return
    height, width, channels = derivation.image
    rows, columns = windows.positions
    filters = derivation.neurons // windows.count
    at = rows // 2 * columns + columns // 2 if neuron is None else neuron % group
    side = max(height, width, rows, columns)
    first, deep = _box(0.0, 0.0, channels, side)
    far = deep + _ACROSS * width + 0.9 * side
    second, _ = _box(far, (height - rows) / 2, filters, side)
    _draw_box(ax, first, (0, 0, 0), (height, width, channels), "#dbe9f6")
    _draw_box(ax, second, (0, 0, 0), (rows, columns, filters), "#e3f1e1")
    top, left = corner_of(derivation, at)
    region = (
        (max(top, 0), max(left, 0), 0),
        (min(top + windows.size[0], height), min(left + windows.size[1], width), channels),
    )
    _draw_box(ax, first, *region, _REGION, alpha=0.35, gid="region")
    row, column = divmod(at, columns)
    _draw_box(ax, second, (row, column, 0), (row + 1, column + 1, filters), "0.5", 0.25, "column")
    shown = [*range(min(filters, _NEURONS))]
    for place in shown:
        spot = second((row + 0.5, column + 0.5, (place + 0.5) * filters / len(shown)))
        for corner in ((region[0][0], region[0][1]), (region[1][0], region[1][1])):
            start = first((*corner, channels))
            ax.plot(*zip(start, spot, strict=True), color=group_colour(place), lw=0.9, alpha=0.8,
                    zorder=5, gid="line")  # fmt: skip
        ax.plot(*spot, "o", ms=9 if len(shown) <= 4 else 6, mfc=group_colour(place), mec="black",
                mew=0.8, zorder=6)  # fmt: skip
    _name_sides(ax, first, (height, width, channels), side)
    _name_sides(ax, second, (rows, columns, filters), side)
    reads = windows.taps * channels
    ax.set_title(
        f"{sizes(derivation.image)} → {rows}×{columns}×{filters}: each neuron reads a local region "
        f"of {sizes((*windows.size, channels))}\n= {counted(reads, 'weight')} in place of "
        f"{derivation.pixels:,}; the depth column at ({row},{column}) is "
        f"{counted(filters, 'neuron')}, one of each filter"
        + f" ({_NEURONS} are drawn)"
        * (filters > _NEURONS),
        fontsize=9,
    )
    ax.set_aspect("equal")
    ax.axis("off")
    ax.margins(0.08)


def _box(x: float, y: float, depth: int, side: int) -> tuple[Place, float]:
    """Where the corners of a box lie, and how long its depth is drawn: true to size, but at least a
    quarter and at most 1.2 of the longest side.
    """
    long = min(max(depth, side / 4), 1.2 * side)

    def place(corner: Corner) -> tuple[float, float]:
        row, column, channel = corner
        return x + channel * long / depth + _ACROSS * column, -y - row + _UP * column

    return place, long


def _draw_box(
    ax: Axes, place: Place, low: Corner, high: Corner, colour: Any, alpha: float = 1.0,
    gid: str = "box",
) -> None:  # fmt: skip
    """The three faces that are seen: in front, above, and to the right."""
    from matplotlib.patches import Polygon

    (top, left, near), (bottom, right, far) = low, high
    faces: Sequence[tuple[Sequence[Corner], float]] = (
        (((top, left, near), (top, left, far), (bottom, left, far), (bottom, left, near)), 1.0),
        (((top, left, near), (top, left, far), (top, right, far), (top, right, near)), 0.75),
        (((top, left, far), (top, right, far), (bottom, right, far), (bottom, left, far)), 0.55),
    )
    for corners, light in faces:
        ax.add_patch(
            Polygon(
                [place(corner) for corner in corners], fc=colour, alpha=alpha * (0.5 + light / 2),
                ec="none", zorder=2, gid=gid,
            )
        )  # fmt: skip
        ax.add_patch(
            Polygon([place(corner) for corner in corners], fill=False, ec="0.3", lw=0.8, zorder=3)
        )


def _name_sides(ax: Axes, place: Place, shape: tuple[int, int, int], side: int) -> None:
    """The lengths of the three sides, with their names."""
    height, width, depth = shape
    gap = 0.04 * side
    x, y = place((height / 2, 0, 0))
    ax.text(x - gap, y, f"height {height}", ha="right", va="center", fontsize=8, rotation=90,
            zorder=7, bbox={"fc": "white", "ec": "none", "pad": 0.8, "alpha": 0.8})  # fmt: skip
    x, y = place((height, 0, depth / 2))
    ax.text(x, y - gap, f"depth {depth}", ha="center", va="top", fontsize=8)
    x, y = place((0, width / 2, 0))
    ax.text(x - gap, y + gap, f"width {width}", ha="right", va="bottom", fontsize=8)
