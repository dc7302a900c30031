"""Convolution of images with shared filters, and its two gradients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.array_axes import FILTERS, IMAGES
from striate.functional.single import floats, given_arrays, run, run_backward
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
    layer = layers.Conv2D(
        weights.shape[3],
        (weights.shape[0], weights.shape[1]),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias is not None,
        uncovered=uncovered,
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
    size = (weights.shape[0], weights.shape[1])
    layer = layers.Conv2D(
        weights.shape[3],
        size,
        bias=False,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        uncovered=uncovered,
    )
    # The gradient is linear in the filters alone, so the values of x do not matter.
    shape = check_shape(input_shape, "input_shape", "conv2d_input_gradient")
    x = np.zeros((len(arriving), *shape), arriving.dtype)
    return run_backward(layer, (x,), {"filters": weights}, arriving, engine).inputs[0]


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
    layer = layers.Conv2D(
        arriving.shape[3],
        filter_size,
        bias=False,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        uncovered=uncovered,
    )
    shape = (*layer.size, image.shape[-1] // layer.groups, layer.filters)
    parameters = {"filters": np.zeros(shape, image.dtype)}  # any: the gradient is linear in x
    return run_backward(layer, (image,), parameters, arriving, engine).parameters["filters"]
