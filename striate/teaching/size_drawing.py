"""Draws sizes: windows true to size below the line that they lie on, or around an image.

Along one axis as *From Convolution to Neural Network* checks its formula by a drawing (I = 13,
R = 3, S = 2), with half a window at each end and the steps between the middles. Of an image both
axes, the frame of zeros, the first and the last window, the outputs, and how many windows read each
pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from striate.common.errors import StriateValueError
from striate.common.text import counted, decimal, sizes
from striate.ops.shapes import AXES
from striate.teaching.number_planes import READS, arrow, box, canvas, cell
from striate.teaching.size_answer import Fit
from striate.teaching.size_volume import VolumeSizes
from striate.teaching.size_windows import AxisWindows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PLACES = 4096
"""Pixels and padding along an axis that can be drawn: of more a window is thinner than a hair."""
# Windows drawn at most; places up to which each is a cell with a number; inches of a cell, and of
# the longest side of a drawing.
_WINDOWS, _CELLS, _CELL, _LONGEST = 10, 40, 0.32, 15.0
_PADDING, _UNREAD, _TAP, _GAP = "0.88", "#f4b6b6", "#9ec5e8", "#e4eef8"
_LAST = "tab:purple"


def size_figure(
    laid: Sequence[Fit], volume: VolumeSizes | None = None, fits: bool = True
) -> Figure:
    """The figure of the sizes along one axis, or along height and width.

    Args:
        laid: the sizes of each axis.
        volume: the depths, if there are any.
        fits: whether the sizes fit; what is left over is marked.

    Raises:
        ValueError: an axis is too long to be drawn.
    """
    axes = [AxisWindows(fit) for fit in laid]
    for axis, name in zip(axes, AXES, strict=False):
        if axis.places > MOST_PLACES:
            raise StriateValueError(
                f"size: {axis.places:,} pixels and zeros along the {name} cannot be drawn, at most "
                f"{MOST_PLACES:,}; draw a smaller input with the same filter and stride"
            )
    return _line(axes[0], fits) if len(axes) == 1 else _plane(axes[0], axes[1], volume)


# One axis.


def _line(axis: AxisWindows, fits: bool) -> Figure:
    shown = axis.shown(_WINDOWS)
    unit = max(axis.places / _CELLS, 1.0)  # of a long line a cell is as wide as several places
    left, top = 2.5 * unit, 4.4 * unit
    width = max(left + axis.places + 3.5 * unit, 22.0 * unit)
    height = top + (len(shown) + 4.2) * unit
    figure, axes = canvas(width, height, _CELL / unit)
    axes.text(0.6 * unit, 0.8 * unit, _rule(axis, fits), fontsize=10, va="center")
    axes.text(0.6 * unit, 1.7 * unit, _legend([axis]), fontsize=8, va="center", color="0.3")
    _cells(axes, axis, left, top, unit)
    _half_windows(axes, axis, left, top, unit)
    for row, window in enumerate(shown):
        level = top + (row + 1.3) * unit
        if window is None:
            axes.text(left + axis.places / 2, level + 0.5 * unit, "⋮", ha="center", va="center")
            continue
        _window(axes, axis, window, left, level, unit, down=False)
        axes.text(left - 0.4 * unit, level + 0.5 * unit, f"$O_{{{window + 1}}}$", fontsize=8,
                  ha="right", va="center")  # fmt: skip
    below = top + (len(shown) + 1.9) * unit
    if axis.fit.output > 1:
        first = left + (axis.reach) / 2
        arrow(axes, (first, below), (first + axis.fit.stride, below), "0.25")
        axes.text(first + axis.fit.stride + 0.4 * unit, below, f"S = {axis.fit.stride}, "
                  f"{counted(axis.fit.output - 1, 'step')} + 1 = "
                  f"{counted(axis.fit.output, 'window')}", fontsize=8, va="center")  # fmt: skip
    return figure


def _half_windows(axes: Axes, axis: AxisWindows, left: float, top: float, unit: float) -> None:
    """Half a window at each end of the line, where no middle can be."""
    half = (axis.reach - 1) / 2
    if not half:
        return
    last = axis.start(axis.fit.output - 1) + axis.reach / 2
    for begin, end in ((0.0, axis.reach / 2), (last, last + axis.reach / 2)):
        level = top - 0.5 * unit
        arrow(axes, (left + begin, level), (left + end, level), "0.4")
        arrow(axes, (left + end, level), (left + begin, level), "0.4")
        axes.text(left + (begin + end) / 2, level - 0.35 * unit, "R/2", fontsize=8, ha="center",
                  va="bottom", color="0.3")  # fmt: skip


# Two axes.


def _plane(down: AxisWindows, across: AxisWindows, volume: VolumeSizes | None) -> Figure:
    unit = max(down.places / _CELLS, across.places / _CELLS, 1.0)
    rows, columns = down.shown(_WINDOWS), across.shown(_WINDOWS)
    channels = volume.channels if volume else 1
    filters = (volume.filters if volume else None) or 1
    behind = 0.5 * unit
    deep_in, deep_out = (min(count, 4) - 1 for count in (channels, filters))
    left, top = 2.2 * unit, (3.4 + 0.5 * deep_in) * unit
    beside = left + across.places + (1.4 + 0.5 * deep_in) * unit  # the windows along the height
    outputs = beside + (len(rows) + 3.2) * unit
    width = max(outputs + across.fit.output + (1.5 + 0.5 * deep_out) * unit, 24.0 * unit)
    height = top + max(down.places + (len(columns) + 2.4) * unit, down.fit.output + 4.0 * unit)
    figure, axes = canvas(width, height, min(_CELL / unit, _LONGEST / width))
    axes.text(0.6 * unit, 0.8 * unit, _sizes_of(down, across, volume), fontsize=10, va="center")
    axes.text(0.6 * unit, 1.7 * unit, _legend([down, across]), fontsize=8, va="center", color="0.3")
    for plane in range(deep_in, 0, -1):
        _sheet(axes, left + plane * behind, top - plane * behind, across.places, down.places)
    _image(axes, down, across, left, top, unit)
    for window, colour in ((0, READS), (-1, _LAST)):
        row, column = window % down.fit.output, window % across.fit.output
        box(axes, left + across.start(column), top + down.start(row), across.reach, down.reach,
            colour)  # fmt: skip
    for place, one in enumerate(columns):
        level = top + down.places + (place + 1.0) * unit
        _labelled_window(axes, across, one, left, level, unit, down=False)
    for place, one in enumerate(rows):
        _labelled_window(axes, down, one, beside + place * unit, top, unit, down=True)
    middle = top + max((down.places - down.fit.output) / 2, 0.5 * deep_out * unit)
    arrow(axes, (outputs - 2.4 * unit, middle + down.fit.output / 2),
          (outputs - 0.5 * unit, middle + down.fit.output / 2))  # fmt: skip
    for plane in range(deep_out, 0, -1):
        _sheet(axes, outputs + plane * behind, middle - plane * behind, across.fit.output,
               down.fit.output)  # fmt: skip
    _outputs(axes, down, across, outputs, middle, unit)
    told = sizes((down.fit.output, across.fit.output))
    if volume is not None:
        told += f"×{volume.filters or 'O_d'}"
    axes.text(outputs, middle + down.fit.output + 0.8 * unit, f"{told} outputs", fontsize=9,
              va="center")  # fmt: skip
    return figure


def _image(
    axes: Axes, down: AxisWindows, across: AxisWindows, left: float, top: float, unit: float
) -> None:
    """The image with its frame of zeros; in each pixel how many windows read it."""
    reads = np.outer(down.reads, across.reads)
    before, above = across.fit.padding[0], down.fit.padding[0]
    if unit > 1:
        _sheet(axes, left, top, across.places, down.places, _PADDING)
        _sheet(axes, left + before, top + above, across.fit.input, down.fit.input, "white")
        for place in down.unread:
            _sheet(axes, left + before, top + place, across.fit.input, 1, _UNREAD, "unread", False)
        for place in across.unread:
            _sheet(axes, left + place, top + above, 1, down.fit.input, _UNREAD, "unread", False)
        return
    for row in range(down.places):
        for column in range(across.places):
            padding = down.is_padding(row) or across.is_padding(column)
            count = None if padding else int(reads[row - above, column - before])
            _place(axes, count, left + column, top + row)


def _outputs(
    axes: Axes, down: AxisWindows, across: AxisWindows, left: float, top: float, unit: float
) -> None:
    _sheet(axes, left, top, across.fit.output, down.fit.output, "#eef7ee")
    if unit == 1:
        for row in range(down.fit.output):
            for column in range(across.fit.output):
                _named_cell(axes, "output", "", left + column, top + row, "#eef7ee")
    box(axes, left, top, 1, 1, READS)
    if (down.fit.output, across.fit.output) != (1, 1):
        end = left + across.fit.output - 1, top + down.fit.output - 1
        box(axes, *end, 1, 1, _LAST)


# What both have.


def _sheet(
    axes: Axes, left: float, top: float, wide: float, tall: float, tint: str = "0.94",
    gid: str = "plane", edged: bool = True,
) -> None:  # fmt: skip
    """A rectangle: a plane of a volume, or a part of one that is too fine for cells."""
    from matplotlib.patches import Rectangle

    edge = "0.5" if edged else "none"
    axes.add_patch(
        Rectangle((left, top), wide, tall, facecolor=tint, edgecolor=edge, lw=0.8, gid=gid)
    )


def _cells(axes: Axes, axis: AxisWindows, left: float, top: float, unit: float) -> None:
    """The line of pixels with the zeros of its padding; in each pixel how many windows read it."""
    reads, before = axis.reads, axis.fit.padding[0]
    if unit > 1:
        _sheet(axes, left, top, axis.places, unit, _PADDING)
        _sheet(axes, left + before, top, axis.fit.input, unit, "white")
        for place in axis.unread:
            _sheet(axes, left + place, top, 1, unit, _UNREAD, "unread", False)
        return
    for place in range(axis.places):
        _place(axes, None if axis.is_padding(place) else int(reads[place - before]), left + place,
               top)  # fmt: skip


def _place(axes: Axes, reads: int | None, left: float, top: float) -> None:
    """The cell of a pixel with the number of windows that read it; None is a zero of padding."""
    if reads is None:
        _named_cell(axes, "padding", "0", left, top, _PADDING, "0.45")
    elif reads:
        _named_cell(axes, "pixel", str(reads), left, top)
    else:
        _named_cell(axes, "unread", "0", left, top, _UNREAD)


def _named_cell(
    axes: Axes, name: str, text: str, left: float, top: float, tint: str = "white",
    ink: str = "black",
) -> None:  # fmt: skip
    """A cell that an SVG file calls by a name."""
    cell(axes, text, left, top, tint, ink)
    axes.patches[-1].set_gid(name)


def _labelled_window(
    axes: Axes, axis: AxisWindows, window: int | None, left: float, top: float, unit: float,
    *, down: bool,
) -> None:  # fmt: skip
    """A window of an image's axis with its number, or dots for those that are left out."""
    if window is None:
        middle = axis.places / 2
        at = (left + 0.5 * unit, top + middle) if down else (left + middle, top + 0.5 * unit)
        axes.text(*at, "⋯" if down else "⋮", ha="center", va="center")
        return
    _window(axes, axis, window, left, top, unit, down=down)
    name = str(window + 1)
    size = 7 if len(name) < 3 else 12 / len(name)
    if down:
        axes.text(left + 0.5 * unit, top + axis.places + 0.5 * unit, name, fontsize=size,
                  ha="center", va="center", color="0.3")  # fmt: skip
    else:
        axes.text(left - 0.4 * unit, top + 0.5 * unit, name, fontsize=size, ha="right",
                  va="center", color="0.3")  # fmt: skip


