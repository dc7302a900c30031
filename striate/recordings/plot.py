"""Pictures of signals: the plot of article 001, readable for ten samples and for ten million."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.recordings.recording import Recording, RecordingError
from striate.signal.as_text import number, weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = ("png", "svg", "pdf", "jpg", "jpeg", "webp")
DOTS = 100  # samples, up to which each is a dot
LINES = 4000  # samples, up to which a line joins them all
DETAIL = 300  # samples that are shown from the middle of more than that
PANELS = 4  # channels that are drawn
NUMBERS = 12  # rows and columns of an array whose numbers are written into the picture
GRAY, RED = "gray", "red"  # as in the article


def check_picture(path: str | Path) -> str:
    """Return the kind of picture that the name asks for, or refuse it.

    Raises:
        RecordingError: the ending is none that can be drawn.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in PICTURES:
        raise RecordingError(f"{path}: a plot can be written as .{', .'.join(PICTURES)}")
    return kind


def plot(
    before: Recording, after: Array, *, first: float, step: float, formula: str, kind: str
) -> bytes:
    """Return a picture of a signal (gray) and of what became of it (red).

    Args:
        before: the signal f, (samples,) or (samples, channels).
        after: the result y, with as many dimensions.
        first, step: sample `first + n * step` of f is where output n is drawn.
        formula: what y is, for the legend.
        kind: "png", "svg", "pdf", …
    """
    from matplotlib.figure import Figure

    _check_real(before.values, after)
    f = before.values.reshape(len(before.values), -1)
    y = after.reshape(len(after), -1)
    unit = 1 / before.rate if before.rate else 1.0
    at = np.arange(len(f)) * unit, (first + np.arange(len(y)) * step) * unit
    shown = min(f.shape[1], PANELS)
    long = len(f) > LINES
    panels = shown + long
    figure = Figure(figsize=(9, 4 if panels == 1 else 2.4 * panels + 0.6), layout="constrained")
    axes: list[Axes] = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    names = before.channel_names()
    for channel in range(shown):
        ax = axes[channel]
        _draw(ax, at[0], f[:, channel], GRAY, "f")
        _draw(ax, at[1], y[:, channel], RED, formula)
        if f.shape[1] > 1:
            more = f" (of {f.shape[1]})" if f.shape[1] > PANELS and channel == shown - 1 else ""
            ax.set_title(f"{names[channel]}{more}", fontsize="medium", loc="left")
        ax.margins(x=0.02)
    if long:
        low, high = _loudest(at[0], f[:, 0])
        _detail(axes[-1], at, (f[:, 0], y[:, 0]), formula, (low, high))
        where = f"{names[0]}: " if f.shape[1] > 1 else ""
        title = f"{where}{DETAIL} samples where it is loudest"
        axes[-1].set_title(title, fontsize="medium", loc="left")
        axes[0].axvspan(low, high, color="tab:blue", alpha=0.3, lw=1)
    if len(f) <= DOTS and panels == 1:
        axes[0].legend(loc="lower right")  # where the article has it
    else:  # outside, for there may be something to see everywhere
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    axes[-1].set_xlabel("seconds" if before.rate else "sample")
    return _encoded(figure, kind)


def plot_grids(f: Array, g: Array, y: Array, *, formula: str, kind: str) -> bytes:
    """Return a picture of two-dimensional f, g and y beside each other, with their numbers where
    there are few.
    """
    from matplotlib.figure import Figure

    _check_real(f, y)
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    panels = zip(
        figure.subplots(1, 3, width_ratios=(1, 0.7, 1)),
        (f, g, y),
        ("f", "g", formula),
        (number, weight, number),
        strict=True,
    )
    for ax, values, title, write in panels:
        image = ax.imshow(values, cmap="gray")
        ax.set_title(title)
        if max(values.shape) > NUMBERS:
            figure.colorbar(image, ax=ax, shrink=0.8)
            continue
        ax.set_xticks(range(values.shape[1]))
        ax.set_yticks(range(values.shape[0]))
        middle = (float(values.min()) + float(values.max())) / 2
        for (row, column), value in np.ndenumerate(values):
            colour = "black" if float(value) > middle else "white"
            ax.text(
                column, row, write(value), color=colour, ha="center", va="center",
                fontsize="small" if values.shape[1] > 5 else "medium",
            )  # fmt: skip
    return _encoded(figure, kind)


def _draw(ax: Axes, at: Array, values: Array, colour: str, label: str) -> None:
    """Draw samples as dots and a line, as a line, or of very many the band that they fill."""
    if len(values) <= DOTS:
        ax.plot(at, values, color=colour, label=label, marker="o", markersize=5)
    elif len(values) <= LINES:
        ax.plot(at, values, color=colour, label=label, linewidth=1.2)
    else:
        edges, low, high = envelope(at, values)
        ax.fill_between(edges, low, high, color=colour, label=label, linewidth=0.3)


def envelope(at: Array, values: Array, bins: int = 1500) -> tuple[Array, Array, Array]:
    """Return the places of at most `bins` runs of samples, and the least and the greatest of each.

    Drawn as a band they look as all samples would, for a picture has fewer columns than `bins`.
    """
    bins = min(bins, len(values))
    starts = np.arange(bins) * len(values) // bins
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    # Each run reaches to the first sample of the next, as a line would.
    following = values[np.append(starts[1:], len(values) - 1)]
    return at[starts], np.minimum(low, following), np.maximum(high, following)


def _loudest(at: Array, values: Array) -> tuple[float, float]:
    """Where DETAIL samples begin and end whose mean distance from the mean is greatest."""
    away = np.abs(values - np.mean(values, dtype=np.float64))
    starts = np.arange(0, len(values) - DETAIL + 1, DETAIL // 2)
    total = np.concatenate([[0.0], np.cumsum(away)])
    start = int(starts[np.argmax(total[starts + DETAIL] - total[starts])])
    return float(at[start]), float(at[start + DETAIL - 1])


def _detail(
    ax: Axes,
    at: tuple[Array, Array],
    signals: tuple[Array, Array],
    formula: str,
    ends: tuple[float, float],
) -> None:
    """Draw what lies between the `ends` sample by sample."""
    for places, values, colour, label in zip(at, signals, (GRAY, RED), ("f", formula), strict=True):
        inside = slice(*np.searchsorted(places, ends, side="left"))
        ax.plot(places[inside], values[inside], color=colour, label=label, linewidth=1.2)
    ax.ticklabel_format(axis="x", useOffset=False)
    ax.set_facecolor("#eef3fa")
    ax.margins(x=0)


def _check_real(*arrays: Array) -> None:
    if any(np.iscomplexobj(array) for array in arrays):
        raise RecordingError("complex numbers cannot be plotted; plot their parts one by one")


def _encoded(figure: Figure, kind: str) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=150)
    return file.getvalue()
