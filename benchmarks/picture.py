"""The picture of the suite's results: how many times as good as the best peer, row by row."""

from __future__ import annotations

import math
from pathlib import Path

from report import TITLES, Results, Row

MET, MISSED, LOST, TICK = "#2a78b5", "#e3962b", "#c8342f", "#222222"


def draw(results: Results, path: Path) -> None:
    """Horizontal bars grouped by section, a line at 1, and a tick where each row's bar is."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter
    from matplotlib.transforms import blended_transform_factory

    entries = list(_entries(results))
    height = max(1, len(entries))
    # Narrow, and as tall as it takes: it is read on telephones too.
    figure, axes = pyplot.subplots(figsize=(6.4, 1.3 + 0.21 * height), layout="constrained")
    ratios = [row.ratio for _, row in entries if row is not None and row.ratio]
    bars = [row.bar for _, row in entries if row is not None and row.bar and row.ratio]
    least, most = min([0.8, *ratios]) / 1.15, max([2.0, *ratios, *bars]) * 1.45
    axes.set_xscale("log")
    axes.set_xlim(least, most)
    axes.set_ylim(height - 0.4, -0.6)
    for place, (text, row) in enumerate(entries):
        if row is None:
            axes.text(
                *(0.01, place, text),
                transform=blended_transform_factory(figure.transFigure, axes.transData),
                va="center",
                fontweight="bold",
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                in_layout=False,
            )
        elif row.ratio is None:
            axes.text(1, place, " failed", va="center", color=LOST, fontsize=8)
        else:
            colour = LOST if row.lost else MISSED if row.missed else MET
            axes.barh(place, row.ratio - 1, left=1, height=0.72, color=colour)
            end = max(row.ratio, 1.0, row.bar or 0)
            label = f"{row.ratio:.2f}" + " W" * row.winograd
            axes.annotate(
                label, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=7.5
            )
            if row.bar is not None:
                axes.plot([row.bar] * 2, [place - 0.42, place + 0.42], color=TICK, linewidth=1.6)
    axes.axvline(1, color=TICK, linewidth=1)
    axes.set_yticks(
        [place for place, (_, row) in enumerate(entries) if row is not None],
        [text for text, row in entries if row is not None],
        fontsize=8,
    )
    axes.tick_params(axis="y", length=0)
    powers = range(math.ceil(math.log2(least)), math.floor(math.log2(most)) + 1)
    axes.set_xticks([2.0**power for power in powers])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_tick_params(which="minor", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.xaxis.tick_top()
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    figure.suptitle(
        "striate against the fastest peer, longer is better\n"
        f"{results.date}, {results.threads} threads\n"
        "upright tick: the bar; orange: ahead, but below the bar; red: behind"
        + "; W: Winograd"
        * any(row.winograd for row in results.rows),
        fontsize=9,
    )
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _entries(results: Results) -> list[tuple[str, Row | None]]:
    """Headings (without a row) and rows, as they follow each other."""
    entries: list[tuple[str, Row | None]] = []
    for section, groups in results.sections().items():
        for group, rows in groups.items():
            shown = [row for row in rows if row.ratio is not None or row.failed]
            if not shown:
                continue
            entries.append((TITLES[section] + f": {group}" * bool(group), None))
            entries += [(row.name, row) for row in shown]
    return entries
