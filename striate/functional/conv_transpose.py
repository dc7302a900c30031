"""Transposed convolution of images, and its two gradients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.array_axes import FILTERS, IMAGES
from striate.functional.single import floats, given_arrays, run, run_backward
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
    layer = layers.ConvTranspose2D(
        weights.shape[2] * groups,
        (weights.shape[0], weights.shape[1]),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
        bias=bias is not None,
    )
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
    layer = layers.ConvTranspose2D(
        weights.shape[2] * groups,
        (weights.shape[0], weights.shape[1]),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    shape = check_shape(input_shape, "input_shape", "conv_transpose2d_input_gradient")
    x = np.zeros((len(arriving), *shape), arriving.dtype)  # any: the gradient is linear in filters
    return run_backward(layer, (x,), {"filters": weights}, arriving, engine).inputs[0]


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
    layer = layers.ConvTranspose2D(
        arriving.shape[3],
        filter_size,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    shape = (*layer.size, layer.filters // layer.groups, image.shape[-1])
    parameters = {"filters": np.zeros(shape, image.dtype)}  # any: the gradient is linear in x
    return run_backward(layer, (image,), parameters, arriving, engine).parameters["filters"]
