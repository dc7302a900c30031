"""Draws one sum of a signal: f and y as in article 001, the kernel at its place, the products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.common.text import number, weight
from striate.signal.written_steps import Step, Steps, formula_of
from striate.teaching.sliding.laid_kernel import (
    LaidTap,
    laid_kernel,
    output_name,
    sum_in_numbers,
    zero_place,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRAY, RED = "gray", "red"  # f and y, as in the article
KERNEL, PRODUCT = "tab:blue", "tab:orange"
WHOLE = 48
"""The most samples that are drawn whole; of a longer signal the surroundings of the window."""
AROUND = 14  # samples on each side of a window
PANEL, LETTER = 8.2, 0.068  # inches: a panel's width, and that of a small letter


@short_repr
@dataclass(frozen=True, eq=False)
class SignalView:
    """What all frames of one animation share, so that nothing jumps.

    Attributes:
        steps: the convolution.
        y: all outputs.
        products: the least and the greatest product that is drawn.
        read: the least and the greatest element of f that is read, beyond its ends too.
        whole: draw all of f; else the surroundings of the window.
    """

    steps: Steps
    y: Array
    products: tuple[float, float]
    read: tuple[float, ...]
    whole: bool


def view_of(steps: Steps, y: Array, *, whole: bool | None = None) -> SignalView:
    """The view for `steps`, of which each sum may be drawn.

    Args:
        steps: of one dimension.
        y: the whole result, (outputs,).
        whole: draw all of f; by default, where it is short enough to be read.
    """
    products = [0.0, *(float(tap.product) for step in steps for tap in laid_kernel(steps, step))]
    read = [float(term.value) for step in steps for term in step.terms]
    if whole is None:
        whole = max(len(steps.f), len(y)) <= WHOLE
    return SignalView(steps, y, (min(products), max(products)), _range(read), whole)


def _range(values: Sequence[float]) -> tuple[float, ...]:
    return (min(values), max(values)) if values else ()


def draw_signal_sum(view: SignalView, step: Step, *, until: int | None = None) -> Figure:
    """Draw one sum.

    Args:
        view: of the convolution it belongs to.
        step: the sum.
        until: the last output that is drawn; by default all are.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    steps = view.steps
    laid = laid_kernel(steps, step)
    figure = Figure(figsize=(9, 7))
    # Margins are fixed, so that the frames of an animation lie on each other.
    margins = {"left": 0.08, "right": 0.98, "top": 0.95, "bottom": 0.08, "hspace": 0.32}
    top, middle, below = figure.subplots(
        3, 1, sharex=True, height_ratios=(2.2, 1.5, 1.2), gridspec_kw=margins
    )
    low, high = _ends(view, laid)
    for axes in (top, middle, below):
        span = laid[0].index[0] - 0.5, laid[-1].index[0] + 0.5
        axes.axvspan(*span, color=KERNEL, alpha=0.12, lw=0)
        axes.set_xlim(low - 0.6, high + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=24, min_n_ticks=1))
    _draw_f_and_y(top, view, step, laid, until)
    top.set_title(formula_of(steps), fontsize="medium", loc="left")
    _draw_kernel(middle, view, step, laid)
    _draw_products(below, view, step, laid)
    below.set_xlabel("i")
    _mark_tick(below, zero_place(steps, step.position)[0])
    return figure


def _ends(view: SignalView, laid: Sequence[LaidTap]) -> tuple[int, int]:
    """The first and the last place that is drawn."""
    length, window = len(view.steps.f), view.steps.windows[0]
    first = zero_place(view.steps, (0,))[0]
    if view.whole:
        reads = window.reach(len(view.steps.g))
        outputs = first, first + (len(view.y) - 1) * window.stride
        return min(0, reads[0], outputs[0]), max(length - 1, reads[1] - 1, outputs[1])
    return laid[0].index[0] - AROUND, laid[-1].index[0] + AROUND


def _draw_f_and_y(
    axes: Axes, view: SignalView, step: Step, laid: Sequence[LaidTap], until: int | None
) -> None:
    steps = view.steps
    f = steps.f
    dots = max(len(f), len(view.y)) <= WHOLE or not view.whole
    of_f: dict[str, Any] = {"ms": 7, "lw": 2.4} if dots else {"lw": 1.2}
    of_y: dict[str, Any] = {"ms": 4.5, "lw": 1.3} if dots else {}
    mark = "o" if dots else ""
    axes.plot(np.arange(len(f)), f, color=GRAY, label="f", marker=mark, zorder=2, **of_f)
    beyond = [tap for tap in laid if tap.term is not None and tap.term.index != tap.term.source]
    if beyond:
        axes.plot(
            [tap.index[0] for tap in beyond], [tap.term.value for tap in beyond if tap.term],
            color=GRAY, marker="o", ms=7, mfc="white", ls="", label="f beyond its ends", zorder=2,
        )  # fmt: skip
    window = steps.windows[0]
    first = zero_place(steps, (0,))[0]
    shown = view.y[: len(view.y) if until is None else until + 1]
    places = first + np.arange(len(shown)) * window.stride
    axes.plot(places, shown, color=RED, label="y", marker=mark, zorder=3, **of_y)
    here = first + step.position[0] * window.stride
    axes.plot(
        [here], [step.value], marker="o", ms=13, mfc="none", mec=RED, mew=1.8, ls="", zorder=4
    )
    low, high = axes.get_xlim()
    all_places = first + np.arange(len(view.y)) * window.stride
    seen = [
        f[max(math.ceil(low), 0) : math.floor(max(high, -1)) + 1],
        view.y[(all_places >= low) & (all_places <= high)],
        np.array(view.read),
    ]
    everything = np.concatenate(seen)
    least, greatest = float(everything.min()), float(everything.max())
    margin = 0.12 * ((greatest - least) or 1.0)
    axes.set_ylim(least - margin, greatest + margin)
    axes.legend(loc="lower right")


