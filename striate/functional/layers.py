"""The functions of the common layers: convolution, dense, pooling, activations, normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.local import FILTERS, IMAGES, VECTORS, WEIGHTS, ConvOptions, IntOrPair
from striate.functional.single import floats, run, run_backward
from striate.layers import Layer
from striate.ops.shapes import Padding, Shape, check_shape


class PoolOptions(TypedDict, total=False):
    """Options of `sum_pool2d`."""

    stride: IntOrPair | None
    padding: Padding
    uncovered: str


class AvgPoolOptions(PoolOptions, total=False):
    """Options of `avg_pool2d`."""

    count_padding: bool


class MaxPoolOptions(PoolOptions, total=False):
    """Options of `max_pool2d`."""

    dilation: IntOrPair


# Convolution.


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
    return run(layer, (x,), _given(filters=weights, bias=bias), engine)


def conv2d_input_gradient(
    gradient: npt.ArrayLike,
    filters: npt.ArrayLike,
    input_shape: Shape,
    *,
    engine: str = "llvm",
    **options: Unpack[ConvOptions],
) -> Array:
    """∂L/∂x (n, *input_shape) of `conv2d` from ∂L/∂output; same options as there."""
    weights, arriving = floats(filters, "filters", FILTERS), floats(gradient, "gradient", IMAGES)
    size = (weights.shape[0], weights.shape[1])
    layer = layers.Conv2D(weights.shape[3], size, bias=False, **options)
    # The gradient is linear in the filters alone, so the values of x do not matter.
    shape = check_shape(input_shape, "input_shape", "conv2d_input_gradient")
    x = np.zeros((len(arriving), *shape), arriving.dtype)
    return run_backward(layer, (x,), {"filters": weights}, arriving, engine).inputs[0]


def conv2d_filter_gradient(
    x: npt.ArrayLike,
    gradient: npt.ArrayLike,
    filter_size: IntOrPair,
    *,
    engine: str = "llvm",
    **options: Unpack[ConvOptions],
) -> Array:
    """∂L/∂filters (*filter_size, channels // groups, outputs) of `conv2d` from ∂L/∂output.

    Same options as `conv2d`. The gradient of the bias is ``gradient.sum((0, 1, 2))``.
    """
    image, arriving = floats(x, "x", IMAGES), floats(gradient, "gradient", IMAGES)
    layer = layers.Conv2D(arriving.shape[3], filter_size, bias=False, **options)
    shape = (*layer.size, image.shape[-1] // layer.groups, layer.filters)
    parameters = {"filters": np.zeros(shape, image.dtype)}  # any: the gradient is linear in x
    return run_backward(layer, (image,), parameters, arriving, engine).parameters["filters"]


# Pooling.


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
    engine: str = "llvm",
    **options: Unpack[MaxPoolOptions],
) -> Array:
    """∂L/∂x of `max_pool2d` from ∂L/∂output: all of it to the first maximum of each window."""
    layer = layers.MaxPool2D(size, **options)
    return run_backward(layer, (x,), {}, gradient, engine).inputs[0]


def avg_pool2d(
    x: npt.ArrayLike,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    count_padding: bool = False,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """The mean of each window: see `striate.layers.AvgPool2D`."""
    layer = layers.AvgPool2D(
        size, stride=stride, padding=padding, count_padding=count_padding, uncovered=uncovered
    )
    return run(layer, (x,), {}, engine)


def avg_pool2d_input_gradient(
    gradient: npt.ArrayLike,
    input_shape: Shape,
    size: IntOrPair,
    *,
    engine: str = "llvm",
    **options: Unpack[AvgPoolOptions],
) -> Array:
    """∂L/∂x (n, *input_shape) of `avg_pool2d` from ∂L/∂output; same options as there."""
    return _linear_input_gradient(layers.AvgPool2D(size, **options), gradient, input_shape, engine)


def sum_pool2d(
    x: npt.ArrayLike,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    uncovered: str = "error",
    engine: str = "llvm",
) -> Array:
    """The sum of each window: see `striate.layers.SumPool2D`."""
    layer = layers.SumPool2D(size, stride=stride, padding=padding, uncovered=uncovered)
    return run(layer, (x,), {}, engine)


def sum_pool2d_input_gradient(
    gradient: npt.ArrayLike,
    input_shape: Shape,
    size: IntOrPair,
    *,
    engine: str = "llvm",
    **options: Unpack[PoolOptions],
) -> Array:
    """∂L/∂x (n, *input_shape) of `sum_pool2d` from ∂L/∂output; same options as there."""
    return _linear_input_gradient(layers.SumPool2D(size, **options), gradient, input_shape, engine)


def global_avg_pool2d(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """The mean of each channel, (n, channels)."""
    return run(layers.GlobalAvgPool2D(), (x,), {}, engine)


def global_avg_pool2d_input_gradient(
    gradient: npt.ArrayLike, input_shape: Shape, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x (n, *input_shape) of `global_avg_pool2d` from ∂L/∂output (n, channels)."""
    return _linear_input_gradient(layers.GlobalAvgPool2D(), gradient, input_shape, engine)


# Dense.


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
    return run(layer, (x,), _given(weights=matrix, bias=bias), engine)


def dense_input_gradient(
    gradient: npt.ArrayLike, weights: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x (n, inputs) of `dense` from ∂L/∂output (n, outputs)."""
    matrix, arriving = floats(weights, "weights", WEIGHTS), floats(gradient, "gradient", VECTORS)
    layer = layers.Dense(matrix.shape[1], bias=False)
    x = np.zeros((len(arriving), matrix.shape[0]), arriving.dtype)  # any: linear in the weights
    return run_backward(layer, (x,), {"weights": matrix}, arriving, engine).inputs[0]


def dense_weight_gradient(
    x: npt.ArrayLike, gradient: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂weights (inputs, outputs) of `dense` from ∂L/∂output; of the bias: gradient.sum(0)."""
    vectors, arriving = floats(x, "x", VECTORS), floats(gradient, "gradient", VECTORS)
    layer = layers.Dense(arriving.shape[1], bias=False)
    parameters = {"weights": np.zeros((vectors.shape[1], layer.units), vectors.dtype)}
    return run_backward(layer, (vectors,), parameters, arriving, engine).parameters["weights"]


# Activations.


def relu(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """max(x, 0)."""
    return run(layers.ReLU(), (x,), {}, engine)


def relu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `relu` from ∂L/∂output: the gradient where x > 0."""
    return run_backward(layers.ReLU(), (x,), {}, gradient, engine).inputs[0]


def leaky_relu(x: npt.ArrayLike, slope: float = 0.01, *, engine: str = "llvm") -> Array:
    """x where positive, slope·x elsewhere."""
    return run(layers.LeakyReLU(slope), (x,), {}, engine)


def leaky_relu_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, slope: float = 0.01, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `leaky_relu` from ∂L/∂output."""
    return run_backward(layers.LeakyReLU(slope), (x,), {}, gradient, engine).inputs[0]


def sigmoid(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """1 / (1 + exp(-x))."""
    return run(layers.Sigmoid(), (x,), {}, engine)


def sigmoid_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `sigmoid` from ∂L/∂output."""
    return run_backward(layers.Sigmoid(), (x,), {}, gradient, engine).inputs[0]


def tanh(x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
    """The hyperbolic tangent."""
    return run(layers.Tanh(), (x,), {}, engine)


def tanh_input_gradient(
    gradient: npt.ArrayLike, x: npt.ArrayLike, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `tanh` from ∂L/∂output."""
    return run_backward(layers.Tanh(), (x,), {}, gradient, engine).inputs[0]


# Normalisation, merging, loss.


def batch_norm(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    shift: npt.ArrayLike,
    mean: npt.ArrayLike | None = None,
    variance: npt.ArrayLike | None = None,
    *,
    eps: float = 1e-5,
    engine: str = "llvm",
) -> Array:
    """scale · (x - mean) / √(variance + eps) + shift, all (channels,).

    Without `mean` and `variance` those of the batch are used, as in training.
    """
    if (mean is None) != (variance is None):
        raise ValueError("batch_norm: give both mean and variance, or neither for the batch's own")
    parameters = _given(scale=scale, shift=shift)
    state = _given(mean=mean, variance=variance)
    return run(layers.BatchNorm(eps=eps), (x,), parameters, engine, state)


class BatchNormGradients(NamedTuple):
    """∂L/∂x like x, ∂L/∂scale and ∂L/∂shift (channels,)."""

    x: Array
    scale: Array
    shift: Array


def batch_norm_gradients(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    *,
    eps: float = 1e-5,
    engine: str = "llvm",
) -> BatchNormGradients:
    """The gradients of `batch_norm` by the batch's own mean and variance, from ∂L/∂output."""
    factors = floats(scale, "scale")
    parameters = {"scale": factors, "shift": np.zeros_like(factors)}
    result = run_backward(layers.BatchNorm(eps=eps), (x,), parameters, gradient, engine)
    return BatchNormGradients(result.inputs[0], **result.parameters)


def add(*inputs: npt.ArrayLike, engine: str = "llvm") -> Array:
    """The sum of two or more arrays of the same shape. Its gradient is the same for each."""
    return run(layers.Add(), inputs, {}, engine)


def concat(*inputs: npt.ArrayLike, engine: str = "llvm") -> Array:
    """Two or more arrays side by side along the channels."""
    return run(layers.Concat(), inputs, {}, engine)


def concat_input_gradients(gradient: npt.ArrayLike, channels: Sequence[int]) -> tuple[Array, ...]:
    """∂L/∂input of each input of `concat`, from ∂L/∂output and the inputs' channel counts."""
    arriving = floats(gradient, "gradient")
    if sum(channels) != arriving.shape[-1]:
        raise ValueError(
            f"concat_input_gradients: channels {tuple(channels)} make {sum(channels)}, the "
            f"gradient has {arriving.shape[-1]}"
        )
    return tuple(np.split(arriving, np.cumsum(channels)[:-1], axis=-1))


def softmax_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Array]:
    """The loss Σ weight·(-log softmax(logits)[label]) and its gradient (n, classes).

    Args:
        logits: (n, classes).
        labels: class indices (n,).
        weights: (n,), by default 1/n each, which makes the mean.
    """
    from striate.optim.losses import SoftmaxCrossEntropy

    outputs = floats(logits, "logits", "(n, classes)")
    loss = SoftmaxCrossEntropy(label_smoothing)
    targets = loss.targets(labels, outputs.shape[1]).astype(outputs.dtype)
    count = len(outputs)
    shares = np.full(count, 1 / max(count, 1)) if weights is None else floats(weights, "weights")
    for name, array in (("labels", targets), ("weights", shares)):
        if len(array) != count:
            raise ValueError(f"softmax_cross_entropy: {count} logits but {len(array)} {name}")
    return loss.value_and_gradient(outputs, targets, shares.astype(outputs.dtype))


def _linear_input_gradient(
    layer: Layer, gradient: npt.ArrayLike, input_shape: Shape, engine: str
) -> Array:
    """Of a layer that is linear in x, so that any x will do."""
    arriving = floats(gradient, "gradient")
    shape = check_shape(input_shape, "input_shape", layer.who)
    x = np.zeros((len(arriving), *shape), arriving.dtype)
    return run_backward(layer, (x,), {}, arriving, engine).inputs[0]


def _given(**arrays: Any) -> dict[str, npt.ArrayLike]:
    return {name: value for name, value in arrays.items() if value is not None}
