"""Drawings of the stages as networks, in the manner of the article.

Pixels are circles on the left, neurons circles on the right, with a colour for each group and a
line for each connection. A large network is abridged: some pixels and neurons are left out, with
dots in their place, and the drawing says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.teaching.derivation.convolution_drawing import draw_convolution, group_colour
from striate.teaching.derivation.derivation_data import DerivationData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Up to `_ALL` pixels and neurons are all drawn; of more, only so many of each.
_ALL, _SOME_PIXELS, _SOME_NEURONS = 40, 12, 12
DPI = 130  # dots per inch of a drawing that is written to a file
TITLES = {
    "dense": "Fully connected",
    "grouped": "Grouped: a colour is one weight per pixel",
    "local": "Local: a patch for each neuron of a group",
    "convolution": "Convolution: the patches of a group are one filter",
}


@dataclass(frozen=True)
class Column:
    """A column of circles.

    Attributes:
        shown: the numbers of the pixels or neurons drawn, from the top; None is a gap.
        total: how many pixels or neurons there are.
    """

    shown: tuple[int | None, ...]
    total: int

    @property
    def places(self) -> dict[int, float]:
        """The y coordinate of each circle by its number, from 0 at the top down to -1."""
        step = 1 / max(len(self.shown) - 1, 1)
        return {n: -step * i for i, n in enumerate(self.shown) if n is not None}

    @property
    def gaps(self) -> list[float]:
        """The y coordinates of the dots that stand for circles left out."""
        step = 1 / max(len(self.shown) - 1, 1)
        return [-step * i for i, n in enumerate(self.shown) if n is None]

    @property
    def is_abridged(self) -> bool:
        """Whether some circles are left out."""
        return len(self.places) < self.total


def columns_of(derivation: DerivationData) -> tuple[Column, Column]:
    """The pixels and the neurons to be drawn, the same at every stage."""
    pixels, neurons = derivation.pixels, derivation.neurons
    if max(pixels, neurons) <= _ALL:
        return Column(tuple(range(pixels)), pixels), Column(tuple(range(neurons)), neurons)
    group = derivation.group or neurons
    of_group = min(group, 4 if group < neurons else _SOME_NEURONS)
    every = (first + i for first in range(0, neurons, group) for i in range(of_group))
    some_neurons = _some({*islice(every, _SOME_NEURONS - 1), neurons - 1}, neurons)
    read = [*islice(read_by(derivation, 0), _SOME_PIXELS - 4)]
    read += islice(read_by(derivation, min(1, neurons - 1)), 3)
    some_pixels = _some({*read, pixels - 1}, pixels)
    return some_pixels, some_neurons


def _some(numbers: set[int], total: int) -> Column:
    shown: list[int | None] = []
    for number in sorted(numbers):
        before = shown[-1] if shown else -1
        if before is not None and number > before + 1:
            shown.append(None)
        shown.append(number)
    return Column(tuple(shown), total)


def read_by(derivation: DerivationData, neuron: int) -> Iterator[int]:
    """The pixels that a neuron of the local stage reads, by number, in the order of its weights."""
    _, width, channels = derivation.image
    rows, columns = _patch(derivation, neuron)
    for row in rows:
        for column in columns:
            for channel in range(channels):
                yield (row * width + column) * channels + channel


def _reads(derivation: DerivationData, neuron: int, pixel: int) -> bool:
    """Whether a neuron of the local stage reads a pixel."""
    _, width, channels = derivation.image
    row, column = divmod(pixel // channels, width)
    rows, columns = _patch(derivation, neuron)
    return row in rows and column in columns


def _weight(derivation: DerivationData, neuron: int, pixel: int) -> int:
    """The number, in its filter, of the weight that connects a neuron with a pixel."""
    windows, (_, width, channels) = derivation.windows, derivation.image
    if windows is None or derivation.group is None:
        return 0
    place, channel = divmod(pixel, channels)
    row, column = divmod(place, width)
    at = divmod(neuron % derivation.group, windows.positions[1])
    r = row - at[0] * windows.stride[0] + windows.pads[0]
    s = column - at[1] * windows.stride[1] + windows.pads[2]
    return (r * windows.size[1] + s) * channels + channel


def _patch(derivation: DerivationData, neuron: int) -> tuple[range, range]:
    """The rows and the columns of the image that a neuron reads: all of them without windows."""
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return range(derivation.image[0]), range(derivation.image[1])
    return windows.rows_and_columns(derivation.size, neuron % group)


def abridged(derivation: DerivationData) -> str:
    """A sentence on what the drawings leave out; "" if they show everything."""
    pixels, neurons = columns_of(derivation)
    if not (pixels.is_abridged or neurons.is_abridged):
        return ""
    return (
        f"Abridged: {len(pixels.places):,} of {pixels.total:,} pixels and "
        f"{len(neurons.places):,} of {neurons.total:,} neurons are drawn."
    )


# Figures.


def overview(derivation: DerivationData) -> Figure:
    """All stages in one picture."""
    from matplotlib.figure import Figure

    networks = [stage.name for stage in derivation.stages if stage.name != "convolution"]
    height = _height(derivation)
    convolution = derivation.windows is not None
    figure = Figure(
        figsize=(max(4.6 * len(networks), 6.5), height + 4.4 * convolution), layout="constrained"
    )
    parts: Any = figure
    if convolution:
        both: Any = figure.subfigures(2, 1, height_ratios=(height, 4.4))
        parts = both[0]
        draw_convolution(both[1], derivation)
    axes = parts.subplots(1, len(networks), squeeze=False)[0]
    for ax, name in zip(axes, networks, strict=True):
        _draw_network(ax, derivation, name)
    if note := abridged(derivation):
        parts.supxlabel(note, fontsize="small")
    return figure


def stage_figure(derivation: DerivationData, name: str) -> Figure:
    """The drawing of one stage."""
    from matplotlib.figure import Figure

    if name == "convolution":
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        draw_convolution(figure, derivation)
        return figure
    figure = Figure(figsize=(6.5, _height(derivation)), layout="constrained")
    _draw_network(figure.subplots(), derivation, name)
    if note := abridged(derivation):
        figure.supxlabel(note, fontsize="small")
    return figure


def _height(derivation: DerivationData) -> float:
    """The height of a drawing in inches, so that its circles do not touch."""
    return 1.0 + 0.24 * max(max(len(c.shown) for c in columns_of(derivation)), 12)


def _heading(derivation: DerivationData, name: str) -> str:
    stage = derivation.stage(name)
    title = TITLES[name]
    if name == "local" and _has_one_filter(derivation):
        title = "Local: a patch for each neuron, a colour is one weight"
    return f"{title}\n{stage.weights:,} weights"


def _has_one_filter(derivation: DerivationData) -> bool:
    """Whether all neurons are one group: then a colour stands for a weight, not for a group."""
    return derivation.group == derivation.neurons


def _draw_network(ax: Axes, derivation: DerivationData, name: str) -> None:
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
        face = "white" if group is None else group_colour(number // group)
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


def _pixel_name(derivation: DerivationData, number: int) -> str:
    _, width, channels = derivation.image
    place, channel = divmod(number, channels)
    row, column = divmod(place, width)
    return f"({row},{column})" if channels == 1 else f"({row},{column},{channel})"


def _draw_lines(
    ax: Axes, derivation: DerivationData, name: str, pixels: Column, neurons: Column
) -> None:
    """A line for each connection: thick for the first use of a weight, thin for its copies."""
    from matplotlib.collections import LineCollection

    group = derivation.group if name != "dense" else None
    by_weight = name == "local" and _has_one_filter(derivation)
    thick: list[Any] = []
    thin: list[Any] = []
    for neuron, y in neurons.places.items():
        colour = "0.45" if group is None else group_colour(neuron // group)
        first = group is None or neuron % group == 0
        for pixel, at in pixels.places.items():
            if name != "local" or _reads(derivation, neuron, pixel):
                if by_weight:
                    colour = group_colour(_weight(derivation, neuron, pixel))
                (thick if first else thin).append((((0, at), (1, y)), colour))
    strength_of_thin = 0.9 if by_weight else 0.45 if name == "local" else 0.12
    width_of_thin = 1 if by_weight else 0.5
    for lines, width, strength in ((thin, width_of_thin, strength_of_thin), (thick, 1, 0.9)):
        segments, colours = [line for line, _ in lines], [colour for _, colour in lines]
        if name == "dense":
            width = 0.5
        ax.add_collection(
            LineCollection(segments, colors=colours, linewidths=width, alpha=strength, zorder=1)
        )
