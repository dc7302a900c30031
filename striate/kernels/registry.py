"""The names of kernels, as the command line and `filter_image` take them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy.typing as npt

from striate.kernels import edges, oriented, sharpening, signals, smoothing
from striate.kernels.kernel import Combine, Dimensions, Kernel

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Entry:
    """A named kernel: what it does, in a sentence, and the arrays for a size (None: its own)."""

    name: str
    dimensions: Dimensions
    summary: str
    build: Callable[[int | None], Sequence[Array]]
    combine: Combine = "one"


def _sized(function: Callable[..., Array]) -> Callable[[int | None], Sequence[Array]]:
    """The builder of a kernel that has a keyword `size`."""
    return lambda size: (function() if size is None else function(size=size),)


def _fixed(*arrays: Array) -> Callable[[int | None], Sequence[Array]]:
    """The builder of kernels that come in one size."""

    def build(size: int | None) -> Sequence[Array]:
        if size not in (None, len(arrays[0])):
            raise ValueError(f"has only size {len(arrays[0])}, got {size}")
        return arrays

    return build


def _gradients(name: str, function: Callable[..., Array]) -> list[Entry]:
    """The entries x, y and magnitude of a gradient."""
    x, y = (_sized(partial(function, axis)) for axis in ("x", "y"))
    title = name.capitalize()
    return [
        Entry(f"{name}-x", 2, f"{title}: positive where brightness rises to the right", x),
        Entry(f"{name}-y", 2, f"{title}: positive where brightness rises downwards", y),
        Entry(
            f"{name}-magnitude",
            2,
            f"{title}: the strength of edges, sqrt(x² + y²)",
            lambda size: (*x(size), *y(size)),
            "magnitude",
        ),
    ]


def _gabor_bank(size: int | None) -> Sequence[Array]:
    return tuple(oriented.gabor_bank(size=size))


_ROBERTS = edges.roberts("x"), edges.roberts("y")

_TABLE = (
    # Images.
    Entry("identity", 2, "the image itself", _sized(smoothing.identity)),
    Entry("mean", 2, "blur: the mean of size × size pixels", _sized(smoothing.mean)),
    Entry("gaussian", 2, "blur: a Gaussian bell", _sized(smoothing.gaussian)),
    Entry("motion-blur", 2, "blur along a level line", _sized(smoothing.motion_blur)),
    Entry("sharpen", 2, "the image plus its edges", _sized(sharpening.sharpen)),
    Entry("unsharp", 2, "the image plus what a Gaussian takes away", _sized(sharpening.unsharp)),
    Entry("emboss", 2, "a relief lit from the upper left", _fixed(sharpening.emboss())),
    Entry("laplace", 2, "edges: a pixel against all around it", _sized(edges.laplace)),
    Entry("laplace-cross", 2, "edges: a pixel against its 4 neighbours", _fixed(edges.laplace(4))),
    Entry(
        "laplacian-of-gaussian",
        2,
        "spots and edges of a blurred image",
        _sized(edges.laplacian_of_gaussian),
    ),
    *_gradients("sobel", edges.sobel),
    *_gradients("prewitt", edges.prewitt),
    *_gradients("scharr", edges.scharr),
    Entry("roberts-x", 2, "Roberts: the rise to the lower right", _fixed(_ROBERTS[0])),
    Entry("roberts-y", 2, "Roberts: the rise to the lower left", _fixed(_ROBERTS[1])),
    Entry(
        "roberts-magnitude",
        2,
        "Roberts: the strength of edges, sqrt(x² + y²)",
        _fixed(*_ROBERTS),
        "magnitude",
    ),
    Entry(
        "kirsch",
        2,
        "Kirsch: the strength of edges, the maximum over 8 directions",
        _fixed(*(edges.kirsch(direction) for direction in edges.COMPASS)),
        "maximum",
    ),
    Entry("gabor", 2, "upright lines about 2 pixels wide", _sized(oriented.gabor)),
    Entry(
        "gabor-bank",
        2,
        "lines about 2 pixels wide: the maximum over 8 directions",
        _gabor_bank,
        "maximum",
    ),
    # Signals.
    Entry("identity", 1, "the signal itself", lambda size: (smoothing.identity(size or 1)[0],)),
    Entry("mean", 1, "smooth: the mean of size samples", _sized(signals.moving_average)),
    Entry("gaussian", 1, "smooth: a Gaussian bell", _sized(signals.gaussian1d)),
    Entry(
        "savitzky-golay",
        1,
        "smooth and keep peaks: a parabola through size samples",
        _sized(signals.savitzky_golay),
    ),
    Entry("difference", 1, "f[x] - f[x-1]", _fixed(signals.difference())),
    Entry(
        "central-difference",
        1,
        "(f[x+1] - f[x-1]) / 2",
        _fixed(signals.difference(central=True)),
    ),
    Entry(
        "second-difference",
        1,
        "f[x+1] - 2·f[x] + f[x-1]",
        _fixed(signals.difference(2)),
    ),
)

_ENTRIES = {(entry.name, entry.dimensions): entry for entry in _TABLE}

_ALIASES = {
    "average": "mean",
    "blur": "mean",
    "box": "mean",
    "moving-average": "mean",
    "laplace4": "laplace-cross",
    "laplace8": "laplace",
    "laplacian": "laplace",
    "log": "laplacian-of-gaussian",
    "sobel": "sobel-magnitude",
    "prewitt": "prewitt-magnitude",
    "scharr": "scharr-magnitude",
    "roberts": "roberts-magnitude",
    "savgol": "savitzky-golay",
    "unsharp-mask": "unsharp",
}


def names(dimensions: Dimensions | None = None) -> tuple[str, ...]:
    """Return the names of kernels for signals (`dimensions` 1), images (2) or both (None)."""
    chosen = (entry.name for entry in _TABLE if dimensions in (None, entry.dimensions))
    return tuple(dict.fromkeys(chosen))


def describe(name: str, dimensions: Dimensions | None = None) -> str:
    """Return in a few words what the kernel `name` does."""
    return _find(name, dimensions)[0].summary


def named(name: str, size: int | None = None, dimensions: Dimensions | None = None) -> Kernel:
    """Return the kernel that is known by `name`: "laplace", "gaussian", "sobel-magnitude", ….

    Digits at the end are the size: "mean5" is ``named("mean", 5)``. Capitals do not matter, nor
    does "_" for "-". `dimensions` is 1 for signals and 2 for images; without it, the one for
    images if there is one.

    Raises:
        ValueError: the name is unknown (the message has the nearest one), there is no such
            kernel for these dimensions, or it does not come in this size.
    """
    entry, digits = _find(name, dimensions)
    if digits is not None and size not in (None, digits):
        raise ValueError(f"kernel {name!r}: the name says size {digits}, but size is {size}")
    size = digits if size is None else size
    try:
        arrays = tuple(entry.build(size))
    except (TypeError, ValueError) as error:
        raise type(error)(f"kernel {name!r}: {error}") from error
    return Kernel(name, arrays, entry.combine)


def is_name(text: str, dimensions: Dimensions | None = None) -> bool:
    """Return whether `named` knows `text`, for the given dimensions or any."""
    return _split(text, dimensions) is not None


def _find(name: str, dimensions: Dimensions | None) -> tuple[Entry, int | None]:
    """Return the entry of a name, and the size that the name ends with."""
    found = _split(name, dimensions)
    if found is None:
        raise ValueError(unknown(name, dimensions))
    return found


def _split(name: str, dimensions: Dimensions | None) -> tuple[Entry, int | None] | None:
    plain = re.sub(r"[_\s]+", "-", name.strip().lower())
    match = re.fullmatch(r"(.*?[a-z])(\d{1,9})", plain, re.ASCII)
    for stem, size in ((plain, None), (match[1], int(match[2])) if match else (plain, None)):
        stem = _ALIASES.get(stem, stem)
        for choice in (2, 1) if dimensions is None else (dimensions,):
            if (stem, choice) in _ENTRIES:
                return _ENTRIES[stem, choice], size
    return None


def unknown(name: str, dimensions: Dimensions | None = None) -> str:
    """Return the sentence for a name that `named` does not know."""
    if dimensions is not None and is_name(name):
        made, wanted = ("images", "signals") if dimensions == 1 else ("signals", "images")
        return (
            f"the kernel {name!r} is for {made} ({3 - dimensions}-D); "
            f"for {wanted} there are {', '.join(names(dimensions))}"
        )
    known = [*names(dimensions), *_ALIASES]
    plain = re.sub(r"[_\s]+", "-", name.strip().lower())
    close = difflib.get_close_matches(plain, known, 3, cutoff=0.6)
    if close:
        meant = " or ".join(repr(choice) for choice in close)
        return f"unknown kernel {name!r}: did you mean {meant}?"
    return f"unknown kernel {name!r}; known are {', '.join(names(dimensions))}"
