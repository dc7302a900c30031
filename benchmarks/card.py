"""The picture of docs/speed.md: how many times as fast as the fastest peer, for any screen."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from report import Results, Row, batch_of, geometric_mean, versions_of

AHEAD, BEHIND, INK, FAINT, CARD = "#1f6fb2", "#d1382c", "#1b1f24", "#8a919a", "#ffffff"
WIDTH, LINE, TOP, BOTTOM = 4.9, 0.205, 1.08, 0.62  # inches


def draw(results: Results, path: Path) -> None:
    """A bar for each network and batch, a dot for each layer, and a line where peers are."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import FancyBboxPatch

    lines = _lines(results)
    height = TOP + LINE * sum(line.height for line in lines) + BOTTOM
    figure = pyplot.figure(figsize=(WIDTH, height))
    figure.patch.set_alpha(0)
    # Rounded corners: a white card on whatever lies behind the picture.
    corners = FancyBboxPatch(
        (0.06, 0.06),
        WIDTH - 0.12,
        height - 0.12,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=CARD,
        edgecolor="#d0d7de",
        linewidth=1,
        zorder=-1,
        transform=figure.dpi_scale_trans,
    )
    figure.add_artist(corners)
    left, right = 1.86 / WIDTH, 1 - 0.3 / WIDTH
    axes = figure.add_axes((left, BOTTOM / height, right - left, 1 - (TOP + BOTTOM) / height))
    axes.patch.set_alpha(0)
    ratios = [ratio for line in lines for ratio in line.ratios]
    least, most = min([0.8, *ratios]) / 1.1, max([4.0, *ratios]) * 1.9
    axes.set_xscale("log")
    axes.set_xlim(least, most)
    axes.set_ylim(sum(line.height for line in lines), 0)
    place = 0.0
    for line in lines:
        line.draw(axes, place + line.height / 2)
        place += line.height
    _scale(axes, least, most)
    across = 0.22 / WIDTH
    figure.text(
        across,
        1 - 0.2 / height,
        "striate against the fastest peer",
        fontsize=13,
        fontweight="bold",
        color=INK,
        va="top",
    )
    figure.text(
        across,
        1 - 0.47 / height,
        f"Times as fast on {results.threads} cores, float32: right of the line striate is ahead,\n"
        "left of it behind. The number after a name: images at once.",
        fontsize=7.6,
        color=INK,
        va="top",
        linespacing=1.35,
    )
    figure.text(
        across,
        0.17 / height,
        f"{results.processor}, {results.date}\n{versions_of(results)}",
        fontsize=6.6,
        color=FAINT,
        va="bottom",
        linespacing=1.35,
    )
    figure.savefig(path, dpi=200, facecolor=(1, 1, 1, 0), metadata={"Source": digest(results)})
    pyplot.close(figure)


def digest(results: Results) -> str:
    """What tells pictures of different results apart: each holds it as "Source".

    It is of what was measured only: means differ in the last bit between versions of Python.
    """
    return hashlib.sha256(json.dumps(asdict(results)).encode()).hexdigest()


class _Heading:
    """The name of a section, and what its peers are."""

    height, ratios = 1.5, ()

    def __init__(self, text: str, rest: str) -> None:
        self.text, self.rest = text, rest

    def draw(self, axes: Any, place: float) -> None:
        """Left of everything."""
        start = -1.64 / (axes.get_position().width * WIDTH)
        axes.annotate(
            self.text,
            (start, place + 0.2),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.6,
            fontweight="bold",
            color=INK,
            annotation_clip=False,
            bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.5},
            zorder=5,
        )
        axes.annotate(
            self.rest,
            (1, place + 0.2),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            ha="right",
            fontsize=6.8,
            color=FAINT,
            annotation_clip=False,
            bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.5},
            zorder=5,
        )


class _Bar:
    """One ratio."""

    height = 1.0

    def __init__(self, label: str, row: Row) -> None:
        assert row.ratio is not None
        self.label, self.ratio, self.ratios = label, row.ratio, (row.ratio,)

    def draw(self, axes: Any, place: float) -> None:
        """From 1 to the ratio, and the number behind it."""
        colour = AHEAD if self.ratio >= 1 else BEHIND
        axes.barh(place, self.ratio - 1, left=1, height=0.68, color=colour, zorder=2)
        _label(axes, place, self.label)
        _number(axes, place, self.ratio, max(self.ratio, 1.0))


class _Dots:
    """The ratios of many layers, and their mean."""

    height = 1.25

    def __init__(self, label: str, rows: list[Row]) -> None:
        self.label = label
        self.ratios = tuple(row.ratio for row in rows if row.ratio is not None)
        self.mean = geometric_mean(rows)

    def draw(self, axes: Any, place: float) -> None:
        """A dot each; the mean is an upright line."""
        colours = [AHEAD if ratio >= 1 else BEHIND for ratio in self.ratios]
        axes.scatter(
            self.ratios,
            [place] * len(self.ratios),
            s=17,
            c=colours,
            alpha=0.55,
            linewidths=0,
            zorder=2,
        )
        _label(axes, place, self.label)
        if self.mean is not None:
            axes.plot([self.mean] * 2, [place - 0.45, place + 0.45], color=INK, lw=1.6, zorder=3)
            _number(axes, place, self.mean, max(self.ratios), "mean ")


def _label(axes: Any, place: float, text: str) -> None:
    axes.annotate(
        text,
        (0, place),
        (-5, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        ha="right",
        fontsize=7.6,
        color=INK,
        annotation_clip=False,
    )


def _number(axes: Any, place: float, ratio: float, end: float, what: str = "") -> None:
    """Behind `end`; near 1 with one more digit, which tells who is ahead."""
    axes.annotate(
        what + (f"{ratio:.2f}" if ratio < 1.1 else f"{ratio:.1f}"),
        (end, place),
        (4, -0.3),
        textcoords="offset points",
        va="center",
        fontsize=7.6,
        fontweight="bold",
        color=INK if ratio >= 1 else BEHIND,
    )


def _scale(axes: Any, least: float, most: float) -> None:
    """Powers of two above, lines through the rows, and a strong one at 1."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    powers = [
        2.0**power for power in range(math.ceil(math.log2(least)), math.floor(math.log2(most)) + 1)
    ]
    axes.xaxis.set_major_locator(FixedLocator(powers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelsize=7.2, length=0, colors=FAINT, pad=1)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x", color="#e4e8ec", linewidth=0.8, zorder=0)
    axes.axvline(1, color=INK, linewidth=1.2, zorder=4)
    for side in axes.spines.values():
        side.set_visible(False)


def _lines(results: Results) -> list[_Heading | _Bar | _Dots]:
    lines: list[_Heading | _Bar | _Dots] = []
    for section, title, peers in (
        ("training", "Training step", "PyTorch, JAX"),
        ("inference", "Inference", "ONNX Runtime, OpenVINO, PyTorch"),
    ):
        rows = [row for row in results.rows if row.section == section and row.ratio is not None]
        lines += [_Heading(title, f"against {peers}")] * bool(rows)
        lines += [_Bar(_short(row), row) for row in rows]
    groups = results.sections().get("layers", {})
    if groups:
        most = max(len(rows) for rows in groups.values())
        lines.append(_Heading(f"{most} layers, each alone", "against oneDNN in PyTorch"))
        lines += [_Dots(name, rows) for name, rows in groups.items()]
    return lines


def _short(row: Row) -> str:
    """The network, and how many images at once."""
    name, batch = batch_of(row)
    return f"{name.replace('MNIST ', '')}, {batch}"
