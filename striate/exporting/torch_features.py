"""Layers that mix, normalise or move channels and features, and those with several inputs, as
calls of PyTorch.

A vector that was an image is (channels, height, width) in a row there; whatever has a number for
each feature has them in that order.
"""

from __future__ import annotations

import operator
from functools import reduce

import torch
from torch import fx, nn
from torch.nn import functional

from striate.exporting.torch_graph import TorchGraph, TorchPlace
from striate.exporting.torch_weights import TensorLayout, features, rows
from striate.exporting.torch_windows import TorchWriter


def torch_momentum(momentum: float) -> float:
    """The share of a step in PyTorch's running averages, for what they keep of themselves here."""
    # Rounded to the digits in which it was written: 1 - 0.9 is 0.09999999999999998.
    return round(1.0 - momentum, 15)


def _each(place: TorchPlace, short: str) -> tuple[str, TensorLayout]:
    """An array with a number for each channel or feature."""
    return short, features(place.arrays[short].size, place.value.image)


# Dense layers.


def _linear(graph: TorchGraph, place: TorchPlace, units: int) -> fx.Node:
    inputs = place.value.shape[0]
    module = nn.Linear(inputs, units, place.layer.bias, device="meta")
    layouts = {"weight": ("weights", rows(inputs, units, place.value.image))}
    if place.layer.bias:
        layouts["bias"] = ("bias", features(units, None))
    return graph.module(place, place.node, module, layouts)


def _dense(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return _linear(graph, place, place.layer.units)


def _grouped_dense(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    node = _linear(graph, place, place.layer.groups)
    return graph.call(torch.repeat_interleave, node, place.layer.group, 1)


def _flatten(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return place.node if len(place.value.shape) == 1 else graph.call(torch.flatten, place.node, 1)


# Normalisation, and what is learned for each channel.


def _batch_norm(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer, channels = place.layer, place.shape[-1]
    layouts = {
        "weight": _each(place, "scale"),
        "bias": _each(place, "shift"),
        "running_mean": _each(place, "mean"),
        "running_var": _each(place, "variance"),
    }
    momentum = torch_momentum(layer.momentum)
    if place.keeps_statistics:  # also after `module.train()`, which a module would obey
        weight, bias, mean, variance = (
            graph.parameter(place, key, *layout, buffer=key.startswith("running"))
            for key, layout in layouts.items()
        )
        return graph.call(
            functional.batch_norm,
            place.node,
            mean,
            variance,
            weight,
            bias,
            training=False,
            momentum=momentum,
            eps=layer.eps,
        )
    made = nn.BatchNorm2d if len(place.shape) == 3 else nn.BatchNorm1d
    module = made(channels, layer.eps, momentum, device="meta")
    module.num_batches_tracked = torch.tensor(0)
    return graph.module(place, place.node, module, layouts)


def _layer_norm(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layouts = {"weight": _each(place, "scale"), "bias": _each(place, "shift")}
    module = nn.LayerNorm(place.shape[-1], place.layer.eps, device="meta")
    if len(place.shape) == 1:
        return graph.module(place, place.node, module, layouts)
    node = graph.method("permute", place.node, 0, 2, 3, 1)
    node = graph.module(place, node, module, layouts)
    return graph.method("permute", node, 0, 3, 1, 2)


def _affine(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    node = place.node
    calls = ("weight", "scale", operator.mul), ("bias", "shift", operator.add)
    for key, short, operation in calls:
        if short in place.arrays:
            numbers = graph.parameter(place, key, *_each(place, short))
            if len(place.shape) == 3:
                numbers = graph.method("reshape", numbers, -1, 1, 1)
            node = graph.call(operation, node, numbers)
    return node


def _prelu(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    slope = place.arrays["slope"]
    layout = features(slope.size, place.value.image if slope.size > 1 else None)
    module = nn.PReLU(slope.size, device="meta")
    return graph.module(place, place.node, module, {"weight": ("slope", layout)})


def _lrn(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    """PyTorch's for odd sizes; its window of an even size lies one channel further down."""
    layer = place.layer
    node = place.node
    if len(place.shape) == 1:
        node = graph.method("reshape", node, -1, place.shape[0], 1, 1)
    if layer.size % 2:
        module = nn.LocalResponseNorm(layer.size, layer.alpha, layer.beta, layer.bias)
        node = graph.module(place, node, module)
    else:
        squares = graph.method("unsqueeze", graph.call(operator.mul, node, node), 1)
        before = [0, 0, 0, 0, (layer.size - 1) // 2, layer.size // 2]
        padded = graph.call(functional.pad, squares, before)
        means = graph.call(functional.avg_pool3d, padded, (layer.size, 1, 1), (1, 1, 1))
        scaled = graph.call(operator.mul, graph.method("squeeze", means, 1), layer.alpha)
        power = graph.call(torch.pow, graph.call(operator.add, scaled, layer.bias), layer.beta)
        node = graph.call(operator.truediv, node, power)
    return graph.call(torch.flatten, node, 1) if len(place.shape) == 1 else node


# Moving channels.


def _channel_shuffle(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    if len(place.shape) == 3:
        return graph.module(place, place.node, nn.ChannelShuffle(place.layer.groups))
    groups, channels = place.layer.groups, place.shape[0]
    split = graph.method("reshape", place.node, -1, groups, channels // groups)
    return graph.call(torch.flatten, graph.method("transpose", split, 1, 2), 1)


def _channel_slice(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer = place.layer
    part = slice(layer.start, layer.stop, None if layer.step == 1 else layer.step)
    return graph.call(operator.getitem, place.node, (slice(None), part))


# Several inputs.


def _add(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    nodes = [value.node for value in place.values]
    return reduce(lambda total, node: graph.call(operator.add, total, node), nodes)


def _concat(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return graph.call(torch.cat, [value.node for value in place.values], 1)


def _multiply(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    """A vector beside images is one number for each channel."""
    nodes = [
        graph.method("reshape", value.node, -1, value.shape[0], 1, 1)
        if len(value.shape) == 1 and len(place.shape) == 3
        else value.node
        for value in place.values
    ]
    return reduce(lambda product, node: graph.call(operator.mul, product, node), nodes)


FEATURES: dict[str, TorchWriter] = {
    "Dense": _dense,
    "GroupedDense": _grouped_dense,
    "Flatten": _flatten,
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "Affine": _affine,
    "PReLU": _prelu,
    "LRN": _lrn,
    "ChannelShuffle": _channel_shuffle,
    "ChannelSlice": _channel_slice,
    "Add": _add,
    "Concat": _concat,
    "Multiply": _multiply,
}
