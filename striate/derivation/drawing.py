"""Drawings of the stages, as article 000 draws its network.

Pixels on the left, neurons on the right, a colour for each group. What is too large to be drawn is
abridged: of pixels and of neurons some are left out, with dots in their place, and the drawing says
so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.derivation.windows import Windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from striate.derivation.derive import Derivation

# Pixels and neurons that are all drawn; of more, so many.
_ALL, _SOME_PIXELS, _SOME_NEURONS = 40, 12, 12
_FIGURES = {
    "dense": "figure 4",
    "grouped": "figures 5 to 7",
    "local": "figures 8 and 10",
    "convolution": "figures 11 and 12",
}
TITLES = {
    "dense": "Fully connected",
    "grouped": "Grouped: a colour is one weight per pixel",
    "local": "Local: a patch for each neuron of a group",
    "convolution": "Convolution: the patches of a group",
}


@dataclass(frozen=True)
class Column:
    """Circles below each other: which of `total` are shown, by number; None is a gap."""

    shown: tuple[int | None, ...]
    total: int

    @property
    def places(self) -> dict[int, float]:
        """The height of each, from 0 at the top down to -1."""
        step = 1 / max(len(self.shown) - 1, 1)
        return {n: -step * i for i, n in enumerate(self.shown) if n is not None}

    @property
    def gaps(self) -> list[float]:
        """Where dots stand for what is left out."""
        step = 1 / max(len(self.shown) - 1, 1)
        return [-step * i for i, n in enumerate(self.shown) if n is None]

    @property
    def is_abridged(self) -> bool:
        """Whether some are left out."""
        return len(self.places) < self.total


def columns_of(derivation: Derivation) -> tuple[Column, Column]:
    """The pixels and the neurons to be drawn, the same at every stage."""
    pixels, neurons = derivation.pixels, derivation.neurons
    if max(pixels, neurons) <= _ALL:
        return Column(tuple(range(pixels)), pixels), Column(tuple(range(neurons)), neurons)
    group = derivation.group or neurons
    wanted = [
        first + i
        for first in range(0, neurons, group)
        for i in range(min(group, 4 if group < neurons else _SOME_NEURONS))
    ]
    some_neurons = _some(sorted({*wanted[: _SOME_NEURONS - 1], neurons - 1}), neurons)
    read = list(range(_SOME_PIXELS - 1))
    if derivation.windows is not None:
        read = read_by(derivation, 0)[: _SOME_PIXELS - 4] + read_by(derivation, 1)[:3]
    some_pixels = _some(sorted({*read, pixels - 1}), pixels)
    return some_pixels, some_neurons


def _some(numbers: Sequence[int], total: int) -> Column:
    shown: list[int | None] = []
    for number in sorted(n for n in numbers if n < total):
        before = shown[-1] if shown else -1
        if before is not None and number > before + 1:
            shown.append(None)
        shown.append(number)
    return Column(tuple(shown), total)


def read_by(derivation: Derivation, neuron: int) -> list[int]:
    """The numbers of the pixels that a neuron reads, in the order of its weights."""
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return list(range(derivation.pixels))
    _, width, channels = derivation.image
    rows, columns = windows.rows_and_columns(_size(derivation), neuron % group)
    return [
        (row * width + column) * channels + c
        for row in rows
        for column in columns
        for c in range(channels)
    ]


def _size(derivation: Derivation) -> tuple[int, int]:
    return derivation.image[0], derivation.image[1]


def abridged(derivation: Derivation) -> str:
    """What the drawings leave out, in a sentence; "" if nothing."""
    pixels, neurons = columns_of(derivation)
    if not (pixels.is_abridged or neurons.is_abridged):
        return ""
    return (
        f"Abridged: {len(pixels.places):,} of {pixels.total:,} pixels and "
        f"{len(neurons.places):,} of {neurons.total:,} neurons are drawn."
    )


# Figures.


def overview(derivation: Derivation) -> Figure:
    """All stages in one picture."""
    from matplotlib.figure import Figure

    networks = [stage.name for stage in derivation.stages if stage.name != "convolution"]
    height = _height(derivation)
    convolution = derivation.windows is not None
    figure = Figure(
        figsize=(max(4.6 * len(networks), 6.5), height + 3.9 * convolution), layout="constrained"
    )
    parts: Any = figure
    if convolution:
        parts, below = figure.subfigures(2, 1, height_ratios=(height, 3.9))
        _draw_convolution(below, derivation)
    axes = parts.subplots(1, len(networks), squeeze=False)[0]
    for ax, name in zip(axes, networks, strict=True):
        _draw_network(ax, derivation, name)
    if note := abridged(derivation):
        parts.supxlabel(note, fontsize="small")
    return figure


def stage_figure(derivation: Derivation, name: str) -> Figure:
    """The drawing of one stage."""
    from matplotlib.figure import Figure

    if name == "convolution":
        figure = Figure(figsize=(9, 3.9), layout="constrained")
        _draw_convolution(figure, derivation)
        return figure
    figure = Figure(figsize=(6.5, _height(derivation)), layout="constrained")
    _draw_network(figure.subplots(), derivation, name)
    if note := abridged(derivation):
        figure.supxlabel(note, fontsize="small")
    return figure


def _height(derivation: Derivation) -> float:
    """Inches for the circles to stand apart."""
    return 1.0 + 0.24 * max(max(len(c.shown) for c in columns_of(derivation)), 12)


def _heading(derivation: Derivation, name: str) -> str:
    stage = derivation.stage(name)
    return f"{TITLES[name]}\n{stage.weights:,} weights"


def _colour(group: int) -> Any:
    from matplotlib import colormaps

    return colormaps["tab10"](group % 10)


def _draw_network(ax: Axes, derivation: Derivation, name: str) -> None:
    pixels, neurons = columns_of(derivation)
    group = derivation.group if name != "dense" else None
    _draw_lines(ax, derivation, name, pixels, neurons)
    values = derivation.picture.pixels.ravel() if derivation.picture else None
    for number, y in pixels.places.items():
        shade = "white" if values is None else str(float(np.clip(values[number], 0, 1)))
        ax.plot(0, y, "o", ms=11, mfc=shade, mec="black", mew=0.8, zorder=3)
        ax.annotate(
            _pixel_name(derivation, number), (0, y), (-10, 0), textcoords="offset points",
            ha="right", va="center", fontsize=7,
        )  # fmt: skip
    for number, y in neurons.places.items():
        face = "white" if group is None else _colour(number // group)
        ax.plot(1, y, "o", ms=11, mfc=face, mec="black", mew=0.8, zorder=3)
        ax.annotate(
            f"{number:,}", (1, y), (10, 0), textcoords="offset points",
            ha="left", va="center", fontsize=7,
        )  # fmt: skip
    for x, column in ((0, pixels), (1, neurons)):
        for y in column.gaps:
            ax.text(x, y, "⋮", ha="center", va="center", fontsize=12)
    ax.set_xlim(-0.28, 1.22)
    ax.set_ylim(-1.05, 0.05)
    ax.axis("off")
    ax.set_title(_heading(derivation, name), fontsize=10)


def _pixel_name(derivation: Derivation, number: int) -> str:
    _, width, channels = derivation.image
    place, channel = divmod(number, channels)
    row, column = divmod(place, width)
    return f"({row},{column})" if channels == 1 else f"({row},{column},{channel})"


def _draw_lines(
    ax: Axes, derivation: Derivation, name: str, pixels: Column, neurons: Column
) -> None:
    """Thick lines for weights, thin ones for the connections that only repeat them."""
    from matplotlib.collections import LineCollection

    group = derivation.group if name != "dense" else None
    thick: list[Any] = []
    thin: list[Any] = []
    for neuron, y in neurons.places.items():
        read = read_by(derivation, neuron) if name == "local" else range(derivation.pixels)
        seen = set(read)
        colour = "0.45" if group is None else _colour(neuron // group)
        first = group is None or neuron % group == 0
        for pixel, at in pixels.places.items():
            if pixel in seen:
                (thick if first else thin).append((((0, at), (1, y)), colour))
    for lines, width, strength in ((thin, 0.5, 0.45 if name == "local" else 0.12), (thick, 1, 0.9)):
        segments, colours = [line for line, _ in lines], [colour for _, colour in lines]
        if name == "dense":
            width = 0.5
        ax.add_collection(
            LineCollection(segments, colors=colours, linewidths=width, alpha=strength, zorder=1)
        )


def _draw_convolution(figure: Any, derivation: Derivation) -> None:
    """The image with its windows, the filters, and what they make of it."""
    windows = derivation.windows
    if windows is None:
        return
    shown = min(derivation.neurons // windows.count, 4)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _draw_windows(left, derivation, windows)
    right.axis("off")
    filters = derivation.neurons // windows.count
    lines = [_equation(derivation, windows, 0)]
    if windows.count > 1:
        lines.append(_equation(derivation, windows, 1))
    right.text(
        0, 1, "\n".join(lines), va="top", fontsize=8, family="monospace", transform=right.transAxes
    )
    _draw_maps(right, derivation, windows, shown)
    figure.suptitle(
        f"{TITLES['convolution']} are one {windows.size[0]}×{windows.size[1]} filter, "
        f"{filters:,} in all\n{derivation.stage('convolution').weights:,} weights",
        fontsize=10,
    )


def _draw_windows(ax: Axes, derivation: Derivation, windows: Windows) -> None:
    from matplotlib.patches import Rectangle

    height, width, channels = derivation.image
    if derivation.picture is not None:
        values = derivation.picture.pixels
        shown = values if channels == 3 else values[..., 0]
        ax.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1)
    else:
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
        ax.set_aspect("equal")
    few = windows.count <= 9
    positions = [*range(windows.count)] if few else [0, 1, 2, windows.count - 1]
    for order, position in enumerate(positions):
        row, column = divmod(position, windows.positions[1])
        y = row * windows.stride[0] - windows.pads[0] - 0.5
        x = column * windows.stride[1] - windows.pads[2] - 0.5
        inset = 0.06 * (order % 5) * min(windows.size) / 2
        ax.add_patch(
            Rectangle(
                (x + inset, y + inset), windows.size[1] - 2 * inset, windows.size[0] - 2 * inset,
                fill=False, ec=_colour(order), lw=1.8, clip_on=False,
            )
        )  # fmt: skip
        ax.annotate(
            f"{position:,}", (x + inset, y + inset), (2, -9), textcoords="offset points",
            color=_colour(order), fontsize=8, weight="bold", annotation_clip=False,
        )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    which = "all" if few else "some"
    ax.set_xlabel(f"{which} of the {windows.count:,} windows of a group", fontsize=8)


def _equation(derivation: Derivation, windows: Windows, neuron: int) -> str:
    """Figure 11: what a neuron sums."""
    rows, columns = windows.rows_and_columns(_size(derivation), neuron)
    row, column = divmod(neuron, windows.positions[1])
    top = row * windows.stride[0] - windows.pads[0]
    left = column * windows.stride[1] - windows.pads[2]
    terms = [
        f"w{(y - top) * windows.size[1] + x - left + 1}·x({y},{x})" for y in rows for x in columns
    ]
    if len(terms) > 9:
        terms = [*terms[:3], "…", terms[-1]]
    lines = [" + ".join(terms[i : i + 3]) for i in range(0, len(terms), 3)]
    head = f"neuron {neuron} = "
    return head + ("\n" + " " * (len(head) - 2) + "+ ").join(lines)


def _draw_maps(ax: Axes, derivation: Derivation, windows: Windows, shown: int) -> None:
    """The outputs of the first groups, position by position."""
    outputs = derivation.outputs.neurons.get("convolution") if derivation.outputs else None
    if outputs is None:
        return
    maps = outputs.reshape(-1, *windows.positions)[:shown]
    reach = float(np.abs(maps).max()) or 1.0
    for number, values in enumerate(maps):
        inset = ax.inset_axes((number * 0.25, 0.08, 0.22, 0.45))
        inset.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach)
        inset.set_xticks([])
        inset.set_yticks([])
        for spine in inset.spines.values():
            spine.set(color=_colour(number), linewidth=2)
        inset.set_xlabel(f"group {number}", fontsize=8)
    total = derivation.neurons // windows.count
    if shown < total:
        ax.text(0, -0.1, f"{shown} of {total:,} groups", fontsize=8, transform=ax.transAxes)
