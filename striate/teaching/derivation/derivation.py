"""`striate.derive`: from a fully connected layer to a convolution, for any image and layer size.

The entrance to the derivation: it checks the arguments and has the stages counted, computed,
compared and measured.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair, Shape
from striate.teaching.derivation import as_text
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.input_picture import picture, picture_of
from striate.teaching.derivation.measure import measurements_of
from striate.teaching.derivation.neighbour_correlation import (
    NeighbourCorrelation,
    neighbour_correlation,
)
from striate.teaching.derivation.stage_outputs import compute_outputs
from striate.teaching.derivation.stages import FollowingDense, stages_of, unshared_of
from striate.teaching.derivation.windows import WHO, Windows, choose

# Of images with more pixels, and of layers with more neurons, weights are only counted.
MOST_NUMBERS = 1 << 24
_FLIP = (
    "Nothing is flipped: the first weight meets the window's top left pixel. Strictly that is a "
    "correlation; a convolution with the filter turned by 180° is the same."
)
_TOO_LARGE = (
    f"Counted, but not computed: of more than {MOST_NUMBERS:,} pixels or neurons no image is made."
)


class Derivation(DerivationData):
    """A derivation that can be printed and saved. ``print()`` it, or `save` it with drawings."""

    def save(
        self,
        path: str | Path,
        stage: str | None = None,
        *,
        pixel: int | None = None,
        neuron: int | None = None,
        names: tuple[str, str] | None = None,
    ) -> None:
        """Write it to a file: .html (a page that works offline), .png, .svg or .pdf (its drawings,
        or one figure), or .json.

        Args:
            path: the file.
            stage: the only figure to be drawn, one of `figure_connections.FIGURES` or its number in
                the article, such as "weights" or "11".
            pixel, neuron: what that figure singles out, numbered from 0.
            names: letters of its inputs and its neurons, such as ("x", "s"); they are numbered
                from 1 then.

        Raises:
            ValueError: the name ends in something else, or there is no such stage.
            OSError: the file cannot be written.
        """
        from striate.common.atomic import write_atomically
        from striate.teaching.derivation.files import check_kind, content

        write_atomically(path, [content(self, check_kind(path), stage, pixel, neuron, names)])

    def __str__(self) -> str:
        return as_text.text(self)


def derive(
    image: Sequence[int] = (3, 3),
    neurons: int | Sequence[int] = 16,
    group: int | None = None,
    window: int | Pair | None = None,
    *,
    stride: int | Pair | None = None,
    padding: Padding | None = None,
    on: str | Path | None = None,
    values: Array | None = None,
    weights: Array | None = None,
    seed: int = 0,
    compare: bool = True,
    engine: str = "llvm",
    measure: bool = False,
    batch_size: int = 32,
    threads: int | None = None,
) -> Derivation:
    """Derive a convolution from a fully connected layer, stage by stage, for any sizes.

    The stages are those of *Derivation of Convolutional Neural Network from Fully Connected
    Network Step-By-Step* (A. Gad). Weights and connections are counted in closed form, for images
    and layers of any size; arrays are made only for what is compared or measured.

    Args:
        image: (height, width) or (height, width, channels).
        neurons: number of neurons of the layer; or of several dense layers, the first of which is
            derived.
        group: how many successive neurons share their weights. By default as many as a window has
            positions.
        window: the patch that a neuron of a group reads, (height, width) or one number. By default
            one that has as many positions as a group has neurons, near to 3×3.
        stride, padding: of the windows; by default 1 (or what fits) and none (or "same").
        on: an image file to compute outputs on, stretched to the size of `image`; by default a
            handwritten digit.
        values: the image itself, in place of `on`: as many numbers as `image` says, of any range.
        weights: the filters themselves: (window height, window width, channels, groups), or
            fewer axes where the last are 1. No flip: the first meets the window's top left pixel.
        seed: of the random weights.
        compare: compute the outputs of all stages on that image and compare them, if image and
            layer are not larger than 2²⁴ numbers.
        engine: to compute with, "llvm" or "numpy".
        measure: run each stage that fits into memory, and report time and memory.
        batch_size: images of a batch in the measurement.
        threads: to measure with; None for all processors.

    Returns:
        All results; ``print()`` shows them.

    Raises:
        ValueError, TypeError: sizes that do not fit, with those that would.
    """
    shape = _image(image)
    counts = (neurons,) if isinstance(neurons, int) else tuple(neurons)
    counts = tuple(whole_number(count, "neurons", WHO) for count in counts)
    if not counts:
        raise StriateValueError(f"{WHO}: neurons must be at least one number, got none")
    size = None if window is None else shapes.pair(window, "window", WHO)
    step = None if stride is None else shapes.pair(stride, "stride", WHO)
    around = None if padding is None else shapes.check_padding(padding, WHO)
    wanted = None if group is None else whole_number(group, "group", WHO)
    batch_size = whole_number(batch_size, "batch_size", WHO)
    first = counts[0]
    found, windows = choose((shape[0], shape[1]), first, wanted, size, step, around)
    further = tuple(FollowingDense(before, after) for before, after in itertools.pairwise(counts))
    too_large = max(math.prod(shape), first) > MOST_NUMBERS
    own = None if values is None else np.asarray(values, np.float64)
    if own is not None and (own.size != math.prod(shape) or not np.isfinite(own).all()):
        raise StriateValueError(
            f"{WHO}: {own.size:,} values were given for an image of "
            f"{'×'.join(map(str, shape))} = {math.prod(shape):,} numbers; give as many, all finite"
        )
    if own is not None and on is not None:
        raise StriateValueError(f"{WHO}: values and a picture exclude each other; leave one out")
    filters = None if weights is None else _filters(weights, shape, first, windows)
    looked = None
    if compare and not too_large:
        looked = picture(shape, on) if own is None else picture_of(own, shape)
    return Derivation(
        image=shape,
        neurons=first,
        further=further,
        group=found,
        windows=windows,
        chosen=size is None,
        stages=stages_of(shape, first, found, windows),
        unshared=unshared_of(shape, first, found, windows) if found and windows else None,
        picture=looked,
        outputs=compute_outputs(looked.pixels, first, found, windows, seed, engine, filters)
        if looked
        else None,
        measurements=measurements_of(
            shape, first, found, windows, further, batch_size=batch_size, threads=threads
        )
        if measure
        else None,
        batch_size=batch_size if measure else 0,
        correlation=_correlation(on),
        notes=(*_notes(first, found, windows), *([_TOO_LARGE] if too_large and compare else [])),
    )


def _image(value: Sequence[int]) -> Shape:
    if isinstance(value, (int, str)) or len(value) not in (2, 3):
        raise StriateValueError(
            f"{WHO}: image must be (height, width) or (height, width, channels), got {value!r}"
        )
    names = ("the image's height", "the image's width", "the image's channels")
    sides = [whole_number(n, what, WHO) for n, what in zip(value, names, strict=False)]
    return (sides[0], sides[1], sides[2] if len(sides) == 3 else 1)


def _filters(weights: Array, shape: Shape, neurons: int, windows: Windows | None) -> Array:
    """The given weights as (height, width, channels, groups)."""
    if windows is None:
        raise StriateValueError(f"{WHO}: weights need windows; name a window that fits, such as 3")
    wanted = (*windows.size, shape[2], neurons // windows.count)
    own = np.asarray(weights, np.float64)
    if own.size != math.prod(wanted) or not np.isfinite(own).all():
        raise StriateValueError(
            f"{WHO}: {own.size:,} weights were given for {wanted[3]:,} filters of "
            f"{wanted[0]}×{wanted[1]}×{wanted[2]}, which have {math.prod(wanted):,}; give as many, "
            "all finite"
        )
    return own.reshape(wanted)


def _correlation(on: str | Path | None) -> NeighbourCorrelation | None:
    """Of the user's own picture, if it is large enough."""
    if on is None:
        return None
    try:
        return neighbour_correlation(on)
    except StriateValueError:  # fewer than 3×3 pixels have no neighbours to compare
        return None


def _parity(windows: Windows) -> str:
    """Why a window should be odd, with these numbers."""
    height, width = windows.size
    if all(side % 2 or side == 1 for side in windows.size):
        return (
            f"{height}×{width} is odd: a window has a pixel in its middle, and "
            f"{(height - 1) // 2} rows and {(width - 1) // 2} columns of zeros on each side give "
            "as many outputs as pixels, at stride 1."
        )
    return (
        f"{height}×{width} is even: no pixel is in the middle of a window, so outputs lie half a "
        "pixel beside the pixels, and for as many outputs as pixels the sides need unequal numbers "
        "of zeros. Masks are therefore mostly odd, such as 3×3."
    )


def _notes(neurons: int, group: int | None, windows: Windows | None) -> tuple[str, ...]:
    if windows is not None:
        return (_parity(windows), _FLIP)
    if neurons == 1:
        return ("One neuron has nobody to share its weights with: here the derivation ends.",)
    if group is None:
        return (
            f"{neurons:,} neurons are not as many as the positions of any window up to 16×16, nor "
            "a multiple of that: name a window to be told how many neurons would fit.",
        )
    return (
        f"No window up to 16×16 has {group:,} positions on this image, one for each neuron of a "
        "group: name a window to be told which groups would fit.",
    )
