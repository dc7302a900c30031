"""The names of kernels, as the command line and `filter_image` take them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut, did_you_mean
from striate.kernels import edges, oriented, sharpening, signals, smoothing
from striate.kernels.kernel import Combine, Dimensions, Kernel


@dataclass(frozen=True)
class Entry:
    """A named kernel.

    Attributes:
        name: its name, in small letters with hyphens.
        dimensions: 1 for signals, 2 for images.
        summary: what it does, in a few words.
        build: gives the arrays for a size; None stands for its own.
        combine: what a filter returns: see `Kernel`.
    """

    name: str
    dimensions: Dimensions
    summary: str
    build: Callable[[int | None], Sequence[Array]]
    combine: Combine = "one"


def _sized(
    name: str,
    summary: str,
    function: Callable[..., Array],
    dimensions: Dimensions = 2,
) -> Entry:
    """The entry of a kernel whose function has a keyword `size`."""
    return Entry(name, dimensions, summary, _builder(function))


def _builder(function: Callable[..., Array]) -> Callable[[int | None], Sequence[Array]]:
    """`Entry.build` of a kernel whose function has a keyword `size`."""
    return lambda size: (function() if size is None else function(size=size),)


def _fixed(
    name: str,
    summary: str,
    *arrays: Array,
    dimensions: Dimensions = 2,
    combine: Combine = "one",
) -> Entry:
    """The entry of kernels that come in one size."""
    own = len(arrays[0])

    def build(size: int | None) -> Sequence[Array]:
        if size not in (None, own):
            raise StriateValueError(f"{name} comes only in size {own}, got {size}")
        return arrays

    return Entry(name, dimensions, summary, build, combine)


def _gradients(name: str, function: Callable[..., Array]) -> tuple[Entry, Entry, Entry]:
    """The entries x, y and magnitude of a gradient."""
    x, y = (_builder(partial(function, axis)) for axis in ("x", "y"))
    title = name.capitalize()
    return (
        Entry(f"{name}-x", 2, f"{title}: positive where brightness rises to the right", x),
        Entry(f"{name}-y", 2, f"{title}: positive where brightness rises downwards", y),
        Entry(
            f"{name}-magnitude",
            2,
            f"{title}: the strength of edges, sqrt(x² + y²)",
            lambda size: (*x(size), *y(size)),
            "magnitude",
        ),
    )


def _scaled(array: Array) -> Array:
    """`array` with positive numbers of the sum 8 and negative ones of -8, as `laplace` has them.

    By their formulas these kernels respond so weakly, by a few gray levels, that a photograph
    becomes black.
    """
    return np.asarray(array * (16 / np.abs(array).sum()))


def _scaled_kernel(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function of a kernel, with what it returns `_scaled`."""
    return lambda **given: _scaled(function(**given))


