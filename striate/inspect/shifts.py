"""What each layer makes of a shifted image, measured: does its map move along, or stay the same?

*Equivariant* is a layer whose map moves with the image. A convolution of stride 1 is, exactly,
where it does not look at padding: its weights are the same everywhere. A stride of 2 halves the
distances, so its map can follow a shift of 2 pixels, exactly again, but not one of 1: what is
missing then is the price. *Invariant* is one whose values stay as they were.

All differences are relative to how much the layer's values vary: 0 is exact, and √2 is what two
unrelated maps would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.tables import ruled
from striate.common.text import sizes
from striate.inspect.reach import LayerReach, image_of, reach
from striate.inspect.values import each_layer
from striate.model.image_arrays import check_images
from striate.ops.shapes import Pair

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class Shift:
    """One layer and one distance; both directions, down and to the right, taken together.

    Attributes:
        pixels: how far the images were shifted.
        exact: whether the layer's map must follow exactly, by theory, where its units see neither
            padding nor what came in at the edge: the distance is a multiple of the jump.
        inside: how much the map differs from the one that moved along, among those units; where
            no whole move is right, from the best one. None if there are no such units.
        largest: the largest absolute difference among them.
        everywhere: the same for all units, those that see the edges included; None of a vector.
        stays: how much the values differ from those before, at the same places: 0 is invariant.
    """

    pixels: int
    exact: bool
    inside: float | None
    largest: float | None
    everywhere: float | None
    stays: float | None


@dataclass(frozen=True)
class LayerShifts:
    """One layer; `shifts` by distance. `jump` is None where units have no places."""

    name: str
    jump: Pair | None
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class Shifts:
    """What was measured. ``str()`` is a table."""

    images: int
    layers: tuple[LayerShifts, ...]

    def __getitem__(self, name: str) -> LayerShifts:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
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
        images: raw, (n, height, width, channels). They are shifted down and to the right; what
            comes in at the edge repeats the edge.
        most: the largest shift, less than half the image.
        engine: "llvm", whose zeros are exact, or "numpy", whose matrix products may round
            differently at other places.

    Raises:
        ValueError: the images are not the network's, there are none, or `most` is too large.
    """
    height, width = image_of(network, "shifts")
    most = whole_number(most, "most", "shifts")
    images = check_images(images, network.input_shape)
    if not len(images):
        raise ValueError("shifts: there are no images")
    if 2 * most >= min(height, width):
        raise ValueError(
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
        sums = {distance: _Sums() for distance in range(1, most + 1)}
        for (axis, distance), moved in zip(moves, maps[1:], strict=True):
            sums[distance].add(layer, maps[0], moved, axis, distance)
        variation = float(np.sqrt(np.mean((maps[0] - _means(maps[0])) ** 2)))
        rows = tuple(each.shift(distance, variation) for distance, each in sums.items())
        jump = layer.jump if len(layer.shape) == 3 else None
        found.append(LayerShifts(layer.name, jump, rows))
    return Shifts(len(images), tuple(found))


class _Sums:
    """Squared differences of one layer and one distance, gathered over both directions."""

    def __init__(self) -> None:
        self.inside = [0.0, 0.0]  # sum of squares, how many
        self.everywhere = [0.0, 0.0]
        self.stays = [0.0, 0.0]
        self.largest = 0.0
        self.exact = True

    def add(self, layer: LayerReach, before: Array, after: Array, axis: int, distance: int) -> None:
        _gather(self.stays, after - before)
        jump = layer.jump
        if jump is None or before.ndim != 4:
            self.exact = False
            return
        step = jump[axis]
        self.exact = self.exact and distance % step == 0
        # The best whole move: the only right one, or the better of the two beside it.
        ways = []
        for move in {distance // step, -(-distance // step)}:
            count = before.shape[axis + 1] - move
            if count < 1:
                continue
            difference = _part(after, axis, move, move + count) - _part(before, axis, 0, count)
            kept = _kept(layer, axis, distance, move, count)
            ways.append((difference, difference[:, kept[0]][:, :, kept[1]]))
        if not ways:
            return
        whole, part = min(
            ways, key=lambda way: float(np.mean(np.square(way[1] if way[1].size else way[0])))
        )
        _gather(self.everywhere, whole)
        _gather(self.inside, part)
        if part.size:
            self.largest = max(self.largest, float(np.abs(part).max()))

    def shift(self, distance: int, variation: float) -> Shift:
        """What was gathered, relative to how much the values vary."""
        inside, everywhere, stays = (
            math.sqrt(total / count) / variation if count and variation else None
            for total, count in (self.inside, self.everywhere, self.stays)
        )
        largest = self.largest if self.inside[1] else None
        return Shift(distance, self.exact, inside, largest, everywhere, stays)


def _kept(
    layer: LayerReach, axis: int, distance: int, move: int, count: int
) -> tuple[Array, Array]:
    """Rows and columns of units that see the image alone, before and after the shift."""
    rows_and_columns = []
    for along in (0, 1):
        first, last = layer.hull.spans(along)
        low, high = first.min(0), last.max(0)
        inside = (low >= 0) & (high < layer.image[along])
        if along == axis:
            shifted = inside & (low >= distance)
            inside = inside[:count] & shifted[move : move + count]
        rows_and_columns.append(inside)
    return rows_and_columns[0], rows_and_columns[1]


def _part(maps: Array, axis: int, start: int, stop: int) -> Array:
    return maps[:, start:stop] if axis == 0 else maps[:, :, start:stop]


def _gather(sums: list[float], difference: Array) -> None:
    sums[0] += float(np.square(difference).sum())
    sums[1] += difference.size


def _square(difference: Array) -> float:
    return float(np.mean(np.square(difference)))


def _means(maps: Array) -> Array:
    """The mean of each channel, or feature, over images and places."""
    axes = tuple(range(maps.ndim - 1))
    means: Array = maps.mean(axes)
    return means


def _moved(images: Array, axis: int, distance: int) -> Array:
    """Images shifted by `distance` along an axis; the edge is repeated."""
    places = np.maximum(np.arange(images.shape[axis]) - distance, 0)
    return images.take(places, axis)


def _shown(value: float | None) -> str:
    if value is None:
        return "·"
    return "0" if value == 0 else f"{value:.2g}" if value < 0.001 else f"{value:.3f}"