def _window(
    axes: Axes, axis: AxisWindows, window: int, left: float, top: float, unit: float, *, down: bool
) -> None:
    """One window beside its axis, true to size, with a dot in its middle; taps are darker."""
    from matplotlib.patches import Rectangle

    def bar(place: float, long: float, tint: str, gid: str) -> None:
        at = (left + 0.1 * unit, top + place) if down else (left + place, top + 0.1 * unit)
        size = (0.8 * unit, long) if down else (long, 0.8 * unit)
        axes.add_patch(
            Rectangle(at, *size, facecolor=tint, edgecolor=READS, lw=0.8, gid=gid, zorder=2)
        )

    taps = axis.taps(window)
    if axis.fit.dilation == 1:
        bar(taps.start, axis.reach, _TAP, "window")
    else:
        bar(taps.start, axis.reach, _GAP, "window")
        for tap in taps:
            bar(tap, 1, _TAP, "tap")
    middle = axis.start(window) + axis.reach / 2
    at = (left + 0.5 * unit, top + middle) if down else (left + middle, top + 0.5 * unit)
    axes.plot(*at, "o", ms=3, color="0.2", zorder=3)


def _rule(axis: AxisWindows, fits: bool) -> str:
    """The size rule with the numbers put in."""
    fit = axis.fit
    if fits:
        return str(fit)
    before, after = fit.padding
    value = Fraction(axis.room, fit.stride) + 1
    end = " is not whole" * (value.denominator > 1)
    return (
        f"(I - R + P_before + P_after)/S + 1 = ({fit.input} - {axis.reach} + {before} + {after})"
        f"/{fit.stride} + 1 = {decimal(value)}{end}"
    )


def _sizes_of(down: AxisWindows, across: AxisWindows, volume: VolumeSizes | None) -> str:
    """Such as "7×7×3, filter 3×3, stride 2, padding 1"."""
    image = sizes((down.fit.input, across.fit.input))
    if volume is not None:
        image += f"×{volume.channels}"
    text = f"{image}, filter {sizes((down.fit.filter, across.fit.filter))}"
    for name in ("stride", "dilation"):
        both = [getattr(down.fit, name), getattr(across.fit, name)]
        if both != [1, 1]:
            text += f", {name} {both[0] if both[0] == both[1] else sizes(both)}"
    pads = [*down.fit.padding, *across.fit.padding]
    if any(pads):
        text += f", padding {pads[0] if len(set(pads)) == 1 else ','.join(map(str, pads))}"
    return text


def _legend(axes: Sequence[AxisWindows]) -> str:
    told = []
    if all(axis.places <= _CELLS for axis in axes):
        told.append("a number: how many windows read the pixel")
    if any(sum(axis.fit.padding) for axis in axes):
        told.append("gray: padding, zeros")
    if any(axis.unread for axis in axes):
        told.append("red: never read")
    return "; ".join([*told, "bars: the windows"])