def _identity1d(size: int | None) -> Sequence[Array]:
    """The kernel that changes no signal: 1 in the middle, else 0."""
    size = 1 if size is None else size
    return (smoothing.identity(size)[size // 2],)


_ROBERTS = edges.roberts("x"), edges.roberts("y")
_KIRSCH = tuple(edges.kirsch(direction) for direction in edges.COMPASS)

_TABLE = (
    # Images.
    _sized("identity", "the image itself", smoothing.identity),
    _sized("mean", "blur: the mean of size × size pixels", smoothing.mean),
    _sized("gaussian", "blur: a Gaussian bell", smoothing.gaussian),
    _sized("motion-blur", "blur along a level line", smoothing.motion_blur),
    _sized("sharpen", "the image plus its edges", sharpening.sharpen),
    _sized("unsharp", "the image plus what a Gaussian blur takes away", sharpening.unsharp),
    _fixed("emboss", "a relief lit from the upper left", sharpening.emboss()),
    _sized("laplace", "edges: a pixel against all around it", edges.laplace),
    _fixed("laplace-cross", "edges: a pixel against its 4 neighbours", edges.laplace(4)),
    _sized(
        "laplacian-of-gaussian",
        "edges and spots of a blurred image",
        _scaled_kernel(edges.laplacian_of_gaussian),
    ),
    *_gradients("sobel", edges.sobel),
    *_gradients("prewitt", edges.prewitt),
    *_gradients("scharr", edges.scharr),
    _fixed("roberts-x", "Roberts: positive where brightness rises to the lower right", _ROBERTS[0]),
    _fixed("roberts-y", "Roberts: positive where brightness rises to the lower left", _ROBERTS[1]),
    _fixed(
        "roberts-magnitude",
        "Roberts: the strength of edges, sqrt(x² + y²)",
        *_ROBERTS,
        combine="magnitude",
    ),
    _fixed(
        "kirsch",
        "Kirsch: the strength of edges, the maximum over 8 directions",
        *_KIRSCH,
        combine="maximum",
    ),
    _sized("gabor", "upright bright lines 2 pixels wide", _scaled_kernel(oriented.gabor)),
    Entry(
        "gabor-bank",
        2,
        "bright lines 2 pixels wide: the maximum over 8 directions",
        lambda size: tuple(_scaled(array) for array in oriented.gabor_bank(size=size)),
        "maximum",
    ),
    # Signals.
    Entry("identity", 1, "the signal itself", _identity1d),
    _sized("mean", "smooth: the mean of size samples", signals.moving_average, 1),
    _sized("gaussian", "smooth: a Gaussian bell", signals.gaussian1d, 1),
    _sized(
        "savitzky-golay",
        "smooth, but keep peaks: a parabola through size samples",
        signals.savitzky_golay,
        1,
    ),
    _fixed("difference", "f[x] - f[x-1], causal", signals.difference(), dimensions=1),
    _fixed(
        "central-difference",
        "(f[x+1] - f[x-1]) / 2",
        signals.difference(central=True),
        dimensions=1,
    ),
    _fixed(
        "second-difference",
        "f[x+1] - 2·f[x] + f[x-1]",
        signals.difference(2, central=True),
        dimensions=1,
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

    The arrays are those of the functions of the same name, with one exception: "gabor",
    "gabor-bank" and "laplacian-of-gaussian" are scaled to the strength of "laplace" (positive
    numbers of the sum 8), since by their formulas they leave a photograph nearly black.

    Raises:
        ValueError: the name is unknown (the message has the nearest one), there is no such
            kernel for these dimensions, or it does not come in this size.
    """
    entry, digits = _find(name, dimensions)
    if digits is not None and size not in (None, digits):
        raise StriateValueError(f"kernel {name!r}: the name says size {digits}, but size is {size}")
    size = digits if size is None else size
    return Kernel(name, tuple(entry.build(size)), entry.combine)


def is_name(text: str, dimensions: Dimensions | None = None) -> bool:
    """Return whether `named` knows `text`, for the given dimensions or any."""
    return _split(text, dimensions) is not None


def unknown(name: str, dimensions: Dimensions | None = None) -> str:
    """Return the sentence for a name that `named` does not know, with the nearest names."""
    shown = repr(cut(name, 41))
    if dimensions is not None and is_name(name):
        made, wanted = ("images", "signals") if dimensions == 1 else ("signals", "images")
        return (
            f"the kernel {shown} is for {made}; for {wanted} there are "
            f"{', '.join(names(dimensions))}"
        )
    known = set(names(dimensions))
    known |= {alias for alias, meant in _ALIASES.items() if meant in known and alias[-1].isalpha()}
    stem = _plain(name).rstrip("0123456789-")
    hint = did_you_mean(stem, sorted(known), most=3, cutoff=0.6)
    return f"unknown kernel {shown}" + (hint or f"; known are {', '.join(names(dimensions))}")


def _find(name: str, dimensions: Dimensions | None) -> tuple[Entry, int | None]:
    """Return the entry of a name, and the size that the name ends with."""
    if not isinstance(name, str):
        raise StriateTypeError(f"the name of a kernel is a text, got {name!r}")
    found = _split(name, dimensions)
    if found is None:
        raise StriateValueError(unknown(name, dimensions))
    return found


def _split(name: str, dimensions: Dimensions | None) -> tuple[Entry, int | None] | None:
    """Return the entry and the size at the end of a name, or None if it is none."""
    plain = _plain(name)
    match = re.fullmatch(r"(.*[a-z])([0-9]{1,9})", plain)
    # The whole name first: in "laplace4" the digit is no size.
    for stem, size in ((plain, None), *([(match[1], int(match[2]))] if match else [])):
        stem = _ALIASES.get(stem, stem)
        for choice in (2, 1) if dimensions is None else (dimensions,):
            if (stem, choice) in _ENTRIES:
                return _ENTRIES[stem, choice], size
    return None


def _plain(name: str) -> str:
    return re.sub(r"[_\s]+", "-", name.strip().lower())
