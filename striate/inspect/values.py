"""The values of all layers, one after the other, and gradients of units with respect to the image.

Each layer runs alone: with the compiled engine by its own kernel that sums as it is written, so
that a unit's value does not depend on where in the image it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.engines import check_engine
from striate.layers import PassContext
from striate.model.image_arrays import check_images

if TYPE_CHECKING:
    from striate.model.model import Model


def each_layer(
    network: Model, images: Array, *, engine: str = "llvm"
) -> Iterator[tuple[int, Array]]:
    """(index, output (n, *shape)) of every node for raw images, float32, as in prediction."""
    compiled = check_engine(engine) == "llvm"
    values = {-1: network.preprocessing.apply(check_images(images, network.input_shape))}
    readers = [0] * len(network.nodes)
    for vertex in network.nodes:
        for source in vertex.inputs:
            readers[source] += source >= 0
    for index, vertex in enumerate(network.nodes):
        inputs = tuple(values[source] for source in vertex.inputs)
        parameters = dict(network.parameters_of(index))
        if compiled:
            from striate.engines.llvm_layer import run_layer

            output = run_layer(vertex.layer, inputs, parameters, network.state_of(index), False)
        else:
            run = PassContext(training=False, salt=index)
            output, _ = vertex.layer.forward(inputs, parameters, network.state_of(index), run)
        values[index] = output
        yield index, output
        for source in vertex.inputs:  # let go of what nobody will read again
            readers[source] -= source >= 0
            if source >= 0 and not readers[source]:
                values.pop(source, None)


class Tape:
    """A forward pass of images up to one node, gone back from any unit on the way to it.

    The values are the NumPy engine's, in float32: each is the sum that its layer's formula says,
    and nothing is transformed, fused or computed in another precision.

    Args:
        network: as it is in prediction: running statistics, no dropout.
        images: raw, (n, *input_shape).
        node: the last node that is computed; None for the network's output.

    Attributes:
        images: how many there are.
        values: the output of each node on the way (n, *shape), float32; -1 is the preprocessed
            input.
    """

    def __init__(self, network: Model, images: Array, node: int | None = None) -> None:
        self.network, self.images = network, len(images)
        self.values: dict[int, Array] = {
            -1: network.preprocessing.apply(check_images(images, network.input_shape))
        }
        self._saved: dict[int, Any] = {}
        for index in sorted(_ancestors(network, len(network.nodes) - 1 if node is None else node)):
            vertex = network.nodes[index]
            self.values[index], self._saved[index] = vertex.layer.forward(
                tuple(self.values[source] for source in vertex.inputs),
                dict(network.parameters_of(index)),
                network.state_of(index),
                PassContext(training=False, salt=index),
            )

    def gradient(self, node: int, unit: tuple[int | Array, ...]) -> Array:
        """∂ unit / ∂ input (n, *input_shape) of a unit of a node; the input being the images after
        preprocessing.

        Args:
            unit: its place, as an index of the node's output; an array (n,) in place of a number
                names another unit for each image.
        """
        shape = self.network.nodes[node].shape
        start = np.zeros((self.images, *shape), np.float32)
        place: tuple[Any, ...] = (np.arange(self.images), *unit)
        start[place] = 1
        arriving: dict[int, Array] = {node: start}
        for index in sorted(self._saved, reverse=True):
            if index not in arriving:
                continue
            vertex = self.network.nodes[index]
            shares = vertex.layer.input_gradients(
                arriving.pop(index), self._saved[index], dict(self.network.parameters_of(index))
            )
            for source, share in zip(vertex.inputs, shares, strict=True):
                # Where a value is read twice, the gradients of its readers add up.
                arriving[source] = arriving[source] + share if source in arriving else share
        return arriving[-1]


def _ancestors(network: Model, node: int) -> set[int]:
    """The node and all nodes before it from which a path leads to it."""
    found = {node}
    for index in range(node, -1, -1):
        if index in found:
            found |= {source for source in network.nodes[index].inputs if source >= 0}
    return found
