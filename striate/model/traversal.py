"""The order of a forward and of a backward pass through a network's graph.

How a layer is computed is passed in as a function, so that everything that runs a network layer
by layer walks the graph in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.model.model import Model


def forward_pass(
    network: Model, inputs: Array, compute: Callable[[int, tuple[Array, ...]], Array]
) -> Iterator[tuple[int, Array]]:
    """Compute all nodes in order and yield (index, output) of each.

    An output is freed as soon as its last reader has been computed.

    Args:
        network: the network.
        inputs: the value of its input, preprocessed, with the batch axis first.
        compute: from the index of a node and the values of its inputs to its output.
    """
    values = {-1: inputs}
    readers = [0] * len(network.nodes)
    for vertex in network.nodes:
        for source in vertex.inputs:
            readers[source] += source >= 0
    for index, vertex in enumerate(network.nodes):
        inputs_of_node = tuple(values[source] for source in vertex.inputs)
        with np.errstate(all="ignore"):  # not around the yield: it is for layers only
            values[index] = compute(index, inputs_of_node)
        yield index, values[index]
        for source in vertex.inputs:
            readers[source] -= source >= 0
            if source >= 0 and not readers[source]:
                values.pop(source, None)


@unwatched
def backward_pass(
    network: Model,
    gradients: Mapping[int, Array],
    input_gradients: Callable[[int, Array], tuple[Array, ...]],
) -> Array:
    """Go back from some nodes to the network's input by the chain rule.

    Args:
        network: the network.
        gradients: of the nodes to begin at, ∂L/∂output by index.
        input_gradients: from the index of a node and the gradient of its output to the gradients
            of its inputs.

    Returns:
        ∂L/∂input of the network.
    """
    arriving = dict(gradients)
    for index in range(max(gradients), -1, -1):
        if index not in arriving:  # no path leads from here to any of them
            continue
        shares = input_gradients(index, arriving.pop(index))
        for source, share in zip(network.nodes[index].inputs, shares, strict=True):
            # Where a value is read twice, the gradients of its readers add up.
            arriving[source] = arriving[source] + share if source in arriving else share
    return arriving[-1]
