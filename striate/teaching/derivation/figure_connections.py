"""What each figure of the article shows: which inputs, which neurons, which weight joins them.

This is data without any drawing, computed from the sizes alone. Inputs are numbered as in the
article's figure 2, row after row (of several channels, the channels of a pixel after each other);
neurons are numbered group after group. Where the image has one row or one column, zeros of padding
are inputs too: those before the image have negative numbers, those behind it begin at `pixels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.common.errors import StriateValueError
from striate.common.text import did_you_mean
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.windows import WHO


@dataclass(frozen=True)
class Figure:
    """A figure that can be drawn.

    Attributes:
        name: what it is called at the command line.
        number: of the article's figure; None for those that the article does not have.
        needs: "" if it can always be drawn, "groups" or "windows" if it needs those.
        title: what it shows.
    """

    name: str
    number: int | None
    needs: str
    title: str


FIGURES = (
    Figure("pixels", 1, "", "The image and its values"),
    Figure("vector", 2, "", "The image as a vector"),
    Figure("neurons", 3, "", "Inputs and neurons, not yet connected"),
    Figure("dense", 4, "", "Fully connected: each line is a weight of its own"),
    Figure("grouped", 5, "groups", "Groups: to a group, each pixel has one weight"),
    Figure("one-pixel", 6, "groups", "One pixel: one weight for all neurons of a group"),
    Figure("unique", 7, "groups", "Only the lines with a weight of their own"),
    Figure("one-neuron", 8, "", "One neuron reads all pixels"),
    Figure("correlation", 9, "", "Near pixels are alike, far ones are not"),
    Figure("patch", 10, "windows", "One neuron reads a patch only"),
    Figure("weights", 11, "windows", "The weights of that neuron, and its sum"),
    Figure("slide", 12, "windows", "The neurons of a group, each with its patch"),
    Figure("local", None, "windows", "Local: a patch for each neuron of a group"),
    Figure("convolution", None, "windows", "Convolution: the patches of a group are one filter"),
    Figure("planes", None, "windows", "Image and outputs as planes"),
    Figure("depth", None, "windows", "A depth column: all filters at one place"),
    Figure("volume", None, "windows", "Two volumes: a local region, and the column that reads it"),
    Figure("sigma", None, "windows", "σ of each sum: the same answer wherever the feature is"),
)
"""All figures, in the order of the article, then those of the stages as a whole and as volumes."""
_LOCAL = ("patch", "weights", "slide", "local", "convolution", "planes", "depth", "sigma")


@dataclass(frozen=True)
class Connection:
    """A line of a network.

    Attributes:
        pixel: the number of the input, as in the module's heading.
        neuron: the number of the neuron.
        group: the neuron's group.
        weight: the number of the weight within its group, from 0. Two connections share a weight
            if both `group` and `weight` are equal.
        copy: whether a neuron with a lower number already uses the weight.
    """

    pixel: int
    neuron: int
    group: int
    weight: int
    copy: bool


def drawable(derivation: DerivationData) -> list[str]:
    """The names of the figures that this derivation comes to."""
    has = {""} | ({"groups"} if derivation.group else set())
    has |= {"windows"} if derivation.windows else set()
    return [figure.name for figure in FIGURES if figure.needs in has]


def figure_called(name: str) -> Figure:
    """The figure of this name, or of this number in the article: "weights" or "11".

    Raises:
        ValueError: there is none, with the nearest names.
    """
    for figure in FIGURES:
        if name.strip().lower() in (figure.name, str(figure.number)):
            return figure
    names = [figure.name for figure in FIGURES]
    near = did_you_mean(name, names)
    raise StriateValueError(
        f"{WHO}: there is no figure {name!r}{near}; there are {', '.join(names)}, and the "
        "article's numbers 1 to 12"
    )


def check_choice(derivation: DerivationData, pixel: int | None, neuron: int | None) -> None:
    """Check the pixel and the neuron that a figure singles out.

    Raises:
        ValueError: there is no such pixel or neuron.
    """
    for what, given, total in (
        ("pixel", pixel, derivation.pixels),
        ("neuron", neuron, derivation.neurons),
    ):
        if given is not None and not 0 <= given < total:
            raise StriateValueError(
                f"{WHO}: there is no {what} {given:,}; the {total:,} {what}s are numbered from 0 "
                f"to {total - 1:,}"
            )


# Where inputs lie.


def is_one_dimensional(derivation: DerivationData) -> bool:
    """Whether image and padding are a single row or a single column."""
    height, width, _ = derivation.image
    pads = derivation.windows.pads if derivation.windows else (0, 0, 0, 0)
    return (height == 1 and not any(pads[:2])) or (width == 1 and not any(pads[2:]))


def inputs(derivation: DerivationData) -> range:
    """The numbers of all inputs; with those of the padding if the image is one-dimensional."""
    if derivation.windows is None or not is_one_dimensional(derivation):
        return range(derivation.pixels)
    channels = derivation.image[2]
    top, bottom, left, right = derivation.windows.pads
    return range(-(top + left) * channels, derivation.pixels + (bottom + right) * channels)


def place_of(derivation: DerivationData, pixel: int) -> tuple[int, int, int]:
    """(row, column, channel) of an input; outside the image for one of the padding."""
    height, width, channels = derivation.image
    place, channel = divmod(pixel, channels)
    row, column = (0, place) if height == 1 else divmod(place, width)
    return row, column, channel


def is_padding(derivation: DerivationData, pixel: int) -> bool:
    """Whether an input is a zero of the padding."""
    return not 0 <= pixel < derivation.pixels


# What neurons read.


def corner_of(derivation: DerivationData, neuron: int) -> tuple[int, int]:
    """The row and the column of the image where a neuron's window begins; negative in the
    padding.
    """
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return 0, 0
    row, column = divmod(neuron % group, windows.positions[1])
    return row * windows.stride[0] - windows.pads[0], column * windows.stride[1] - windows.pads[2]


def weight_of(derivation: DerivationData, neuron: int, pixel: int) -> int | None:
    """The number, in its filter, of the weight with which a neuron of the local stage reads an
    input; None if it does not read it.

    Weights are numbered row after row of the window, the channels of a pixel after each other.
    """
    if derivation.windows is None:
        return pixel
    row, column, channel = place_of(derivation, pixel)
    top, left = corner_of(derivation, neuron)
    height, width = derivation.windows.size
    if not (0 <= row - top < height and 0 <= column - left < width):
        return None
    return ((row - top) * width + column - left) * derivation.image[2] + channel


def read_by(derivation: DerivationData, neuron: int) -> Iterator[int]:
    """The pixels that a neuron of the local stage reads, in the order of its weights; without
    those of the padding.
    """
    _, width, channels = derivation.image
    if derivation.windows is None or derivation.group is None:
        yield from range(derivation.pixels)
        return
    at = neuron % derivation.group
    rows, columns = derivation.windows.rows_and_columns(derivation.size, at)
    for row in rows:
        for column in columns:
            for channel in range(channels):
                yield (row * width + column) * channels + channel


def connections(
    derivation: DerivationData,
    name: str,
    pixels: Iterator[int] | range | list[int],
    neurons: list[int],
    pixel: int = 0,
    neuron: int = 0,
) -> list[Connection]:
    """The lines of a figure between the given inputs and neurons.

    Args:
        derivation: of what.
        name: the name of the figure.
        pixels, neurons: the inputs and neurons that are drawn.
        pixel, neuron: those that the figures of one pixel or one neuron single out.

    Returns:
        The connections, neuron after neuron; of "grouped" copies too, of "unique" none.
    """
    group = derivation.group
    shared = group if group is not None and name not in ("dense", "neurons", "one-neuron") else 1
    local = name in (
        "patch",
        "weights",
        "slide",
        "local",
        "convolution",
        "planes",
        "depth",
        "sigma",
    )
    found: list[Connection] = []
    if name in ("pixels", "vector", "neurons", "correlation"):
        return found
    first_of: dict[tuple[int, int], int] = {}
    for one in neurons:
        of = one // shared
        if name in ("one-neuron", "patch", "weights") and one != neuron:
            continue
        if name == "slide" and of != neuron // shared:
            continue
        if name == "unique" and one % shared:
            continue
        for at in pixels:
            if (name == "one-pixel" and at != pixel) or (not local and is_padding(derivation, at)):
                continue
            weight = weight_of(derivation, one, at) if local else at
            if weight is not None:
                first = first_of.setdefault((of, weight), one)
                found.append(Connection(at, one, of, weight, first != one))
    return found
