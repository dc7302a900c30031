"""Draws one sum of matrices: the window on f, the kernel and its flips, the products, and y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import sizes
from striate.signal.written_steps import Steps, formula_of
from striate.teaching.number_planes import FILTER, GIVES, READS, arrow, box, canvas, cell
from striate.teaching.sliding.laid_kernel import (
    LaidTap,
    as_rows,
    in_rows,
    laid_kernel,
    output_name,
    short_number,
    short_weight,
    sum_in_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WHOLE = 12
"""The most rows and columns of a matrix that are drawn whole; of a larger one the surroundings."""
SPAN = 20
"""The most rows and columns that a kernel may span."""
AROUND = 3  # cells on each side of a window or an output
SCALE = 0.4  # inches of a cell
OF_F, READ, OF_G, MET, OF_PRODUCTS, OF_Y = (
    "#f4f8fc", "#c9def2", "#fbeeed", "#f3c1bb", "#fde6c8", "#eef7ee",
)  # fmt: skip
GAP, KERNEL_GAP = 1.6, 2.1  # cells between two planes, and between a kernel and its flip
HEAD = 1.5  # cells above a plane, for its title and the numbers of its columns


def draw_matrix_sums(sums: Sequence[tuple[Steps, Array]]) -> Figure:
    """Draw the one sum of each of some convolutions or correlations, one below the other.

    Args:
        sums: for each the one sum that was asked for, and the whole result y.

    Raises:
        ValueError: a kernel spans too many rows or columns to be read.
    """
    drawings = [MatrixSum(steps, y) for steps, y in sums]
    width = max(drawing.width for drawing in drawings)
    height = sum(drawing.height for drawing in drawings)
    figure, axes = canvas(width, height, SCALE)
    top = 0.0
    for drawing in drawings:
        drawing.draw(axes, top)
        if top:
            axes.plot([0.6, width - 0.6], [top, top], color="0.8", lw=1)
        top += drawing.height
    return figure


def check_span(steps: Steps) -> None:
    """Raise if the kernel is too large for its numbers to be read in a picture."""
    spans = [
        (size - 1) * window.dilation + 1
        for size, window in zip(steps.g.shape, steps.windows, strict=True)
    ]
    if max(spans) > SPAN:
        raise StriateValueError(
            f"convolve: a picture of one sum has room for a kernel that spans {SPAN} elements "
            f"along an axis, and this one spans {sizes(spans)}; choose a smaller kernel, or draw "
            "the whole result"
        )


class MatrixSum:
    """The drawing of one sum: first how large it is, then the drawing itself, in cells.

    Attributes:
        width, height: of the drawing.
    """

    def __init__(self, steps: Steps, y: Array) -> None:
        check_span(steps)
        self.steps = steps
        (self.step,) = steps
        self.laid = laid_kernel(steps, self.step)
        self.f_rows, self.f_columns = f_ranges(steps, self.laid)
        self.y = as_rows(y)
        self.y_rows, self.y_columns = y_ranges(self.y, in_rows(self.step.position))
        self.kernels = _flips(as_rows(steps.g), steps.flip)
        met = [in_rows(tap.index) for tap in self.laid if tap.term is not None]
        self.met_rows = sorted({row for row, _ in met})
        self.met_columns = sorted({column for _, column in met})
        tall, wide = as_rows(steps.g).shape
        self.upper = max(len(self.f_rows), tall)
        self.lower = max(len(self.met_rows), len(self.y_rows), 1)
        upper = [len(self.f_columns), *[wide] * len(self.kernels)]
        lower = [*[max(len(self.met_columns), 2)] * 3, len(self.y_columns)]
        flips = (KERNEL_GAP - GAP) * len(self.kernels)
        self.width = max(_across(upper) + flips, _across(lower) + 1.5, 17.0)
        self.height = 1.2 + HEAD + self.upper + 0.6 + HEAD + self.lower + 1.6

    def draw(self, axes: Axes, top: float) -> None:
        """Draw it with its upper edge at `top`."""
        kind = "convolution" if self.steps.flip else "correlation"
        axes.text(1, top + 0.9, f"{kind}:  {formula_of(self.steps)}", fontsize=10, weight="bold")
        upper = top + 1.2 + HEAD
        left = 1.5
        draw_f(axes, self.steps, self.laid, self.f_rows, self.f_columns, left, upper)
        self._draw_kernels(axes, left + len(self.f_columns) + GAP + 0.6, upper)
        self._draw_products(axes, left, upper + self.upper + 0.6 + HEAD)
        said = f"{output_name(self.step)} = {sum_in_numbers(self.step, int(self.width * 4.6))}"
        axes.text(1, top + self.height - 0.5, said, fontsize=10, color="tab:green")

    def _draw_kernels(self, axes: Axes, left: float, top: float) -> None:
        """The kernel as it is given, after one flip, and after both."""
        met = {tap.tap for tap in self.laid if tap.term is not None}
        for order, (title, turn, indices) in enumerate(self.kernels):
            last = order == len(self.kernels) - 1
            tall, wide = indices.shape[:2]
            if order:
                middle = top + tall / 2
                arrow(axes, (left - KERNEL_GAP + 0.15, middle), (left - 0.6, middle), FILTER, turn)
            # Counted from the origin, and turned over with the numbers.
            counted = indices - np.array(in_rows(self.steps.origin))
            for row in range(tall):
                if tall > 1:
                    _index(axes, int(counted[row, 0, 0]), left - 0.3, top + row + 0.52)
            for column in range(wide):
                _index(axes, int(counted[0, column, 1]), left + column + 0.5, top - 0.3)
            for row, column in np.ndindex(tall, wide):
                tap = tuple(indices[row, column][-self.steps.g.ndim :].tolist())
                tint = MET if last and tap in met else OF_G
                _cell(axes, short_weight(self.steps.g[tap]), left + column, top + row, tint)
            axes.text(left, top - 0.65, title, ha="left", va="bottom", fontsize=9, color=FILTER)
            if last:
                box(axes, left, top, wide, tall, FILTER)
            left += wide + KERNEL_GAP

    def _draw_products(self, axes: Axes, left: float, top: float) -> None:
        """The part of f, the part of g that lies on it, their products, the sum, and y."""
        rows, columns = len(self.met_rows), len(self.met_columns)
        wide = max(columns, 2)
        terms = {in_rows(term.index): term for term in self.step.terms}
        parts: list[tuple[str, str, Any]] = [
            ("this part of f", READ, lambda term: short_number(term.value)),
            (f"g{' flipped' * self.steps.flip}", MET, lambda term: short_weight(term.weight)),
            ("Hadamard product", OF_PRODUCTS, lambda term: short_number(term.value * term.weight)),
        ]
        for (title, tint, write), sign in zip(parts, ("∘", "=", "Σ →"), strict=True):
            axes.text(left, top - 0.25, title, ha="left", va="bottom", fontsize=9)
            for place, term in terms.items():
                row, column = self.met_rows.index(place[0]), self.met_columns.index(place[1])
                _cell(axes, write(term), left + column, top + row, tint)
            middle = top + max(rows, 1) / 2
            left += wide
            beside = left + (GAP if sign != "Σ →" else GAP + 1.5) / 2
            axes.text(beside, middle, sign, ha="center", va="center", fontsize=14)
            left += GAP if sign != "Σ →" else GAP + 1.5
        draw_y(axes, self.y, in_rows(self.step.position), self.y_rows, self.y_columns, left, top)


def _across(columns: Sequence[int]) -> float:
    """The width of planes beside each other, with their gaps and margins."""
    return 1.5 + sum(columns) + GAP * len(columns) + 0.8


def _flips(g: Array, flip: bool) -> list[tuple[str, str, Array]]:
    """The kernel and what its flips make of it: a title, the flip before it, and (row, column) of
    g for each cell.
    """
    indices: Array = np.moveaxis(np.indices(g.shape), 0, -1)
    if not flip:
        return [("g, laid on as it is", "", indices)]
    stages = [("g", "", indices)]
    if g.shape[0] > 1:
        stages.append(("", "flip ↕", stages[-1][2][::-1]))
    if g.shape[1] > 1:
        stages.append(("", "flip ↔", stages[-1][2][:, ::-1]))
    return [*stages[:-1], ("g flipped", stages[-1][1], stages[-1][2])]


def f_ranges(steps: Steps, laid: Sequence[LaidTap]) -> tuple[range, range]:
    """The rows and columns of f that are drawn, with those beyond its ends where the window is."""
    shape = as_rows(steps.f).shape
    places = [in_rows(tap.index) for tap in laid]
    rows, columns = (
        _shown(length, min(along), max(along))
        for length, along in zip(shape, zip(*places, strict=True), strict=True)
    )
    return rows, columns


def _shown(length: int, first: int, last: int) -> range:
    """What is drawn of an axis whose elements `first` … `last` are read, or written."""
    if length <= WHOLE:
        return range(min(first, 0), max(last + 1, length))
    start = min(first, max(first - AROUND, 0))
    return range(start, max(last + 1, min(last + 1 + AROUND, length)))


def y_ranges(y: Array, position: tuple[int, int]) -> tuple[range, range]:
    """The rows and columns of y that are drawn."""
    rows, columns = (_shown(n, at, at) for n, at in zip(y.shape, position, strict=True))
    return rows, columns


def draw_f(
    axes: Axes, steps: Steps, laid: Sequence[LaidTap], rows: range, columns: range,
    left: float, top: float, *, weights: bool = False,
) -> None:  # fmt: skip
    """Draw f with the box of the window; what lies beyond its ends is gray, or empty where it is
    left out.

    Args:
        axes: of `canvas`.
        steps: the convolution.
        laid: the kernel at its place.
        rows, columns: what is drawn, `f_ranges`.
        left, top: of the first cell.
        weights: write into each cell of the window what it is multiplied with.
    """
    f = as_rows(steps.f)
    under = {in_rows(tap.index): tap for tap in laid}
    for row in rows:
        for column in columns:
            place = left + column - columns.start, top + row - rows.start
            tap = under.get((row, column))
            inside = 0 <= row < f.shape[0] and 0 <= column < f.shape[1]
            if inside:
                value: Any = f[row, column]
            elif tap is not None and tap.term is not None:
                value = tap.term.value
            else:
                if tap is not None:
                    _empty(axes, *place)
                continue
            tint = READ if tap is not None else OF_F
            ink = "black" if inside else "0.5"
            if weights and tap is not None:
                _two_numbers(
                    axes, short_number(value), f"×{short_weight(tap.weight)}", *place, tint, ink
                )
            else:
                _cell(axes, short_number(value), *place, tint, ink)
    _numbered(axes, "f", rows, columns, left, top, f.shape)
    first, last = min(under), max(under)
    box(
        axes, left + first[1] - columns.start, top + first[0] - rows.start,
        last[1] - first[1] + 1, last[0] - first[0] + 1, READS,
    )  # fmt: skip


def draw_y(
    axes: Axes, y: Array, position: tuple[int, int], rows: range, columns: range,
    left: float, top: float, *, until: int | None = None,
) -> None:  # fmt: skip
    """Draw y with a box around one output.

    Args:
        axes: of `canvas`.
        y: (rows, columns).
        position: of the output.
        rows, columns: what is drawn, `y_ranges`.
        left, top: of the first cell.
        until: the outputs after this one, counted row by row, are left empty.
    """
    for row in rows:
        for column in columns:
            later = until is not None and row * y.shape[1] + column > until
            text = "" if later else short_number(y[row, column])
            place = left + column - columns.start, top + row - rows.start
            _cell(axes, text, *place, "white" if later else OF_Y)
    _numbered(axes, "y", rows, columns, left, top, y.shape)
    row, column = position
    box(axes, left + column - columns.start, top + row - rows.start, 1, 1, GIVES)


def _numbered(
    axes: Axes, title: str, rows: range, columns: range, left: float, top: float,
    shape: tuple[int, ...],
) -> None:  # fmt: skip
    """Write a title, and the numbers of rows and columns beside a plane."""
    cut = len(rows) < shape[0] or len(columns) < shape[1]
    axes.text(
        left, top - 0.65, title + f"  (a part of {sizes(shape)})" * cut, ha="left", va="bottom",
        fontsize=9,
    )  # fmt: skip
    for row in rows:
        if 0 <= row < shape[0] > 1:
            _index(axes, row, left - 0.3, top + row - rows.start + 0.52)
    for column in columns:
        if 0 <= column < shape[1]:
            _index(axes, column, left + column - columns.start + 0.5, top - 0.3)


def _index(axes: Axes, value: int, x: float, y: float) -> None:
    axes.text(x, y, str(value), ha="center", va="center", fontsize=7, color="0.5")


def _cell(
    axes: Axes, text: str, left: float, top: float, tint: str = "white", ink: str = "black"
) -> None:
    """A cell of this drawing, whose cells are larger than others'."""
    cell(axes, text, left, top, tint, ink, room=35.0)


