"""The fully connected layer as a function, and its gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.array_axes import VECTORS, WEIGHTS
from striate.functional.single import (
    floats,
    given_arrays,
    linear_input_gradient,
    linear_parameter_gradient,
    run,
)


def dense(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    engine: str = "llvm",
) -> Array:
    """x · weights + bias, (n, outputs)."""
    matrix = floats(weights, "weights", WEIGHTS)
    layer = layers.Dense(matrix.shape[1], bias=bias is not None)
    return run(layer, (x,), given_arrays(weights=matrix, bias=bias), engine)


def dense_input_gradient(
    gradient: npt.ArrayLike, weights: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x (n, inputs) of `dense` from ∂L/∂output (n, outputs)."""
    matrix, arriving = floats(weights, "weights", WEIGHTS), floats(gradient, "gradient", VECTORS)
    layer = layers.Dense(matrix.shape[1], bias=False)
    return linear_input_gradient(layer, {"weights": matrix}, arriving, matrix.shape[:1], engine)


def dense_weight_gradient(
    x: npt.ArrayLike, gradient: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂weights (inputs, outputs) of `dense` from ∂L/∂output; of the bias: gradient.sum(0)."""
    vectors, arriving = floats(x, "x", VECTORS), floats(gradient, "gradient", VECTORS)
    layer = layers.Dense(arriving.shape[1], bias=False)
    return linear_parameter_gradient(layer, vectors, arriving, engine)
