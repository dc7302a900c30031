"""Equivariance and invariance to shifts, measured: how a layer's map changes for a shifted image.

A layer is *equivariant* if its map shifts with the image. A convolution of stride 1 is exactly
equivariant, except where it reads padding, because its weights are the same everywhere. With a
stride of 2 a map has half the distances: it can follow a shift of 2 pixels exactly, but not a
shift of 1. A layer is *invariant* if its values do not change.

All differences are relative to the standard deviation of the layer's values: 0 is exact, and two
unrelated maps would differ by √2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import ruled
from striate.common.text import sizes
from striate.inspect.receptive_fields import LayerReach, image_size, reach
from striate.inspect.values import each_layer
from striate.model.image_arrays import check_images
from striate.ops.shapes import Pair

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class Shift:
    """The differences of one layer for one distance, over both directions, down and to the right.

    Attributes:
        pixels: how far the images were shifted.
        exact: whether the distance is a multiple of the layer's jump: then the map should shift
            exactly, among units that read neither padding nor pixels shifted in at the edge.
        inside: how much the map differs, among those units, from the shifted map before; if the
            distance is no multiple of the jump, from the better of the two nearest shifts. None if
            there are no such units.
        largest: the largest absolute difference among them.
        everywhere: as `inside`, for all units; None for a vector.
        stays: how much the values differ from those before at the same places; 0 is invariant.
    """

    pixels: int
    exact: bool
    inside: float | None
    largest: float | None
    everywhere: float | None
    stays: float | None


@short_repr
@dataclass(frozen=True)
class LayerShifts:
    """The measurements of one layer.

    Attributes:
        name: of the layer.
        jump: pixels of the image between neighbouring units; None if units have no places.
        shifts: one for each distance.
    """

    name: str
    jump: Pair | None
    shifts: tuple[Shift, ...]


@short_repr
@dataclass(frozen=True)
class Shifts:
    """The measurements of all layers. ``str()`` is a table.

    Attributes:
        images: the number of images.
        layers: one for each layer.
    """

    images: int
    layers: tuple[LayerShifts, ...]

    def __getitem__(self, name: str) -> LayerShifts:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return asdict(self)

    def __str__(self) -> str:
        distances = [shift.pixels for shift in self.layers[0].shifts]
        head = ["layer", "jump", *(f"moves {d}" for d in distances)]
        head += [f"stays {d}" for d in distances]
        lines: list[Sequence[str]] = [head]
        for layer in self.layers:
            jump = "" if layer.jump is None else sizes(layer.jump)
            moves = [_shown(shift.inside) for shift in layer.shifts]
            lines.append([layer.name, jump, *moves, *(_shown(s.stays) for s in layer.shifts)])
        return (
            f"{ruled(lines)}\n"
            f"Of {self.images} images, each shifted by so many pixels: how far the map is from one "
            "that moved along\n(among units that see no edge), and from one that stayed, relative "
            "to how much its values vary."
        )


def shifts(network: Model, images: Array, *, most: int = 4, engine: str = "llvm") -> Shifts:
    """Measure every layer's equivariance and invariance to shifts of 1 … `most` pixels.

    Args:
        network: the network.
        images: raw, (n, height, width, channels). They are shifted down and to the right; pixels
            that are shifted in at an edge repeat the edge.
        most: the largest shift, less than half the image.
        engine: "llvm", with which exact equivariance gives exact zeros, or "numpy", whose matrix
            products may round differently at different places.

    Raises:
        ValueError: the images are not the network's, there are none, or `most` is too large.
    """
    height, width = image_size(network, "shifts")
    most = whole_number(most, "most", "shifts")
    images = check_images(images, network.input_shape)
    if not len(images):
        raise StriateValueError("shifts: there are no images")
    if 2 * most >= min(height, width):
        raise StriateValueError(
            f"shifts: most={most} is too far for images of {height}×{width}; choose at most "
            f"{(min(height, width) - 1) // 2}"
        )
    moves = [(axis, distance) for axis in (0, 1) for distance in range(1, most + 1)]
    variants = [images, *(_moved(images, axis + 1, distance) for axis, distance in moves)]
    seen = reach(network)
    found: list[LayerShifts] = []
    for index, output in each_layer(network, np.concatenate(variants), engine=engine):
        layer = seen.layers[index]
        maps = output.reshape(len(variants), len(images), *output.shape[1:]).astype(np.float64)
        sums = {distance: _Differences() for distance in range(1, most + 1)}
        for (axis, distance), moved in zip(moves, maps[1:], strict=True):
            sums[distance].add(layer, maps[0], moved, axis, distance)
        variation = float(np.sqrt(np.mean((maps[0] - _means(maps[0])) ** 2)))
        rows = tuple(each.shift(distance, variation) for distance, each in sums.items())
        jump = layer.jump if len(layer.shape) == 3 else None
        found.append(LayerShifts(layer.name, jump, rows))
    return Shifts(len(images), tuple(found))


class _Differences:
    """Squared differences of one layer for one distance, summed over both directions."""

    def __init__(self) -> None:
        self.inside = [0.0, 0.0]  # sum of squares, and their number
        self.everywhere = [0.0, 0.0]
        self.stays = [0.0, 0.0]
        self.largest = 0.0
        self.exact = True

    def add(self, layer: LayerReach, before: Array, after: Array, axis: int, distance: int) -> None:
        """Add the maps (n, …) of the images before and after a shift along an axis."""
        _accumulate(self.stays, after - before)
        jump = layer.jump
        if jump is None or before.ndim != 4:
            self.exact = False
            return
        step = jump[axis]
        self.exact = self.exact and distance % step == 0
        # The map can only shift by whole units: by the exact number, or else by the two nearest,
        # of which the better one counts.
        ways = []
        for move in {distance // step, -(-distance // step)}:
            count = before.shape[axis + 1] - move
            if count < 1:
                continue
            difference = _part(after, axis, move, move + count) - _part(before, axis, 0, count)
            kept = _units_inside(layer, axis, distance, move, count)
            ways.append((difference, difference[:, kept[0]][:, :, kept[1]]))
        if not ways:
            return
        whole, part = min(
            ways, key=lambda way: float(np.mean(np.square(way[1] if way[1].size else way[0])))
        )
        _accumulate(self.everywhere, whole)
        _accumulate(self.inside, part)
        if part.size:
            self.largest = max(self.largest, float(np.abs(part).max()))

    def shift(self, distance: int, variation: float) -> Shift:
        """The result, relative to the standard deviation of the layer's values."""
        inside, everywhere, stays = (
            math.sqrt(total / count) / variation if count and variation else None
            for total, count in (self.inside, self.everywhere, self.stays)
        )
        largest = self.largest if self.inside[1] else None
        return Shift(distance, self.exact, inside, largest, everywhere, stays)


