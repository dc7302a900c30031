"""Every figure of the derivation as a matplotlib figure, and all stages in one overview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from striate.common.errors import StriateValueError
from striate.teaching.derivation.correlation_drawing import draw_correlation
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.figure_connections import check_choice, drawable, figure_called
from striate.teaching.derivation.neighbour_correlation import neighbour_correlation
from striate.teaching.derivation.network_drawing import (
    UnitNames,
    abridged,
    draw_network,
    network_height,
)
from striate.teaching.derivation.plane_drawing import draw_planes
from striate.teaching.derivation.value_panels import (
    draw_convolution,
    draw_pixels,
    draw_slide,
    draw_sum,
    draw_vector,
)
from striate.teaching.derivation.volume_drawing import draw_volume
from striate.teaching.derivation.windows import WHO

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130  # dots per inch of a drawing that is written to a file


def overview(derivation: DerivationData) -> Figure:
    """All stages in one picture."""
    from matplotlib.figure import Figure

    networks = [stage.name for stage in derivation.stages if stage.name != "convolution"]
    height = network_height(derivation)
    convolution = derivation.windows is not None
    figure = Figure(
        figsize=(max(4.6 * len(networks), 9), height + 4.6 * convolution), layout="constrained"
    )
    parts: Any = figure
    if convolution:
        both: Any = figure.subfigures(2, 1, height_ratios=(height, 4.6))
        parts = both[0]
        draw_convolution(both[1], derivation)
    axes = parts.subplots(1, len(networks), squeeze=False)[0]
    for ax, name in zip(axes, networks, strict=True):
        draw_network(ax, derivation, name)
    if note := abridged(derivation):
        parts.supxlabel(note, fontsize="small")
    return figure


def stage_figure(
    derivation: DerivationData, name: str, pixel: int | None = None, neuron: int | None = None,
    names: tuple[str, str] | None = None,
) -> Figure:  # fmt: skip
    """One figure, by its name or its number in the article.

    Args:
        derivation: of what.
        name: one of `figure_connections.FIGURES`, or "1" to "12".
        pixel, neuron: what to single out where the figure can: a pixel in networks, a neuron in
            those, in "weights", "slide", "planes", "depth", "volume" and "sigma".
        names: letters of inputs and neurons in networks, numbered from 1 then, such as "x" and "s".

    Raises:
        ValueError: there is no such figure, pixel or neuron; or the sizes have no such figure.
    """
    from matplotlib.figure import Figure

    wanted = figure_called(name)
    check_drawable(derivation, wanted.name)
    check_choice(derivation, pixel, neuron)
    name = wanted.name
    wide = {
        "pixels": (3.6, 3.8), "vector": (5.4, 4.4), "correlation": (9.0, 4.6),
        "convolution": (9.0, 4.6), "planes": (8.5, 4.6), "depth": (8.5, 4.6), "volume": (8.5, 4.6),
    }  # fmt: skip
    networked = name not in wide
    size = wide.get(name, (6.5, 0.0))
    panel = {"weights": 2.6, "slide": 2.6}.get(name, 0.0)
    height = network_height(derivation) + panel if networked else size[1]
    figure = Figure(figsize=(size[0] + (1.5 if panel else 0), height), layout="constrained")
    parts: Any = figure
    if panel:
        both: Any = figure.subfigures(2, 1, height_ratios=(height - panel, panel))
        parts = both[0]
        (draw_sum if name == "weights" else draw_slide)(both[1], derivation, neuron or 0)
    if networked:
        called = UnitNames(*names) if names else None
        draw_network(parts.subplots(), derivation, name, pixel, neuron, called)
        if note := abridged(derivation):
            parts.supxlabel(note, fontsize="small")
    elif name == "pixels":
        draw_pixels(figure.subplots(), derivation)
    elif name == "vector":
        draw_vector(figure, derivation)
    elif name == "correlation":
        found = derivation.correlation or neighbour_correlation()
        draw_correlation(figure, found)
        figure.suptitle(f"{wanted.title}: {found.name}", fontsize=10)
    elif name == "convolution":
        draw_convolution(figure, derivation)
    elif name == "volume":
        draw_volume(figure.subplots(), derivation, neuron)
    else:
        draw_planes(figure.subplots(), derivation, neuron, name == "depth")
    return figure


def check_drawable(derivation: DerivationData, name: str) -> None:
    """Check that these sizes come to a figure.

    Raises:
        ValueError: they do not, with the figures that there are.
    """
    wanted, names = figure_called(name), drawable(derivation)
    if wanted.name not in names:
        raise StriateValueError(
            f"{WHO}: there is no stage {name!r} to be drawn here, as these sizes have no "
            f"{wanted.needs}; there are {', '.join(names)}"
        )
