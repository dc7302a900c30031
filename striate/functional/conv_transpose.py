"""Transposed convolution of images, and its two gradients."""

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
)
from striate.ops.shapes import IntOrPair, Padding, Shape, check_shape


def conv_transpose2d(
    x: npt.ArrayLike,
    filters: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    engine: str = "llvm",
) -> Array:
    """Spread images through filters, and add `bias` (outputs,).

    Args:
        x: (n, height, width, channels).
        filters: (filter height, filter width, outputs // groups, channels).
        bias, stride, padding, output_padding, dilation, groups: see
            `striate.layers.ConvTranspose2D`.
        engine: "llvm" or "numpy".
    """
    weights = floats(filters, "filters", FILTERS)
    window = (stride, padding, output_padding, dilation, groups)
    layer = _layer(weights.shape[2] * groups, weights.shape[:2], bias is not None, *window)
    return run(layer, (x,), given_arrays(filters=weights, bias=bias), engine)


def conv_transpose2d_input_gradient(
    gradient: npt.ArrayLike,
    filters: npt.ArrayLike,
    input_shape: Shape,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    engine: str = "llvm",
) -> Array:
    """∂L/∂x (n, *input_shape) of `conv_transpose2d` from ∂L/∂output; same options as there."""
    weights, arriving = floats(filters, "filters", FILTERS), floats(gradient, "gradient", IMAGES)
    window = (stride, padding, output_padding, dilation, groups)
    layer = _layer(weights.shape[2] * groups, weights.shape[:2], False, *window)
    shape = check_shape(input_shape, "input_shape", "conv_transpose2d_input_gradient")
    return linear_input_gradient(layer, {"filters": weights}, arriving, shape, engine)


def conv_transpose2d_filter_gradient(
    x: npt.ArrayLike,
    gradient: npt.ArrayLike,
    filter_size: IntOrPair,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    engine: str = "llvm",
) -> Array:
    """∂L/∂filters (*filter_size, outputs // groups, channels) of `conv_transpose2d`.

    Same options as there. The gradient of the bias is ``gradient.sum((0, 1, 2))``.
    """
    image, arriving = floats(x, "x", IMAGES), floats(gradient, "gradient", IMAGES)
    window = (stride, padding, output_padding, dilation, groups)
    layer = _layer(arriving.shape[3], filter_size, False, *window)
    return linear_parameter_gradient(layer, image, arriving, engine)


def _layer(
    filters: int,
    size: IntOrPair,
    bias: bool,
    stride: IntOrPair,
    padding: Padding,
    output_padding: IntOrPair,
    dilation: IntOrPair,
    groups: int,
) -> layers.ConvTranspose2D:
    return layers.ConvTranspose2D(
        filters,
        size,
        bias=bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )
