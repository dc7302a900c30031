"""Puts a converted layer into its network."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from striate.common.errors import StriateValueError
from striate.layers import Flatten, Input
from striate.teaching.conversions.tolerance import same_shape
from striate.teaching.conversions.trained import TrainedLayer

if TYPE_CHECKING:
    from striate.layers import Node
    from striate.network import Network


def replaced(network: Network, name: str, by: TrainedLayer) -> Network:
    """A copy of the network in which another layer takes the place and name of a given one.

    Where a dense layer replaces one for images, its input is flattened, and what follows reads
    vectors; where a layer for images replaces a dense one, it reads the images before the
    `Flatten` in front of it. The outputs are the same numbers in the same order. Places that shared
    a layer get one each; auxiliary heads are left out.

    Args:
        network: the network, which is not changed.
        name: the layer to replace.
        by: the layer to put in its place, with its parameters.

    Raises:
        ValueError: there is no such layer, or the other does not fit into its place.
    """
    from striate.network import Network

    TrainedLayer.of(network, name)  # raises if there is no such layer
    image = Input(network.input_shape)
    values: dict[int, Node] = {-1: image}
    for i, vertex in enumerate(network.nodes):
        inputs = [values[source] for source in vertex.inputs]
        if vertex.name != name:
            values[i] = copy.copy(vertex.layer)(*inputs)
            continue
        layer = copy.copy(by.layer)
        layer.name = name
        values[i] = layer(_reader(inputs[0], by))
        if len(vertex.shape) == 1 and len(values[i].shape) == 3:
            values[i] = Flatten()(values[i])
        if math.prod(values[i].shape) != math.prod(vertex.shape):
            raise StriateValueError(
                f"replaced: {vertex.layer.who} gives {vertex.shape}, but {by.layer!r} would give "
                f"{values[i].shape} in its place"
            )
    result = Network(inputs=image, output=values[len(network.nodes) - 1], seed=None)
    numbers = {
        f"{vertex.name}/{key}": array
        for i, vertex in enumerate(network.nodes)
        for key, array in {**network.parameters_of(i), **network.state_of(i)}.items()
    }
    numbers |= {f"{name}/{key}": array for key, array in by.parameters.items()}
    for key, target in {**result.parameters, **result.state}.items():
        same_shape(key, numbers[key].shape, target.shape)
        target[...] = numbers[key]
    result.preprocessing = network.preprocessing
    result.classes = network.classes
    return result


def _reader(node: Node, by: TrainedLayer) -> Node:
    """The node that the new layer reads: the old input, that flattened, or that before Flatten."""
    if node.shape == by.input_shape:
        return node
    if by.input_shape == (math.prod(node.shape),):
        return Flatten()(node)
    if isinstance(node.layer, Flatten) and node.inputs[0].shape == by.input_shape:
        return node.inputs[0]
    raise StriateValueError(
        f"replaced: the layer reads {by.input_shape}, but in its place the input is {node.shape}"
    )
