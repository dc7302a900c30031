"""Pooling: the largest pixel, the mean or the sum of each window, and their gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import linear_input_gradient, run, run_backward
from striate.layers import Layer
from striate.ops.shapes import IntOrPair, Padding, Shape, check_shape


def max_pool2d(
    x: npt.ArrayLike,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """The largest pixel of each window: see `striate.layers.MaxPool2D`."""
    layer = layers.MaxPool2D(
        size, stride=stride, padding=padding, dilation=dilation, uncovered=uncovered
    )
    return run(layer, (x,), {}, engine)


def max_pool2d_input_gradient(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """∂L/∂x of `max_pool2d` from ∂L/∂output: all of it to the first maximum of each window."""
    layer = layers.MaxPool2D(
        size, stride=stride, padding=padding, dilation=dilation, uncovered=uncovered
    )
    return run_backward(layer, (x,), {}, gradient, engine).inputs[0]


def avg_pool2d(
    x: npt.ArrayLike,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    count_padding: bool = False,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """The mean of each window: see `striate.layers.AvgPool2D`."""
    layer = layers.AvgPool2D(
        size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        count_padding=count_padding,
        uncovered=uncovered,
    )
    return run(layer, (x,), {}, engine)


def avg_pool2d_input_gradient(
    gradient: npt.ArrayLike,
    input_shape: Shape,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    count_padding: bool = False,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """∂L/∂x (n, *input_shape) of `avg_pool2d` from ∂L/∂output; same options as there."""
    return _linear_input_gradient(
        layers.AvgPool2D(
            size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            count_padding=count_padding,
            uncovered=uncovered,
        ),
        gradient,
        input_shape,
        engine,
    )


def sum_pool2d(
    x: npt.ArrayLike,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """The sum of each window: see `striate.layers.SumPool2D`."""
    layer = layers.SumPool2D(
        size, stride=stride, padding=padding, dilation=dilation, uncovered=uncovered
    )
    return run(layer, (x,), {}, engine)


def sum_pool2d_input_gradient(
    gradient: npt.ArrayLike,
    input_shape: Shape,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """∂L/∂x (n, *input_shape) of `sum_pool2d` from ∂L/∂output; same options as there."""
    return _linear_input_gradient(
        layers.SumPool2D(
            size, stride=stride, padding=padding, dilation=dilation, uncovered=uncovered
        ),
        gradient,
        input_shape,
        engine,
    )


def global_avg_pool2d(x: npt.ArrayLike, *, keepdims: bool = False, engine: str = "llvm") -> Array:
    """The mean of each channel, (n, channels), or with `keepdims` (n, 1, 1, channels)."""
    return run(layers.GlobalAvgPool2D(keepdims=keepdims), (x,), {}, engine)


def global_avg_pool2d_input_gradient(
    gradient: npt.ArrayLike, input_shape: Shape, *, keepdims: bool = False, engine: str = "llvm"
) -> Array:
    """∂L/∂x (n, *input_shape) of `global_avg_pool2d` from ∂L/∂output; same options as there."""
    layer = layers.GlobalAvgPool2D(keepdims=keepdims)
    return _linear_input_gradient(layer, gradient, input_shape, engine)


def global_max_pool2d(x: npt.ArrayLike, *, keepdims: bool = False, engine: str = "llvm") -> Array:
    """The largest pixel of each channel, (n, channels), or with `keepdims` (n, 1, 1, channels)."""
    return run(layers.GlobalMaxPool2D(keepdims=keepdims), (x,), {}, engine)


def global_max_pool2d_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, keepdims: bool = False, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `global_max_pool2d` from ∂L/∂output: all of it to the first maximum."""
    layer = layers.GlobalMaxPool2D(keepdims=keepdims)
    return run_backward(layer, (x,), {}, gradient, engine).inputs[0]


def _linear_input_gradient(
    layer: Layer, gradient: npt.ArrayLike, input_shape: Shape, engine: str
) -> Array:
    shape = check_shape(input_shape, "input_shape", layer.who)
    return linear_input_gradient(layer, {}, gradient, shape, engine)
