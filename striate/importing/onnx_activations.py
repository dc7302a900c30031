"""Activation functions that are written as chains of other operators.

HardSwish has three spellings and GELU more; SiLU is a product, ReLU6 may be Relu and Min. Instead
of a list of spellings, a function is known by its values: each tensor that is computed number by
number from another one is computed for sample numbers, and compared with the activation functions
that striate has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.operation_graph import OnnxOperation, OperationGraph

LAYER = "striate."
"""What the kind of an operation begins with that is a layer already: "striate.SiLU"."""

MOST_ROOTS = 24
"""How many tensors back a chain may begin."""

# Everything of interest happens near 0; further out exp() must not overflow.
_SAMPLES = np.concatenate([np.linspace(-30, 30, 241), np.linspace(-7, 7, 561)])

Function = Callable[..., Array]


@dataclass(frozen=True)
class KnownFunction:
    """A function that a layer computes, with the layer's arguments."""

    layer: str
    arguments: Mapping[str, Any]
    values: Array


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(x, 0))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x))


def _gelu(x: Array, approximate: str) -> Array:
    if approximate == "tanh":
        return np.asarray(x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(x / 2 * (1 + _erf(x / math.sqrt(2))))


def _clip(op: OnnxOperation, x: Array, low: Any = None, high: Any = None) -> Array:
    low = op.attribute("min", -3.4e38) if low is None else low
    high = op.attribute("max", 3.4e38) if high is None else high
    return np.asarray(np.minimum(np.maximum(x, low), high))


def _known() -> list[KnownFunction]:
    x = _SAMPLES
    slopes = {"a": np.clip(x / 6 + 0.5, 0, 1), "b": np.clip(0.2 * x + 0.5, 0, 1)}
    table: list[tuple[str, dict[str, Any], Array]] = [
        ("", {}, x),
        ("ReLU", {}, np.maximum(x, 0)),
        ("ReLU6", {}, np.clip(x, 0, 6)),
        ("Sigmoid", {}, _sigmoid(x)),
        ("Tanh", {}, np.tanh(x)),
        ("SiLU", {}, x * _sigmoid(x)),
        ("HardSwish", {}, x * slopes["a"]),
        ("HardSigmoid", {}, slopes["a"]),
        ("HardSigmoid", {"slope": 0.2, "offset": 0.5}, slopes["b"]),
        ("GELU", {}, _gelu(x, "none")),
        ("GELU", {"approximate": "tanh"}, _gelu(x, "tanh")),
        ("Mish", {}, x * np.tanh(_softplus(x))),
    ]
    return [KnownFunction(*row) for row in table]


# The operators of which chains consist, as functions of the operation and its inputs.
_EACH: dict[str, Function] = {
    "Abs": lambda op, x: np.abs(x),
    "Add": lambda op, x, y: x + y,
    "Celu": lambda op, x: (
        np.maximum(x, 0)
        + np.minimum(op.attribute("alpha", 1.0) * np.expm1(x / op.attribute("alpha", 1.0)), 0)
    ),
    "Clip": _clip,
    "Div": lambda op, x, y: x / y,
    "Elu": lambda op, x: np.where(x > 0, x, op.attribute("alpha", 1.0) * np.expm1(x)),
    "Erf": lambda op, x: _erf(x),
    "Exp": lambda op, x: np.exp(x),
    "Gelu": lambda op, x: _gelu(x, op.attribute("approximate", "none")),
    "HardSigmoid": lambda op, x: np.clip(
        op.attribute("alpha", 0.2) * x + op.attribute("beta", 0.5), 0, 1
    ),
    "HardSwish": lambda op, x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda op, x: np.where(x > 0, x, op.attribute("alpha", 0.01) * x),
    "Log": lambda op, x: np.log(x),
    "Max": lambda op, *all: np.maximum.reduce(np.broadcast_arrays(*all)),
    "Min": lambda op, *all: np.minimum.reduce(np.broadcast_arrays(*all)),
    "Mish": lambda op, x: x * np.tanh(_softplus(x)),
    "Mul": lambda op, x, y: x * y,
    "Neg": lambda op, x: -x,
    "Pow": lambda op, x, y: np.power(x, y),
    "Reciprocal": lambda op, x: 1 / x,
    "Relu": lambda op, x: np.maximum(x, 0),
    "Sigmoid": lambda op, x: _sigmoid(x),
    "Softplus": lambda op, x: _softplus(x),
    "Sqrt": lambda op, x: np.sqrt(x),
    "Sub": lambda op, x, y: x - y,
    "Sum": lambda op, *all: sum(all),
    "Swish": lambda op, x: x * _sigmoid(op.attribute("alpha", 1.0) * x),
    "Tanh": lambda op, x: np.tanh(x),
}


def recognise(graph: OperationGraph) -> int:
    """Put one operation in place of each chain that is an activation function.

    Args:
        graph: changed in place.

    Returns:
        How many chains were found.
    """
    known = _known()
    # For each tensor: from which tensors, the furthest first, it is computed number by number, and
    # its values where that one has the samples.
    chains: dict[str, dict[str, Array]] = {}
    found: list[OnnxOperation] = []
    count = 0
    sizes = graph.sizes()
    for op in graph.operations:
        values = {} if sizes & set(op.outputs) else _values(op, graph.constants, chains)
        for root, sampled in values.items():
            match = _match(sampled, known) if _is_chain(op, root) else None
            if match is not None:
                count += root not in op.inputs or len(set(op.inputs) - set(graph.constants)) > 1
                kind = LAYER + match.layer if match.layer else "Identity"
                op = OnnxOperation(
                    kind, op.name, (root,), op.outputs, dict(match.arguments), op.opset
                )
                break
        found.append(op)
        for name in op.outputs[:1]:
            kept = list(values.items())[-MOST_ROOTS:]
            chains[name] = {**dict(kept), name: _SAMPLES}
    graph.operations = found
    return count


def _values(
    op: OnnxOperation, constants: Mapping[str, Array], chains: Mapping[str, Mapping[str, Array]]
) -> dict[str, Array]:
    """The values of an operation's output, by the tensor that has the samples."""
    function = _EACH.get(op.kind)
    if function is None or len(op.outputs) != 1:
        return {}
    inputs: list[Any] = []
    roots: dict[str, None] | None = None
    for name in op.inputs:
        if not name:
            inputs.append(None)
        elif name in constants:
            if constants[name].size != 1 or constants[name].dtype.kind not in "fiu":
                return {}
            inputs.append(np.float64(constants[name].reshape(())))
        else:
            own = chains.get(name, {name: _SAMPLES})
            roots = dict.fromkeys(own if roots is None else [r for r in roots if r in own])
            inputs.append(own)
    found = {}
    for root in roots or ():
        given = [value[root] if isinstance(value, Mapping) else value for value in inputs]
        try:
            with np.errstate(all="ignore"):
                found[root] = np.asarray(function(op, *given), np.float64)
        except (ViewError, TypeError, ValueError):
            return {}
    return found


def _is_chain(op: OnnxOperation, root: str) -> bool:
    """Whether there is more between a tensor and the operation's output than one operator that is
    read as it is.
    """
    return root not in op.inputs or sum(map(bool, op.inputs)) > 1


def _match(values: Array, known: list[KnownFunction]) -> KnownFunction | None:
    if values.shape != _SAMPLES.shape or not np.isfinite(values).all():
        return None
    for function in known:
        # A constant such as √2 or 1/6 is rounded to float32 in a file.
        # Nothing at all must happen for a chain to be left out: what is added may be an epsilon.
        rtol, atol = (1e-6, 2e-6) if function.layer else (1e-12, 0.0)
        if np.allclose(values, function.values, rtol=rtol, atol=atol):
            return function
    return None
