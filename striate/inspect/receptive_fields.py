"""The receptive field of every unit of a network, and the pixels that it reads exactly.

Along each axis the *field* of unit i is the interval first + i·jump … last + i·jump of Araujo,
Norris and Sim, *Computing Receptive Fields of Convolutional Neural Networks* (2019); parts of it
may lie in the padding. Where branches meet, a unit has an interval for each path from the image to
it, and its field is their union. The pixels that a unit *reads* are those of its field that its
value may depend on: without padding and without the pixels that dilation skips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.cached_property import cached_property
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import ruled
from striate.common.text import sizes, span
from striate.inspect import dependency_masks, field_propagation
from striate.inspect.dependency_masks import Mask, as_image
from striate.inspect.field_propagation import LayerFields
from striate.ops.shapes import Pair, Shape

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class Box:
    """Rows and columns of the image, first and last, both included."""

    rows: Pair
    columns: Pair

    @property
    def size(self) -> Pair:
        """(height, width)."""
        return (self.rows[1] - self.rows[0] + 1, self.columns[1] - self.columns[0] + 1)

    def __str__(self) -> str:
        return (
            f"rows {self.rows[0]} … {self.rows[1]}, columns {self.columns[0]} … {self.columns[1]}"
        )


@short_repr
@dataclass(frozen=True, eq=False)
class LayerReach:
    """The receptive fields of the units of one layer.

    Attributes:
        name, type: of the layer.
        shape: of its output.
        image: (height, width) of the network's images.
        layer_fields: the fields of all units.
    """

    name: str
    type: str
    shape: Shape
    image: Pair
    layer_fields: LayerFields

    @property
    def grid(self) -> tuple[int, int, int]:
        """(height, width, channels) of the units: the shape of an image, also after Flatten, or
        (1, 1, features) for units without a place in the image.
        """
        return self.layer_fields.grid

    @property
    def has_places(self) -> bool:
        """Whether units have rows and columns, so that a distance between them is defined."""
        return self.grid[:2] != (1, 1) or len(self.shape) == 3

    @property
    def jump(self) -> Pair | None:
        """Pixels between the fields of neighbouring units.

        None if branches differ in it, or if units have no neighbours.
        """
        jumps = {field.jump for fields in self.layer_fields.fields for field in fields}
        return jumps.pop() if len(jumps) == 1 and self.has_places else None

    @cached_property
    def sizes(self) -> tuple[Pair, Pair]:
        """The smallest and the largest field, (height, width), padding included."""
        spans = [self.layer_fields.spans(axis) for axis in (0, 1)]
        down, across = (last - first + 1 for first, last in spans)
        return (int(down.min()), int(across.min())), (int(down.max()), int(across.max()))

    @cached_property
    def units_inside(self) -> int:
        """The number of units whose whole field lies in the image."""
        return sum(
            int(np.count_nonzero(self.layer_fields.kinds == kind) * rows.sum() * columns.sum())
            for kind in range(len(self.layer_fields.fields))
            for rows, columns in [self.layer_fields.inside(kind, (0, 0), self.image)]
        )

    def unit(self, *place: int) -> tuple[int, int, int]:
        """The place in `grid` of a unit, given as (row, column[, channel]) or (feature,).

        Raises:
            ValueError: there is no such unit.
        """
        numbers = tuple(whole_number(n, "a unit's index", self.name, 0) for n in place)
        if len(numbers) == 2 and len(self.shape) == 3:
            numbers = (*numbers, 0)
        inside = len(numbers) == len(self.shape) and all(
            n < extent for n, extent in zip(numbers, self.shape, strict=True)
        )
        if not inside:
            last = ", ".join(str(extent - 1) for extent in self.shape)
            raise StriateValueError(
                f"{self.name}: has no unit ({', '.join(map(str, numbers))}); its last one is "
                f"({last})"
            )
        if len(self.shape) == 1:
            row, column, channel = np.unravel_index(numbers[0], self.grid)
            return int(row), int(column), int(channel)
        return numbers[0], numbers[1], numbers[2]

    def field(self, *place: int) -> Box:
        """The receptive field of a unit, padding included: rows may be below 0."""
        row, column, channel = self.unit(*place)
        first, last = self.layer_fields.field(row, column, int(self.layer_fields.kinds[channel]))
        return Box((first[0], last[0]), (first[1], last[1]))

    def read(self, *place: int) -> Box | None:
        """The bounding box of the pixels that a unit reads; None if it reads only padding."""
        row, column, channel = self.unit(*place)
        top, bottom, left, right = self.layer_fields.boxes[
            :, self.layer_fields.kinds[channel], row, column
        ].tolist()
        return None if top > bottom else Box((top, bottom), (left, right))

    def boxes(self) -> npt.NDArray[np.int32]:
        """`read` of all units at once, int32 (height, width, channels, 4) over `grid`.

        A box is (first row, last row, first column, last column), with last < first where a unit
        reads only padding.
        """
        return np.moveaxis(self.layer_fields.boxes[:, self.layer_fields.kinds], (0, 1), (3, 2))

    def to_dict(self) -> dict[str, Any]:
        """The layer's row of the table, JSON-able."""
        last = tuple(extent - 1 for extent in self.shape)
        first = (0,) * len(self.shape)
        return {
            "name": self.name,
            "type": self.type,
            "output_shape": list(self.shape),
            "field": list(self.sizes[1]),
            "smallest_field": list(self.sizes[0]),
            "jump": None if self.jump is None else list(self.jump),
            "first_unit": _listed(self.field(*first)),
            "last_unit": _listed(self.field(*last)),
            "first_unit_reads": _listed(self.read(*first)),
            "last_unit_reads": _listed(self.read(*last)),
            "units": int(np.prod(self.shape)),
            "units_inside_the_image": self.units_inside,
        }


