"""Activations as expressions, and what may be done with each: one row of `ACTIVATIONS` for each.

An activation is *fused* where its input is stored: then that input never exists in memory, and the
derivative is computed from the output.  An activation that never falls is moved behind max-pooling
too.  One that is not fused has a step of its own, which may read its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from striate.layers import Layer, LeakyReLU, ReLU, Scale, Sigmoid, Tanh
from striate.nest.algebra import Constant, Expression, maximum, sigmoid, tanh, where

Kind = TypeVar("Kind", bound=Layer)


def _never(layer: Layer) -> bool:
    return False


def _always(layer: Layer) -> bool:
    return True


@dataclass(frozen=True)
class Activation(Generic[Kind]):
    """How one kind of activation is computed.

    Attributes:
        output: the layer and its input, to its output.
        input_gradient: the layer, what its derivative is told by, and the output's gradient, to
            the input's gradient.
        told_by: what tells the derivative in a step of its own.  Fused, the output does.
        fuses: whether the layer may be fused: it never falls, and its output tells its derivative
            by the same expression.  (For `LeakyReLU`: the output has the sign of the input.)
    """

    output: Callable[[Kind, Expression], Expression]
    input_gradient: Callable[[Kind, Expression, Expression], Expression]
    told_by: Literal["input", "output", "nothing"] = "input"
    fuses: Callable[[Kind], bool] = _never


ACTIVATIONS: Mapping[type[Layer], Activation[Any]] = {
    ReLU: Activation[ReLU](
        lambda layer, x: maximum(x, 0.0),
        lambda layer, told, gradient: where(told, ">", 0.0, gradient, 0.0),
        fuses=_always,
    ),
    LeakyReLU: Activation[LeakyReLU](
        lambda layer, x: where(x, ">", 0.0, x, x * layer.slope),
        lambda layer, told, gradient: where(told, ">", 0.0, gradient, gradient * layer.slope),
        fuses=lambda layer: layer.slope >= 0,
    ),
    Sigmoid: Activation[Sigmoid](
        lambda layer, x: sigmoid(x),
        lambda layer, told, gradient: gradient * (told * (Constant(1.0) - told)),
        told_by="output",
        fuses=_always,
    ),
    Tanh: Activation[Tanh](
        lambda layer, x: tanh(x),
        lambda layer, told, gradient: gradient * (Constant(1.0) - told * told),
        told_by="output",
        fuses=_always,
    ),
    Scale: Activation[Scale](
        lambda layer, x: x * layer.factor,
        lambda layer, told, gradient: gradient * layer.factor,
        told_by="nothing",
        fuses=lambda layer: layer.factor > 0,
    ),
}
"""By the exact type of the layer: a subclass may compute something else."""


def fusible(layer: Layer) -> bool:
    """Whether a layer is an activation that may be fused into what precedes it."""
    return type(layer) in ACTIVATIONS and ACTIVATIONS[type(layer)].fuses(layer)


def activated(activation: Layer | None, x: Expression) -> Expression:
    """The activation of a number; None leaves it as it is."""
    return x if activation is None else ACTIVATIONS[type(activation)].output(activation, x)


def derived(activation: Layer, told: Expression, gradient: Expression) -> Expression:
    """The gradient of an activation's input.

    Args:
        activation: the layer.
        told: its output, or what `Activation.told_by` names.
        gradient: the output's gradient.
    """
    return ACTIVATIONS[type(activation)].input_gradient(activation, told, gradient)
