"""Draws a pooling: planes of numbers in which a window has a colour, or images before and after.

The figure of article 003 (*Convolutional Neural Network*, section Pooling Layer): an input of 4×4
in four colours, and the four outputs in the same. Where windows overlap, one of them is boxed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.text import sizes
from striate.teaching.derivation.drawing_colours import short
from striate.teaching.number_planes import BACK, GIVES, READS, arrow, box, canvas, plane
from striate.teaching.number_text import both
from striate.teaching.pooling import pooling_text
from striate.teaching.pooling.pooled_windows import Pooled, PooledWindow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Larger planes, and more channels, are drawn as images.
_CELLS, _CHANNELS = 20, 4
_TINTS = ("#cfe2f3", "#fde0c5", "#d5ecd4", "#f6cfd0", "#e2d7ee", "#f2e3c9", "#fbdcee", "#d3eef0")
# Room above a plane for its title, and between planes, in cells.
_HEAD, _GAP, _BETWEEN = 2.8, 2.2, 4.0


def pooling_figure(pooled: Pooled, only: Sequence[str] = ()) -> Figure:
    """The figure.

    Args:
        pooled: what is drawn.
        only: names of outputs; the windows of these are coloured only, or boxed where windows
            overlap (without names the first is).

    Raises:
        ValueError: there is no output of such a name.
    """
    chosen = pooling_text.named(pooled, only)
    height, width, channels = pooled.x.shape
    pads = pooled.pads
    largest = max(height + pads[0] + pads[1], width + pads[2] + pads[3], *pooled.output.shape[:2])
    if largest > _CELLS or channels > _CHANNELS:
        return _images(pooled)
    return _planes(pooled, chosen)


def _planes(pooled: Pooled, chosen: list[PooledWindow]) -> Figure:
    height, width, channels = pooled.x.shape
    rows, columns, _ = pooled.output.shape
    pads = pooled.pads
    wide, tall = width + pads[2] + pads[3], height + pads[0] + pads[1]
    backward = pooled.gradient is not None
    each = max(tall, rows) + _GAP
    above = _HEAD + channels * each
    right = 1.0 + wide + _BETWEEN
    figure, axes = canvas(
        max(right + columns + 1.0, 15.0), above + backward * (channels * each + 1.0) - 1.2
    )
    marked = {window.place: window for window in chosen}
    if not chosen and pooled.overlaps:
        marked = {(0, 0, 0): pooled.window(0, 0)}
    _notes(axes, pooled, bool(chosen))
    for channel in range(channels):
        raised = f", channel {channel + 1}" * (channels > 1)
        top = _HEAD + channel * each
        low = above + 1.0 + channel * each
        windows = [w for w in pooled.windows() if w.place[2] == channel]
        shown = [w for w in windows if w.place in marked] if marked else windows
        of_x, of_o = _tints(pooled, shown, pooled.overlaps)
        middle = top + (tall - rows) / 2
        plane(axes, pooled.x[..., channel], 1.0, top, f"X{raised}", pads=pads, tint=of_x,
              write=short, beyond=_beyond(pooled))  # fmt: skip
        plane(axes, pooled.output[..., channel], right, middle, f"O{raised}", tint=of_o,
              write=short)  # fmt: skip
        for window in windows:
            _circle(axes, pooled, window, 1.0, top)
        for window in shown if pooled.overlaps else ():
            _window_box(axes, pooled, window, 1.0, top)
            box(axes, right + window.place[1], middle + window.place[0], 1, 1, GIVES)
        ends = (1.0 + wide + 0.4, top + tall / 2), (right - 0.4, top + tall / 2)
        arrow(axes, *ends, label=pooled.kind)
        if pooled.gradient is None or pooled.input_gradient is None:
            continue
        middle = low + (height - rows) / 2 + pads[0]
        plane(axes, pooled.input_gradient[..., channel], 1.0 + pads[2], low + pads[0],
              f"∂L/∂X{raised}", tint=of_x, write=short)  # fmt: skip
        plane(axes, pooled.gradient[..., channel], right, middle, f"∂L/∂O{raised}", tint=of_o,
              write=short)  # fmt: skip
        for window in windows:
            _circle(axes, pooled, window, 1.0, low)
        level = low + pads[0] + height / 2
        arrow(axes, (right - 0.4, level), (1.0 + wide + 0.4, level), BACK, "gradient")
    return figure


def _notes(axes: Axes, pooled: Pooled, chosen: bool) -> None:
    layer = pooled.layer
    text = f"{pooled.kind} pooling {sizes(layer.size)}, stride {both(layer.stride)}"
    if layer.dilation != (1, 1):
        text += f", dilation {both(layer.dilation)}"
    text += f": {sizes(pooled.x.shape[:2])} → {sizes(pooled.output.shape[:2])}"
    axes.text(1.0, 0.6, text, fontsize=10, va="center")
    one = "boxes: a window and its output" if pooled.overlaps else "a colour is one window"
    circled = "; circled: the winner of each" * (pooled.kind == "max")
    axes.text(1.0, 1.35, one + circled, fontsize=8, va="center", color="0.3")


def _tints(
    pooled: Pooled, shown: Sequence[PooledWindow], overlaps: bool
) -> tuple[Callable[[int, int], str], Callable[[int, int], str]]:
    """The colours of the cells of X and of O: of each window that is shown another."""
    of_x: dict[tuple[int, int], str] = {}
    of_o: dict[tuple[int, int], str] = {}
    columns = pooled.output.shape[1]
    for window in shown:
        row, column, _ = window.place
        tint = "#dbe9f6" if overlaps else _TINTS[(row * columns + column) % len(_TINTS)]
        if not overlaps and columns % len(_TINTS) == 0:  # else whole columns would be alike
            tint = _TINTS[(row * (columns + 3) + column) % len(_TINTS)]
        of_o[row, column] = tint
        of_x |= dict.fromkeys(window.pixels, tint)
    return (
        lambda row, column: of_x.get((row, column), "white"),
        lambda row, column: of_o.get((row, column), "white"),
    )


def _beyond(pooled: Pooled) -> str:
    """What a cell of padding shows: 0 where it counts as a number, a dash where it does not."""
    counts = pooled.kind == "sum" or getattr(pooled.layer, "count_padding", False)
    return "0" if counts else "–"


def _circle(axes: Axes, pooled: Pooled, window: PooledWindow, left: float, top: float) -> None:
    """A circle around the winner of a window."""
    from matplotlib.patches import Circle

    if window.winner is None:
        return
    row, column = window.pixels[window.winner]
    centre = left + pooled.pads[2] + column + 0.5, top + pooled.pads[0] + row + 0.5
    axes.add_patch(
        Circle(centre, 0.44, fill=False, edgecolor="#b00020", lw=1.5, zorder=5, gid="winner")
    )


def _window_box(axes: Axes, pooled: Pooled, window: PooledWindow, left: float, top: float) -> None:
    row, column, _ = window.place
    stride, reach = pooled.layer.stride, pooled.reach
    box(axes, left + column * stride[1], top + row * stride[0], reach[1], reach[0], READS)


def _images(pooled: Pooled) -> Figure:
    """X and O as images, each pixel of O as large as the pixels of X that it stands for."""
    from matplotlib.figure import Figure

    backward = pooled.gradient is not None and pooled.input_gradient is not None
    figure = Figure(figsize=(8.0, 4.4 * (1 + backward)), layout="constrained")
    panels: Any = figure.subplots(1 + backward, 2, squeeze=False)
    _image(panels[0, 0], pooled.x, f"X {sizes(pooled.x.shape)}")
    _image(panels[0, 1], pooled.output, f"O {sizes(pooled.output.shape)}")
    if pooled.gradient is not None and pooled.input_gradient is not None:
        _signed(panels[1, 0], pooled.input_gradient, "∂L/∂X")
        _signed(panels[1, 1], pooled.gradient, "∂L/∂O")
    figure.suptitle(
        f"{pooled.kind} pooling {sizes(pooled.layer.size)}, stride {both(pooled.layer.stride)}",
        fontsize=10,
    )
    return figure


def _image(axes: Axes, values: Array, title: str) -> None:
    low, high = float(values.min()), float(values.max())
    shades = (values - low) / ((high - low) or 1.0)
    if values.shape[2] == 3:
        axes.imshow(shades)
    else:
        axes.imshow(shades[..., 0], cmap="gray", vmin=0, vmax=1)
        title += ", channel 1" * (values.shape[2] > 1)
    _framed(axes, title)


def _signed(axes: Axes, values: Array, title: str) -> None:
    limit = float(np.abs(values).max()) or 1.0
    axes.imshow(values[..., 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
    _framed(axes, title + ", channel 1" * (values.shape[2] > 1))


def _framed(axes: Axes, title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)
