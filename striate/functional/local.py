"""The locally connected layer, with filters of its own for each position, and its gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.array_axes import IMAGES, LOCAL_FILTERS
from striate.functional.single import (
    floats,
    given_arrays,
    linear_input_gradient,
    linear_parameter_gradient,
    run,
    window_layer,
)
from striate.ops.shapes import IntOrPair, Padding, Shape, check_shape


def locally_connected2d(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """Correlate each window with filters of its own, weights (rows, columns, filter height, filter
    width, channels // groups, outputs), and add `bias` (rows, columns, outputs): see
    `striate.layers.LocallyConnected2D`.
    """
    filters = floats(weights, "weights", LOCAL_FILTERS)
    window = (stride, padding, dilation, groups, uncovered)
    layer = window_layer(
        layers.LocallyConnected2D, filters.shape[5], filters.shape[2:4], bias is not None, *window
    )
    return run(layer, (x,), given_arrays(weights=filters, bias=bias), engine)


def locally_connected2d_input_gradient(
    gradient: npt.ArrayLike,
    weights: npt.ArrayLike,
    input_shape: Shape,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """∂L/∂x (n, *input_shape) of `locally_connected2d` from ∂L/∂output; same options as there."""
    filters = floats(weights, "weights", LOCAL_FILTERS)
    arriving = floats(gradient, "gradient", IMAGES)
    window = (stride, padding, dilation, groups, uncovered)
    layer = window_layer(
        layers.LocallyConnected2D, filters.shape[5], filters.shape[2:4], False, *window
    )
    shape = check_shape(input_shape, "input_shape", "locally_connected2d_input_gradient")
    return linear_input_gradient(layer, {"weights": filters}, arriving, shape, engine)


def locally_connected2d_weight_gradient(
    x: npt.ArrayLike,
    gradient: npt.ArrayLike,
    filter_size: IntOrPair,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """∂L/∂weights (rows, columns, *filter_size, channels // groups, outputs) of
    `locally_connected2d` from ∂L/∂output.

    Same options as there. The gradient of the bias is ``gradient.sum(0)``.
    """
    image, arriving = floats(x, "x", IMAGES), floats(gradient, "gradient", IMAGES)
    window = (stride, padding, dilation, groups, uncovered)
    layer = window_layer(layers.LocallyConnected2D, arriving.shape[3], filter_size, False, *window)
    return linear_parameter_gradient(layer, image, arriving, engine)
