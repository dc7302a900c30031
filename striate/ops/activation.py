"""Element-wise non-linearities. Each gradient is written from the saved *output* where it can be.

    relu(x) = max(x, 0)                      gradient: g where output > 0, else 0
    leaky_relu(x) = x if x > 0 else a·x      gradient: g where x > 0, else a·g
    sigmoid(x) = 1 / (1 + exp(-x))           gradient: g · output · (1 - output)
    tanh(x)                                  gradient: g · (1 - output²)
    relu6(x) = min(max(x, 0), 6)             gradient: g where 0 < output < 6, else 0
    clip(x) = min(max(x, low), high)         gradient: g where low ≤ x ≤ high, else 0
    hard_sigmoid(x) = min(max(a·x + b, 0), 1)  gradient: a·g where 0 < output < 1, else 0
    hard_swish(x) = x · min(max(x/6 + 1/2, 0), 1)
                                             gradient: g · (x/3 + 1/2) where -3 < x < 3; 0 below
    elu(x) = x if x > 0 else a·(exp(x) - 1)  gradient: g where x > 0, else g · (output + a)
    silu(x) = x · s, s = sigmoid(x)          gradient: g · s · (1 + x·(1 - s))
    mish(x) = x · tanh(log(1 + exp(x)))      gradient: see `mish_input_gradient`
    gelu(x) = x · (1 + erf(x/√2)) / 2        gradient: g · (its factor + x · exp(-x²/2) / √(2π))
    prelu(x) = x if x > 0 else slope·x       a slope for each channel, or one; it is learned

At exactly 0 the gradient of (leaky) ReLU is that of the negative side; that and all others at their
corners are as in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from striate.common.arrays import Array


def activation_loops(name: str, x: Array, *constants: float) -> Array:
    """One number at a time, in float64.

    Args:
        name: of one of `TEXTBOOK`.
        x: any shape.
        constants: slope of "leaky_relu"; low and high of "clip"; slope and offset of
            "hard_sigmoid"; alpha of "elu".
    """
    output = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        output[index] = TEXTBOOK[name](float(x[index]), *constants)
    return output


TEXTBOOK: dict[str, Callable[..., float]] = {
    "relu": lambda x: x if x > 0 else 0.0,
    "leaky_relu": lambda x, slope=0.0: x if x > 0 else slope * x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "relu6": lambda x: 0.0 if x < 0 else 6.0 if x > 6 else x,
    "clip": lambda x, low, high: low if x < low else high if x > high else x,
    "hard_sigmoid": lambda x, slope, offset: min(max(slope * x + offset, 0.0), 1.0),
    "hard_swish": lambda x: 0.0 if x < -3 else x if x > 3 else x * (x + 3) / 6,
    "elu": lambda x, alpha: x if x > 0 else alpha * (math.exp(x) - 1),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "gelu": lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    "gelu_tanh": lambda x: x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
}
"""The functions as their definitions write them, of one number."""


def prelu_loops(x: Array, slope: Array) -> Array:
    """One number at a time, in float64; `slope` (channels,) or (1,)."""
    output = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = float(x[index])
        own = float(slope[index[-1] if len(slope) > 1 else 0])
        output[index] = value if value > 0 else own * value
    return output


def prelu_gradients_loops(gradient: Array, x: Array, slope: Array) -> tuple[Array, Array]:
    """(∂L/∂x, ∂L/∂slope) by one number at a time, in float64."""
    to_x, to_slope = np.zeros(x.shape), np.zeros(slope.shape)
    for index in np.ndindex(x.shape):
        value, arriving = float(x[index]), float(gradient[index])
        channel = index[-1] if len(slope) > 1 else 0
        if value > 0:
            to_x[index] = arriving
        else:
            to_x[index] = arriving * float(slope[channel])
            to_slope[channel] += arriving * value
    return to_x, to_slope


def relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return np.asarray(np.maximum(x, x.dtype.type(0)))


def relu_input_gradient(gradient: Array, output: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the output."""
    return np.where(output > 0, gradient, gradient.dtype.type(0))


def leaky_relu(x: Array, slope: float) -> Array:
    """x where positive, slope·x elsewhere."""
    return np.where(x > 0, x, x * x.dtype.type(slope))


def leaky_relu_input_gradient(gradient: Array, x: Array, slope: float) -> Array:
    """∂L/∂x from ∂L/∂output and the input."""
    return np.where(x > 0, gradient, gradient * gradient.dtype.type(slope))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by tanh, which cannot overflow."""
    half = x.dtype.type(0.5)
    return np.asarray(half * np.tanh(half * x) + half)


def sigmoid_input_gradient(gradient: Array, output: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the output."""
    return np.asarray(gradient * output * (1 - output))


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x)


