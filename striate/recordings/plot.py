"""Pictures of signals: the plot of article 001, readable for ten samples and for ten million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.common.figure_files import figure_bytes, kind_of
from striate.common.short_repr import short_repr
from striate.recordings.recording import Recording, RecordingError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS = 100  # samples, up to which each is a dot
LINES = 4000  # samples, up to which a line joins them all
DETAIL = 300  # samples that are shown from the middle of more than that
PANELS = 4  # channels that are drawn
GRAY, RED, BLUE = "gray", "red", "tab:blue"  # f and y as in the article, and a second result


def check_picture(path: str | Path) -> str:
    """Return the kind of picture that the name asks for, or refuse it.

    Raises:
        RecordingError: the ending is none that can be drawn.
    """
    return kind_of(path, "a plot", error=RecordingError)


@short_repr
@dataclass(frozen=True, eq=False)
class Curve:
    """A result that is drawn over a signal.

    Attributes:
        values: with as many dimensions as the signal.
        label: what it is, for the legend.
        first, step: sample `first + n * step` of the signal is where value n is drawn.
        colour: of its line.
    """

    values: Array
    label: str
    first: float = 0.0
    step: float = 1.0
    colour: str = RED


def plot(before: Recording, results: Sequence[Curve], kind: str) -> bytes:
    """Return a picture of a signal (gray) and of what became of it.

    Args:
        before: the signal f, (samples,) or (samples, channels).
        results: what is drawn over it, such as the result y in red; without any, f is seen alone.
        kind: "png", "svg", "pdf", …
    """
    from matplotlib.figure import Figure

    check_real(before.values, *(result.values for result in results))
    f = before.values.reshape(len(before.values), -1)
    unit = 1 / before.rate if before.rate else 1.0
    lines = [(np.arange(len(f)) * unit, f, GRAY, "f")]
    for result in results:
        y = result.values.reshape(len(result.values), -1)
        at = (result.first + np.arange(len(y)) * result.step) * unit
        lines.append((at, y, result.colour, result.label))
    shown = min(f.shape[1], PANELS)
    long = len(f) > LINES
    panels = shown + long
    figure = Figure(figsize=(9, 4 if panels == 1 else 2.4 * panels + 0.6), layout="constrained")
    axes: list[Axes] = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    names = before.channel_names()
    for channel in range(shown):
        ax = axes[channel]
        for order, (at, values, colour, label) in enumerate(lines):
            _draw(ax, at, values[:, channel], colour, label, behind=order == 0 and bool(results))
        if f.shape[1] > 1:
            more = f" (of {f.shape[1]})" if f.shape[1] > PANELS and channel == shown - 1 else ""
            ax.set_title(f"{names[channel]}{more}", fontsize="medium", loc="left")
        ax.margins(x=0.02)
        if not before.rate:
            _whole_ticks(ax)
    if long:
        low, high = _loudest(lines[0][0], f[:, 0])
        _detail(axes[-1], [(at, v[:, 0], colour, label) for at, v, colour, label in lines],
                (low, high))  # fmt: skip
        where = f"{names[0]}: " if f.shape[1] > 1 else ""
        title = f"{where}{DETAIL} samples where it is loudest"
        axes[-1].set_title(title, fontsize="medium", loc="left")
        axes[0].axvspan(low, high, color="tab:blue", alpha=0.3, lw=1)
    if len(f) <= DOTS and panels == 1:
        axes[0].legend(loc="lower right")  # where the article has it
    else:  # outside, for there may be something to see everywhere
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(lines), frameon=False)
    axes[-1].set_xlabel("seconds" if before.rate else "sample")
    return figure_bytes(figure, kind)


def _whole_ticks(ax: Axes) -> None:
    """Ticks at whole samples only, and at each of them where there are few."""
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_xlim()
    bins = 24 if high - low <= 24 else 10
    ax.xaxis.set_major_locator(MaxNLocator(nbins=bins, integer=True))


def plot_grids(grids: Sequence[tuple[str, Array]], kind: str) -> bytes:
    """Return a picture of two-dimensional arrays beside each other, as grays with a scale each.

    Args:
        grids: titles and arrays.
        kind: "png", "svg", "pdf", …
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    check_real(*(values for _, values in grids))
    figure = Figure(figsize=(3.7 * len(grids), 3.8), layout="constrained")
    for ax, (title, values) in zip(
        figure.subplots(1, len(grids), squeeze=False)[0], grids, strict=True
    ):
        figure.colorbar(ax.imshow(values, cmap="gray"), ax=ax, shrink=0.8)
        ax.set_title(title)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure_bytes(figure, kind)


def _draw(
    ax: Axes, at: Array, values: Array, colour: str, label: str, *, behind: bool = False
) -> None:
    """Draw samples as dots and a line, as a line, or of very many the band that they fill.

    What is `behind` others has a wider line and larger dots, and is seen where they are equal.
    """
    if len(values) <= DOTS:
        size, width = (7.0, 2.6) if behind else (4.5, 1.5)
        ax.plot(at, values, color=colour, label=label, marker="o", markersize=size, lw=width)
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
    ax: Axes, lines: Sequence[tuple[Array, Array, str, str]], ends: tuple[float, float]
) -> None:
    """Draw what lies between the `ends` sample by sample."""
    for places, values, colour, label in lines:
        inside = slice(*np.searchsorted(places, ends, side="left"))
        ax.plot(places[inside], values[inside], color=colour, label=label, linewidth=1.2)
    ax.ticklabel_format(axis="x", useOffset=False)
    ax.set_facecolor("#eef3fa")
    ax.margins(x=0)


def check_real(*arrays: Array) -> None:
    """Raise for complex numbers, which no picture here shows.

    Raises:
        RecordingError: one of the arrays is complex.
    """
    if any(np.iscomplexobj(array) for array in arrays):
        raise RecordingError("complex numbers cannot be plotted; plot their parts one by one")