def _empty(axes: Axes, left: float, top: float) -> None:
    """A cell beyond the ends of f, which is left out."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), 1, 1, facecolor="white", edgecolor="0.7", lw=0.6, ls=":"))


def _two_numbers(
    axes: Axes, value: str, times: str, left: float, top: float, tint: str, ink: str
) -> None:
    """A cell with a value and, smaller below it, what it is multiplied with."""
    _cell(axes, "", left, top, tint)
    for text, at, size, colour in ((value, 0.35, 7.5, ink), (times, 0.78, 6.0, FILTER)):
        axes.text(
            left + 0.5, top + at, text, ha="center", va="center", color=colour,
            fontsize=min(size, 21 / max(len(text), 1)),
        )  # fmt: skip


def draw_matrices(f: Array, g: Array, results: Sequence[tuple[Array, bool]]) -> Figure:
    """Draw small matrices without a window: f, the kernel as it is laid on, and y.

    Args:
        f, g: at most `WHOLE` rows and columns.
        results: for each row of the picture y, as large at most, and True for a convolution, whose
            kernel is drawn before and after its flips.
    """
    kernels = max(len(_flips(g, flip)) for _, flip in results)
    widest = max(y.shape[1] for y, _ in results)
    tall = max(f.shape[0], g.shape[0], *(y.shape[0] for y, _ in results)) + 2.6
    width = _across([f.shape[1], *[g.shape[1]] * kernels, widest]) + 1
    figure, axes = canvas(width, tall * len(results), SCALE)
    for row, (y, flip) in enumerate(results):
        top, left = row * tall + 1.9, 1.5
        _draw_plane(axes, f, "f", left, top, OF_F)
        left += f.shape[1] + GAP
        for title, turn, indices in _flips(g, flip):
            if turn:
                middle = top + g.shape[0] / 2
                arrow(axes, (left - GAP + 0.15, middle), (left - 0.15, middle), FILTER, turn)
            for place in np.ndindex(g.shape):
                text = short_weight(g[tuple(indices[place].tolist())])
                _cell(axes, text, left + place[1], top + place[0], OF_G)
            axes.text(left, top - 0.25, title, ha="left", va="bottom", fontsize=9, color=FILTER)
            left += g.shape[1] + GAP
        axes.text(left - GAP / 2, top + 0.5, "→", ha="center", va="center", fontsize=14)
        _draw_plane(axes, y, f"y = f {'∗' if flip else '⋆'} g", left + 0.5, top, OF_Y)
    return figure


def draw_matrix(f: Array) -> Figure:
    """Draw a small matrix by itself."""
    figure, axes = canvas(f.shape[1] + 3.0, f.shape[0] + 2.6, SCALE)
    _draw_plane(axes, f, "f", 1.5, 1.9, OF_F)
    return figure


def _draw_plane(axes: Axes, values: Array, title: str, left: float, top: float, tint: str) -> None:
    for row, column in np.ndindex(values.shape):
        _cell(axes, short_number(values[row, column]), left + column, top + row, tint)
    rows, columns = (range(n) for n in values.shape)
    _numbered(axes, title, rows, columns, left, top, values.shape)