def _units_inside(
    layer: LayerReach, axis: int, distance: int, move: int, count: int
) -> tuple[Array, Array]:
    """Masks of rows and columns of units that read real pixels only, before and after a shift."""
    rows_and_columns = []
    for along in (0, 1):
        first, last = layer.layer_fields.spans(along)
        low, high = first.min(0), last.max(0)
        inside = (low >= 0) & (high < layer.image[along])
        if along == axis:
            shifted = inside & (low >= distance)
            inside = inside[:count] & shifted[move : move + count]
        rows_and_columns.append(inside)
    return rows_and_columns[0], rows_and_columns[1]


def _part(maps: Array, axis: int, start: int, stop: int) -> Array:
    return maps[:, start:stop] if axis == 0 else maps[:, :, start:stop]


def _accumulate(sums: list[float], difference: Array) -> None:
    sums[0] += float(np.square(difference).sum())
    sums[1] += difference.size


def _means(maps: Array) -> Array:
    """The mean of each channel, or feature, over images and places."""
    axes = tuple(range(maps.ndim - 1))
    means: Array = maps.mean(axes)
    return means


def _moved(images: Array, axis: int, distance: int) -> Array:
    """Images shifted by `distance` along an axis, with the edge repeated."""
    places = np.maximum(np.arange(images.shape[axis]) - distance, 0)
    return images.take(places, axis)


def _shown(value: float | None) -> str:
    if value is None:
        return "·"
    return "0" if value == 0 else f"{value:.2g}" if value < 0.001 else f"{value:.3f}"
