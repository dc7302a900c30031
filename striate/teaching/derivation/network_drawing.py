"""The networks of the article as columns of circles: inputs on the left, neurons on the right.

A large network is abridged: some inputs and neurons are left out, with dots in their place, and
the drawing says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.drawing_colours import (
    gray_levels,
    group_colour,
    ink_on,
    line_style,
    short,
    weight_colour,
    weight_name,
)
from striate.teaching.derivation.figure_connections import (
    FIGURES,
    Connection,
    connections,
    inputs,
    is_one_dimensional,
    is_padding,
    place_of,
    read_by,
)
from striate.teaching.derivation.same_answers import answers, seeing_the_same, sigmoid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Up to `_ALL` inputs and neurons are all drawn; of more, only so many of each.
_ALL, _SOME_PIXELS, _SOME_NEURONS = 40, 12, 12
# The most lines that get the name of their weight, and the most names below a drawing in a row.
_NAMED, _NAMED_IN_A_ROW = 9, 5
_WITHOUT_GROUPS = ("pixels", "vector", "neurons", "dense")
_BY_WEIGHT = ("patch", "weights", "slide", "local", "sigma")


@dataclass(frozen=True)
class UnitNames:
    """What inputs and neurons are called, as in the article 002: x1, x2, … and s1, s2, …

    Attributes:
        inputs, neurons: the letters.
    """

    inputs: str
    neurons: str

    def input(self, number: int) -> str:
        """The name of an input, which is numbered from 0."""
        return f"{self.inputs}{number + 1}"

    def neuron(self, number: int) -> str:
        """The name of a neuron, which is numbered from 0."""
        return f"{self.neurons}{number + 1}"


@dataclass(frozen=True)
class Column:
    """A column of circles.

    Attributes:
        shown: the numbers of the inputs or neurons drawn, from the top; None is a gap.
        total: how many there are.
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


def columns_of(
    derivation: DerivationData, pixel: int | None = None, neuron: int | None = None
) -> tuple[Column, Column]:
    """The inputs and the neurons to be drawn, the same in every figure; among them those singled
    out.
    """
    every, neurons = inputs(derivation), derivation.neurons
    if max(len(every), neurons) <= _ALL:
        return Column(tuple(every), len(every)), Column(tuple(range(neurons)), neurons)
    group = derivation.group or neurons
    of_group = min(group, 4 if group < neurons else _SOME_NEURONS)
    candidates = (first + i for first in range(0, neurons, group) for i in range(of_group))
    chosen = {neuron or 0}
    some_neurons = {*islice(candidates, _SOME_NEURONS - 1), neurons - 1} | chosen
    read = [*islice(read_by(derivation, neuron or 0), _SOME_PIXELS - 4)]
    read += islice(read_by(derivation, min(1, neurons - 1)), 3)
    some_pixels = {*read, derivation.pixels - 1, pixel or 0}
    return _some(some_pixels, derivation.pixels), _some(some_neurons, neurons)


def _some(numbers: set[int], total: int) -> Column:
    shown: list[int | None] = []
    for number in sorted(numbers):
        before = shown[-1] if shown else -1
        if before is not None and number > before + 1:
            shown.append(None)
        shown.append(number)
    return Column(tuple(shown), total)


def abridged(derivation: DerivationData) -> str:
    """A sentence on what the drawings leave out; "" if they show everything."""
    pixels, neurons = columns_of(derivation)
    if not (pixels.is_abridged or neurons.is_abridged):
        return ""
    return (
        f"Abridged: {len(pixels.places):,} of {pixels.total:,} pixels and "
        f"{len(neurons.places):,} of {neurons.total:,} neurons are drawn."
    )


def network_height(derivation: DerivationData) -> float:
    """The height of a drawing in inches, so that its circles do not touch."""
    return 1.2 + 0.29 * max(max(len(c.shown) for c in columns_of(derivation)), 9)


def draw_network(
    ax: Axes,
    derivation: DerivationData,
    name: str,
    pixel: int | None = None,
    neuron: int | None = None,
    names: UnitNames | None = None,
) -> None:
    """Draw the network of a figure, with one pixel or one neuron singled out where it has one, and
    inputs and neurons called by `names`.
    """
    pixels, neurons = columns_of(derivation, pixel, neuron)
    lines = connections(
        derivation, name, [*pixels.places], [*neurons.places], pixel or 0, neuron or 0
    )
    if pixel is not None:
        lines = [line for line in lines if line.pixel == pixel]
    marked: set[int] = set()
    if neuron is not None and name in ("dense", "grouped", "local"):
        _draw_pale(ax, [line for line in lines if line.neuron != neuron], pixels, neurons)
        lines = [line for line in lines if line.neuron == neuron]
        marked = {line.pixel for line in lines}
    alike = seeing_the_same(derivation, neuron) if name == "sigma" else []
    _draw_lines(ax, derivation, name, lines, pixels, neurons, alike)
    _draw_inputs(ax, derivation, pixels, names)
    _draw_neurons(ax, derivation, name, neurons, {line.neuron for line in lines}, names)
    _ring(ax, 0, pixels, marked | {line.pixel for line in lines if line.neuron in alike})
    _ring(ax, 1, neurons, {line.neuron for line in lines} if marked else set(alike))
    for x, column in ((0, pixels), (1, neurons)):
        for y in column.gaps:
            ax.text(x, y, "⋮", ha="center", va="center", fontsize=12)
    ax.set_xlim(-0.32, 1.36)
    ax.set_ylim(-1.06, 0.06)
    ax.axis("off")
    ax.set_title(heading(derivation, name), fontsize=10)
    if name in ("local", "sigma"):
        _name_weights(ax, derivation)


