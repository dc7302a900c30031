"""The values of all layers for some images, and gradients of single units.

`each_layer` runs one layer after the other, each alone: the compiled kernel of a single layer sums
in the order of its formula, so that a unit's value does not depend on its place in the image.
`Tape` keeps a forward pass, from which gradients are computed: of a unit with respect to the image,
and of a loss with respect to every value and weight.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.engines import check_engine
from striate.layers import PassContext
from striate.model.image_arrays import raw_images
from striate.model.traversal import backward_pass, forward_pass

if TYPE_CHECKING:
    from striate.model.model import Model


def each_layer(
    network: Model, images: Array, *, engine: str = "llvm"
) -> Iterator[tuple[int, Array]]:
    """Yield (index, output) of every node, in the order of the graph, as in prediction.

    Args:
        network: the network.
        images: raw, (n, *input_shape).
        engine: "llvm" or "numpy", which runs the layers.

    Yields:
        The node's index and its output, float32 (n, *shape).
    """
    compiled = check_engine(engine) == "llvm"

    def compute(index: int, inputs: tuple[Array, ...]) -> Array:
        layer, parameters = network.nodes[index].layer, dict(network.parameters_of(index))
        if compiled:
            from striate.engines.llvm_layer import run_layer

            return run_layer(layer, inputs, parameters, network.state_of(index), False)
        run = PassContext(training=False, salt=index)
        return layer.forward(inputs, parameters, network.state_of(index), run)[0]

    inputs = network.preprocessing.apply(raw_images(network, images))
    return forward_pass(network, inputs, compute)


class Tape:
    """A gradient tape: a recorded forward pass, from which any unit's gradient can be computed.

    The layers run in NumPy, in float32 and in prediction mode (running statistics, no dropout):
    each value is the sum of its layer's formula, not transformed, fused or in another precision.

    Args:
        network: the network.
        images: raw, (n, *input_shape).
        node: the last node to compute; None for the network's output.

    Attributes:
        images: how many images there are.
        values: the output of each node that `node` depends on, float32 (n, *shape); under -1 the
            preprocessed input.
    """

    @unwatched
    def __init__(self, network: Model, images: Array, node: int | None = None) -> None:
        self.network, self.images = network, len(images)
        self.values: dict[int, Array] = {
            -1: network.preprocessing.apply(raw_images(network, images))
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

    @unwatched
    def gradient(self, node: int, unit: tuple[int | Array, ...]) -> Array:
        """The gradient of one unit with respect to the preprocessed images, (n, *input_shape).

        Args:
            node: the index of the unit's node.
            unit: its index in the node's output; an array (n,) in place of a number chooses a
                unit for each image.
        """
        shape = self.network.nodes[node].shape
        start = np.zeros((self.images, *shape), np.float32)
        place: tuple[Any, ...] = (np.arange(self.images), *unit)
        start[place] = 1

        def input_gradients(index: int, arriving: Array) -> tuple[Array, ...]:
            return self.network.nodes[index].layer.input_gradients(
                arriving, self._saved[index], dict(self.network.parameters_of(index))
            )

        return backward_pass(self.network, {node: start}, input_gradients)

    @unwatched
    def gradients(
        self, output: Array, parameters_of: Collection[int] = ()
    ) -> tuple[dict[int, Array], dict[int, dict[str, Array]]]:
        """The gradients of a loss with respect to all values, by the chain rule.

        Args:
            output: ∂L/∂output of the network, (n, *output_shape).
            parameters_of: the nodes whose parameters' gradients are wanted too, each of them the
                owner of its parameters.

        Returns:
            ∂L/∂value of each node, (n, *shape), under -1 of the preprocessed images; and ∂L/∂w of
            those parameters by node and name, summed over the images and over all places where
            layers share them.
        """
        network, last = self.network, len(self.network.nodes) - 1
        values: dict[int, Array] = {}
        parameters: dict[int, dict[str, Array]] = {}

        def input_gradients(index: int, arriving: Array) -> tuple[Array, ...]:
            values[index] = arriving  # all its readers have been here
            layer, owner = network.nodes[index].layer, network.owner(index)
            given = (arriving, self._saved[index], dict(network.parameters_of(index)))
            if owner not in parameters_of:
                return layer.input_gradients(*given)
            shares, own = layer.backward(*given)
            before = parameters.get(owner, {})
            parameters[owner] = {
                name: before[name] + value if name in before else value
                for name, value in own.items()
            }
            return shares

        values[-1] = backward_pass(network, {last: output}, input_gradients)
        return values, parameters


def _ancestors(network: Model, node: int) -> set[int]:
    """The node and all nodes from which a path leads to it."""
    found = {node}
    for index in range(node, -1, -1):
        if index in found:
            found |= {source for source in network.nodes[index].inputs if source >= 0}
    return found
