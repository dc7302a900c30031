"""Layers that slide a window over an image, or change its borders, as nodes of ONNX.

All padding is written in numbers, never as "same" or as a rounding upwards (`ceil_mode`), which
runtimes read differently: what a last window hangs over the image by is padding at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from striate.common.arrays import Array
from striate.exporting.onnx_graph import OnnxGraph, Place
from striate.exporting.weight_layout import WeightLayout
from striate.ops.shapes import Pads


def _onnx_pads(pads: Sequence[int]) -> list[int]:
    """(top, bottom, left, right) as ONNX has it: all beginnings, then all ends."""
    top, bottom, left, right = pads
    return [top, left, bottom, right]


def _window(place: Place) -> dict[str, list[int]]:
    """The attributes of a window that are the same for convolution and pooling."""
    layer = place.layer
    return {"kernel_shape": list(layer.size), "strides": list(layer.stride)}


# Convolutions.


def _oihw(filters: Array) -> WeightLayout:
    return WeightLayout.transposed(filters, 3, 2, 0, 1)


def _conv2d(graph: OnnxGraph, place: Place) -> str:
    layer, filters = place.layer, place.arrays["filters"]
    weights = graph.weight(filters, f"{place.name}/filters", _oihw(filters))
    inputs = [*place.inputs, weights]
    if layer.bias:
        inputs.append(graph.weight(place.arrays["bias"], f"{place.name}/bias"))
    return graph.op(
        "Conv",
        inputs,
        place.name,
        **_window(place),
        pads=_onnx_pads(layer.pads(place.shapes[0])),
        dilations=list(layer.dilation),
        group=layer.groups,
    )


def _conv_transpose2d(graph: OnnxGraph, place: Place) -> str:
    """Its filters are those of the convolution whose input gradient it is: so are ONNX's.

    Runtimes want an output padding below the stride, and some output before it.  Where there is a
    larger one, rows and columns of zeros behind the input make the outputs that are missing.
    """
    layer, filters, name = place.layer, place.arrays["filters"], place.name
    top, bottom, left, right = _four_sides(layer.padding)
    added = layer.output_padding
    down, across = (added, added) if isinstance(added, int) else added
    value = place.inputs[0]
    if down >= layer.stride[0] or across >= layer.stride[1]:
        (below, bottom), (behind, right) = (
            _zeros_behind(cut, stride)
            for cut, stride in zip((bottom - down, right - across), layer.stride, strict=True)
        )
        down = across = 0
        value = _pad(graph, value, (0, below, 0, behind), 0.0, name, f"{name}/longer")
    weights = graph.weight(filters, f"{name}/filters", _oihw(filters))
    bias = [graph.weight(place.arrays["bias"], f"{name}/bias")] if layer.bias else []
    return graph.op(
        "ConvTranspose",
        [value, weights, *bias],
        name,
        **_window(place),
        pads=_onnx_pads((top, bottom, left, right)),
        output_padding=[down, across],
        dilations=list(layer.dilation),
        group=layer.groups,
    )


def _zeros_behind(cut: int, stride: int) -> tuple[int, int]:
    """Along one axis: how many zeros behind the input make all outputs, and how many outputs are
    then cut away at the end, where without zeros `cut` would be, or are missing if it is negative.
    """
    zeros = max(-(cut // stride), 0)
    return zeros, cut + zeros * stride


def _locally_connected2d(graph: OnnxGraph, place: Place) -> str:
    """A convolution that copies the pixels of each window into channels, and then one product of
    matrices for each position and group.
    """
    layer, weights, name = place.layer, place.arrays["weights"], place.name
    rows, columns, down, across, depth, filters = weights.shape
    channels, groups, positions = place.shapes[0][2], layer.groups, rows * columns
    taps = down * across
    graph.weigh(taps**2 * channels, name)
    copies = np.tile(np.eye(taps, dtype=np.float32).reshape(taps, 1, down, across),
                     (channels, 1, 1, 1))  # fmt: skip
    patches = graph.op(
        "Conv",
        [*place.inputs, graph.constant(copies, f"{name}/taps")],
        f"{name}/patches",
        **_window(place),
        pads=_onnx_pads(layer.pads(place.shapes[0])),
        dilations=list(layer.dilation),
        group=channels,
    )
    apart = graph.reshape(patches, (groups, depth * taps, positions), f"{name}/apart")
    vectors = graph.transpose(apart, (3, 1, 0, 2), f"{name}/vectors")
    share = filters // groups
    matrices = WeightLayout(
        (positions, down, across, depth, groups, share),
        (0, 4, 3, 1, 2, 5),
        (positions, groups, depth * taps, share),
    )
    learned = graph.weight(weights, f"{name}/weights", matrices)
    product = graph.op("MatMul", [vectors, learned], f"{name}/product")
    back = graph.transpose(product, (2, 1, 3, 0), f"{name}/back")
    shape = (filters, rows, columns)
    if not layer.bias:
        return graph.reshape(back, shape, name)
    bias = place.arrays["bias"]
    added = graph.weight(bias, f"{name}/bias", WeightLayout.transposed(bias, 2, 0, 1))
    return graph.op("Add", [graph.reshape(back, shape, f"{name}/image"), added], name)


# Pooling.


def _max_pool2d(graph: OnnxGraph, place: Place) -> str:
    layer, (value,) = place.layer, place.inputs
    pads = layer.pads(place.shapes[0])
    if not _allowed(pads, place):
        value = _padded(graph, value, pads, -math.inf, place.name)
        pads = (0, 0, 0, 0)
    return graph.op(
        "MaxPool",
        [value],
        place.name,
        **_window(place),
        pads=_onnx_pads(pads),
        dilations=list(layer.dilation),
    )


def _avg_pool2d(graph: OnnxGraph, place: Place) -> str:
    layer, shape, (value,) = place.layer, place.shapes[0], place.inputs
    pads, over = layer.pads(shape), layer.overhang(shape)
    if not (_allowed(pads, place) and _averages(graph, place)):
        total = _summed_by_filters(graph, place, f"{place.name}/sum")
        graph.weigh(place.shape[0] * place.shape[1], place.name)
        pixels = layer.pixels(shape).transpose(2, 0, 1).astype(np.float32)
        return graph.op("Div", [total, graph.constant(pixels, f"{place.name}/pixels")], place.name)
    if layer.count_padding and any(over):  # the padding counts, and what hangs over does not
        value = _padded(graph, value, layer.given_pads(shape), 0.0, place.name)
        pads = over
    counted = layer.count_padding and not any(over)
    return _averaged(graph, place, value, pads, counted, place.name)


def _sum_pool2d(graph: OnnxGraph, place: Place) -> str:
    """An average whose padding counts, so that all windows have as many pixels, times these."""
    pads = place.layer.pads(place.shapes[0])
    if not (_allowed(pads, place) and _averages(graph, place)):
        return _summed_by_filters(graph, place, place.name)
    mean = _averaged(graph, place, place.inputs[0], pads, True, f"{place.name}/mean")
    taps = graph.factor(math.prod(place.layer.size), f"{place.name}/pixels")
    return graph.op("Mul", [mean, taps], place.name)


def _averages(graph: OnnxGraph, place: Place) -> bool:
    """Whether this version of ONNX has averages of such windows."""
    return graph.opset >= 19 or place.layer.dilation == (1, 1)


def _allowed(pads: Pads, place: Place) -> bool:
    """Whether pooling may have this padding: less than the window's taps, however far apart."""
    return all(pad < place.layer.size[side // 2] for side, pad in enumerate(pads))


def _averaged(
    graph: OnnxGraph, place: Place, value: str, pads: Pads, counted: bool, name: str
) -> str:
    dilations = {}
    if place.layer.dilation != (1, 1):
        dilations = {"dilations": list(place.layer.dilation)}
    return graph.op(
        "AveragePool",
        [value],
        name,
        **_window(place),
        **dilations,
        pads=_onnx_pads(pads),
        count_include_pad=int(counted),
    )


def _summed_by_filters(graph: OnnxGraph, place: Place, name: str) -> str:
    """The sum of each window, by a filter of ones for each channel."""
    layer, shape = place.layer, place.shapes[0]
    graph.weigh(shape[2] * math.prod(layer.size), place.name)
    ones = np.ones((shape[2], 1, *layer.size), np.float32)
    return graph.op(
        "Conv",
        [*place.inputs, graph.constant(ones, f"{place.name}/ones")],
        name,
        **_window(place),
        pads=_onnx_pads(layer.pads(shape)),
        dilations=list(layer.dilation),
        group=shape[2],
    )


def _global_avg_pool2d(graph: OnnxGraph, place: Place) -> str:
    return _global(graph, place, "GlobalAveragePool")


def _global_max_pool2d(graph: OnnxGraph, place: Place) -> str:
    return _global(graph, place, "GlobalMaxPool")


def _global(graph: OnnxGraph, place: Place, operator: str) -> str:
    if len(place.shape) == 3:  # keepdims
        return graph.op(operator, place.inputs, place.name)
    pooled = graph.op(operator, place.inputs, f"{place.name}/image")
    return graph.op("Flatten", [pooled], place.name, axis=1)


# Borders.


def _zero_pad2d(graph: OnnxGraph, place: Place) -> str:
    pads = _four_sides(place.layer.padding)
    return _pad(graph, place.inputs[0], pads, 0.0, place.name, place.name)


def _crop2d(graph: OnnxGraph, place: Place) -> str:
    top, _, left, _ = _four_sides(place.layer.cropping)
    rows, columns, _ = place.shape
    ends = [
        graph.numbers(numbers, f"{place.name}/{what}")
        for what, numbers in (
            ("starts", [top, left]), ("stops", [top + rows, left + columns]), ("axes", [2, 3]),
        )
    ]  # fmt: skip
    return graph.op("Slice", [*place.inputs, *ends], place.name)


def _four_sides(sides: int | Sequence[int]) -> Pads:
    """(top, bottom, left, right) of one number, (vertical, horizontal) or all four."""
    if isinstance(sides, int):
        return (sides, sides, sides, sides)
    if len(sides) == 2:
        return (sides[0], sides[0], sides[1], sides[1])
    top, bottom, left, right = sides
    return (top, bottom, left, right)


def _padded(graph: OnnxGraph, value: str, pads: Pads, number: float, name: str) -> str:
    return _pad(graph, value, pads, number, name, f"{name}/padded")


def _pad(graph: OnnxGraph, value: str, pads: Pads, number: float, layer: str, name: str) -> str:
    top, bottom, left, right = pads
    sides = graph.numbers([0, 0, top, left, 0, 0, bottom, right], f"{layer}/pads")
    return graph.op("Pad", [value, sides, graph.factor(number, f"{layer}/border")], name)


WINDOWS: dict[str, Callable[[OnnxGraph, Place], str]] = {
    "Conv2D": _conv2d,
    "ConvTranspose2D": _conv_transpose2d,
    "LocallyConnected2D": _locally_connected2d,
    "MaxPool2D": _max_pool2d,
    "AvgPool2D": _avg_pool2d,
    "SumPool2D": _sum_pool2d,
    "GlobalAvgPool2D": _global_avg_pool2d,
    "GlobalMaxPool2D": _global_max_pool2d,
    "ZeroPad2D": _zero_pad2d,
    "Crop2D": _crop2d,
}
