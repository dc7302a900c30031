"""Draws arrays of numbers as planes of cells, with boxes, frames of zeros and arrows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from striate.common.text import weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.common.arrays import Array

READS, FILTER, GIVES, BACK = "tab:blue", "tab:red", "tab:green", "tab:orange"
"""The colours of article 002's boxes (what is read, the filter, the output), and of gradients."""


def canvas(width: float, height: float, scale: float = 0.32) -> tuple[Figure, Axes]:
    """A figure whose unit is a cell of `scale` inches; y grows downwards from 0 at the top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * scale, height * scale))
    axes: Any = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return figure, axes


def plane(
    axes: Axes, values: Array, left: float, top: float, title: str = "", *,
    pads: tuple[int, int, int, int] = (0, 0, 0, 0), tint: str | Callable[[int, int], str] = "white",
    write: Callable[[Any], str] = weight, beyond: str = "0",
) -> None:  # fmt: skip
    """Draw a matrix, a cell for each number, with a frame of gray zeros where it is padded.

    Args:
        axes: of `canvas`.
        values: (rows, columns).
        left, top: of its first cell, which with padding is one of the frame.
        title: above it.
        pads: rows and columns of zeros: top, bottom, left, right.
        tint: the colour of its cells, or a function that says it of a row and a column.
        write: makes a number text.
        beyond: what stands in the cells of the frame.
    """
    rows, columns = values.shape
    above, below, before, after = pads
    for row in range(-above, rows + below):
        for column in range(-before, columns + after):
            inside = 0 <= row < rows and 0 <= column < columns
            text = write(values[row, column]) if inside else beyond
            place = (left + before + column, top + above + row)
            colour = tint if isinstance(tint, str) else tint(row, column)
            cell(axes, text, *place, colour if inside else "0.88", "black" if inside else "0.45")
    if title:
        axes.text(left, top - 0.25, title, ha="left", va="bottom", fontsize=9)


def cell(
    axes: Axes, text: str, left: float, top: float, tint: str = "white", ink: str = "black",
    room: float = 24.0,
) -> None:  # fmt: skip
    """Draw one cell with its number, smaller the longer it is: points times letters are `room`."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), 1, 1, facecolor=tint, edgecolor="0.6", lw=0.6))
    size = 8.0 if len(text) <= 3 else min(max(room / len(text), 3.5), 8.0)
    axes.text(left + 0.5, top + 0.54, text, ha="center", va="center", fontsize=size, color=ink)


def box(axes: Axes, left: float, top: float, wide: float, tall: float, colour: str) -> None:
    """Draw a box around cells."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((left, top), wide, tall, fill=False, edgecolor=colour, lw=2.4, zorder=4)
    )


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "0.25",
    label: str = "", bend: float = 0.0,
) -> None:  # fmt: skip
    """Draw an arrow, with a label above its middle."""
    axes.annotate(
        "", end, start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6,
                    "connectionstyle": f"arc3,rad={bend}"},
    )  # fmt: skip
    if label:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 0.2
        axes.text(*middle, label, ha="center", va="bottom", fontsize=9, color=colour)
