"""Layers that treat each number alone, as nodes of ONNX.

What is no operator in the version that is written becomes the operators that it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from striate.exporting.onnx_graph import OnnxGraph, Place


def _operator(operator: str) -> Callable[[OnnxGraph, Place], str]:
    """The writer of a layer that is one operator without attributes."""

    def write(graph: OnnxGraph, place: Place) -> str:
        return graph.op(operator, place.inputs, place.name)

    return write


def _leaky_relu(graph: OnnxGraph, place: Place) -> str:
    return graph.op("LeakyRelu", place.inputs, place.name, alpha=place.layer.slope)


def _elu(graph: OnnxGraph, place: Place) -> str:
    return graph.op("Elu", place.inputs, place.name, alpha=place.layer.alpha)


def _scale(graph: OnnxGraph, place: Place) -> str:
    factor = graph.factor(place.layer.factor, f"{place.name}/factor")
    return graph.op("Mul", [place.inputs[0], factor], place.name)


def _dropout(graph: OnnxGraph, place: Place) -> str:
    return place.inputs[0]  # in prediction it does nothing


def _relu6(graph: OnnxGraph, place: Place) -> str:
    return _clipped(graph, place, 0.0, 6.0)


def _clip(graph: OnnxGraph, place: Place) -> str:
    return _clipped(graph, place, place.layer.low, place.layer.high)


def _clipped(graph: OnnxGraph, place: Place, low: float | None, high: float | None) -> str:
    ends = [
        "" if end is None else graph.factor(end, f"{place.name}/{name}")
        for name, end in (("low", low), ("high", high))
    ]
    while ends and not ends[-1]:
        ends.pop()
    return graph.op("Clip", [*place.inputs, *ends], place.name)


def _hard_sigmoid(graph: OnnxGraph, place: Place) -> str:
    slope, offset = place.layer.slope, place.layer.offset
    return graph.op("HardSigmoid", place.inputs, place.name, alpha=slope, beta=offset)


def _hard_swish(graph: OnnxGraph, place: Place) -> str:
    if graph.opset >= 14:
        return graph.op("HardSwish", place.inputs, place.name)
    gate = graph.op("HardSigmoid", place.inputs, f"{place.name}/gate", alpha=1 / 6, beta=0.5)
    return graph.op("Mul", [*place.inputs, gate], place.name)


def _silu(graph: OnnxGraph, place: Place) -> str:
    gate = graph.op("Sigmoid", place.inputs, f"{place.name}/gate")
    return graph.op("Mul", [*place.inputs, gate], place.name)


def _mish(graph: OnnxGraph, place: Place) -> str:
    if graph.opset >= 18:
        return graph.op("Mish", place.inputs, place.name)
    soft = graph.op("Softplus", place.inputs, f"{place.name}/softplus")
    gate = graph.op("Tanh", [soft], f"{place.name}/gate")
    return graph.op("Mul", [*place.inputs, gate], place.name)


def _gelu(graph: OnnxGraph, place: Place) -> str:
    """x·Φ(x): 1/2·x·(1 + erf(x/√2)), or with tanh(√(2/π)·(x + 0.044715·x³)) in erf's place."""
    (x,), name = place.inputs, place.name

    def times(value: str, number: float, what: str) -> str:
        return graph.op("Mul", [value, graph.factor(number, f"{name}/{what}_factor")],
                        f"{name}/{what}")  # fmt: skip

    if place.layer.approximate == "tanh":
        square = graph.op("Mul", [x, x], f"{name}/square")
        cube = graph.op("Mul", [square, x], f"{name}/cube")
        inner = graph.op("Add", [x, times(cube, 0.044715, "small")], f"{name}/inner")
        bent = graph.op("Tanh", [times(inner, math.sqrt(2 / math.pi), "scaled")], f"{name}/tanh")
    else:
        root = graph.factor(math.sqrt(2), f"{name}/root")
        bent = graph.op("Erf", [graph.op("Div", [x, root], f"{name}/scaled")], f"{name}/erf")
    raised = graph.op("Add", [bent, graph.factor(1.0, f"{name}/one")], f"{name}/raised")
    product = graph.op("Mul", [x, raised], f"{name}/product")
    return graph.op("Mul", [product, graph.factor(0.5, f"{name}/half")], name)


def _prelu(graph: OnnxGraph, place: Place) -> str:
    slope = place.arrays["slope"]
    name = graph.weight(slope, f"{place.name}/slope", place.per_channel(slope))
    return graph.op("PRelu", [*place.inputs, name], place.name)


# Those whose numbers may come in any order.
ALONE: dict[str, Callable[[OnnxGraph, Place], str]] = {
    "ReLU": _operator("Relu"),
    "Sigmoid": _operator("Sigmoid"),
    "Tanh": _operator("Tanh"),
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Scale": _scale,
    "Dropout": _dropout,
    "ReLU6": _relu6,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "SiLU": _silu,
    "Mish": _mish,
    "GELU": _gelu,
}
ELEMENTWISE = {**ALONE, "PReLU": _prelu}
