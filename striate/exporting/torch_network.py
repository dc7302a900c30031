"""All layers of a network as calls of PyTorch: images channels-first, (n, channels, height, width).

Every layer of `striate.layers.LAYERS` has a writer here, by the name of its class.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import fx

from striate.exporting.torch_elementwise import ELEMENTWISE
from striate.exporting.torch_features import FEATURES
from striate.exporting.torch_graph import RESERVED, TorchGraph, TorchPlace, TorchValue
from striate.exporting.torch_names import module_names
from striate.exporting.torch_windows import WINDOWS, TorchWriter
from striate.model.model import Model
from striate.model.preprocessing import Preprocessing
from striate.ops.shapes import Shape

WRITERS: dict[str, TorchWriter] = {**WINDOWS, **ELEMENTWISE, **FEATURES}
"""From a layer in its place to the node of its output, which the writer has put into the graph."""

NORMALISE = "normalise"
"""The first module of a network that has a preprocessing."""

# These have the features of a vector in whichever order they come, and hand it on.
_SAME_ORDER = {*ELEMENTWISE, "BatchNorm", "LayerNorm", "Affine", "PReLU", "Add", "Multiply"}
# These multiply each feature with a row of weights, which may stand in any order.
_ANY_ORDER = {*_SAME_ORDER, "Dense", "GroupedDense", "Flatten"}


def write_network(model: Model, preprocessing: Preprocessing, heads: bool = False) -> TorchGraph:
    """The network with its weights as calls of PyTorch.

    Args:
        model: of striate's own layers: see `striate.exporting.own_layers`.
        preprocessing: what is done to the images first.
        heads: return the auxiliary heads too, behind the output, and not the output alone.
    """
    model = model if heads else model.branch()
    graph = TorchGraph()
    paths = module_names([node.name for node in model.nodes], {*RESERVED, NORMALISE})
    image = TorchValue(graph.graph.placeholder("images"), model.input_shape)
    if not preprocessing.is_identity:
        image = _normalised(graph, image, preprocessing)
    frozen, steady = model.frozen_nodes, model.steady_nodes
    shared = {node.shares for node in model.nodes}
    values: list[TorchValue] = []
    for index, node in enumerate(model.nodes):
        kind = type(node.layer).__name__
        read = tuple(image if source < 0 else values[source] for source in node.inputs)
        owner = model.owner(index)
        alone = owner == index and index not in shared
        place = TorchPlace(
            node.layer,
            model.nodes[owner].name,
            paths[owner],
            _in_order(graph, kind if alone else "", read),
            node.shape,
            {**model.parameters_of(index), **model.state_of(index)},
            trained=index not in frozen,
            keeps_statistics=index in steady,
        )
        written = WRITERS[kind](graph, place)
        values.append(TorchValue(written, node.shape, _order(kind, place)))
    outputs = [graph.in_order(values[-1]).node]
    outputs += [graph.in_order(values[head.node]).node for head in model.heads.values()]
    graph.graph.output(tuple(outputs) if heads and model.heads else outputs[0])
    return graph


def _in_order(
    graph: TorchGraph, kind: str, values: tuple[TorchValue, ...]
) -> tuple[TorchValue, ...]:
    """What a layer of this kind, or of none, reads: with the features in an order that it takes."""
    if kind in _ANY_ORDER:
        return graph.in_one_order(values)
    return tuple(graph.in_order(value) for value in values)


def _order(kind: str, place: TorchPlace) -> Shape | None:
    """The image whose flattening the output of a layer is, if it is a vector."""
    if len(place.shape) == 3:
        return None
    value = place.value
    if kind == "Flatten" and len(value.shape) == 3:
        height, width, channels = value.shape
        return value.shape if height * width > 1 and channels > 1 else None
    return value.image if kind in {*_SAME_ORDER, "Flatten"} else None


def _normalised(graph: TorchGraph, image: TorchValue, preprocessing: Preprocessing) -> TorchValue:
    """The image through a module of its own: (raw - mean) / std."""
    inner = fx.Graph()
    raw = inner.placeholder("images")
    shape = (-1, 1, 1) if len(image.shape) == 3 else (-1,)
    root: dict[str, torch.Tensor] = {}
    node = raw
    for key, method in ("mean", "sub"), ("std", "div"):
        numbers = np.asarray(getattr(preprocessing, key), np.float32).reshape(shape)
        root[key] = torch.from_numpy(numbers.copy())
        node = inner.call_method(method, (node, inner.get_attr(key)))
    inner.output(node)
    graph.root[NORMALISE] = fx.GraphModule(root, inner, class_name="Normalise")
    return TorchValue(graph.graph.call_module(NORMALISE, (image.node,)), image.shape)
