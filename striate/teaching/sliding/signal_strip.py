"""The sliding window of a short signal on one sheet: the kernel below f, once for each output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.signal.written_steps import Steps, formula_of
from striate.teaching.number_planes import FILTER, GIVES, arrow, canvas, cell
from striate.teaching.sliding.laid_kernel import (
    laid_kernel,
    output_name,
    short_number,
    short_weight,
)
from striate.teaching.sliding.matrix_sum import MET, OF_F, OF_Y, SCALE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLUMNS, MOST_ROWS = 30, 40
"""The most elements of f, with those beyond its ends that are read, and the most outputs."""


def draw_signal_strip(steps: Steps, y: Array) -> Figure:
    """Draw f, and below it for each output the kernel at its place and what the sum gives.

    Args:
        steps: all sums of the convolution.
        y: the whole result.

    Raises:
        ValueError: it is too long for one sheet.
    """
    first, stop = steps.windows[0].reach(len(steps.g))
    first, stop = min(first, 0), max(stop, len(steps.f))
    if stop - first > MOST_COLUMNS or len(y) > MOST_ROWS:
        raise StriateValueError(
            f"convolve: a strip has room for {MOST_COLUMNS} elements and {MOST_ROWS} outputs, and "
            f"here are {stop - first} and {len(y)}; take a part of the signal, or write .gif"
        )
    head, left = 2.6, 2.2
    width = left + (stop - first) + 4.2
    figure, axes = canvas(width, head + 1.3 + 1.25 * len(y) + 0.5, SCALE)
    turned = "flipped" if steps.flip else "not flipped"
    axes.text(0.6, 0.9, f"{formula_of(steps)}    g is {turned}", fontsize=10, weight="bold")
    axes.text(left - 0.5, head + 0.54, "f", ha="right", va="center", fontsize=10)
    for i, value in enumerate(steps.f):
        x = left + i - first
        cell(axes, short_number(value), x, head, OF_F, room=35.0)
        axes.text(x + 0.5, head - 0.3, str(i), ha="center", fontsize=7, color="0.5")
    for row, step in enumerate(steps):
        top = head + 1.5 + 1.25 * row
        laid = laid_kernel(steps, step)
        for tap in laid:
            x = left + tap.index[0] - first
            if tap.term is None:
                cell(axes, short_weight(tap.weight), x, top, "white", "0.65", room=35.0)
                continue
            cell(axes, short_weight(tap.weight), x, top, MET, room=35.0)
            if tap.term.index != tap.term.source:  # what the border has there
                value = short_number(tap.term.value)
                axes.text(x + 0.5, top - 0.03, value, ha="center", fontsize=5.5, color="0.45")
        axes.text(left - 0.5, top + 0.54, "g" if row == 0 else "", ha="right", va="center",
                  fontsize=10, color=FILTER)  # fmt: skip
        end = left + stop - first
        arrow(axes, (end + 0.1, top + 0.5), (end + 0.9, top + 0.5), "0.4")
        cell(axes, short_number(y[row]), end + 1.0, top, OF_Y, room=35.0)
        name = output_name(step)
        axes.text(end + 2.15, top + 0.54, name, va="center", fontsize=8, color=GIVES)
    return figure
