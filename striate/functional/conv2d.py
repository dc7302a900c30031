"""Convolution of images with shared filters, and its two gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.array_axes import FILTERS, IMAGES
from striate.functional.single import (
    floats,
    given_arrays,
    linear_input_gradient,
    linear_parameter_gradient,
    run,
    window_layer,
)
from striate.ops.shapes import IntOrPair, Padding, Shape, check_shape


def conv2d(
    x: npt.ArrayLike,
    filters: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """Correlate images with filters, and add `bias` (outputs,): see `striate.layers.Conv2D`."""
    weights = floats(filters, "filters", FILTERS)
    window = (stride, padding, dilation, groups, uncovered)
    layer = window_layer(
        layers.Conv2D, weights.shape[3], weights.shape[:2], bias is not None, *window
    )
    return run(layer, (x,), given_arrays(filters=weights, bias=bias), engine)


def conv2d_input_gradient(
    gradient: npt.ArrayLike,
    filters: npt.ArrayLike,
    input_shape: Shape,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """∂L/∂x (n, *input_shape) of `conv2d` from ∂L/∂output; same options as there."""
    weights, arriving = floats(filters, "filters", FILTERS), floats(gradient, "gradient", IMAGES)
    window = (stride, padding, dilation, groups, uncovered)
    layer = window_layer(layers.Conv2D, weights.shape[3], weights.shape[:2], False, *window)
    shape = check_shape(input_shape, "input_shape", "conv2d_input_gradient")
    return linear_input_gradient(layer, {"filters": weights}, arriving, shape, engine)


def conv2d_filter_gradient(
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
    """∂L/∂filters (*filter_size, channels // groups, outputs) of `conv2d` from ∂L/∂output.

    Same options as `conv2d`. The gradient of the bias is ``gradient.sum((0, 1, 2))``.
    """
    image, arriving = floats(x, "x", IMAGES), floats(gradient, "gradient", IMAGES)
    window = (stride, padding, dilation, groups, uncovered)
    layer = window_layer(layers.Conv2D, arriving.shape[3], filter_size, False, *window)
    return linear_parameter_gradient(layer, image, arriving, engine)
