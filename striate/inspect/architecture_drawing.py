"""Draws a network's architecture: a box for each part, as high and deep as what flows behind it.

As in *Convolutional Neural Network* (A. A. Umar), Overall Architecture: from the input volume
through convolutions and pooling to the dense layers. Heights are the logarithm of rows, depths that
of channels, so that 224 rows and 1,000 classes fit into one picture. What skips layers is drawn as
an arc above them; runs of equal parts are drawn once, in a frame that says how often they come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from striate.common.budget import at_most
from striate.common.text import counted, cut_in_the_middle, sizes
from striate.inspect.architecture_parts import (
    ArchitecturePart,
    ArchitectureParts,
    architecture_of,
    cut_places,
)
from striate.layers import Add, Concat, Dense, GroupedDense, Layer, Multiply
from striate.layers.layer import WindowLayer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.model.model import Model

MOST_PARTS = 300
"""Parts of a picture; more than that nobody would look at."""
# All lengths are inches.
WIDEST = 13.0
"""Of a row of parts; what is wider goes on in the next row."""
SHORT = 2.5
"""A last row that is shorter stands at the end of the row before."""
LETTER, SMALL_LETTER, LINE = 0.068, 0.055, 0.15
LONGEST_NAME = 24
"""Letters of a name; of a longer one its two ends are shown."""
MARGIN = 0.45
"""Left of each row, for the arrow from the row above."""
GAP = 0.32
RADIUS = 0.17
"""Of the circle of a sum."""
LEVEL = 0.13
"""Between arcs that would else lie on each other."""
SIGNS: dict[type[Layer] | None, str] = {Add: "+", Multiply: "×", Concat: "∥"}
"""What stands in the circle where branches meet."""
COLOURS = {
    "input": "#d9d9d9", "convolution": "#9ecae1", "pooling": "#fdae6b", "dense": "#a1d99b",
    "branches meet": "#dadaeb", "else": "#f0f0f0",
}  # fmt: skip


@dataclass(frozen=True)
class PlacedPart:
    """A part with its place.

    Attributes:
        part: what is drawn.
        left, width: of the room that it has with its words.
        height, thick, slant: of the face, along the channels, and of the slanted edge.
    """

    part: ArchitecturePart
    left: float
    width: float
    height: float
    thick: float
    slant: float

    @property
    def centre(self) -> float:
        """The middle of the room."""
        return self.left + self.width / 2

    @property
    def west(self) -> float:
        """Where the box begins."""
        return self.centre - (self.thick + self.slant) / 2

    @property
    def east(self) -> float:
        """Where the box ends."""
        return self.centre + (self.thick + self.slant) / 2

    @property
    def top(self) -> float:
        """Of the box, above its middle."""
        return self.height / 2 + self.slant


def draw_architecture(network: Model) -> Figure:
    """Draw a network.

    Raises:
        ValueError: it has more than 300 parts even where equal ones are drawn once.
    """
    from matplotlib.figure import Figure

    shown = architecture_of(network)
    at_most(
        len(shown.parts), MOST_PARTS, "parts", "architecture", "draw a smaller part of the network"
    )
    rows = _rows(shown.parts)
    boxes = {}
    for row in rows:
        left = MARGIN
        for place in row:
            box = _box(shown.parts[place], left)
            boxes[place] = box
            left += box.width + GAP
    levels = _levels(shown, rows)
    width = max(6.0, *(box.left + box.width + 0.5 for box in boxes.values()))
    tops, middles, y = [], [], 0.55
    for row in rows:
        above = max(boxes[place].top for place in row)
        most = max((level for (_, end), level in levels.items() if end in row), default=-1)
        room = 0.35 + (most + 2) * LEVEL
        tops.append(y)
        y += room + above
        middles.append(y)
        y += max(boxes[place].height / 2 + _words_height(boxes[place].part) for place in row)
        y += 0.15
    figure = Figure(figsize=(width, y + 0.3))
    axes: Any = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(y + 0.3, 0)
    axes.axis("off")
    axes.text(0.3, 0.3, _said(network), fontsize=10, va="center")
    for index, (row, middle) in enumerate(zip(rows, middles, strict=True)):
        _draw_runs(axes, shown, row, boxes, tops[index], middle)
        for place in row:
            _draw_box(axes, boxes[place], middle)
        _draw_ways(axes, shown.parts, row, boxes, middle, width, index + 1 < len(rows))
        _draw_arcs(axes, shown.parts, row, boxes, middle, levels)
    _draw_legend(axes, shown, y + 0.05)
    return figure


def _said(network: Model) -> str:
    return (
        f"{sizes(network.input_shape)} → {sizes(network.output_shape)}, "
        f"{counted(len(network.nodes), 'layer')}, {counted(network.parameter_count, 'parameter')}"
    )


# Places.


def _rows(parts: Sequence[ArchitecturePart]) -> list[list[int]]:
    """The places of parts, row by row. A row ends behind a cut, where only its last part is read
    from further on, unless the next cut is too far away.
    """
    cut = set(cut_places(parts))
    rows: list[list[int]] = [[]]
    used = 0.0
    for place, part in enumerate(parts):
        wide = _box(part, 0.0).width + GAP
        row = rows[-1]
        ends = [at for at in row if at in cut and 3 * (at - row[0] + 1) >= len(row)]
        if row and used + wide > (WIDEST if ends else 2 * WIDEST):
            end = ends[-1] if ends else row[-1]
            rows[-1:] = [row[: end - row[0] + 1], row[end - row[0] + 1 :]]
            used = sum(_box(parts[at], 0.0).width + GAP for at in rows[-1])
        rows[-1].append(place)
        used += wide
    if len(rows) > 1 and used < SHORT:  # a row of one or two parts would look lost
        rows[-2:] = [[*rows[-2], *rows[-1]]]
    return rows


def _box(part: ArchitecturePart, left: float) -> PlacedPart:
    if part.kind in SIGNS:
        height, thick, slant = 2 * RADIUS, 2 * RADIUS, 0.0
    elif len(part.shape) == 3:
        rows, columns, channels = part.shape
        height = 0.22 + 0.2 * math.log2(rows + 1)
        thick, slant = 0.08 + 0.07 * math.log2(channels + 1), 0.06 + 0.045 * math.log2(columns + 1)
    else:
        height, thick, slant = 0.22 + 0.12 * math.log2(part.shape[0] + 1), 0.14, 0.06
    letters = max(map(len, (*part.words, sizes(part.shape))))
    words = max(LETTER * letters, SMALL_LETTER * len(_name(part)))
    return PlacedPart(part, left, max(thick + slant, words), height, thick, slant)


def _name(part: ArchitecturePart) -> str:
    return cut_in_the_middle(part.name, LONGEST_NAME)


def _words_height(part: ArchitecturePart) -> float:
    return 0.12 + LINE * (len(part.words) + 1 + (part.name != "input"))


def _levels(shown: ArchitectureParts, rows: Sequence[Sequence[int]]) -> dict[tuple[int, int], int]:
    """How high the arc of each skip within a row lies, by (from, to): arcs that share columns
    beyond their ends get different heights, short ones the lower. What the last part of a row gives
    comes to the next row at its left end, and its arcs begin there.
    """
    of_row = {place: index for index, row in enumerate(rows) for place in row}
    heads = {row[0] for row in rows if row[0]}
    skips = sorted(_skips(shown.parts), key=lambda skip: skip[1] - skip[0])
    levels: dict[tuple[int, int], int] = {}
    for start, end in skips:
        if of_row[start] != of_row[end] and start + 1 not in heads:
            continue
        taken = {level for (a, b), level in levels.items() if a < end and start < b}
        levels[start, end] = next(level for level in range(len(skips)) if level not in taken)
    return levels


def _skips(parts: Sequence[ArchitecturePart]) -> list[tuple[int, int]]:
    """(from, to) of all that is read from elsewhere than the part before."""
    return [
        (source, place)
        for place, part in enumerate(parts)
        for source in dict.fromkeys(part.reads)
        if source != place - 1
    ]


# Drawing.


def _draw_box(axes: Axes, box: PlacedPart, middle: float) -> None:
    from matplotlib.patches import Circle, Polygon

    part, colour = box.part, COLOURS[_colour_of(box.part)]
    edge = {"edgecolor": "0.35", "lw": 0.8, "joinstyle": "round"}
    if part.kind in SIGNS:
        axes.add_patch(Circle((box.centre, middle), RADIUS, facecolor=colour, edgecolor="0.35"))
        sign = SIGNS[part.kind]
        axes.text(box.centre, middle, sign, fontsize=12, ha="center", va="center_baseline")
    else:
        x, s, t = box.west, box.slant, box.thick
        up, down = middle - box.height / 2, middle + box.height / 2
        # The face along the channels, the one on the right, and the top.
        faces = (
            [(x, up), (x + t, up), (x + t, down), (x, down)],
            [(x + t, up), (x + t + s, up - s), (x + t + s, down - s), (x + t, down)],
            [(x, up), (x + s, up - s), (x + t + s, up - s), (x + t, up)],
        )
        for face, shade in zip(faces, (1.0, 0.86, 0.94), strict=True):
            axes.add_patch(Polygon(face, facecolor=_shaded(colour, shade), **edge))  # type: ignore[arg-type]
    y = middle + box.height / 2 + 0.12
    lines = [
        (sizes(part.shape), "black", "bold"),
        *((word, "0.15", "normal") for word in part.words),
    ]
    if part.name != "input":
        lines.append((_name(part), "0.5", "normal"))
    for text, ink, weight in lines:
        axes.text(box.centre, y, text, fontsize=6.0 if ink == "0.5" else 7.5, ha="center",
                  va="center", color=ink, fontweight=weight)  # fmt: skip
        y += LINE


def _shaded(colour: str, share: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return red * share, green * share, blue * share


def _colour_of(part: ArchitecturePart) -> str:
    kind = part.kind
    if kind is None:
        return "input"
    if kind in SIGNS:
        return "branches meet"
    if kind in (Dense, GroupedDense):
        return "dense"
    if "Pool" in kind.__name__:
        return "pooling"
    return "convolution" if issubclass(kind, WindowLayer) else "else"


def _draw_ways(
    axes: Axes, parts: Sequence[ArchitecturePart], row: Sequence[int], boxes: dict[int, PlacedPart],
    middle: float, width: float, goes_on: bool,
) -> None:  # fmt: skip
    """Draw the arrows from each part to the next, and those over the ends of the row."""
    for place in row:
        if place - 1 not in parts[place].reads:
            continue
        start = boxes[place - 1].east + 0.03 if place - 1 in row else 0.08
        _arrow(axes, (start, middle), (boxes[place].west - 0.02, middle))
    last = row[-1]
    if goes_on and last in parts[last + 1].reads:
        end = min(boxes[last].east + 0.4, width - 0.05)
        _arrow(axes, (boxes[last].east + 0.03, middle), (end, middle))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.3", "lw": 1.0,
                                              "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def _draw_arcs(
    axes: Axes, parts: Sequence[ArchitecturePart], row: Sequence[int], boxes: dict[int, PlacedPart],
    middle: float, levels: dict[tuple[int, int], int],
) -> None:  # fmt: skip
    """Draw what skips parts: an arc within the row, or two ends with names over rows."""
    above = middle - max(boxes[place].top for place in row) - 0.12
    for start, end in _skips(parts):
        if (start, end) in levels:
            if end not in row:
                continue
            level = above - LEVEL * levels[start, end]
            a = (MARGIN / 2, middle)
            if start in row:
                a = (boxes[start].centre + 0.06, middle - boxes[start].top)
            _arc(axes, a, (boxes[end].centre - 0.06, middle - boxes[end].top - 0.02), level)
        elif start in row:
            box = boxes[start]
            said = f"to {parts[end].name}"
            axes.text(box.centre, above, said, fontsize=6.5, ha="left", color="tab:red")
        elif end in row:
            box = boxes[end]
            said = f"from {parts[start].name}"
            _arrow(axes, (box.centre, above + 0.02), (box.centre, middle - box.top - 0.02))
            axes.text(box.centre, above, said, fontsize=6.5, ha="right", color="tab:red")


def _arc(axes: Axes, start: tuple[float, float], end: tuple[float, float], level: float) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    (a, from_y), (b, to_y) = start, end
    bend = min(0.12, (b - a) / 2)
    points = [
        (a, from_y), (a, level + bend), (a, level), (a + bend, level),
        (b - bend, level), (b, level), (b, level + bend), (b, to_y),
    ]  # fmt: skip
    codes = [Path.MOVETO, Path.LINETO, Path.CURVE3, Path.CURVE3,
             Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO]  # fmt: skip
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points, codes), arrowstyle="-|>,head_width=2,head_length=4", color="tab:red",
            lw=1.0, shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def _draw_runs(
    axes: Axes, shown: ArchitectureParts, row: Sequence[int], boxes: dict[int, PlacedPart],
    top: float, middle: float,
) -> None:  # fmt: skip
    """Draw a frame around parts that stand for several, with how often they come."""
    from matplotlib.patches import FancyBboxPatch

    for run in shown.runs:
        inside = [boxes[place] for place in row if run.first <= place <= run.last]
        if not inside:
            continue
        left, right = inside[0].left - 0.06, inside[-1].left + inside[-1].width + 0.06
        foot = middle + max(box.height / 2 + _words_height(box.part) for box in inside) - 0.02
        axes.add_patch(
            FancyBboxPatch((left, top + 0.2), right - left, foot - top - 0.2, lw=1.0, ls="--",
                           boxstyle="round,pad=0.02", facecolor="#fafafa", edgecolor="0.5")
        )  # fmt: skip
        said = f"{run.times} times"
        axes.text(right, top + 0.1, said, fontsize=8.5, ha="right", va="center", color="0.3")


def _draw_legend(axes: Axes, shown: ArchitectureParts, y: float) -> None:
    from matplotlib.patches import Rectangle

    there = {_colour_of(part) for part in shown.parts}
    x = 0.3
    for what in COLOURS:
        if what in there and what != "else":
            axes.add_patch(Rectangle((x, y - 0.06), 0.14, 0.12, facecolor=COLOURS[what],
                                     edgecolor="0.35", lw=0.6))  # fmt: skip
            axes.text(x + 0.2, y, what, fontsize=7.5, va="center")
            x += 0.42 + LETTER * len(what)
