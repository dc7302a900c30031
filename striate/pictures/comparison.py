"""The comparison: a picture, the kernels as grids of numbers, and the filtered picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.text import cut
from striate.pictures.figures import write_figure
from striate.pictures.picture import has_alpha, is_gray
from striate.pictures.writing import check_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.kernels import Kernel

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".pdf", ".svg")

# All in inches. Numbers smaller than this many points are left out: the colours remain.
_HEIGHT, _GRID, _GAP, _MARGIN = 3.7, 2.5, 0.5, 0.25
_TITLE, _FOOT = 0.5, 0.75
_MOST_NUMBERS = 31**2
_SMALLEST_TYPE, _LARGEST_TYPE = 5.0, 14.0
_INK, _FAINT = "#222222", "#666666"


def label(kernel: Kernel) -> str:
    """Return a short name for people and for the names of files: "laplace", or "kernel"."""
    from striate.kernels.registry import is_name

    if is_name(kernel.name):
        return kernel.name.strip().lower().replace(" ", "-")
    path = Path(kernel.name)
    named = path.suffix and path.stem.replace("-", "").replace("_", "").isalnum()
    return path.stem if named and not path.stem.isdigit() else "kernel"


def write_comparison(
    path: str | os.PathLike[str],
    before: Array,
    chain: Sequence[Kernel],
    after: Array,
    *,
    title: str = "input",
    footer: str = "",
) -> None:
    """Write one picture with `before`, the kernels of `chain` and `after` from left to right.

    Args:
        path: where to; the ending is one of `ENDINGS`.
        before, after: pixels as in `Picture.frames`.
        chain: one or more kernels of two dimensions.
        title: what stands above `before`.
        footer: what stands below all.

    Raises:
        DataError: the ending is another one, or the file cannot be written.
    """
    kind = check_output(path, ENDINGS)[1:]
    words = {"title": title, "footer": footer}
    write_figure(path, kind, lambda: draw_comparison(before, chain, after, **words))


def draw_comparison(
    before: Array,
    chain: Sequence[Kernel],
    after: Array,
    *,
    title: str = "input",
    footer: str = "",
) -> Figure:
    """Return the matplotlib figure of `write_comparison`."""
    from matplotlib.figure import Figure

    across = _HEIGHT * float(np.clip(before.shape[1] / before.shape[0], 0.4, 2.5))
    widths = [_grid_size(kernel)[0] for kernel in chain]
    total = 2 * _MARGIN + 2 * across + sum(widths) + _GAP * (len(chain) + 1)
    full = _TITLE + _HEIGHT + _FOOT
    figure = Figure(figsize=(total, full), facecolor="white")

    def place(left: float, bottom: float, width: float, height: float) -> Axes:
        axes = figure.add_axes((left / total, bottom / full, width / total, height / full))
        axes.set_axis_off()
        return axes

    def write(left: float, bottom: float, text: str, size: float, colour: str = _INK) -> None:
        figure.text(
            left / total, bottom / full, text, size=size, color=colour, ha="center", va="center"
        )

    above, middle = _FOOT + _HEIGHT + 0.25, _FOOT + _HEIGHT / 2
    left = _MARGIN
    _show(place(left, _FOOT, across, _HEIGHT), before)
    write(left + across / 2, above, _shortened(title, across), 13)
    left += across
    for kernel, width in zip(chain, widths, strict=True):
        write(left + _GAP / 2, middle, "∗", 22, _FAINT)
        left += _GAP
        height = _grid_size(kernel)[1]
        for array, (x, y, side) in zip(kernel.arrays, _places(kernel), strict=True):
            rows, columns = array.shape
            longer = max(rows, columns)
            w, h = side * columns / longer, side * rows / longer
            x, y = x + (side - w) / 2, y + (side - h) / 2
            _grid(place(left + x, middle - height / 2 + y, w, h), array, w / columns, h / rows)
        # One line below all grids: what the numbers are to be multiplied with, and what follows.
        write(left + width / 2, middle + height / 2 + 0.3, label(kernel), 13)
        write(left + width / 2, middle - height / 2 - 0.25, _caption(kernel), 10.5, _FAINT)
        left += width
    write(left + _GAP / 2, middle, "=", 22, _FAINT)
    left += _GAP
    _show(place(left, _FOOT, across, _HEIGHT), after)
    write(left + across / 2, above, "result", 13)
    write(total / 2, 0.25, footer, 10, _FAINT)
    return figure


def _show(axes: Axes, pixels: Array) -> None:
    """Draw an image, alpha laid over white."""
    values = pixels.astype(np.float32)
    if pixels.dtype.kind == "u":
        values /= np.iinfo(pixels.dtype).max
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        values = values[..., 0]
    if has_alpha(pixels):
        values = values[..., :-1] * values[..., -1:] + 1 - values[..., -1:]
        values = values[..., 0] if is_gray(pixels) else values
    values = np.clip(np.nan_to_num(values), 0, 1)
    # Small images are shown as squares, large ones without moiré.
    way = "nearest" if max(pixels.shape[:2]) <= 128 else "antialiased"
    axes.imshow(values, cmap="gray", vmin=0, vmax=1, interpolation=way, aspect="equal")


def _grid_size(kernel: Kernel) -> tuple[float, float]:
    """Return the width and height that the grids of a kernel take."""
    places = _places(kernel)
    return (
        max(x + side for x, _, side in places),
        max(y + side for _, y, side in places),
    )


def _places(kernel: Kernel) -> list[tuple[float, float, float]]:
    """Return (left, bottom, side) of the square for each array, the first at the upper left."""
    count = len(kernel.arrays)
    if count == 1:
        return [(0.0, 0.0, min(_GRID, max(1.1, 0.85 * max(kernel.shape))))]
    columns = 1 if count <= 2 else int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    gap = 0.15 if count > 2 else 0.3
    side = min(_GRID, (_HEIGHT - 0.7 - gap * (rows - 1)) / rows)
    return [
        (
            (index % columns) * (side + gap),
            (rows - 1 - index // columns) * (side + gap),
            side,
        )
        for index in range(count)
    ]


def _grid(axes: Axes, array: Array, width: float, height: float) -> None:
    """Draw a kernel as cells of width × height inches: blue below zero, red above."""
    from matplotlib.patches import Rectangle

    rows, columns = array.shape
    # Pale, so that numbers can be read on every colour.
    strongest = 2.3 * float(np.abs(array).max()) or 1.0
    axes.imshow(
        array,
        cmap="RdBu_r",
        vmin=-strongest,
        vmax=strongest,
        aspect="auto",
        interpolation="nearest",
    )
    points = _type_size(array, width, height)
    if points:
        texts, _ = readable(array)
        lines = np.arange(1, max(rows, columns)) - 0.5
        axes.hlines(lines[: rows - 1], -0.5, columns - 0.5, color="white", linewidth=1.2)
        axes.vlines(lines[: columns - 1], -0.5, rows - 0.5, color="white", linewidth=1.2)
        for row, column in np.ndindex(rows, columns):
            axes.text(
                column, row, texts[row][column], size=points, color=_INK, ha="center",
                va="center_baseline",
            )  # fmt: skip
    frame: dict[str, Any] = {"fill": False, "clip_on": False, "zorder": 3}
    axes.add_patch(Rectangle((-0.5, -0.5), columns, rows, ec="#999999", lw=0.8, **frame))
    # The element that lies on the pixel whose new value is computed.
    centre = ((columns - 1) // 2 - 0.5, (rows - 1) // 2 - 0.5)
    if array.size > 1:
        axes.add_patch(Rectangle(centre, 1, 1, ec=_INK, lw=1.2, **frame))


def _type_size(array: Array, width: float, height: float) -> float:
    """Return the size in points of numbers in cells of width × height inches, 0 if too small."""
    if array.size > _MOST_NUMBERS:
        return 0.0
    longest = max(len(text) for row in readable(array)[0] for text in row)
    points = min(_LARGEST_TYPE, 72 * min(width * 0.85 / (0.62 * longest), height * 0.6))
    return points if points >= _SMALLEST_TYPE else 0.0


def readable(array: Array) -> tuple[list[list[str]], str]:
    """Return the numbers of a kernel as short texts, and what to multiply them with, or "".

    Multiples of one fraction are written as whole numbers: the mean of 9 is ones, and "1/9".
    Other numbers below 1 are rounded to three digits of the largest, and written as whole ones.
    """
    whole, scale = _in_units(array)
    if whole is not None:
        return [[_signed(f"{value:.0f}") for value in row] for row in whole], scale
    digits = max(0, 2 - int(np.floor(np.log10(np.abs(array).max()))))
    return [[_signed(f"{value:.{digits}f}") for value in row] for row in array], ""


def _in_units(array: Array) -> tuple[Array | None, str]:
    """Return whole numbers of at most four digits and their unit; None if there are none such."""
    sizes = np.abs(array[array != 0])
    if array.size > _MOST_NUMBERS:
        return None, ""
    if not sizes.size or (array == np.rint(array)).all():
        return (array, "") if np.abs(array).max() < 10000 else (None, "")
    smallest = float(sizes.min())
    units = [(1 / parts, f"1/{parts}") for parts in range(2, 1025)]
    # The last resort: a number that is no such fraction, but divides all others.
    for unit, name in [*units, (smallest, f"{smallest:.4g}")]:
        whole = array / unit
        if np.abs(whole).max() < 10000 and np.abs(whole - np.rint(whole)).max() < 1e-6:
            return whole, name
    if (largest := float(sizes.max())) < 1:
        digits = 2 - int(np.floor(np.log10(largest)))
        return array * 10.0**digits, f"{10.0**-digits:.{digits}f} (rounded)"
    return None, ""


def _signed(text: str) -> str:
    """Return a number's text with a real minus, and "0" for nothing."""
    return "0" if float(text) == 0 else text.replace("-", "−")


def _caption(kernel: Kernel) -> str:
    """Return what stands below the grids of a kernel."""
    rows, columns = kernel.shape
    parts = [f"{rows} × {columns}"]
    cell = _places(kernel)[0][2] / max(rows, columns)
    scales = {_in_units(a)[1] if _type_size(a, cell, cell) else "" for a in kernel.arrays}
    if len(scales) == 1 and (scale := scales.pop()):
        parts.append(f"times {scale}")
    if kernel.combine == "magnitude":
        parts.append("√(a² + b²)" if len(kernel.arrays) == 2 else "root of the sum of squares")
    elif kernel.combine == "maximum":
        parts.append(f"maximum of {len(kernel.arrays)}")
    return ",  ".join(parts)


def _shortened(text: str, width: float) -> str:
    """Return `text` cut to what fits into so many inches."""
    most = max(8, int(width / 0.115))
    return cut(text, most)
