"""Elementary functions of expressions, such as activations are made of."""

from __future__ import annotations

from typing import Literal

from striate.nest.algebra import Binary, Constant, Expression, Unary, Where, as_expression


def maximum(left: Expression | float, right: Expression | float) -> Expression:
    """The larger of two values."""
    return Binary("max", as_expression(left), as_expression(right))


def minimum(left: Expression | float, right: Expression | float) -> Expression:
    """The smaller of two values."""
    return Binary("min", as_expression(left), as_expression(right))


def where(
    left: Expression | float,
    comparison: Literal[">", "=="],
    right: Expression | float,
    then: Expression | float,
    otherwise: Expression | float,
) -> Expression:
    """`then` where the comparison holds, else `otherwise`."""
    return Where(comparison, *(as_expression(value) for value in (left, right, then, otherwise)))


def exp(value: Expression) -> Expression:
    """e to the power of `value` (saturating near the ends of the float range)."""
    return Unary("exp", value)


def log(value: Expression) -> Expression:
    """Natural logarithm of a positive normal number."""
    return Unary("log", value)


def sqrt(value: Expression) -> Expression:
    """Square root."""
    return Unary("sqrt", value)


def rint(value: Expression) -> Expression:
    """The nearest whole number; of two, the even one."""
    return Unary("rint", value)


def sigmoid(value: Expression) -> Expression:
    """1 / (1 + exp(-x))."""
    return Constant(1.0) / (exp(Constant(0.0) - value) + 1.0)


def tanh(value: Expression) -> Expression:
    """Hyperbolic tangent, exact to the last bits also near zero: e / (e + 2), e = expm1(2x)."""
    grown = Unary("expm1", value + value)
    return grown / (grown + 2.0)
