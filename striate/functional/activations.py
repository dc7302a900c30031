"""Functions of each number alone, and their gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import floats, run, run_backward


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


def relu6(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """min(max(x, 0), 6)."""
    return run(layers.ReLU6(), (x,), {}, engine)


def relu6_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `relu6` from ∂L/∂output: the gradient where 0 < x < 6."""
    return run_backward(layers.ReLU6(), (x,), {}, gradient, engine).inputs[0]


def clip(
    x: npt.ArrayLike, low: float | None = None, high: float | None = None, *, engine: str = "llvm"
) -> Array:
    """min(max(x, low), high), without a bound that is None."""
    return run(layers.Clip(low, high), (x,), {}, engine)


def clip_input_gradient(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    low: float | None = None,
    high: float | None = None,
    *,
    engine: str = "llvm",
) -> Array:
    """∂L/∂x of `clip` from ∂L/∂output: the gradient where low ≤ x ≤ high."""
    return run_backward(layers.Clip(low, high), (x,), {}, gradient, engine).inputs[0]


def hard_sigmoid(
    x: npt.ArrayLike, slope: float = 1 / 6, offset: float = 0.5, *, engine: str = "llvm"
) -> Array:
    """min(max(slope·x + offset, 0), 1)."""
    return run(layers.HardSigmoid(slope, offset), (x,), {}, engine)


def hard_sigmoid_input_gradient(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    slope: float = 1 / 6,
    offset: float = 0.5,
    *,
    engine: str = "llvm",
) -> Array:
    """∂L/∂x of `hard_sigmoid` from ∂L/∂output."""
    return run_backward(layers.HardSigmoid(slope, offset), (x,), {}, gradient, engine).inputs[0]


def hard_swish(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """x · min(max(x/6 + 1/2, 0), 1)."""
    return run(layers.HardSwish(), (x,), {}, engine)


def hard_swish_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `hard_swish` from ∂L/∂output."""
    return run_backward(layers.HardSwish(), (x,), {}, gradient, engine).inputs[0]


def elu(x: npt.ArrayLike, alpha: float = 1.0, *, engine: str = "llvm") -> Array:
    """x where positive, alpha·(exp(x) - 1) elsewhere."""
    return run(layers.ELU(alpha), (x,), {}, engine)


def elu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, alpha: float = 1.0, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `elu` from ∂L/∂output."""
    return run_backward(layers.ELU(alpha), (x,), {}, gradient, engine).inputs[0]


def silu(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """x / (1 + exp(-x))."""
    return run(layers.SiLU(), (x,), {}, engine)


def silu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `silu` from ∂L/∂output."""
    return run_backward(layers.SiLU(), (x,), {}, gradient, engine).inputs[0]


def mish(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """x · tanh(log(1 + exp(x)))."""
    return run(layers.Mish(), (x,), {}, engine)


def mish_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `mish` from ∂L/∂output."""
    return run_backward(layers.Mish(), (x,), {}, gradient, engine).inputs[0]


def gelu(x: npt.ArrayLike, approximate: str = "none", *, engine: str = "llvm") -> Array:
    """x · (1 + erf(x/√2)) / 2, or what is near it: see `striate.layers.GELU`."""
    return run(layers.GELU(approximate), (x,), {}, engine)


def gelu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, approximate: str = "none", *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `gelu` from ∂L/∂output."""
    return run_backward(layers.GELU(approximate), (x,), {}, gradient, engine).inputs[0]


def prelu(x: npt.ArrayLike, slope: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """x where positive, slope·x elsewhere; `slope` (channels,), or (1,) for all of them."""
    slopes = floats(slope, "slope", "(channels)")
    return run(layers.PReLU(shared=slopes.size == 1), (x,), {"slope": slopes}, engine)


class PReLUGradients(NamedTuple):
    """∂L/∂x like x, and ∂L/∂slope like the slope."""

    x: Array
    slope: Array


def prelu_gradients(
    gradient: npt.ArrayLike, x: npt.ArrayLike, slope: npt.ArrayLike, *, engine: str = "llvm"
) -> PReLUGradients:
    """The gradients of `prelu` from ∂L/∂output."""
    slopes = floats(slope, "slope", "(channels)")
    layer = layers.PReLU(shared=slopes.size == 1)
    result = run_backward(layer, (x,), {"slope": slopes}, gradient, engine)
    return PReLUGradients(result.inputs[0], result.parameters["slope"])
