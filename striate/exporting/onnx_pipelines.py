"""The estimators inside a pipeline of scikit-learn that skl2onnx turns into ONNX.

skl2onnx takes any estimator with the methods `onnx_parser`, `onnx_shape_calculator` and
`onnx_converter`, and calls them with its own objects: a scope of names, an operator (the estimator
with its inputs and outputs), and a container of nodes.  Nothing of it is imported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.exporting.onnx_export import (
    NEWEST_OPSET,
    OLDEST_OPSET,
    check_network,
    write_preprocessing,
    write_temperature,
)
from striate.exporting.onnx_graph import OnnxGraph
from striate.exporting.onnx_network import write_network
from striate.model.model import Model


def set_label_types(operator: Any, labels: Array) -> None:
    """Tell skl2onnx the types of a classifier's outputs: labels (n,), probabilities (n, classes).

    Args:
        operator: its operator, with the outputs label and probabilities.
        labels: the classes, numbers or text.
    """
    label, probabilities = operator.outputs
    known = import_module(type(operator.inputs[0].type).__module__)
    is_text = _label_values(labels).dtype.kind == "U"
    label.set_type((known.StringTensorType if is_text else known.Int64TensorType)([None]))
    probabilities.set_type(known.FloatTensorType([None, len(labels)]))


def set_value_type(operator: Any, values: int) -> None:
    """Tell skl2onnx the type of a regressor's output, (n, values)."""
    known = import_module(type(operator.inputs[0].type).__module__)
    operator.outputs[0].set_type(known.FloatTensorType([None, values]))


def write_classifier(operator: Any, container: Any, model: Model, labels: Array) -> None:
    """Write a classifier: from its input to the label of the likeliest class, and probabilities."""
    graph, logits = _written(operator, container, model)
    label, probabilities = (output.full_name for output in operator.outputs)
    scaled = write_temperature(graph, model, logits)
    softmax = graph.op("Softmax", [scaled], "probabilities", axis=1)
    winner = graph.op("ArgMax", [logits], "winner", axis=1, keepdims=0)
    known = graph.constant(_label_values(labels), "labels")
    chosen = graph.op("Gather", [known, winner], "label", axis=0)
    _hand_over(graph, container, {softmax: probabilities, chosen: label})


def write_regressor(operator: Any, container: Any, model: Model, mean: Array, scale: Array) -> None:
    """Write a regressor, whose network's outputs are multiplied with `scale` and added to `mean`,
    both (values,).
    """
    graph, outputs = _written(operator, container, model)
    factors = graph.constant(scale.astype(np.float32), "target_scale")
    means = graph.constant(mean.astype(np.float32), "target_mean")
    scaled = graph.op("Mul", [outputs, factors], "scaled")
    values = graph.op("Add", [scaled, means], "values")
    _hand_over(graph, container, {values: operator.outputs[0].full_name})


def _written(operator: Any, container: Any, model: Model) -> tuple[OnnxGraph, str]:
    """A graph with the network in it, and the name of its output."""
    check_network(model)
    opset = container.target_opset
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise StriateValueError(
            f"{type(operator.raw_operator).__name__}: skl2onnx writes version {opset} of ONNX's "
            f"operators, and striate {OLDEST_OPSET} to {NEWEST_OPSET}; give skl2onnx "
            f"target_opset={NEWEST_OPSET}"
        )
    (given,) = operator.inputs
    taken = {name for node in container.nodes for name in node.output}
    taken.update(tensor.name for tensor in container.initializers)
    prefix = f"{type(operator.raw_operator).__name__}/"
    graph = OnnxGraph(opset, prefix=prefix, taken=tuple(taken))
    value = given.full_name
    shape = model.input_shape
    features = [side for side in given.type.shape[1:] if side is not None]
    if features and np.prod(features) != np.prod(shape):
        raise StriateValueError(
            f"{type(operator.raw_operator).__name__}: the pipeline hands on {features} numbers for "
            f"a sample, and it was fitted to {shape}; give skl2onnx the right initial_types"
        )
    cast = type(given.type).__name__ != "FloatTensorType"
    if len(given.type.shape) < 4 and len(shape) == 3:  # rows of numbers, or gray images
        value = graph.op("Reshape", [value, graph.numbers([-1, *shape], "image/shape")], "image")
    value = write_preprocessing(graph, model, value, layout="nhwc", cast=cast)
    return graph, write_network(graph, model, value)


def _hand_over(graph: OnnxGraph, container: Any, outputs: dict[str, str]) -> None:
    """Put the graph into skl2onnx's, with the names that it has for its outputs."""
    for value, name in outputs.items():
        graph.rename(value, name)
    container.nodes.extend(graph.nodes)
    container.initializers.extend(graph.initializers())
    container.node_domain_version_pair_sets.add(("", graph.opset))


def _label_values(labels: Array) -> Array:
    """Class labels as ONNX can have them: int64 or text.

    Raises:
        TypeError: they are neither.
    """
    kind = labels.dtype.kind
    if kind == "O" and all(isinstance(label, str) for label in labels):
        return labels.astype(str)
    if kind in "iub" or (kind == "f" and (labels == np.round(labels)).all()):
        return labels.astype(np.int64)
    if kind == "U":
        return labels
    raise StriateTypeError(
        "ConvNetClassifier: ONNX has labels that are text or whole numbers, not "
        f"{labels[:3].tolist()!r}; fit it to such labels"
    )
