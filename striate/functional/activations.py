"""Functions of each number alone, and their gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import run, run_backward


def relu(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """max(x, 0)."""
    return run(layers.ReLU(), (x,), {}, engine)


def relu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `relu` from ∂L/∂output: the gradient where x > 0."""
    return run_backward(layers.ReLU(), (x,), {}, gradient, engine).inputs[0]


def leaky_relu(x: npt.ArrayLike, slope: float = 0.01, *, engine: str = "llvm") -> Array:
    """x where positive, slope·x elsewhere."""
    return run(layers.LeakyReLU(slope), (x,), {}, engine)


def leaky_relu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, slope: float = 0.01, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `leaky_relu` from ∂L/∂output."""
    return run_backward(layers.LeakyReLU(slope), (x,), {}, gradient, engine).inputs[0]


def sigmoid(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """1 / (1 + exp(-x))."""
    return run(layers.Sigmoid(), (x,), {}, engine)


def sigmoid_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `sigmoid` from ∂L/∂output."""
    return run_backward(layers.Sigmoid(), (x,), {}, gradient, engine).inputs[0]


def tanh(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """The hyperbolic tangent."""
    return run(layers.Tanh(), (x,), {}, engine)


def tanh_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `tanh` from ∂L/∂output."""
    return run_backward(layers.Tanh(), (x,), {}, gradient, engine).inputs[0]