def heading(derivation: DerivationData, name: str) -> str:
    """The title of a figure, with the number of weights of its stage."""
    title = next(figure.title for figure in FIGURES if figure.name == name)
    stage = {"one-pixel": "grouped", "unique": "grouped", "one-neuron": "grouped"}.get(name, name)
    stage = "local" if stage in _BY_WEIGHT else stage
    if name == "local":
        title = "Local: a patch for each neuron, a colour is one weight"
    if stage not in [made.name for made in derivation.stages]:
        return title
    sides = ""
    if name in ("local", "sigma") and is_one_dimensional(derivation):
        sides = "; left the input f, right the output y" + " = σ(sum)" * (name == "sigma")
    return f"{title}\n{derivation.stage(stage).weights:,} weights{sides}"


def _draw_pale(ax: Axes, lines: list[Connection], pixels: Column, neurons: Column) -> None:
    """The lines of neurons that are not singled out."""
    for line in lines:
        heights = (pixels.places[line.pixel], neurons.places[line.neuron])
        ax.plot((0, 1), heights, color="0.85", lw=0.7, zorder=0.5, gid="pale")


def _draw_inputs(
    ax: Axes, derivation: DerivationData, pixels: Column, names: UnitNames | None
) -> None:
    values = derivation.picture.pixels.ravel() if derivation.picture else None
    shades = None if values is None else gray_levels(values)
    for number, y in pixels.places.items():
        padding = is_padding(derivation, number)
        shade, text = "white", "0" if padding else ""
        if values is not None and shades is not None and not padding:
            shade, text = str(float(shades[number])), short(float(values[number]))
        ax.plot(0, y, "o", ms=17, mfc=shade, mec="black", mew=0.8, zorder=3)
        if padding:
            ax.plot(0, y, "o", ms=21, mfc="none", mec="0.5", mew=0.8, ls="--", zorder=3)
        ax.text(0, y, text, ha="center", va="center", fontsize=6, color=ink_on(shade), zorder=4)
        called = names.input(number) if names else _pixel_name(derivation, number)
        ax.annotate(
            "padding" if padding else called, (0, y), (-13, 0),
            textcoords="offset points", ha="right", va="center", fontsize=7,
        )  # fmt: skip


