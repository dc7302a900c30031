"""The conversions between layers; `striate.conversions` says what they keep."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.layers import Conv2D, Dense, GroupedDense, LocallyConnected2D
from striate.ops.shapes import Shape, check_shape
from striate.teaching.conversions.tolerance import check_bytes, check_same, check_zero, unfit
from striate.teaching.conversions.trained import TrainedLayer
from striate.teaching.conversions.wiring import connections, reads_of

MOST_BYTES = 2**30
"""The default limit on the size of converted weights."""


# Towards the dense layer, which is always possible.


def to_locally_connected(
    source: TrainedLayer,
    like: LocallyConnected2D | None = None,
    image: Shape | None = None,
    *,
    tolerance: float = 0.0,
    most_bytes: int = MOST_BYTES,
) -> TrainedLayer:
    """Convert a `Conv2D`, or a `Dense` layer with zeros in the right places, to a
    `LocallyConnected2D`.

    Args:
        source: the layer to convert.
        like: for a `Dense` layer, the layer that it is to become.
        image: for a `Dense` layer, the shape (height, width, channels) of the images whose
            flattened pixels it reads.
        tolerance: how far weights of a `Dense` layer that must be zero may be from it.
        most_bytes: the limit on the size of the weights.

    Raises:
        ValueError: weights between a neuron and pixels outside of its window are not zero, the
            sizes do not fit, or the weights would be too large.
    """
    if isinstance(source.layer, Dense):
        return _from_dense(source, like, image, tolerance)
    layer, weights, bias = _as_local(source)
    check_bytes(weights.size * weights.itemsize, f"the weights of {layer!r}", most_bytes)
    numbers = {"weights": weights.copy()}
    if bias is not None:
        numbers["bias"] = bias.copy()
    return TrainedLayer(layer, numbers, source.input_shape)


def to_dense(source: TrainedLayer, *, most_bytes: int = MOST_BYTES) -> TrainedLayer:
    """Convert a `Conv2D`, `LocallyConnected2D` or `GroupedDense` to a `Dense` layer.

    The new layer reads flattened images. Its matrix has a row for each number of the input and a
    column for each of the output, with a zero where the output does not read the input.

    Raises:
        ValueError: the matrix would have more than `most_bytes` bytes.
    """
    features, units = math.prod(source.input_shape), math.prod(source.output_shape)
    kind = np.result_type(*source.parameters.values())
    check_bytes(
        features * units * kind.itemsize,
        f"the matrix of {source.layer.who}, {features:,} inputs × {units:,} outputs,",
        most_bytes,
    )
    if isinstance(source.layer, GroupedDense):
        group, bias = source.layer.group, source.parameters.get("bias")
        matrix = np.repeat(source.parameters["weights"], group, axis=1)
        bias = None if bias is None else np.repeat(bias, group)
    else:
        layer, weights, bias = _as_local(source)
        matrix = _matrix(layer, weights, source.input_shape).reshape(features, units)
    numbers = {"weights": matrix} if bias is None else {"weights": matrix, "bias": bias.ravel()}
    return TrainedLayer(Dense(units, bias=bias is not None), numbers, (features,))


# In the other direction, where the weights allow it.


def to_conv2d(
    source: TrainedLayer,
    like: Conv2D | None = None,
    image: Shape | None = None,
    *,
    tolerance: float = 0.0,
) -> TrainedLayer:
    """Convert a layer whose windows all have the same weights to a `Conv2D`.

    Each weight of the filters is that of the first window in which it is multiplied with a pixel.
    Weights that are only multiplied with padding do not count; where all are, the filter has a 0.

    Args:
        source: a `LocallyConnected2D`, or with `like` and `image` a `Dense` layer.
        like, image: for a `Dense` layer, as in `to_locally_connected`.
        tolerance: how far shared weights may differ.

    Raises:
        ValueError: weights differ between windows, or outside of them are not zero.
    """
    if isinstance(source.layer, Dense):
        shape = None if like is None else LocallyConnected2D(**_window(like))
        source = _from_dense(source, shape, image, tolerance)
    if not isinstance(source.layer, LocallyConnected2D):
        raise unfit(source.layer, "Conv2D", "LocallyConnected2D or Dense")
    layer, weights = source.layer, source.parameters["weights"]
    inside = reads_of(layer, source.input_shape).inside
    rows, columns = inside.shape[:2]
    by_window = weights.reshape(rows * columns, *weights.shape[2:])
    meets: Array = inside.reshape(rows * columns, *layer.size)
    first = meets.argmax(axis=0)  # of each tap, the window whose weight is taken
    down, across = np.indices(layer.size)
    filters = np.where(np.any(meets, 0)[..., None, None], by_window[first, down, across], 0)
    filters = filters.astype(weights.dtype, copy=False)
    chosen = np.unravel_index(first, (rows, columns))
    check_same(
        layer, "weights", weights, filters, inside[..., None, None], tolerance,
        lambda at: (int(chosen[0][at[2:4]]), int(chosen[1][at[2:4]]), *at[2:]),
    )  # fmt: skip
    numbers = {"filters": filters}
    if layer.bias:
        bias = source.parameters["bias"]
        everywhere = np.ones_like(bias, bool)
        check_same(layer, "bias", bias, bias[0, 0], everywhere, tolerance, lambda at: (0, 0, at[2]))
        numbers["bias"] = bias[0, 0].copy()
    return TrainedLayer(Conv2D(**_window(layer)), numbers, source.input_shape)


def to_grouped_dense(source: TrainedLayer, group: int, *, tolerance: float = 0.0) -> TrainedLayer:
    """Convert a `Dense` layer whose successive outputs agree in groups to a `GroupedDense`.

    The weights are those of the first output of each group.

    Args:
        source: the `Dense` layer.
        group: how many successive outputs share their weights.
        tolerance: how far the weights of a group may differ.

    Raises:
        ValueError: outputs of a group have different weights, or `group` does not divide them.
    """
    dense = source.layer
    if not isinstance(dense, Dense):
        raise unfit(dense, "GroupedDense", "Dense")
    layer = GroupedDense(dense.units, group, bias=dense.bias)
    numbers: dict[str, Array] = {}
    for name, values in source.parameters.items():
        apart = values.reshape(*values.shape[:-1], layer.groups, group)
        numbers[name] = apart[..., 0].copy()
        check_same(
            dense, name, values, np.repeat(numbers[name], group, axis=-1),
            np.ones_like(values, bool), tolerance,
            lambda at: (*at[:-1], at[-1] // group * group),
        )  # fmt: skip
    return TrainedLayer(layer, numbers, source.input_shape)


def _from_dense(
    source: TrainedLayer, like: LocallyConnected2D | None, image: Shape | None, tolerance: float
) -> TrainedLayer:
    who = source.layer.who
    if like is None or image is None:
        raise StriateTypeError(
            f"{who}: a matrix does not say which windows it stands for: give like, such as "
            "LocallyConnected2D(4, 2), and image, the shape (height, width, channels)"
        )
    image = check_shape(image, "image", who)
    outputs = like.output_shape(image)
    matrix, dense = source.parameters["weights"], source.parameters.get("bias")
    if matrix.shape != (math.prod(image), math.prod(outputs)):
        raise StriateValueError(
            f"{who}: its matrix is {matrix.shape[0]} × {matrix.shape[1]}, but {like!r} on "
            f"images {image} has {math.prod(image)} inputs and {math.prod(outputs)} outputs "
            f"{outputs}"
        )
    layer = LocallyConnected2D(**{**_window(like), "bias": dense is not None})
    rest = matrix.reshape(*image, *outputs).copy()
    weights = np.zeros(layer.parameters(image)[0].shape, matrix.dtype)
    for taken in connections(layer, image):
        weights[taken.weights] = rest[taken.matrix]
        rest[taken.matrix] = 0
    check_zero(source.layer, rest, tolerance)
    numbers = {"weights": weights}
    if dense is not None:
        numbers["bias"] = dense.reshape(outputs).copy()
    return TrainedLayer(layer, numbers, image)


def _matrix(layer: LocallyConnected2D, weights: Array, image: Shape) -> Array:
    """(*image, rows, columns, filters), with zeros where nothing is connected."""
    matrix = np.zeros((*image, *layer.output_shape(image)), weights.dtype)
    for taken in connections(layer, image):
        matrix[taken.matrix] = weights[taken.weights]
    return matrix


def _as_local(source: TrainedLayer) -> tuple[LocallyConnected2D, Array, Array | None]:
    """The locally connected layer, its weights and bias; for a convolution, views that repeat its
    filters at each position without a copy.
    """
    layer, bias = source.layer, source.parameters.get("bias")
    if isinstance(layer, LocallyConnected2D):
        return layer, source.parameters["weights"], bias
    if not isinstance(layer, Conv2D):
        raise unfit(layer, "LocallyConnected2D or Dense", "Conv2D")
    windows = source.output_shape[:2]
    filters = source.parameters["filters"]
    weights = np.broadcast_to(filters, (*windows, *filters.shape))
    if bias is not None:
        bias = np.broadcast_to(bias, source.output_shape)
    return LocallyConnected2D(**_window(layer)), weights, bias


def _window(layer: Conv2D | LocallyConnected2D) -> dict[str, Any]:
    """The arguments that a convolution and a locally connected layer have in common."""
    names = ("filters", "size", "stride", "padding", "dilation", "groups", "bias", "uncovered")
    return {name: getattr(layer, name) for name in names}
