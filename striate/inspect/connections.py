"""Sparse connectivity: the weights and connections of a layer, compared with a dense one.

A connection is a pair of an input value and an output value that depends on it. A dense layer
connects all with all, with a weight for each connection; a window connects neighbours, and shares
its weights among all positions. Connections with padding are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.short_repr import short_repr
from striate.common.tables import ruled
from striate.common.text import percent, span
from striate.inspect.dependency_masks import as_image
from striate.layers.reads import FullyConnected, TransposedWindow, Window
from striate.ops.shapes import Pair, Shape

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class Connections:
    """The connections of one layer, for one image.

    Attributes:
        name, type: of the layer.
        inputs, outputs: how many values it reads and computes.
        weights: trained parameters without biases; 0 for pooling.
        connections: pairs of an output value and an input value that it reads.
        dense: connections, which are also the weights, of a dense layer between the same values.
        reads: the least and the most inputs that one output reads.
        reached: the least and the most outputs that read one input.
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
        """The connections as a share of a dense layer's."""
        return self.connections / self.dense

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return {**asdict(self), "share": self.share}


@short_repr
@dataclass(frozen=True)
class Connectivity:
    """The connections of all layers with windows and of dense layers. ``str()`` is a table."""

    layers: tuple[Connections, ...]

    def __getitem__(self, name: str) -> Connections:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """All layers as JSON-able values."""
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
    """Count weights and connections of each layer with windows and of each dense layer.

    The counts are closed forms; no matrix is built.
    """
    found: list[Connections] = []
    for index, vertex in enumerate(network.nodes):
        shapes = network.input_shapes(index)
        reads = vertex.layer.reads(*shapes)
        if not isinstance(reads, Window | TransposedWindow | FullyConnected):
            continue
        learned = (p for p in vertex.layer.parameters(*shapes) if p.name != "bias")
        weights = sum(math.prod(parameter.shape) for parameter in learned)
        inputs, outputs = math.prod(shapes[0]), math.prod(vertex.shape)
        if isinstance(reads, FullyConnected):
            read, reached = (inputs, inputs), (outputs, outputs)
            joined = inputs * outputs
        elif isinstance(reads, TransposedWindow):  # the convolution back has the same connections
            joined, reached, read = _of_window(reads.convolution, vertex.shape, shapes[0])
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
    """(connections, least and most inputs of an output, least and most outputs of an input).

    Each is a product of what is counted along the two axes.
    """
    image, out = as_image(shape), as_image(output)
    depth, kernels = image[2] // window.groups, out[2] // window.groups
    read: list[npt.NDArray[np.int64]] = []
    reached: list[npt.NDArray[np.int64]] = []
    for axis in (0, 1):
        pixels = window.pixels(axis, out[axis])
        inside = (pixels >= 0) & (pixels < image[axis])
        read.append(inside.sum(1))
        reached.append(np.bincount(pixels[inside], minlength=image[axis]))
    total = int(read[0].sum()) * int(read[1].sum()) * depth * out[2]
    least_read, most_read = (int(end(read[0]) * end(read[1])) * depth for end in (np.min, np.max))
    least, most = (int(end(reached[0]) * end(reached[1])) * kernels for end in (np.min, np.max))
    return total, (least_read, most_read), (least, most)