def _draw_neurons(
    ax: Axes, derivation: DerivationData, name: str, neurons: Column, joined: set[int],
    names: UnitNames | None = None,
) -> None:  # fmt: skip
    group = derivation.group if name not in _WITHOUT_GROUPS else None
    outputs = derivation.outputs.neurons.get(name) if derivation.outputs else None
    if name == "sigma":
        outputs = answers(derivation)
    elif name not in ("local", "dense", "grouped"):
        outputs = None
    for number, y in neurons.places.items():
        face = "white" if group is None else group_colour(number // group)
        ax.plot(1, y, "o", ms=17, mfc=face, mec="black", mew=0.8, zorder=3)
        ax.text(
            1, y, names.neuron(number) if names else f"{number:,}", ha="center", va="center",
            fontsize=6, zorder=4,
            color=ink_on(face), weight="bold" if number in joined else "normal",
        )  # fmt: skip
        if outputs is not None:
            told = short(float(outputs[number]))
            if name == "sigma":
                told = f"σ({told}) = {short(sigmoid(float(outputs[number])))}"
            ax.annotate(
                told, (1, y), (16, 0), textcoords="offset points",
                ha="left", va="center", fontsize=7, bbox={"fc": "white", "ec": "none", "pad": 0.5},
            )  # fmt: skip
    if group is not None and group < derivation.neurons:
        _draw_blocks(ax, neurons, group)
    if outputs is not None:
        ax.set_xlabel("outputs")


def _ring(ax: Axes, x: float, column: Column, numbers: set[int]) -> None:
    """An orange ring around some circles of a column."""
    for number in sorted(numbers & column.places.keys()):
        ax.plot(
            x, column.places[number], "o", ms=22, mfc="none", mec="tab:orange", mew=2.2, zorder=3,
            gid="ring",
        )  # fmt: skip


def _draw_blocks(ax: Axes, neurons: Column, group: int) -> None:
    """A block round each group."""
    from matplotlib.patches import FancyBboxPatch

    step = 1 / max(len(neurons.shown) - 1, 1)
    for of in sorted({number // group for number in neurons.places}):
        heights = [y for number, y in neurons.places.items() if number // group == of]
        bottom, top = min(heights) - 0.42 * step, max(heights) + 0.42 * step
        ax.add_patch(
            FancyBboxPatch(
                (0.93, bottom), 0.25, top - bottom, boxstyle="round,pad=0,rounding_size=0.01",
                fc="none", ec=group_colour(of), lw=1.5, zorder=2, clip_on=False,
            )
        )  # fmt: skip
        ax.text(1.2, (bottom + top) / 2, f"group {of:,}", fontsize=7, va="center")


def _pixel_name(derivation: DerivationData, number: int) -> str:
    if is_one_dimensional(derivation) and derivation.image[2] == 1:
        return f"{number:,}"
    row, column, channel = place_of(derivation, number)
    where = f"({row},{column})" if derivation.image[2] == 1 else f"({row},{column},{channel})"
    return f"{number:,}  {where}"


def _is_falling_pair(derivation: DerivationData) -> bool:
    """Whether the layer has two weights, a negative before a positive one: an edge kernel, flipped.

    Red is then the positive one, as the article 001 draws it.
    """
    filters = derivation.outputs.filters if derivation.outputs else None
    if filters is None or filters.size != 2 or filters.shape[3] != 1:
        return False
    first, second = filters.ravel()
    return bool(first < 0 < second)


def _name_weights(ax: Axes, derivation: DerivationData) -> None:
    """The values of a single small filter's weights, each in the colour of its lines."""
    filters = derivation.outputs.filters if derivation.outputs else None
    if filters is None or filters.shape[3] != 1 or filters.size > _NAMED:
        return
    swapped = _is_falling_pair(derivation)
    for number, value in enumerate(filters.ravel()):
        row, column = divmod(number, _NAMED_IN_A_ROW)
        in_row = min(filters.size - row * _NAMED_IN_A_ROW, _NAMED_IN_A_ROW)
        ax.annotate(
            f"{weight_name(number, None)} = {short(float(value))}",
            (0.5 + 0.26 * (column - (in_row - 1) / 2), -1.06), (0, -12 * row),
            textcoords="offset points", ha="center", va="top", fontsize=8, weight="bold",
            color=weight_colour(number ^ swapped, filters.size), annotation_clip=False,
        )  # fmt: skip


def _draw_lines(
    ax: Axes,
    derivation: DerivationData,
    name: str,
    lines: list[Connection],
    pixels: Column,
    neurons: Column,
    alike: list[int],
) -> None:
    """A line for each connection: of a weight's colour where neurons look at patches, of the
    group's colour before; those that repeat a weight are thinner. If some neurons are `alike`, the
    lines of others are pale.
    """
    taps = derivation.windows.taps * derivation.image[2] if derivation.windows else 1
    several = (derivation.group or derivation.neurons) < derivation.neurons
    swapped = _is_falling_pair(derivation)
    for line in lines:
        ends = [(0, pixels.places[line.pixel]), (1, neurons.places[line.neuron])]
        colour: Any = "0.45"
        style: Any = "-"
        if name in _BY_WEIGHT:
            colour = weight_colour(line.weight ^ swapped, taps, line.group)
            style = line_style(line.group)
        elif name not in _WITHOUT_GROUPS and derivation.group:
            colour = group_colour(line.group if name != "one-neuron" else 0)
        pale = bool(alike) and line.neuron not in alike
        width = 0.7 if len(lines) > 100 else 1.3
        if alike:
            width *= 1 if pale else 1.4
        elif line.copy:
            width *= 0.6
        ax.plot(
            *zip(*ends, strict=True), color=colour, lw=width, ls=style, zorder=1, gid="line",
            alpha=0.18 if pale else 0.5 if line.copy and name == "grouped" else 0.95,
        )  # fmt: skip
    of_group = derivation.group if several else None
    named = lines if len(lines) <= _NAMED else []
    if name == "one-pixel":
        named = [line for line in lines if not line.copy]
    for i, line in enumerate(named if name in (*_BY_WEIGHT, "one-pixel") else []):
        start, end = pixels.places[line.pixel], neurons.places[line.neuron]
        along = 0.32 + 0.09 * (i % 4) if name in _BY_WEIGHT else 0.6
        pixel_weight = f"$w^{{({line.group})}}$" if name == "one-pixel" else ""
        label = pixel_weight or weight_name(line.weight, line.group if of_group else None)
        ax.text(
            along, start + along * (end - start), label, fontsize=8, ha="center", va="center",
            bbox={"fc": "white", "ec": "none", "pad": 0.6}, zorder=2,
        )  # fmt: skip
