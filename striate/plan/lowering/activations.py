"""Activations as expressions: forward, and their derivatives from the output."""

from __future__ import annotations

from striate.layers import LeakyReLU, ReLU, Scale, Sigmoid
from striate.nest.algebra import Constant, Expression, maximum, sigmoid, tanh, where
from striate.plan.analysis.operations import Activation


def activated(activation: Activation | None, value: Expression) -> Expression:
    """The activation of a value."""
    if activation is None:
        return value
    if isinstance(activation, ReLU):
        return maximum(value, 0.0)
    if isinstance(activation, LeakyReLU):
        return where(value, ">", 0.0, value, value * activation.slope)
    if isinstance(activation, Scale):
        return value * activation.factor
    return sigmoid(value) if isinstance(activation, Sigmoid) else tanh(value)


def derived(activation: Activation, output: Expression, gradient: Expression) -> Expression:
    """The gradient of the activation's input, from its output and the output's gradient.

    Scale is the one that does not read its output.
    """
    if isinstance(activation, ReLU):
        return where(output, ">", 0.0, gradient, 0.0)
    if isinstance(activation, LeakyReLU):
        return where(output, ">", 0.0, gradient, gradient * activation.slope)
    if isinstance(activation, Scale):
        return gradient * activation.factor
    one = Constant(1.0)
    if isinstance(activation, Sigmoid):
        return gradient * (output * (one - output))
    return gradient * (one - output * output)
