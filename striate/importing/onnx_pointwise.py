"""Operators of ONNX that treat each number alone, or numbers in the same place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.graph_writer import Foreign
from striate.importing.node_collector import layer_of
from striate.importing.onnx_activations import LAYER
from striate.importing.onnx_patterns import FLOATS
from striate.importing.onnx_reading import Reader, Reading
from striate.importing.onnx_rules import old_broadcast
from striate.importing.operation_graph import OnnxOperation

# Activation functions.


def _activation(kind: str, **attributes: tuple[str, float]) -> Reader:
    """An activation, each of its arguments from an attribute with this name and default."""

    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        arguments = {name: op.attribute(*given) for name, given in attributes.items()}
        return reading.elementwise(op, layer_of(kind, **arguments))

    return read


def _known(reading: Reading, op: OnnxOperation) -> Foreign:
    """A layer that a chain of operators was known to be."""
    return reading.elementwise(op, layer_of(op.kind.removeprefix(LAYER), **op.attributes))


def _gelu(reading: Reading, op: OnnxOperation) -> Foreign:
    approximate = op.attribute("approximate", "none")
    return reading.elementwise(op, layer_of("GELU", approximate=approximate))


def _swish(reading: Reading, op: OnnxOperation) -> Foreign:
    if op.attribute("alpha", 1.0) != 1:
        raise ViewError("its alpha is not 1")
    return reading.elementwise(op, layer_of("SiLU"))


def _clip(reading: Reading, op: OnnxOperation) -> Foreign:
    given: dict[str, float | None] = {"min": None, "max": None}
    for place, name in ((1, "min"), (2, "max")):
        array = reading.constant(op, place, name)
        if array is not None:
            given[name] = float(array.reshape(-1)[0])
        elif name in op.attributes:
            given[name] = op.attribute(name, 0.0)
    return _clipped(reading, op, reading.value(op), given["min"], given["max"])


def _clipped(
    reading: Reading, op: OnnxOperation, value: Foreign, low: float | None, high: float | None
) -> Foreign:
    """Numbers between two limits, where the largest numbers of float32 are none."""
    low = None if low is None or low <= float(np.finfo(np.float32).min) else low
    high = None if high is None or high >= float(np.finfo(np.float32).max) else high
    if low is None and high is None:
        return value
    if low == 0 and high in (6, None):
        return reading.writer.elementwise(value, layer_of("ReLU6" if high else "ReLU"))
    return reading.writer.elementwise(value, layer_of("Clip", low=low, high=high))


def _limit(name: str) -> Reader:
    """Max and Min with a constant."""

    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        if len(op.inputs) == 1:
            return reading.value(op)
        found = [i for i in range(len(op.inputs)) if reading.is_constant(op, i)]
        if len(op.inputs) != 2 or len(found) != 1:
            raise ViewError("values of the image are compared with each other")
        constant = reading.weights(op, found[0], "limit")
        if (constant != constant.reshape(-1)[:1]).any() or constant.ndim > len(
            reading.value(op, 1 - found[0]).shape
        ):
            raise ViewError("its limit is not one number")
        limit = float(constant.reshape(-1)[0])
        value = reading.value(op, 1 - found[0])
        low, high = (limit, None) if name == "Max" else (None, limit)
        return _clipped(reading, op, value, low, high)

    return read


# Arithmetic.


def _second(reading: Reading, op: OnnxOperation) -> Array:
    """The constant of an operation of two inputs, as it is broadcast to the other."""
    place = 1 if reading.is_constant(op, 1) else 0
    constant = reading.weights(op, place, "constant")
    if op.opset < 7 and op.attribute("broadcast", 0) and place == 1:
        rank = len(reading.value(op).shape)
        constant = constant.reshape(old_broadcast(op, rank, constant.shape))
    return constant.astype(np.float64)


def _is_with_constant(reading: Reading, op: OnnxOperation) -> bool:
    if len(op.inputs) != 2:
        raise ViewError(f"it has {len(op.inputs)} inputs")
    return any(reading.is_constant(op, place) for place in (0, 1))


def _with_constant(
    function: Callable[[bool, Array], tuple[Array | None, Array | None]],
) -> Callable[[Reading, OnnxOperation], Foreign]:
    """A value and a constant: `function` tells the factor and the term of the value, from whether
    the constant comes first, and the constant.
    """

    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        first = reading.is_constant(op, 0)
        with np.errstate(all="ignore"):
            scale, shift = function(first, _second(reading, op))
        value = reading.value(op, 1 if first else 0)
        return reading.affine(value, scale, shift, op, 0 if first else 1)

    return read


def _minus(first: bool, constant: Array) -> tuple[Array | None, Array | None]:
    return (np.asarray([-1.0]), constant) if first else (None, -constant)


def _over(first: bool, constant: Array) -> tuple[Array | None, Array | None]:
    if first:
        raise ViewError("a constant is divided by values of the image")
    if (constant == 0).any():
        raise ViewError("it divides by 0")
    return 1 / constant, None


_plus_constant = _with_constant(lambda first, constant: (None, constant))
_times_constant = _with_constant(lambda first, constant: (constant, None))
_minus_constant = _with_constant(_minus)
_over_constant = _with_constant(_over)


def _add(reading: Reading, op: OnnxOperation) -> Foreign:
    if _is_with_constant(reading, op):
        return _plus_constant(reading, op)
    return reading.writer.sum_of([reading.value(op, 0), reading.value(op, 1)])


def _sub(reading: Reading, op: OnnxOperation) -> Foreign:
    if _is_with_constant(reading, op):
        return _minus_constant(reading, op)
    less = reading.writer.elementwise(reading.value(op, 1), layer_of("Scale", factor=-1.0))
    return reading.writer.sum_of([reading.value(op), less])


def _mul(reading: Reading, op: OnnxOperation) -> Foreign:
    if _is_with_constant(reading, op):
        return _times_constant(reading, op)
    return reading.writer.product(reading.value(op, 0), reading.value(op, 1))


def _div(reading: Reading, op: OnnxOperation) -> Foreign:
    if _is_with_constant(reading, op):
        return _over_constant(reading, op)
    raise ViewError("values of the image are divided by each other")


def _sum(mean: bool) -> Reader:
    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        places = range(len(op.inputs))
        varying = [reading.value(op, i) for i in places if not reading.is_constant(op, i)]
        total = reading.writer.sum_of(varying)
        for place in places:
            if reading.is_constant(op, place):
                term = reading.weights(op, place, "constant")
                total = reading.writer.affine(total, None, term, name=reading.name(op, place))
        if mean and len(places) > 1:
            return reading.writer.elementwise(total, layer_of("Scale", factor=1 / len(places)))
        return total

    return read


def _affine(reading: Reading, op: OnnxOperation) -> Foreign:
    scale = reading.weights(op, 1, "scale").astype(np.float64)
    shift = reading.weights(op, 2, "shift").astype(np.float64)
    return reading.affine(reading.value(op), scale, shift, op, 1)


def _neg(reading: Reading, op: OnnxOperation) -> Foreign:
    return reading.elementwise(op, layer_of("Scale", factor=-1.0))


def _same(reading: Reading, op: OnnxOperation) -> Foreign:
    return reading.value(op)


def _cast(reading: Reading, op: OnnxOperation) -> Foreign:
    target: Any = op.attributes.get("to")
    if op.kind == "Cast" and target not in FLOATS:
        raise ViewError("it rounds values of the image to whole numbers")
    return reading.value(op)


POINTWISE: dict[str, Reader] = {
    "Add": _add,
    "Cast": _cast,
    "Clip": _clip,
    "Div": _div,
    "Elu": _activation("ELU", alpha=("alpha", 1.0)),
    "Gelu": _gelu,
    "HardSigmoid": _activation("HardSigmoid", slope=("alpha", 0.2), offset=("beta", 0.5)),
    "HardSwish": _activation("HardSwish"),
    "Identity": _same,
    "LeakyRelu": _activation("LeakyReLU", slope=("alpha", 0.01)),
    "Max": _limit("Max"),
    "Mean": _sum(True),
    "Min": _limit("Min"),
    "Mish": _activation("Mish"),
    "Mul": _mul,
    "Neg": _neg,
    "Relu": _activation("ReLU"),
    "Sigmoid": _activation("Sigmoid"),
    "Sub": _sub,
    "Sum": _sum(False),
    "Swish": _swish,
    "Tanh": _activation("Tanh"),
    LAYER + "Affine": _affine,
    **{
        LAYER + kind: _known
        for kind in (
            "ReLU", "ReLU6", "Sigmoid", "Tanh", "SiLU", "HardSwish", "HardSigmoid", "GELU", "Mish",
        )
    },
}  # fmt: skip
