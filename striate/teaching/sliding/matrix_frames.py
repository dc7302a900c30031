"""The window at each place of a small matrix: f, what it is multiplied with, and y so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import sizes
from striate.signal.written_steps import Step, Steps
from striate.teaching.number_planes import GIVES, canvas
from striate.teaching.sliding.laid_kernel import (
    laid_kernel,
    output_name,
    short_number,
)
from striate.teaching.sliding.matrix_sum import SCALE, WHOLE, check_span, draw_f, draw_y, f_ranges

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PLACES = 64
"""The most places of a window that are drawn."""
HEAD, FOOT, GAP = 2.1, 1.1, 1.8  # cells above, below and between the planes of a frame


def check_places(f: Array, y: Array) -> None:
    """Raise if not every place of a window on the matrix f can be drawn.

    Raises:
        ValueError: f or y is too large for its numbers to be read, or there are too many outputs.
    """
    for name, array in (("f", f), ("y", y)):
        if max(array.shape) > WHOLE:
            raise StriateValueError(
                f"convolve: the window is drawn on matrices of at most {WHOLE}×{WHOLE}, and "
                f"{name} has {sizes(array.shape)}; take a part of it"
            )
    if y.size > MOST_PLACES:
        raise StriateValueError(
            f"convolve: at most {MOST_PLACES} places of the window are drawn, and y has "
            f'{sizes(y.shape)} = {y.size}; take a part of f, mode "valid" or a stride'
        )


class MatrixFrames:
    """Frames of one size for the outputs of a small convolution.

    Attributes:
        width, height: of a frame, in cells.
    """

    def __init__(self, steps: Steps, y: Array) -> None:
        """Measure the frames.

        Args:
            steps: all sums of a convolution of matrices.
            y: the whole result.

        Raises:
            ValueError: as `check_places`, or the kernel is too large.
        """
        self.steps, self.y = steps, y
        check_places(steps.f, y)
        check_span(steps)
        reached = [f_ranges(steps, laid_kernel(steps, step)) for step in steps]
        self.rows, self.columns = (
            range(min(r.start for r in along), max(r.stop for r in along))
            for along in zip(*reached, strict=True)
        )
        self.left = 1.3
        self.width = self.left + len(self.columns) + GAP + self.y.shape[1] + 0.8
        self.width = max(self.width, 8.5)
        self.height = HEAD + max(len(self.rows), self.y.shape[0]) + FOOT

    def draw(self, axes: Axes, step: Step, left: float = 0.0, top: float = 0.0) -> None:
        """Draw the frame of one sum, whose upper left corner is at `left`, `top`."""
        laid = laid_kernel(self.steps, step)
        x, y = left + self.left, top + HEAD
        draw_f(axes, self.steps, laid, self.rows, self.columns, x, y, weights=True)
        position = (step.position[0], step.position[1])
        until = position[0] * self.y.shape[1] + position[1]
        rows, columns = (range(n) for n in self.y.shape)
        x += len(self.columns) + GAP
        draw_y(axes, self.y, position, rows, columns, x, y, until=until)
        text = f"{output_name(step)} = {short_number(step.value)}"
        axes.text(
            left + self.left, top + self.height - 0.3, text, fontsize=9, color=GIVES, va="bottom"
        )

    def figure(self, step: Step) -> Figure:
        """One frame as a figure."""
        figure, axes = canvas(self.width, self.height, SCALE)
        self.draw(axes, step)
        return figure

    def strip(self, steps: Sequence[Step]) -> Figure:
        """All frames beside and below one another, row by row, on about the shape of a page."""
        count = len(steps)
        # As many across as make the whole 1.3 times as wide as high.
        across = max(round(math.sqrt(1.3 * count * self.height / self.width)), 1)
        if self.y.shape[1] <= 6:
            across = self.y.shape[1]  # a row of frames is a row of y
        across = min(across, count)
        down = -(-count // across)
        figure, axes = canvas(across * self.width, down * self.height, SCALE * 0.8)
        for place, step in enumerate(steps):
            row, column = divmod(place, across)
            self.draw(axes, step, column * self.width, row * self.height)
        for line in range(1, down):
            axes.axhline(line * self.height, color="0.85", lw=0.8)
        for line in range(1, across):
            axes.axvline(line * self.width, color="0.85", lw=0.8)
        return figure
