"""All layers of a network as nodes of ONNX: images channels-first, NCHW.

Every layer of `striate.layers.LAYERS` has a writer here, by the name of its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from striate.exporting.onnx_elementwise import ALONE, ELEMENTWISE
from striate.exporting.onnx_features import FEATURES, one_order
from striate.exporting.onnx_graph import OnnxGraph, Place
from striate.exporting.onnx_merges import MERGES
from striate.exporting.onnx_windows import WINDOWS
from striate.model.model import Model
from striate.ops.shapes import Shape

WRITERS: dict[str, Callable[[OnnxGraph, Place], str]] = {
    **WINDOWS,
    **ELEMENTWISE,
    **FEATURES,
    **MERGES,
}
"""From a layer in its place to the name of its output, which the writer has put into the graph."""

# These multiply each feature with a row of weights, which may stand in any order.
_WITH_ROWS = ("Dense", "GroupedDense")


def write_network(graph: OnnxGraph, model: Model, value: str) -> str:
    """Write all layers, and return the name of the network's output.

    Args:
        graph: where they are written.
        model: the network.
        value: the name of its input, preprocessed: (n, channels, height, width) or (n, features).

    Returns:
        The name of (n, channels, height, width) or (n, features), in the order of striate.
    """
    values = {-1: value}
    flattened = flattened_images(model)
    needed = _ancestors(model)
    for index, vertex in enumerate(model.nodes):
        if index not in needed:  # a head that only training has
            continue
        is_flatten = type(vertex.layer).__name__ == "Flatten"
        read = flattened.get(index if is_flatten else vertex.inputs[0])
        place = Place(
            vertex.layer,
            vertex.name,
            tuple(values[source] for source in vertex.inputs),
            model.input_shapes(index),
            vertex.shape,
            {**model.parameters_of(index), **model.state_of(index)},
            read,
        )
        values[index] = WRITERS[type(vertex.layer).__name__](graph, place)
    return values[len(model.nodes) - 1]


def _ancestors(model: Model) -> set[int]:
    """The nodes from which a path leads to the last one, which is the output."""
    found = {len(model.nodes) - 1}
    for index in range(len(model.nodes) - 1, -1, -1):
        if index in found:
            found.update(model.nodes[index].inputs)
    return found


def flattened_images(model: Model) -> Mapping[int, Shape]:
    """The nodes whose vector is written as an image channels-first in a row, and these images.

    A vector may be in that order where all that it leads to are dense layers, whose weights are
    put into the same order, with nothing between but layers that treat each number alone.  So no
    axes are exchanged when the network runs.
    """
    names = [type(node.layer).__name__ for node in model.nodes]
    any_order = dict.fromkeys(range(len(names)), True)
    any_order[len(names) - 1] = False
    for index in range(len(names) - 1, -1, -1):
        passes_on = names[index] in ALONE or (
            names[index] == "Flatten" and len(model.input_shapes(index)[0]) == 1
        )
        if names[index] in _WITH_ROWS or (passes_on and any_order[index]):
            continue
        for source in model.nodes[index].inputs:
            any_order[source] = False
    found: dict[int, Shape] = {}
    for index, node in enumerate(model.nodes):
        (shape, *_), source = model.input_shapes(index), node.inputs[0]
        if names[index] == "Flatten" and len(shape) == 3:
            if any_order[index] and not one_order(shape):
                found[index] = shape
        elif source in found and names[index] not in _WITH_ROWS:
            found[index] = found[source]
    return found
