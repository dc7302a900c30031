"""Layers that mix or normalise channels and features, as nodes of ONNX.

Images are channels-first there, so a vector that was an image is (channels, height, width) in a
row, and striate's is (height, width, channels): the rows of a dense layer's weights are put into
that order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from striate.common.arrays import Array
from striate.exporting.onnx_graph import OnnxGraph, Place
from striate.exporting.weight_layout import WeightLayout

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def _rows(weights: Array, place: Place) -> WeightLayout:
    """The layout of a dense layer's weights (features, units): a row for each feature that it
    reads, in the order in which it reads them.
    """
    if place.flattened is None:
        return WeightLayout.reshaped(weights)
    return WeightLayout((*place.flattened, weights.shape[1]), (2, 0, 1, 3), weights.shape)


def _gemm(graph: OnnxGraph, place: Place, name: str) -> str:
    weights = place.arrays["weights"]
    inputs = [*place.inputs, graph.weight(weights, f"{place.name}/weights", _rows(weights, place))]
    if place.layer.bias:
        inputs.append(graph.weight(place.arrays["bias"], f"{place.name}/bias"))
    return graph.op("Gemm", inputs, name)


def _dense(graph: OnnxGraph, place: Place) -> str:
    return _gemm(graph, place, place.name)


def _grouped_dense(graph: OnnxGraph, place: Place) -> str:
    """A dense layer with one unit for each group, and each of these as often as it is shared."""
    if place.layer.group == 1:
        return _gemm(graph, place, place.name)
    groups = _gemm(graph, place, f"{place.name}/groups")
    graph.weigh(10 * place.layer.units, place.name)  # a list of Python's numbers
    each = np.arange(place.layer.units) // place.layer.group
    return graph.op(
        "Gather",
        [groups, graph.numbers(each.tolist(), f"{place.name}/indices")],
        place.name,
        axis=1,
    )


def _flatten(graph: OnnxGraph, place: Place) -> str:
    """In the order of ONNX where the readers expect it (see `onnx_network`), else in striate's."""
    (value,) = place.inputs
    shape = place.shapes[0]
    if len(shape) == 1:
        return value
    if place.flattened is None and not one_order(shape):
        value = graph.transpose(value, TO_CHANNELS_LAST, f"{place.name}/channels_last")
    return graph.op("Flatten", [value], place.name, axis=1)


def one_order(image: tuple[int, ...]) -> bool:
    """Whether the flattening of an image is the same with channels first and last."""
    height, width, channels = image
    return height * width == 1 or channels == 1


def _batch_norm(graph: OnnxGraph, place: Place) -> str:
    arrays = [
        graph.weight(place.arrays[name], f"{place.name}/{name}")
        for name in ("scale", "shift", "mean", "variance")
    ]
    layer = place.layer
    return graph.op(
        "BatchNormalization",
        [*place.inputs, *arrays],
        place.name,
        epsilon=layer.eps,
        momentum=layer.momentum,
    )


def _affine(graph: OnnxGraph, place: Place) -> str:
    (value,) = place.inputs
    parts = [("scale", "Mul", place.layer.scale), ("shift", "Add", place.layer.shift)]
    parts = [part for part in parts if part[2]]
    for what, operator, _ in parts:
        learned = place.arrays[what]
        weight = graph.weight(learned, f"{place.name}/{what}", place.per_channel(learned))
        name = place.name if what == parts[0][0] else f"{place.name}/shifted"
        value = graph.op(operator, [value, weight], name)
    return value


def _layer_norm(graph: OnnxGraph, place: Place) -> str:
    """Over the last axis, where the channels of an image must be first."""
    (value,) = place.inputs
    name, is_image = place.name, len(place.shapes[0]) == 3
    if is_image:
        value = graph.transpose(value, TO_CHANNELS_LAST, f"{name}/channels_last")
    scale, shift = (graph.weight(place.arrays[a], f"{name}/{a}") for a in ("scale", "shift"))
    normal = f"{name}/normalised" if is_image else name
    if graph.opset >= 17:
        value = graph.op("LayerNormalization", [value, scale, shift], normal,
                         axis=-1, epsilon=place.layer.eps)  # fmt: skip
    else:
        value = _normalised(graph, place, value, scale, shift, normal)
    return graph.transpose(value, TO_CHANNELS_FIRST, name) if is_image else value


