"""Operators of PyTorch that have weights or windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from torch import nn

from striate.common.arrays import Array
from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign, SlidingWindow
from striate.importing.node_collector import layer_of
from striate.importing.torch_patterns import odd_channels
from striate.importing.torch_reader import Operators, TorchReader
from striate.importing.torch_trace import Known
from striate.importing.torch_values import Padded, TorchCall


def _known(call: TorchCall, *names: str) -> dict[str, Known | None]:
    """Those arguments that must be known."""
    found: dict[str, Known | None] = {}
    for name in names:
        given = call[name]
        if given is not None and not isinstance(given, Known):
            raise ViewError(f"its {name} depends on the images")
        found[name] = given
    return found


def _bordered(call: TorchCall) -> tuple[Foreign, tuple[int, ...] | None, tuple[int, ...] | None]:
    """What a window slides over, and a border that a padding has put around it."""
    first = next(iter(call.arguments.values()))
    if isinstance(first, Padded):
        return first.value, first.before, first.after
    return call.value, None, None


def _window(
    call: TorchCall, size: Sequence[int], pads: Sequence[tuple[int, int]], stride: Sequence[int]
) -> tuple[Foreign, SlidingWindow]:
    value, before, after = _bordered(call)
    count = len(size)
    if len(value.shape) != count + 2:
        raise ViewError(f"it reads a tensor of {len(value.shape)} axes")
    none = (0,) * count
    return value, SlidingWindow(
        tuple(size),
        tuple(stride),
        call.ints("dilation", count, 1) if "dilation" in call.arguments else (1,) * count,
        tuple(p[0] + b for p, b in zip(pads, before or none, strict=True)),
        tuple(p[1] + a for p, a in zip(pads, after or none, strict=True)),
    )


# Convolutions.


def _conv(reader: TorchReader, call: TorchCall) -> Foreign:
    known = _known(call, "weight", "bias")
    filters, bias = call.array("weight"), call.array("bias")
    assert filters is not None
    size = filters.shape[2:]
    count = len(size)
    pads = _conv_pads(call, size)
    value, window = _window(call, size, pads, call.ints("stride", count, 1))

    def write(name: str | None) -> Foreign:
        return reader.writer.convolution(
            value, filters, bias, window, groups=int(call["groups"]), name=name
        )

    return reader.layer(known, write)


def _conv_pads(call: TorchCall, size: Sequence[int]) -> list[tuple[int, int]]:
    padding, count = call["padding"], len(size)
    if padding == "valid":
        return [(0, 0)] * count
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(call.ints("dilation", count, 1), size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(pad, pad) for pad in call.ints("padding", count, 0)]


def _conv_transpose(reader: TorchReader, call: TorchCall) -> Foreign:
    known = _known(call, "weight", "bias")
    filters, bias = call.array("weight"), call.array("bias")
    assert filters is not None
    size = filters.shape[2:]
    count = len(size)
    pads = [(pad, pad) for pad in call.ints("padding", count, 0)]
    value, window = _window(call, size, pads, call.ints("stride", count, 1))

    def write(name: str | None) -> Foreign:
        return reader.writer.transposed_convolution(
            value,
            filters,
            bias,
            window,
            output_padding=call.ints("output_padding", count, 0),
            groups=int(call["groups"]),
            name=name,
        )

    return reader.layer(known, write)


# Dense layers.


def _dense(
    reader: TorchReader, value: Foreign, known: dict[str, Known | None], weights: Array, bias: Any
) -> Foreign:
    def write(name: str | None) -> Foreign:
        return reader.writer.dense(value, weights, bias, axis=-1, name=name)

    return reader.layer(known, write)


def _linear(reader: TorchReader, call: TorchCall) -> Foreign:
    known = _known(call, "weight", "bias")
    weights = call.array("weight")
    assert weights is not None
    return _dense(reader, call.value, known, weights.T, call.array("bias"))


def _matmul(reader: TorchReader, call: TorchCall) -> Foreign:
    other = "mat2" if "mat2" in call.arguments else "other"
    if not isinstance(call["self"], Foreign):
        raise ViewError("a matrix is multiplied from the left")
    known = _known(call, other)
    weights = call.array(other)
    if weights is None or weights.ndim != 2:
        raise ViewError("it multiplies with no matrix")
    return _dense(reader, call.value, known, weights, None)


def _addmm(reader: TorchReader, call: TorchCall) -> Foreign:
    value = call["mat1"]
    known = _known(call, "mat2", "self")
    weights, bias = call.array("mat2"), call.array("self")
    if not isinstance(value, Foreign) or weights is None or bias is None or bias.ndim != 1:
        raise ViewError("it is no matrix product with a bias")
    if call["beta"] != 1 or call["alpha"] != 1:
        raise ViewError("its sum is weighted")
    return _dense(reader, value, known, weights, bias)


# Normalisation.


def _batch_norm(reader: TorchReader, call: TorchCall) -> Foreign:
    known = _known(call, "weight", "bias", "running_mean", "running_var")
    if call["training"] or known["running_mean"] is None or known["running_var"] is None:
        raise ViewError("it normalises by the statistics of the batch in prediction too")
    mean, variance = call.array("running_mean"), call.array("running_var")
    assert mean is not None and variance is not None
    scale, shift = call.array("weight"), call.array("bias")
    arrays = {
        "scale": np.ones_like(mean) if scale is None else scale,
        "shift": np.zeros_like(mean) if shift is None else shift,
        "mean": mean,
        "variance": variance,
    }
    momentum = float(call["momentum"])
    owner = reader.owner_of(known["running_mean"].names[0]) if known["running_mean"].names else None
    keeps = _keeps(reader, owner)
    if getattr(owner, "momentum", momentum) is None:
        momentum = 0.1
        reader.told.append("batch normalisation with momentum=None has 0.1 here")

    def write(name: str | None) -> Foreign:
        return reader.writer.batch_norm(
            call.value,
            arrays,
            eps=float(call["eps"]),
            momentum=round(1 - momentum, 15) if not keeps else min(round(1 - momentum, 15), 0.9),
            name=name,
        )

    made = reader.layer(known, write)
    layer = made.node.layer
    assert layer is not None and layer.name is not None
    if keeps:
        reader.keeping.add(layer.name)
    if scale is None and shift is None:
        # What is not there cannot learn; a frozen layer would not normalise by the batch either.
        if not keeps:
            reader.frozen.discard(layer.name)
            reader.told.append(f"{layer.name} learns no scale and shift there, and does here")
    elif layer.name in reader.frozen and not keeps:
        reader.told.append(f"{layer.name} still averages its statistics there, and not here")
    return made


def _keeps(reader: TorchReader, owner: nn.Module | None) -> bool:
    """Whether batch normalisation stays on its averages in training.

    A module in evaluation mode inside one in training mode does; if all are in evaluation mode, it
    is only asked what they predict. A plain module has no mode: it is the function that is called.
    """
    if owner is None or type(owner) is nn.Module:
        return True
    return reader.traced.module.training and not owner.training


def _layer_norm(reader: TorchReader, call: TorchCall) -> Foreign:
    known = _known(call, "weight", "bias")
    if len(call["normalized_shape"]) != 1:
        raise ViewError(f"it normalises over {len(call['normalized_shape'])} axes at once")
    scale, shift = call.array("weight"), call.array("bias")
    if scale is None or shift is None:
        reader.told.append("layer normalisation learns a scale and a shift here")

    def write(name: str | None) -> Foreign:
        return reader.writer.layer_norm(
            call.value, scale, shift, eps=float(call["eps"]), axis=-1, name=name
        )

    return reader.layer(known, write)


def _prelu(reader: TorchReader, call: TorchCall) -> Foreign:
    known = _known(call, "weight")
    slope = call.array("weight")
    assert slope is not None
    if slope.size > 1:
        slope = slope.reshape(1, -1, *(1,) * (len(call.value.shape) - 2))
    return reader.layer(known, lambda name: reader.writer.prelu(call.value, slope, name=name))


# Pooling.


def _pool(kind: str, count: int) -> Callable[[TorchReader, TorchCall], Any]:
    def read(reader: TorchReader, call: TorchCall) -> Any:
        size = call.ints("kernel_size", count)
        stride = call["stride"]
        steps = size if stride is None or stride == [] else call.ints("stride", count)
        pads = [(pad, pad) for pad in call.ints("padding", count, 0)]
        value, window = _window(call, size, pads, steps)
        divisor = call.arguments.get("divisor_override")
        pooled = reader.writer.pool(
            value,
            "SumPool2D" if divisor else kind,
            window,
            ceil=bool(call["ceil_mode"]),
            count_padding=not divisor and bool(call.arguments.get("count_include_pad")),
        )
        if divisor and divisor != 1:
            scale = layer_of("Scale", factor=1 / divisor)
            pooled = reader.writer.elementwise(pooled, scale)
        return pooled

    return read


def _first(read: Callable[[TorchReader, TorchCall], Any]) -> Callable[..., Any]:
    """The operator that returns the indices too, which are no value here."""
    return lambda reader, call: [read(reader, call), None]


def _adaptive(kind: str, count: int) -> Callable[[TorchReader, TorchCall], Any]:
    """Pooling to a given size."""

    def read(reader: TorchReader, call: TorchCall) -> Foreign:
        value = call.value
        pixels = value.shape[2:]
        given = call["output_size"]
        wanted = [
            own if size is None else int(size)
            for size, own in zip(
                given if isinstance(given, (list, tuple)) else [given] * count, pixels, strict=True
            )
        ]
        if tuple(wanted) == pixels:
            return value
        if all(size == 1 for size in wanted):
            axes = range(2, 2 + count)
            return reader.writer.reduction(value, kind, list(axes), True)
        windows = [_uniform(own, size) for own, size in zip(pixels, wanted, strict=True)]
        sizes, strides = zip(*windows, strict=True)
        none = (0,) * count
        window = SlidingWindow(sizes, strides, (1,) * count, none, none)
        return reader.writer.pool(value, f"{kind}Pool2D", window)

    return read


def _uniform(pixels: int, wanted: int) -> tuple[int, int]:
    """(size, stride) of the windows of adaptive pooling, where they are all alike."""
    starts = [math.floor(i * pixels / wanted) for i in range(wanted)]
    stops = [math.ceil((i + 1) * pixels / wanted) for i in range(wanted)]
    sizes = {stop - start for start, stop in zip(starts, stops, strict=True)}
    steps = {after - before for before, after in pairwise(starts)} or {1}
    if len(sizes) > 1 or len(steps) > 1 or 0 in steps:
        raise ViewError(f"{pixels} pixels are pooled to {wanted} by windows of different sizes")
    return sizes.pop(), steps.pop()


def _reduced(kind: str) -> Callable[[TorchReader, TorchCall], Foreign]:
    def read(reader: TorchReader, call: TorchCall) -> Foreign:
        given = call.arguments.get("dim")
        if given is None or given == []:
            raise ViewError("it is taken over all axes")
        axes = [int(axis) for axis in (given if isinstance(given, (list, tuple)) else [given])]
        return reader.writer.reduction(call.value, kind, axes, bool(call["keepdim"]))

    return read


def _lrn(reader: TorchReader, call: TorchCall) -> Foreign:
    size = odd_channels(int(call["size"]))
    return reader.writer.lrn(
        call.value,
        size=size,
        alpha=float(call["alpha"]),
        beta=float(call["beta"]),
        bias=float(call["k"]),
    )


WEIGHTED: Operators = {
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _conv_transpose),
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm"), _matmul),
    "addmm": _addmm,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "prelu": _prelu,
    "max_pool1d": _pool("MaxPool2D", 1),
    "max_pool2d": _pool("MaxPool2D", 2),
    "max_pool1d_with_indices": _first(_pool("MaxPool2D", 1)),
    "max_pool2d_with_indices": _first(_pool("MaxPool2D", 2)),
    "avg_pool1d": _pool("AvgPool2D", 1),
    "avg_pool2d": _pool("AvgPool2D", 2),
    "adaptive_avg_pool1d": _adaptive("Avg", 1),
    "adaptive_avg_pool2d": _adaptive("Avg", 2),
    "adaptive_max_pool1d": _first(_adaptive("Max", 1)),
    "adaptive_max_pool2d": _first(_adaptive("Max", 2)),
    "mean": _reduced("Avg"),
    "amax": _reduced("Max"),
    "sum": _reduced("Sum"),
    "local_response_norm": _lrn,
}
