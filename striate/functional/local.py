"""The part of `striate.functional` for the layers between a dense layer and a convolution."""

from __future__ import annotations

from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import floats, run, run_backward
from striate.ops.shapes import Padding, Shape, check_shape

IntOrPair = int | tuple[int, int]

IMAGES = "(n, height, width, channels)"
FILTERS = "(filter height, filter width, channels // groups, outputs)"
LOCAL = "(rows, columns, filter height, filter width, channels // groups, outputs)"
VECTORS = "(n, features)"
WEIGHTS = "(inputs, outputs)"
GROUPS = "(inputs, groups)"


class ConvOptions(TypedDict, total=False):
    """Options of `conv2d` and `locally_connected2d`."""

    stride: IntOrPair
    padding: Padding
    dilation: IntOrPair
    groups: int
    uncovered: str


def locally_connected2d(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    engine: str = "llvm",
    **options: Unpack[ConvOptions],
) -> Array:
    """Correlate each window with filters of its own, weights (rows, columns, filter height, filter
    width, channels // groups, outputs), and add `bias` (rows, columns, outputs): see
    `striate.layers.LocallyConnected2D`.
    """
    filters = floats(weights, "weights", LOCAL)
    layer = layers.LocallyConnected2D(
        filters.shape[5], (filters.shape[2], filters.shape[3]), bias=bias is not None, **options
    )
    given = {"weights": filters} if bias is None else {"weights": filters, "bias": bias}
    return run(layer, (x,), given, engine)


def locally_connected2d_input_gradient(
    gradient: npt.ArrayLike,
    weights: npt.ArrayLike,
    input_shape: Shape,
    *,
    engine: str = "llvm",
    **options: Unpack[ConvOptions],
) -> Array:
    """∂L/∂x (n, *input_shape) of `locally_connected2d` from ∂L/∂output; same options as there."""
    filters, arriving = floats(weights, "weights", LOCAL), floats(gradient, "gradient", IMAGES)
    size = (filters.shape[2], filters.shape[3])
    layer = layers.LocallyConnected2D(filters.shape[5], size, bias=False, **options)
    shape = check_shape(input_shape, "input_shape", "locally_connected2d_input_gradient")
    x = np.zeros((len(arriving), *shape), arriving.dtype)  # any: linear in the weights alone
    return run_backward(layer, (x,), {"weights": filters}, arriving, engine).inputs[0]


def locally_connected2d_weight_gradient(
    x: npt.ArrayLike,
    gradient: npt.ArrayLike,
    filter_size: IntOrPair,
    *,
    engine: str = "llvm",
    **options: Unpack[ConvOptions],
) -> Array:
    """∂L/∂weights (rows, columns, *filter_size, channels // groups, outputs) of
    `locally_connected2d` from ∂L/∂output.

    Same options as there. The gradient of the bias is ``gradient.sum(0)``.
    """
    image, arriving = floats(x, "x", IMAGES), floats(gradient, "gradient", IMAGES)
    layer = layers.LocallyConnected2D(arriving.shape[3], filter_size, bias=False, **options)
    (weights,) = layer.parameters(image.shape[1:])
    parameters = {"weights": np.zeros(weights.shape, image.dtype)}  # any: linear in x
    return run_backward(layer, (image,), parameters, arriving, engine).parameters["weights"]


def grouped_dense(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    group: int,
    bias: npt.ArrayLike | None = None,
    *,
    engine: str = "llvm",
) -> Array:
    """x · weights + bias, (n, groups), each number `group` times: see
    `striate.layers.GroupedDense`. The bias is (groups,)."""
    matrix = floats(weights, "weights", GROUPS)
    layer = layers.GroupedDense(matrix.shape[1] * group, group, bias=bias is not None)
    given = {"weights": matrix} if bias is None else {"weights": matrix, "bias": bias}
    return run(layer, (x,), given, engine)


def grouped_dense_input_gradient(
    gradient: npt.ArrayLike, weights: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x (n, inputs) of `grouped_dense` from ∂L/∂output (n, groups · group)."""
    matrix, arriving = floats(weights, "weights", GROUPS), floats(gradient, "gradient", VECTORS)
    units, groups = arriving.shape[1], matrix.shape[1]
    if units % groups:
        raise ValueError(
            f"grouped_dense_input_gradient: a gradient of {units} outputs does not fall into the "
            f"{groups} groups of the weights"
        )
    layer = layers.GroupedDense(units, units // groups, bias=False)
    x = np.zeros((len(arriving), matrix.shape[0]), arriving.dtype)  # any: linear in the weights
    return run_backward(layer, (x,), {"weights": matrix}, arriving, engine).inputs[0]


def grouped_dense_weight_gradient(
    x: npt.ArrayLike, gradient: npt.ArrayLike, group: int, *, engine: str = "llvm"
) -> Array:
    """∂L/∂weights (inputs, groups) of `grouped_dense` from ∂L/∂output (n, groups · group)."""
    vectors, arriving = floats(x, "x", VECTORS), floats(gradient, "gradient", VECTORS)
    layer = layers.GroupedDense(arriving.shape[1], group, bias=False)
    parameters = {"weights": np.zeros((vectors.shape[1], layer.groups), vectors.dtype)}
    return run_backward(layer, (vectors,), parameters, arriving, engine).parameters["weights"]