@short_repr
@dataclass(frozen=True, eq=False)
class NetworkReach:
    """The receptive fields of all layers. ``reach["conv2d_1"]`` is one layer; ``str()`` a table."""

    network: Model
    layers: tuple[LayerReach, ...]

    def __getitem__(self, name: str) -> LayerReach:
        return self.layers[layer_index(self.network, name)]

    def pixels(self, name: str, *place: int) -> Mask:
        """The pixels and channels of the image that a unit reads: bool, of the image's shape.

        Exactly those that are True can change the unit's value.

        Args:
            name: of the layer.
            place: of the unit, (row, column[, channel]) or (feature,).
        """
        index = layer_index(self.network, name)
        layer = self.layers[index]
        unit = layer.unit(*place)
        wanted = np.zeros(layer.grid, bool)
        wanted[unit] = True
        found = dependency_masks.trace_back(self.network, index, wanted.reshape(layer.shape))
        empty = np.zeros(as_image(self.network.input_shape), bool)
        return found.get(-1, empty).reshape(self.network.input_shape)

    def to_dict(self) -> dict[str, Any]:
        """All layers as JSON-able values."""
        return {
            "input_shape": list(self.network.input_shape),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def __str__(self) -> str:
        head = ("layer", "output", "field", "jump", "first unit", "last unit", "in the image")
        lines: list[Sequence[str]] = [head]
        for layer in self.layers:
            smallest, largest = layer.sizes
            size = span(sizes(smallest), sizes(largest))
            first = layer.field(*(0,) * len(layer.shape))
            last = layer.field(*(extent - 1 for extent in layer.shape))
            units, inside = int(np.prod(layer.shape)), layer.units_inside
            lines.append(
                (
                    layer.name,
                    sizes(layer.shape),
                    size,
                    "" if layer.jump is None else sizes(layer.jump),
                    _short(first),
                    _short(last),
                    "all" if inside == units else f"{inside:,} of {units:,}",
                )
            )
        return ruled(lines)


def reach(network: Model) -> NetworkReach:
    """Compute the receptive field of every unit of every layer.

    Raises:
        ValueError: the network does not read images.
    """
    image = image_size(network, "reach")
    found: dict[int, LayerFields] = {-1: field_propagation.image_fields(network.input_shape)}
    layers: list[LayerReach] = []
    for index, vertex in enumerate(network.nodes):
        input_shapes = network.input_shapes(index)
        reads = vertex.layer.reads(*input_shapes)
        inputs = [found[source] for source in vertex.inputs]
        found[index] = field_propagation.propagate(reads, inputs, input_shapes, vertex.shape)
        layers.append(
            LayerReach(vertex.name, type(vertex.layer).__name__, vertex.shape, image, found[index])
        )
    return NetworkReach(network, tuple(layers))


def image_size(network: Model, who: str) -> Pair:
    """(height, width) of the images that a network reads; ValueError if it reads vectors."""
    if len(network.input_shape) != 3:
        raise StriateValueError(
            f"{who}: the network reads vectors of {network.input_shape[0]} numbers; rows and "
            "columns need a network that reads images (height, width, channels)"
        )
    return (network.input_shape[0], network.input_shape[1])


def layer_index(network: Model, name: str) -> int:
    """The index of the layer called `name`; ValueError, with all names, if there is none."""
    for index, vertex in enumerate(network.nodes):
        if vertex.name == name:
            return index
    names = ", ".join(vertex.name for vertex in network.nodes)
    raise StriateValueError(f"there is no layer {name!r}; the layers are {names}")


def _short(box: Box) -> str:
    return f"{box.rows[0]}…{box.rows[1]}, {box.columns[0]}…{box.columns[1]}"


def _listed(box: Box | None) -> dict[str, list[int]] | None:
    return None if box is None else {"rows": list(box.rows), "columns": list(box.columns)}
