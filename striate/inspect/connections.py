"""Sparse connectivity: how many weights and connections a layer has, against a dense one.

A connection joins one value of a layer's input with one value of its output. A dense layer joins
all with all and gives each a weight of its own; a window joins neighbours and shares its weights
among all positions. Connections with padding are not counted: there is nothing at the other end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.tables import ruled
from striate.common.text import percent, span
from striate.inspect.masks import as_image
from striate.layers.reads import Everything, Window
from striate.ops.shapes import Pair, Shape

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class Connections:
    """One layer.

    Attributes:
        inputs, outputs: values that it reads and makes, for one image.
        weights: numbers that are learned, without biases; 0 for pooling.
        connections: pairs of an input and an output value, the first of which the second reads.
        dense: connections, and weights, of a dense layer between the same values.
        reads: how many inputs one output reads: the least and the most.
        reached: how many outputs one input reaches: the least and the most.
    """

    name: str
    type: str
    inputs: int
    outputs: int
    weights: int
    connections: int
    dense: int
    reads: Pair
    reached: Pair

    @property
    def share(self) -> float:
        """Connections as a part of a dense layer's."""
        return self.connections / self.dense

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {**asdict(self), "share": self.share}


@dataclass(frozen=True)
class Connectivity:
    """The layers that connect neighbours or everything. ``str()`` is a table."""

    layers: tuple[Connections, ...]

    def __getitem__(self, name: str) -> Connections:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {"layers": [layer.to_dict() for layer in self.layers]}

    def __str__(self) -> str:
        head = ("layer", "weights", "connections", "dense", "of dense", "one reads", "one reaches")
        lines: list[Sequence[str]] = [head]
        for layer in self.layers:
            lines.append(
                (
                    layer.name,
                    f"{layer.weights:,}",
                    f"{layer.connections:,}",
                    f"{layer.dense:,}",
                    percent(layer.share, ".3g"),
                    span(*(f"{count:,}" for count in layer.reads)),
                    span(*(f"{count:,}" for count in layer.reached)),
                )
            )
        return ruled(lines)


def connectivity(network: Model) -> Connectivity:
    """Weights and connections of each layer that has any, in closed form: no matrix is built."""
    found: list[Connections] = []
    for index, vertex in enumerate(network.nodes):
        shapes = network.input_shapes(index)
        reads = vertex.layer.reads(*shapes)
        if not isinstance(reads, Window | Everything):
            continue
        learned = (p for p in vertex.layer.parameters(*shapes) if p.name != "bias")
        weights = sum(math.prod(parameter.shape) for parameter in learned)
        inputs, outputs = math.prod(shapes[0]), math.prod(vertex.shape)
        if isinstance(reads, Everything):
            read, reached = (inputs, inputs), (outputs, outputs)
            joined = inputs * outputs
        else:
            joined, read, reached = _of_window(reads, shapes[0], vertex.shape)
        found.append(
            Connections(
                vertex.name, type(vertex.layer).__name__, inputs, outputs, weights, joined,
                inputs * outputs, read, reached,
            )
        )  # fmt: skip
    return Connectivity(tuple(found))


def _of_window(window: Window, shape: Shape, output: Shape) -> tuple[int, Pair, Pair]:
    """Connections, what an output reads, and what an input reaches: products of both axes'."""
    image, out = as_image(shape), as_image(output)
    depth, kernels = image[2] // window.groups, out[2] // window.groups
    read: list[npt.NDArray[np.int64]] = []
    reached: list[npt.NDArray[np.int64]] = []
    for axis in (0, 1):
        starts = np.arange(out[axis]) * window.stride[axis] - window.pads[2 * axis]
        places = np.add.outer(starts, np.arange(window.size[axis]) * window.dilation[axis])
        inside = (places >= 0) & (places < image[axis])
        read.append(inside.sum(1))
        reached.append(np.bincount(places[inside], minlength=image[axis]))
    total = int(read[0].sum()) * int(read[1].sum()) * depth * out[2]
    least_read, most_read = (int(end(read[0]) * end(read[1])) * depth for end in (np.min, np.max))
    least, most = (int(end(reached[0]) * end(reached[1])) * kernels for end in (np.min, np.max))
    return total, (least_read, most_read), (least, most)