def _draw_kernel(axes: Axes, view: SignalView, step: Step, laid: Sequence[LaidTap]) -> None:
    g, origin = view.steps.g, view.steps.origin[0]
    _limit(axes, float(g.min()), float(g.max()), 0.6)
    values = [weight(tap.weight) for tap in laid]
    names = [f"g({tap.tap[0] - origin})" for tap in laid]
    on_lines = [
        [gap.join(pair) for pair in zip(names, values, strict=True)] for gap in (" = ", "\n")
    ]
    _bars(axes, laid, [tap.weight for tap in laid], KERNEL, *on_lines, values)
    turned = "g, flipped and put" if view.steps.flip else "g as it is, put"
    place = zero_place(view.steps, step.position)[0]
    title = f"{turned} at {place}: {_moved_kernel(view.steps, place)}"
    axes.set_title(title, fontsize="medium", loc="left", color=KERNEL)


def _moved_kernel(steps: Steps, place: int) -> str:
    """What stands at i when g(0) is at `place`: "g(5 - i)", "g(i + 1)", "g((5 - i)/2)"."""
    if steps.flip:
        inside = f"{place} - i"
    else:
        inside = f"i {'+' if place < 0 else '-'} {abs(place)}" if place else "i"
    spread = steps.windows[0].dilation
    return f"g(({inside})/{spread})" if spread > 1 else f"g({inside})"


def _draw_products(axes: Axes, view: SignalView, step: Step, laid: Sequence[LaidTap]) -> None:
    met = [tap for tap in laid if tap.term is not None]
    _limit(axes, *view.products, 0.35)
    products = [tap.product for tap in met]
    _bars(axes, met, products, PRODUCT, [number(value) for value in products])
    said = f"the products and their sum: {output_name(step)} = {sum_in_numbers(step, 70)}"
    axes.set_title(said, fontsize="medium", loc="left", color="tab:brown")


def _limit(axes: Axes, low: float, high: float, room: float) -> None:
    """Leave room for numbers above and below bars between `low` and `high`, a share of these."""
    low, high = min(low, 0.0), max(high, 0.0)
    reach = (high - low) or 1.0
    axes.set_ylim(low - (room if low < 0 else 0.06) * reach, high + room * reach)


def _bars(
    axes: Axes, laid: Sequence[LaidTap], heights: Sequence[Any], colour: str,
    *texts: Sequence[str],
) -> None:  # fmt: skip
    """Draw a bar for each tap, with the first of the `texts` that have room beside each other."""
    axes.bar([tap.index[0] for tap in laid], [float(v) for v in heights], 0.5, color=colour)
    axes.axhline(0, color="0.3", lw=0.8)
    if not laid:
        return
    low, high = axes.get_xlim()
    apart = min((b.index[0] - a.index[0] for a, b in itertools.pairwise(laid)), default=high - low)
    room = apart / (high - low) * PANEL / LETTER
    fitting: Sequence[str] = next((some for some in texts if _letters(some) + 1 <= room), [])
    for tap, height, text in zip(laid, heights, fitting, strict=False):
        up = float(height) >= 0
        axes.annotate(
            text, (tap.index[0], float(height)), (0, 3 if up else -3),
            textcoords="offset points", ha="center", va="bottom" if up else "top", fontsize=8,
        )  # fmt: skip


def _letters(texts: Sequence[str]) -> int:
    return max(len(line) for text in texts for line in text.split("\n"))


def _mark_tick(axes: Axes, place: int) -> None:
    """Give the place of the output a tick of its own, in red; others that would touch it go."""
    low, high = axes.get_xlim()
    apart = (high - low) / 30
    ticks = [
        round(tick)
        for tick in axes.get_xticks()
        if low <= tick <= high and abs(tick - place) > apart
    ]
    axes.set_xticks(sorted([*ticks, place]))
    for label, tick in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True):
        if tick == place:
            label.set_color(RED)
            label.set_fontweight("bold")
