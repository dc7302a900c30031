"""The grouped dense layer, whose successive outputs share weights, and its gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.functional.array_axes import GROUPED_WEIGHTS, VECTORS
from striate.functional.single import (
    floats,
    given_arrays,
    linear_input_gradient,
    linear_parameter_gradient,
    run,
)


def grouped_dense(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    group: int,
    bias: npt.ArrayLike | None = None,
    *,
    engine: str = "llvm",
) -> Array:
    """x · weights + bias, (n, groups), each number `group` times: see
    `striate.layers.GroupedDense`. The bias is (groups,).
    """
    matrix = floats(weights, "weights", GROUPED_WEIGHTS)
    layer = layers.GroupedDense(matrix.shape[1] * group, group, bias=bias is not None)
    return run(layer, (x,), given_arrays(weights=matrix, bias=bias), engine)


def grouped_dense_input_gradient(
    gradient: npt.ArrayLike, weights: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x (n, inputs) of `grouped_dense` from ∂L/∂output (n, groups · group)."""
    matrix = floats(weights, "weights", GROUPED_WEIGHTS)
    arriving = floats(gradient, "gradient", VECTORS)
    units, groups = arriving.shape[1], matrix.shape[1]
    if units % groups:
        raise StriateValueError(
            f"grouped_dense_input_gradient: a gradient of {units} outputs does not fall into the "
            f"{groups} groups of the weights"
        )
    layer = layers.GroupedDense(units, units // groups, bias=False)
    return linear_input_gradient(layer, {"weights": matrix}, arriving, matrix.shape[:1], engine)


def grouped_dense_weight_gradient(
    x: npt.ArrayLike, gradient: npt.ArrayLike, group: int, *, engine: str = "llvm"
) -> Array:
    """∂L/∂weights (inputs, groups) of `grouped_dense` from ∂L/∂output (n, groups · group)."""
    vectors, arriving = floats(x, "x", VECTORS), floats(gradient, "gradient", VECTORS)
    layer = layers.GroupedDense(arriving.shape[1], group, bias=False)
    return linear_parameter_gradient(layer, vectors, arriving, engine)