def tanh_input_gradient(gradient: Array, output: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the output."""
    return np.asarray(gradient * (1 - output * output))


def clip(x: Array, low: float | None, high: float | None) -> Array:
    """min(max(x, low), high), without the bounds that are None; NaN stays NaN."""
    output = x if low is None else np.maximum(x, x.dtype.type(low))
    return np.asarray(output if high is None else np.minimum(output, x.dtype.type(high)))


def clip_input_gradient(gradient: Array, x: Array, low: float | None, high: float | None) -> Array:
    """∂L/∂x from ∂L/∂output and the input: the gradient where the input is its own output."""
    return np.where(clip(x, low, high) == x, gradient, gradient.dtype.type(0))


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6); NaN stays NaN."""
    return clip(x, 0.0, 6.0)


def relu6_input_gradient(gradient: Array, output: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the output."""
    return np.where((output > 0) & (output < 6), gradient, gradient.dtype.type(0))


def hard_sigmoid(x: Array, slope: float, offset: float) -> Array:
    """min(max(slope·x + offset, 0), 1)."""
    number = x.dtype.type
    return clip(x * number(slope) + number(offset), 0.0, 1.0)


def hard_sigmoid_input_gradient(gradient: Array, output: Array, slope: float) -> Array:
    """∂L/∂x from ∂L/∂output and the output."""
    number = gradient.dtype.type
    return np.asarray(np.where((output > 0) & (output < 1), gradient * number(slope), number(0)))


def hard_swish(x: Array) -> Array:
    """x · min(max(x/6 + 1/2, 0), 1)."""
    return np.asarray(x * hard_sigmoid(x, 1 / 6, 0.5))


def hard_swish_input_gradient(gradient: Array, x: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the input."""
    number = gradient.dtype.type
    inside = gradient * (x * number(1 / 3) + number(0.5))
    return np.where(x > -3, np.where(x < 3, inside, gradient), number(0))


def elu(x: Array, alpha: float) -> Array:
    """x where positive, alpha·(exp(x) - 1) elsewhere."""
    number = x.dtype.type
    return np.where(x > 0, x, number(alpha) * np.expm1(np.minimum(x, number(0))))


def elu_input_gradient(gradient: Array, x: Array, alpha: float) -> Array:
    """∂L/∂x from ∂L/∂output and the input."""
    number = gradient.dtype.type
    falling = gradient * (number(alpha) * np.exp(np.minimum(x, number(0))))
    return np.where(x > 0, gradient, falling)


def _gate(x: Array) -> Array:
    """The logistic function with all its digits where it is small, as factors must have them."""
    shrunk = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, shrunk, 1) / (1 + shrunk), x.dtype)


def silu(x: Array) -> Array:
    """x · sigmoid(x), also called swish."""
    return np.asarray(x * _gate(x))


def silu_input_gradient(gradient: Array, x: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the input."""
    return np.asarray(gradient * (_gate(x) * (1 + x * _gate(-x))))


def _mish_parts(x: Array) -> tuple[Array, Array, Array]:
    """The input as far as its exponential is needed, e = exp of it, and n = e·(e + 2).

    tanh(log(1 + e)) is n / (n + 2): 1 to the last bit long before n overflows.
    """
    last = {2: 5.0, 4: 15.0}.get(x.dtype.itemsize, 25.0)
    below = np.minimum(x, x.dtype.type(last))
    grown = np.exp(below)
    return below, grown, grown * (grown + 2)


def mish(x: Array) -> Array:
    """x · tanh(log(1 + exp(x)))."""
    _, _, n = _mish_parts(x)
    return np.asarray(x * (n / (n + 2)))


def mish_input_gradient(gradient: Array, x: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the input: t + x · (1 - t²) · sigmoid(x), t = n / (n + 2).

    In terms of e that is (n + 4·x·e·(e + 1) / (n + 2)) / (n + 2).
    """
    below, grown, n = _mish_parts(x)
    return np.asarray(gradient * ((n + 4 * below * (grown * (grown + 1) / (n + 2))) / (n + 2)))


def _normal_probability(x: Array) -> Array:
    """(1 + erf(x/√2)) / 2 with all its digits where it is small; computed in float64 at most."""
    from scipy.special import ndtr

    exact = x.astype(np.float64) if x.dtype.itemsize > 8 else x
    return np.asarray(ndtr(exact), x.dtype)


def gelu(x: Array) -> Array:
    """x times the probability that a normal number is below x."""
    return np.asarray(x * _normal_probability(x))


def gelu_input_gradient(gradient: Array, x: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the input."""
    number = x.dtype.type
    far = number(10)  # where the density is no number any more, and x² might not be one either
    near = np.clip(x, -far, far)
    density = np.exp(-near * near / 2) * number(1 / math.sqrt(2 * math.pi))
    return np.asarray(gradient * (_normal_probability(x) + near * density))


def _tanh_argument(x: Array) -> tuple[Array, Array]:
    """2u with u = √(2/π)·(x + 0.044715·x³), and x times its derivative.

    (1 + tanh(u)) / 2 is sigmoid(2u).
    """
    number = x.dtype.type
    far = number(10)  # where it is 0 or 1 to the last bit
    near = np.clip(x, -far, far)
    scale, cubic = number(2 * math.sqrt(2 / math.pi)), number(0.044715)
    square = cubic * near * near
    return scale * near * (1 + square), near * (scale * (1 + 3 * square))


def gelu_tanh(x: Array) -> Array:
    """x · (1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2, which is near `gelu`."""
    return np.asarray(x * _gate(_tanh_argument(x)[0]))


def gelu_tanh_input_gradient(gradient: Array, x: Array) -> Array:
    """∂L/∂x from ∂L/∂output and the input."""
    argument, steep = _tanh_argument(x)
    return np.asarray(gradient * (_gate(argument) * (1 + steep * _gate(-argument))))


def prelu(x: Array, slope: Array) -> Array:
    """x where positive, slope·x elsewhere; `slope` (channels,) or (1,)."""
    return np.where(x > 0, x, x * slope)


def prelu_gradients(gradient: Array, x: Array, slope: Array) -> tuple[Array, Array]:
    """(∂L/∂x, ∂L/∂slope) from ∂L/∂output and the input."""
    to_x = np.where(x > 0, gradient, gradient * slope)
    shares = np.where(x > 0, gradient.dtype.type(0), gradient * x)
    to_slope = shares.reshape(-1, x.shape[-1]).sum(0)
    return to_x, to_slope if len(slope) > 1 else to_slope.sum(keepdims=True)
