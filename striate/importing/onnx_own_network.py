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
from striate.exporting.own_layers import check_layers
from striate.importing.axis_view import AxisView
from striate.importing.onnx_file import operation_of
from striate.importing.onnx_metadata import MOST_TEXT
from striate.importing.operation_graph import OnnxTensor, OperationGraph
from striate.model.answers import Answers
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
        names = _same_graph(graph, network, form, written)
        if names is None or not _fill(graph, written, names):
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
    check_layers(network, "from_onnx", "ONNX")
    mean, std = tuple(description["mean"]), tuple(description["std"])
    network.preprocessing = Preprocessing(mean, std)
    network.answers = Answers.from_dict(description.get("answers", {}))
    return network


def _same_graph(
    graph: OperationGraph, network: Network, form: WrittenForm, written: OnnxGraph
) -> dict[str, str] | None:
    """Whether the file has the operations that are written of a network, from its input to its
    output, for any number of images.

    Returns:
        The names in the file of all that is written, for names compute nothing; None if they are
        others.
    """
    shapes = (network.input_shape, network.output_shape)
    tensors = (graph.inputs[0], graph.outputs[0])
    for tensor, shape in zip(tensors, shapes, strict=True):
        if (tensor.shape or ())[1:] != sides(shape, form.layout):
            return None
    names = {"": "", input_name(network): tensors[0].name}
    if len(written.nodes) != len(graph.operations):
        return None
    for node, op in zip(written.nodes, graph.operations, strict=True):
        mine = operation_of(node, written.opset)
        pairs = [*zip(mine.inputs, op.inputs, strict=False)]
        if (mine.kind, mine.attributes, len(mine.inputs), len(mine.outputs)) != (
            op.kind, op.attributes, len(op.inputs), len(op.outputs)
        ):  # fmt: skip
            return None
        for own, theirs in pairs:
            known = own not in written.tensors or theirs in graph.constants
            if not known or names.setdefault(own, theirs) != theirs:
                return None
        names.update(zip(mine.outputs, op.outputs, strict=True))
    return names if names[output_name(form.probabilities)] == tensors[1].name else None


def _fill(graph: OperationGraph, written: OnnxGraph, names: Mapping[str, str]) -> bool:
    """Put the file's weights into the network's, if all constants are what they should be."""
    weights: list[tuple[StoredWeight, Array]] = []
    for name, tensor in written.tensors.items():
        given = graph.constants[names[name]]
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
