"""Draws layers one after the other: X and F make O, and O makes the next X; below, the way back.

Above, from left to right, what each layer reads and gives, with its filters over the arrow; below
each of these its gradient, which comes from the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from striate.common.text import number, sizes
from striate.layers import ReLU
from striate.teaching.chainrule.contents import Named, filter_planes, planes
from striate.teaching.chainrule.layer_chain import ChainSums
from striate.teaching.chainrule.passages import Passage
from striate.teaching.chainrule.sums import GradientSums, Symbol
from striate.teaching.number_planes import BACK, arrow, canvas, plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.common.arrays import Array
    from striate.ops.shapes import Pads

TITLE = 1.1
"""Cells that a name needs above its matrix."""
LETTER = 0.24
"""Cells that a letter needs."""
SIDE = 0.6
"""Cells left and right of what stands over an arrow."""
FORWARD, FILTERS, SLOPES = "#dbe9f6", "#f9d9d6", "#fde3c8"

Grid = list[list[Named]]
"""Rows of matrices, all of one size."""


@dataclass(frozen=True)
class TensorColumn:
    """A column: what a layer gives and the next one reads, and its gradient.

    Attributes:
        values, slopes: the channels, one below the other.
        pads: the frame of zeros that the next layer sees: top, bottom, left, right.
    """

    values: Grid
    slopes: Grid
    pads: Pads


@dataclass(frozen=True)
class LayerArrow:
    """What lies between two columns: a layer.

    Attributes:
        name: what is written over the arrow, of a convolution "".
        filters, slopes: of a convolution its F and ∂L/∂F, a column for each filter.
        bias, bias_slope: lines of text, or "".
    """

    name: str = ""
    filters: Grid | None = None
    slopes: Grid | None = None
    bias: str = ""
    bias_slope: str = ""


def chain_figure(written: ChainSums) -> Figure:
    """The figure of a chain of layers."""
    tensors, ways = _columns(written)
    tallest = max(_height(one.values, one.pads) for one in tensors)
    over = max((_height(way.filters) for way in ways if way.filters), default=0.0)
    # The rows of the two arrows: filters stand above the first and below the second.
    above, below = max(tallest / 2, over + 0.5), max(tallest / 2, over + 1.6)
    first = 1.2 + above
    second = first + tallest / 2 + 1.0 + tallest / 2
    lefts, place = [], 1.0
    for tensor, way in zip(tensors, [*ways, None], strict=True):
        lefts.append(place)
        place += _width([*tensor.values, *tensor.slopes], tensor.pads) + 0.3
        if way is not None:
            place += _way_width(way) + 0.3
    figure, axes = canvas(place + 3.4, second + below + 1.2)
    for left, tensor in zip(lefts, tensors, strict=True):
        top = first - _height(tensor.values, tensor.pads) / 2
        _draw(axes, tensor.values, left, top, FORWARD, tensor.pads)
        # Below the values: the frame of zeros has no gradient here.
        below_pads = left + tensor.pads[2]
        _draw(axes, tensor.slopes, below_pads, second - _height(tensor.slopes) / 2, SLOPES)
    ends = [
        (left + _width([*one.values, *one.slopes], one.pads) + 0.1, after - 0.2)
        for (left, after), one in zip(pairwise([*lefts, place]), tensors, strict=True)
    ]
    for way, (start, end) in zip(ways, ends, strict=False):
        _draw_way(axes, way, start, end, first, second)
    loss, middle = place + 1.6, (first + second) / 2
    axes.text(loss, middle, "L", fontsize=16, ha="center", va="center")
    arrow(axes, (ends[-1][0], first), (loss - 0.3, middle - 0.7))
    arrow(axes, (loss - 0.3, middle + 0.7), (ends[-1][0], second), BACK)
    axes.text(1.0, 0.6, "gray arrows: the forward pass", fontsize=8, color="0.25")
    said = "orange arrows: the gradients flow back"
    axes.text(1.0, second + below + 0.8, said, fontsize=8, color=BACK)
    return figure


def _columns(written: ChainSums) -> tuple[list[TensorColumn], list[LayerArrow]]:
    tensors, ways = [], []
    for step, before in zip(written.steps, (None, *written.steps[:-1]), strict=True):
        tensors.append(_tensor(step.x, step.input_gradient, before, step))
        ways.append(_way(step))
    tensors.append(_tensor(written.output, written.gradient, written.steps[-1], None))
    return tensors, ways


def _tensor(
    values: Array, slopes: Array, before: GradientSums | Passage | None,
    after: GradientSums | Passage | None,
) -> TensorColumn:  # fmt: skip
    """What `before` gives and `after` reads; it has two names where both are convolutions."""
    names = []
    if isinstance(before, GradientSums):
        names.append(Symbol("O", (), (), before.number))
    elif before is not None:
        names.append(before.result)
    pads = (0, 0, 0, 0)
    if isinstance(after, GradientSums):
        x = Symbol("X", (), (), after.number)
        names += [x] * (x not in names)
        pads = after.layer.pads(values.shape)
    gradients = [name.gradient for name in names]
    return TensorColumn(
        [[one] for one in planes(names, values)], [[one] for one in planes(gradients, slopes)], pads
    )


def _way(step: GradientSums | Passage) -> LayerArrow:
    if isinstance(step, Passage):
        pooled = "ReLU" if isinstance(step.layer, ReLU) else f"max {sizes(step.layer.size)}"
        return LayerArrow(pooled)
    f, b = (Symbol(kind, (), (), step.number) for kind in "Fb")
    bias, bias_slope = "", ""
    if step.b is not None:
        bias = f"+ {b} = {'  '.join(map(number, step.b))}"
        bias_slope = f"{b.gradient} = {'  '.join(map(number, step.bias_gradient))}"
    return LayerArrow(
        filters=_by_filter(f, step.f), slopes=_by_filter(f.gradient, step.filter_gradient),
        bias=bias, bias_slope=bias_slope,
    )  # fmt: skip


def _by_filter(name: Symbol, f: Array) -> Grid:
    """A row for each channel, in it the filters."""
    channels = f.shape[2]
    flat = filter_planes(name, f)
    return [flat[c::channels] for c in range(channels)]


# Sizes in cells.


def _height(grid: Grid, pads: Pads = (0, 0, 0, 0)) -> float:
    rows = int(grid[0][0][1].shape[0])
    return len(grid) * (rows + pads[0] + pads[1] + TITLE)


def _width(grid: Grid, pads: Pads = (0, 0, 0, 0)) -> float:
    return sum(_matrix_width(one, pads) for one in grid[0]) + 0.6 * (len(grid[0]) - 1)


def _matrix_width(one: Named, pads: Pads = (0, 0, 0, 0)) -> float:
    columns = int(one[1].shape[1])
    return max(float(columns + pads[2] + pads[3]), LETTER * len(_title(one)))


def _title(one: Named) -> str:
    return " = ".join(map(str, one[0]))


def _way_width(way: LayerArrow) -> float:
    words = LETTER * max(map(len, (way.name, way.bias, way.bias_slope)))
    grids = [_width(grid) for grid in (way.filters, way.slopes) if grid is not None]
    return max(words, 2.0, *grids) + 2 * SIDE


# Drawing.


def _draw(
    axes: Axes, grid: Grid, left: float, top: float, tint: str, pads: Pads = (0, 0, 0, 0)
) -> None:
    """Draw matrices below and beside each other, from a corner."""
    for row in grid:
        x = left
        for one in row:
            plane(axes, one[1], x, top + TITLE, _title(one), pads=pads, tint=tint)
            x += _matrix_width(one, pads) + 0.6
        top += _height([row], pads)


def _draw_way(
    axes: Axes, way: LayerArrow, start: float, end: float, first: float, second: float
) -> None:
    """Draw a layer over its arrow forward and, with its gradients, below the one back."""
    arrow(axes, (start, first), (end, first), label=way.name)
    arrow(axes, (end, second), (start, second), BACK, label=way.name)
    if way.filters is None or way.slopes is None:
        return
    x = start + SIDE
    _draw(axes, way.filters, x, first - 0.5 - _height(way.filters), FILTERS)
    axes.text(x, first + 0.7, way.bias, fontsize=8)
    top = second + 0.7
    _draw(axes, way.slopes, x, top, SLOPES)
    axes.text(x, top + _height(way.slopes) + 0.8, way.bias_slope, fontsize=8)
    foot = x + way.slopes[0][0][1].shape[1] / 2
    arrow(axes, (foot, second), (foot, top + 0.3), BACK)
