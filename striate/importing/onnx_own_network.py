"""Networks that striate has written as ONNX files, read back layer by layer.

Such a file says in its metadata which layers it was made of. That is believed only as far as it is
proved: the network that is described is written once more, and only if that gives the very graph
that the file has, each operator, attribute and constant, are the weights of the file those of the
network. Then all layers are what they were, also those that say nothing in ONNX (dropout, a layer
that flattens vectors) and those that could be others. A file that some program has changed since is
read by what it computes, like anybody's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common import json_text
from striate.common.arrays import Array
from striate.common.budget import WEIGHED
from striate.common.errors import StriateError
from striate.exporting.onnx_export import (
    LAYOUTS,
    NEWEST_OPSET,
    OLDEST_OPSET,
    OWN_KEY,
    PIXELS,
    WrittenForm,
    input_name,
    output_name,
    sides,
    written_graph,
)
from striate.exporting.onnx_graph import OnnxGraph, StoredWeight
from striate.exporting.onnx_network import check_layers
from striate.importing.axis_view import AxisView
from striate.importing.onnx_file import operation_of
from striate.importing.onnx_metadata import MOST_TEXT
from striate.importing.operation_graph import OnnxTensor, OperationGraph
from striate.model.files import parameter_shapes
from striate.model.preprocessing import Preprocessing
from striate.network import Network


def described_layout(metadata: Mapping[str, str]) -> str | None:
    """The order of the input's axes, "nchw" or "nhwc", that striate has noted in the metadata."""
    layout = _description(metadata).get("layout")
    return layout if layout in LAYOUTS else None


@dataclass(frozen=True)
class OwnNetwork:
    """A network that striate has written.

    Attributes:
        network: with its weights and normalisation.
        form: how it was written.
        image, output: how the axes of the file's input and output lie in the network's.
    """

    network: Network
    form: WrittenForm
    image: AxisView
    output: AxisView


def own_network(graph: OperationGraph) -> OwnNetwork | None:
    """The network that the metadata describe, if the graph is what striate writes of it.

    Args:
        graph: as it is in the file.

    Returns:
        The network; None if the graph is another.
    """
    description = _description(graph.metadata)
    opsets = {op.opset for op in graph.operations}
    if not description or len(opsets) != 1 or not OLDEST_OPSET <= min(opsets) <= NEWEST_OPSET:
        return None
    try:
        form = _form(description)
        network = _unweighted(graph, description)
        if form is None or network is None or len(graph.inputs) != 1:
            return None
        room = WEIGHED + sum(array.nbytes for array in graph.constants.values())
        written = written_graph(network, form, min(opsets), room)
        if not _same_ends(graph, network, form) or not _same_operations(graph, written):
            return None
        if not _fill(graph, written):
            return None
    # The metadata can hold anything: text in place of numbers, layers without end.
    except (StriateError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError):
        return None
    if any((array < 0).any() for name, array in network.state.items() if name.endswith("variance")):
        return None
    image, output = (
        _view(tensor, shape, form.layout)
        for tensor, shape in (
            (graph.inputs[0], network.input_shape),
            (graph.outputs[0], network.output_shape),
        )
    )
    return OwnNetwork(network, form, image, output)


def _description(metadata: Mapping[str, str]) -> dict[str, Any]:
    text = metadata.get(OWN_KEY, "")
    if not text or len(text) > MOST_TEXT:
        return {}
    try:
        found = json_text.parse(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _form(description: Mapping[str, Any]) -> WrittenForm | None:
    layout, pixels, probabilities = (
        description.get(what) for what in ("layout", "pixels", "probabilities")
    )
    if layout not in LAYOUTS or pixels not in PIXELS or not isinstance(probabilities, bool):
        return None
    return WrittenForm(layout, pixels, probabilities)


def _unweighted(graph: OperationGraph, description: Mapping[str, Any]) -> Network | None:
    """The network that is described, its weights zeros; None if the file has less than these."""
    config = description["architecture"]
    wanted = sum(math.prod(shape) for shape in parameter_shapes(config).values())
    if 4 * wanted > sum(array.nbytes for array in graph.constants.values()):
        return None
    network = Network.from_config(config, seed=None)
    check_layers(network)
    mean, std = tuple(description["mean"]), tuple(description["std"])
    network.preprocessing = Preprocessing(mean, std)
    return network


def _same_ends(graph: OperationGraph, network: Network, form: WrittenForm) -> bool:
    """Whether the file's input and output are the network's, for any number of images."""
    ends = (
        (graph.inputs[0], input_name(network), network.input_shape),
        (graph.outputs[0], output_name(form.probabilities), network.output_shape),
    )
    return all(
        tensor.name == name and (tensor.shape or ())[1:] == sides(shape, form.layout)
        for tensor, name, shape in ends
    )


def _same_operations(graph: OperationGraph, written: OnnxGraph) -> bool:
    if len(written.nodes) != len(graph.operations):
        return False
    return all(
        operation_of(node, written.opset) == op
        for node, op in zip(written.nodes, graph.operations, strict=True)
    )


def _fill(graph: OperationGraph, written: OnnxGraph) -> bool:
    """Put the file's weights into the network's, if all constants are what they should be."""
    if written.tensors.keys() != graph.constants.keys():
        return False
    weights: list[tuple[StoredWeight, Array]] = []
    for name, tensor in written.tensors.items():
        given = graph.constants[name]
        if isinstance(tensor, StoredWeight):
            if given.shape != tensor.layout.shape or given.dtype != np.float32:
                return False
            if not np.isfinite(given).all():
                return False
            weights.append((tensor, given))
        elif given.dtype != tensor.dtype or not np.array_equal(given, tensor):
            return False
    for weight, given in weights:
        weight.source[...] = weight.layout.read(given, weight.source.shape)
    return True


def _view(tensor: OnnxTensor, shape: tuple[int, ...], layout: str) -> AxisView:
    first = (tensor.shape or ("",))[0]
    batch = first if isinstance(first, int) and 0 < first < 2**31 else 1
    if len(shape) == 3:
        return AxisView.image(batch, shape, layout.upper())
    return AxisView.vector(batch, shape[0])
