"""Element-wise non-linearities. Each gradient is written from the saved *output* where it can be.

    relu(x) = max(x, 0)                      gradient: g where output > 0, else 0
    leaky_relu(x) = x if x > 0 else a·x      gradient: g where x > 0, else a·g
    sigmoid(x) = 1 / (1 + exp(-x))           gradient: g · output · (1 - output)
    tanh(x)                                  gradient: g · (1 - output²)

At exactly 0 the gradient of (leaky) ReLU is that of the negative side, as in PyTorch.
"""

from __future__ import annotations

import math

import numpy as np

from striate.common.arrays import Array


def activation_loops(name: str, x: Array, slope: float = 0.0) -> Array:
    """One number at a time, in float64; `name` is "relu", "leaky_relu", "sigmoid" or "tanh"."""
    output = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = float(x[index])
        if name in ("relu", "leaky_relu"):
            output[index] = value if value > 0 else slope * value
        elif name == "sigmoid":
            output[index] = 1 / (1 + math.exp(-value))
        else:
            output[index] = math.tanh(value)
    return output


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