def _normalised(
    graph: OnnxGraph, place: Place, value: str, scale: str, shift: str, name: str
) -> str:
    """LayerNormalization as the operators that it is made of."""
    inside = place.name
    mean = graph.op("ReduceMean", [value], f"{inside}/mean", axes=[-1], keepdims=1)
    centred = graph.op("Sub", [value, mean], f"{inside}/centred")
    square = graph.op("Mul", [centred, centred], f"{inside}/square")
    variance = graph.op("ReduceMean", [square], f"{inside}/variance", axes=[-1], keepdims=1)
    eps = graph.factor(place.layer.eps, f"{inside}/eps")
    raised = graph.op("Add", [variance, eps], f"{inside}/raised")
    deviation = graph.op("Sqrt", [raised], f"{inside}/deviation")
    normal = graph.op("Div", [centred, deviation], f"{inside}/normal")
    scaled = graph.op("Mul", [normal, scale], f"{inside}/scaled")
    return graph.op("Add", [scaled, shift], name)


def _lrn(graph: OnnxGraph, place: Place) -> str:
    layer, (value,), shape, name = place.layer, place.inputs, place.shapes[0], place.name
    is_vector = len(shape) == 1
    if is_vector:
        value = graph.reshape(value, (*shape, 1, 1), f"{name}/image")
    output = f"{name}/normalised" if is_vector else name
    # onnxruntime has the operator for these numbers only.
    if layer.size % 2 and np.float32(layer.alpha) > 0 and np.float32(layer.beta) > 0:
        numbers = {what: getattr(layer, what) for what in ("size", "alpha", "beta", "bias")}
        value = graph.op("LRN", [value], output, **numbers)
    else:
        value = _by_neighbours(graph, place, value, output)
    return graph.reshape(value, shape, name) if is_vector else value


def _by_neighbours(graph: OnnxGraph, place: Place, value: str, output: str) -> str:
    """LRN as the operators that it is made of; a filter of ones adds up neighbouring channels."""
    layer, name, channels = place.layer, place.name, place.shapes[0][-1]
    before, after = (layer.size - 1) // 2, layer.size // 2
    graph.weigh(4 * channels**2, name)
    far = np.arange(channels) - np.arange(channels)[:, None]  # of an input from an output
    near = ((far >= -before) & (far <= after)).astype(np.float32)
    square = graph.op("Mul", [value, value], f"{name}/square")
    ones = graph.constant(near[:, :, None, None], f"{name}/neighbours")
    total = graph.op("Conv", [square, ones], f"{name}/sum")
    share = graph.factor(layer.alpha / layer.size, f"{name}/alpha")
    scaled = graph.op("Mul", [total, share], f"{name}/scaled")
    raised = graph.op("Add", [scaled, graph.factor(layer.bias, f"{name}/bias")], f"{name}/raised")
    power = graph.op("Pow", [raised, graph.factor(layer.beta, f"{name}/beta")], f"{name}/power")
    return graph.op("Div", [value, power], output)


def _channel_shuffle(graph: OnnxGraph, place: Place) -> str:
    (value,), name, groups = place.inputs, place.name, place.layer.groups
    *image, channels = place.shape
    if groups in (1, channels):  # each stays where it is
        return value
    apart = graph.reshape(value, (groups, channels // groups, *image), f"{name}/apart")
    order = [0, 2, 1, *range(3, 3 + len(image))]
    swapped = graph.transpose(apart, order, f"{name}/swapped")
    return graph.reshape(swapped, (channels, *image), name)


def _channel_slice(graph: OnnxGraph, place: Place) -> str:
    layer, name = place.layer, place.name
    ends = [
        graph.numbers([number], f"{name}/{what}")
        for what, number in (
            ("start", layer.start), ("stop", layer.stop), ("axis", 1), ("step", layer.step),
        )
    ]  # fmt: skip
    return graph.op("Slice", [*place.inputs, *ends], name)


FEATURES: dict[str, Callable[[OnnxGraph, Place], str]] = {
    "Dense": _dense,
    "GroupedDense": _grouped_dense,
    "Flatten": _flatten,
    "BatchNorm": _batch_norm,
    "Affine": _affine,
    "LayerNorm": _layer_norm,
    "LRN": _lrn,
    "ChannelShuffle": _channel_shuffle,
    "ChannelSlice": _channel_slice,
}
