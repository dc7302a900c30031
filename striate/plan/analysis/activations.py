"""Activations as expressions, and what may be done with each: one row of `ACTIVATIONS` for each.

An activation is *fused* where its input is stored: then that input never exists in memory, and the
derivative is computed from the output.  Where no derivative is wanted, any is.  An activation that
never falls is moved behind max-pooling too.  One that is not fused has a step of its own, which may
read its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from striate.layers import (
    ELU,
    GELU,
    Clip,
    HardSigmoid,
    HardSwish,
    Layer,
    LeakyReLU,
    Mish,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
    Tanh,
)
from striate.nest.algebra import Constant, Expression
from striate.nest.elementary import maximum, minimum, sigmoid, tanh, where
from striate.plan.analysis import activation_curves as curves

Kind = TypeVar("Kind", bound=Layer)


Told = Literal["input", "output", "nothing"]


def _by_input(layer: Layer) -> Told:
    return "input"


def _by_output(layer: Layer) -> Told:
    return "output"


def _by_nothing(layer: Layer) -> Told:
    return "nothing"


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
        fuses: whether the layer may be fused where its derivative is wanted: its output tells it,
            by the same expression.  (For `LeakyReLU`: the output has the sign of the input.)
        rises: whether it never falls, so that it may be moved behind max-pooling.
    """

    output: Callable[[Kind, Expression], Expression]
    input_gradient: Callable[[Kind, Expression, Expression], Expression]
    told_by: Callable[[Kind], Told] = _by_input
    fuses: Callable[[Kind], bool] = _never
    rises: Callable[[Kind], bool] = _never


ACTIVATIONS: Mapping[type[Layer], Activation[Any]] = {
    ReLU: Activation[ReLU](
        lambda layer, x: maximum(x, 0.0),
        lambda layer, told, gradient: where(told, ">", 0.0, gradient, 0.0),
        fuses=_always,
        rises=_always,
    ),
    LeakyReLU: Activation[LeakyReLU](
        lambda layer, x: where(x, ">", 0.0, x, x * layer.slope),
        lambda layer, told, gradient: where(told, ">", 0.0, gradient, gradient * layer.slope),
        fuses=lambda layer: layer.slope >= 0,
        rises=lambda layer: layer.slope >= 0,
    ),
    Sigmoid: Activation[Sigmoid](
        lambda layer, x: sigmoid(x),
        lambda layer, told, gradient: gradient * (told * (Constant(1.0) - told)),
        told_by=_by_output,
        fuses=_always,
        rises=_always,
    ),
    Tanh: Activation[Tanh](
        lambda layer, x: tanh(x),
        lambda layer, told, gradient: gradient * (Constant(1.0) - told * told),
        told_by=_by_output,
        fuses=_always,
        rises=_always,
    ),
    ReLU6: Activation[ReLU6](
        lambda layer, x: minimum(maximum(x, 0.0), 6.0),
        lambda layer, told, gradient: where(
            told, ">", 0.0, where(6.0, ">", told, gradient, 0.0), 0.0
        ),
        fuses=_always,
        rises=_always,
    ),
    Clip: Activation[Clip](
        curves.clip,
        lambda layer, x, gradient: where(curves.clip(layer, x), "==", x, gradient, 0.0),
        rises=_always,
    ),
    HardSigmoid: Activation[HardSigmoid](
        lambda layer, x: minimum(maximum(x * layer.slope + layer.offset, 0.0), 1.0),
        lambda layer, told, gradient: where(
            told, ">", 0.0, where(1.0, ">", told, gradient * layer.slope, 0.0), 0.0
        ),
        told_by=_by_output,
        fuses=_always,
        rises=lambda layer: layer.slope >= 0,
    ),
    HardSwish: Activation[HardSwish](
        lambda layer, x: curves.hard_swish(x),
        lambda layer, x, gradient: curves.hard_swish_input_gradient(x, gradient),
    ),
    ELU: Activation[ELU](
        curves.elu,
        curves.elu_input_gradient,
        told_by=lambda layer: "output" if layer.alpha >= 0 else "input",
        fuses=lambda layer: layer.alpha >= 0,
        rises=lambda layer: layer.alpha >= 0,
    ),
    SiLU: Activation[SiLU](
        lambda layer, x: x * sigmoid(x),
        lambda layer, x, gradient: gradient * curves.gated_slope(x, x),
    ),
    Mish: Activation[Mish](
        lambda layer, x: curves.mish(x),
        lambda layer, x, gradient: gradient * curves.mish_slope(x),
    ),
    GELU: Activation[GELU](
        curves.gelu, lambda layer, x, gradient: gradient * curves.gelu_slope(layer, x)
    ),
    Scale: Activation[Scale](
        lambda layer, x: x * layer.factor,
        lambda layer, told, gradient: gradient * layer.factor,
        told_by=_by_nothing,
        fuses=_always,
        rises=lambda layer: layer.factor > 0,
    ),
}
"""By the exact type of the layer: a subclass may compute something else."""


def fusible(layer: Layer, backward: bool) -> bool:
    """Whether a layer is an activation that may be fused into what precedes it.

    Args:
        layer: any layer.
        backward: whether its derivative is wanted.
    """
    row = ACTIVATIONS.get(type(layer))
    return row is not None and (not backward or row.fuses(layer))


def told_by(layer: Layer) -> Told:
    """What tells the derivative of an activation in a step of its own."""
    return ACTIVATIONS[type(layer)].told_by(layer)


def rises(layer: Layer) -> bool:
    """Whether a layer is an activation that never falls."""
    return type(layer) in ACTIVATIONS and ACTIVATIONS[type(layer)].rises(layer)


def activated(activation: Layer | None, x: Expression) -> Expression:
    """The activation of a number; None leaves it as it is."""
    return x if activation is None else ACTIVATIONS[type(activation)].output(activation, x)


def derived(activation: Layer, told: Expression, gradient: Expression) -> Expression:
    """The gradient of an activation's input.

    Args:
        activation: the layer.
        told: its output, or what `told_by` names.
        gradient: the output's gradient.
    """
    return ACTIVATIONS[type(activation)].input_gradient(activation, told, gradient)
