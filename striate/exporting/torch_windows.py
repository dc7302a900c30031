"""Layers that slide a window over an image, or change its borders, as calls of PyTorch.

PyTorch's windows have the same padding above and below; any other is a call of `pad` before it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import torch
from torch import fx, nn
from torch.nn import functional

from striate.exporting.torch_graph import TorchGraph, TorchPlace
from striate.exporting.torch_weights import TensorLayout, reordered
from striate.ops.shapes import Pads

TorchWriter = Callable[[TorchGraph, TorchPlace], fx.Node]
"""From a layer in its place to its output."""


def _torch_pads(pads: Sequence[int]) -> list[int]:
    """(top, bottom, left, right) as PyTorch has it: the last axis first."""
    top, bottom, left, right = pads
    return [left, right, top, bottom]


def _pad(graph: TorchGraph, node: fx.Node, pads: Pads, value: float = 0.0) -> fx.Node:
    if not any(pads):
        return node
    return graph.call(functional.pad, node, _torch_pads(pads), "constant", value)


def _even(pads: Pads) -> tuple[int, int] | None:
    """(vertical, horizontal) of padding that is the same on both sides, else None."""
    top, bottom, left, right = pads
    return (top, left) if (top, left) == (bottom, right) else None


def _cropped(graph: TorchGraph, node: fx.Node, border: Pads) -> fx.Node:
    top, bottom, left, right = (size or None for size in border)
    down = slice(top, -bottom if bottom else None)
    across = slice(left, -right if right else None)
    return graph.call(operator.getitem, node, (slice(None), slice(None), down, across))


# Convolutions.


def _conv2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer, channels = place.layer, place.value.shape[2]
    pads = layer.pads(place.value.shape)
    even = _even(pads)
    node = place.node if even else _pad(graph, place.node, pads)
    module = nn.Conv2d(
        channels,
        layer.filters,
        layer.size,
        layer.stride,
        even or (0, 0),
        layer.dilation,
        layer.groups,
        layer.bias,
        device="meta",
    )
    return graph.module(place, node, module, _filters(place))


def _conv_transpose2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer, (_, _, channels) = place.layer, place.value.shape
    even = _even(layer.pads)
    module = nn.ConvTranspose2d(
        channels,
        layer.filters,
        layer.size,
        layer.stride,
        even or (0, 0),
        layer.output_padding,
        layer.groups,
        layer.bias,
        layer.dilation,
        device="meta",
    )
    node = graph.module(place, place.node, module, _filters(place))
    return node if even else _cropped(graph, node, layer.pads)


def _filters(place: TorchPlace) -> dict[str, tuple[str, TensorLayout]]:
    """Filters (height, width, in, out), of which a transposed convolution has the out as its
    inputs, and the bias.
    """
    layouts = {"weight": ("filters", reordered(place.arrays["filters"].shape, 3, 2, 0, 1))}
    if place.layer.bias:
        layouts["bias"] = ("bias", reordered(place.arrays["bias"].shape, 0))
    return layouts


def _locally_connected2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    """All windows side by side, each multiplied with filters of its own."""
    layer, groups = place.layer, place.layer.groups
    rows, columns, filters = place.shape
    shape = place.arrays["weights"].shape
    layout = TensorLayout(shape, (0, 1, 5, 4, 2, 3), tuple(shape[i] for i in (0, 1, 5, 4, 2, 3)))
    weights = graph.parameter(place, "weight", "weights", layout)
    taps = layer.size[0] * layer.size[1] * place.value.shape[2] // groups
    padded = _pad(graph, place.node, layer.pads(place.value.shape))
    windows = graph.call(
        functional.unfold, padded, layer.size, layer.dilation, (0, 0), layer.stride
    )
    windows = graph.method("reshape", windows, -1, groups, taps, rows * columns)
    weights = graph.method("reshape", weights, rows * columns, groups, filters // groups, taps)
    node = graph.call(torch.einsum, "ngpl,lgkp->ngkl", windows, weights)
    node = graph.method("reshape", node, -1, filters, rows, columns)
    if not layer.bias:
        return node
    bias = graph.parameter(place, "bias", "bias", reordered((rows, columns, filters), 2, 0, 1))
    return graph.call(operator.add, node, bias)


# Pooling.


def _fits(place: TorchPlace) -> tuple[int, int] | None:
    """The padding as PyTorch's pooling takes it: the same on both sides, at most half a window."""
    layer = place.layer
    even = _even(layer.given_pads(place.value.shape))
    if even is None:
        return None
    # Half of the taps, however far apart they are.
    return (
        even if all(pad <= taps // 2 for pad, taps in zip(even, layer.size, strict=True)) else None
    )


def _max_pool2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer, padding, shape = place.layer, _fits(place), place.value.shape
    node = place.node
    if padding is None:
        node = _pad(graph, node, layer.pads(shape), float("-inf"))
    module = nn.MaxPool2d(
        layer.size,
        layer.stride,
        padding or (0, 0),
        layer.dilation,
        ceil_mode=padding is not None and any(layer.overhang(shape)),
    )
    return graph.module(place, node, module)


def _sums(graph: TorchGraph, place: TorchPlace, node: fx.Node, channels: int) -> fx.Node:
    """The sum of each window, of images that are padded."""
    layer = place.layer
    if layer.dilation == (1, 1):
        return graph.call(
            functional.avg_pool2d,
            node,
            layer.size,
            layer.stride,
            (0, 0),
            False,
            True,
            divisor_override=1,
        )
    ones = graph.method("new_ones", node, (channels, 1, *layer.size))
    zero = (0, 0)
    return graph.call(
        functional.conv2d, node, ones, None, layer.stride, zero, layer.dilation, channels
    )


def _avg_pool2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer, padding = place.layer, _fits(place)
    shape = place.value.shape
    over = layer.overhang(shape)
    if padding is not None and layer.dilation == (1, 1):
        module = nn.AvgPool2d(layer.size, layer.stride, padding, any(over), layer.count_padding)
        return graph.module(place, place.node, module)
    sums = _sums(graph, place, _pad(graph, place.node, layer.pads(shape)), shape[2])
    # The pixels that each window has, counted in the same way.
    ones = graph.method("new_ones", place.node, (1, 1, *shape[:2]))
    counted = _pad(graph, ones, layer.given_pads(shape), 1.0 if layer.count_padding else 0.0)
    pixels = _sums(graph, place, _pad(graph, counted, over), 1)
    return graph.call(operator.truediv, sums, pixels)


def _sum_pool2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    shape = place.value.shape
    pads = place.layer.pads(shape)
    return _sums(graph, place, _pad(graph, place.node, pads), shape[2])


def _global_avg_pool2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return graph.call(torch.mean, place.node, (2, 3), len(place.shape) == 3)


def _global_max_pool2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    # `amax` would share the gradient among equal pixels.
    node = graph.call(functional.adaptive_max_pool2d, place.node, (1, 1))
    return node if len(place.shape) == 3 else graph.call(torch.flatten, node, 1)


# Borders.


def _zero_pad2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return _pad(graph, place.node, place.layer.border)


def _crop2d(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return _cropped(graph, place.node, place.layer.border)


WINDOWS: dict[str, TorchWriter] = {
    "Conv2D": _conv2d,
    "LocallyConnected2D": _locally_connected2d,
    "MaxPool2D": _max_pool2d,
    "AvgPool2D": _avg_pool2d,
    "SumPool2D": _sum_pool2d,
    "GlobalAvgPool2D": _global_avg_pool2d,
    "GlobalMaxPool2D": _global_max_pool2d,
    "ConvTranspose2D": _conv_transpose2d,
    "ZeroPad2D": _zero_pad2d,
    "Crop2D": _crop2d,
}
