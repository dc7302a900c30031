"""Activations that take more than a line: as expressions, with the slopes of their gradients.

They are the formulas of `striate.ops.activation`, written with what the nest algebra has, and so
that nothing overflows and products of small numbers keep their digits.  A part that is used twice
is one object: it is computed once.
"""

from __future__ import annotations

import math

from striate.layers import ELU, GELU, Clip
from striate.nest.algebra import Constant, Expression, Unary
from striate.nest.elementary import exp, maximum, minimum, sigmoid, where

_ONE = Constant(1.0)
# From here on gates are 1, and their slopes 0, to the last bit.
_FAR, _FAR_OF_MISH, _FAR_OF_GELU = 88.0, 20.0, 10.0


def clip(layer: Clip, x: Expression) -> Expression:
    """min(max(x, low), high)."""
    above = x if layer.low is None else maximum(x, layer.low)
    return above if layer.high is None else minimum(above, layer.high)


def hard_swish(x: Expression) -> Expression:
    """x * min(max(x/6 + 1/2, 0), 1)."""
    return x * minimum(maximum(x * (1.0 / 6.0) + 0.5, 0.0), 1.0)


def hard_swish_input_gradient(x: Expression, gradient: Expression) -> Expression:
    """The gradient, times x/3 + 1/2 between -3 and 3, times 0 below."""
    inside = where(3.0, ">", x, gradient * (x * (1.0 / 3.0) + 0.5), gradient)
    return where(x, ">", -3.0, inside, 0.0)


def elu(layer: ELU, x: Expression) -> Expression:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return where(x, ">", 0.0, x, Unary("expm1", x) * layer.alpha)


def elu_input_gradient(layer: ELU, told: Expression, gradient: Expression) -> Expression:
    """The gradient where x is positive, elsewhere times alpha * exp(x), which is output + alpha.

    `told` is the output, which has the sign of x; for a negative alpha it has not, and `told` is x.
    """
    factor = told + layer.alpha if layer.alpha >= 0 else exp(told) * layer.alpha
    return where(told, ">", 0.0, gradient, gradient * factor)


def gated_slope(argument: Expression, steep: Expression) -> Expression:
    """The derivative of x * sigmoid(u) by x: s * (1 + x * u' * (1 - s)).

    Args:
        argument: u.
        steep: x * u', where u' is the derivative of u.
    """
    shrunk = exp(Constant(0.0) - argument)
    gate = _ONE / (shrunk + 1.0)
    return gate * (_ONE + minimum(steep, _FAR) * (shrunk * gate))


def mish(x: Expression) -> Expression:
    """x * tanh(log(1 + exp(x))): with e = exp(x) and n = e * (e + 2), x * n / (n + 2)."""
    grown = exp(minimum(x, _FAR_OF_MISH))
    n = grown * (grown + 2.0)
    return x * (n / (n + 2.0))


def mish_slope(x: Expression) -> Expression:
    """(n + 4 * x * e * (e + 1) / (n + 2)) / (n + 2)."""
    below = minimum(x, _FAR_OF_MISH)
    grown = exp(below)
    n = grown * (grown + 2.0)
    more = n + 2.0
    return (n + below * 4.0 * (grown * (grown + 1.0) / more)) / more


def gelu(layer: GELU, x: Expression) -> Expression:
    """x times the probability that a normal number is below x, or what is near it."""
    if layer.approximate == "tanh":
        return x * sigmoid(_tanh_argument(x)[0])
    return x * _normal(x)[0]


def gelu_slope(layer: GELU, x: Expression) -> Expression:
    """The derivative: the probability, and x times the density."""
    if layer.approximate == "tanh":
        return gated_slope(*_tanh_argument(x))
    probability, density = _normal(x)
    return probability + x * density


def _normal(x: Expression) -> tuple[Expression, Expression]:
    """The probability that a normal number is below x, and the density there."""
    size = maximum(x, Constant(0.0) - x)
    density = exp(size * size * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
    beyond = density * Unary("mills", size)
    return where(x, ">", 0.0, _ONE - beyond, beyond), density


def _tanh_argument(x: Expression) -> tuple[Expression, Expression]:
    """2u with u = sqrt(2/pi) * (x + 0.044715 * x**3), and x times its derivative.

    (1 + tanh(u)) / 2 is sigmoid(2u).
    """
    near = minimum(maximum(x, -_FAR_OF_GELU), _FAR_OF_GELU)
    scaled, square = near * (2.0 * math.sqrt(2.0 / math.pi)), near * near * 0.044715
    return scaled * (square + 1.0), scaled * (square * 3.0 + 1.0)
