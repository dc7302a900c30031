"""Layers that treat each number alone, without parameters, as modules and calls of PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch
from torch import fx, nn

from striate.exporting.torch_graph import TorchGraph, TorchPlace
from striate.exporting.torch_windows import TorchWriter


def _module(make: Callable[[TorchPlace], nn.Module]) -> TorchWriter:
    """The writer of a layer that is one module without parameters."""

    def write(graph: TorchGraph, place: TorchPlace) -> fx.Node:
        return graph.module(place, place.node, make(place))

    return write


def _scale(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return graph.call(operator.mul, place.node, place.layer.factor)


def _clip(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    return graph.call(torch.clamp, place.node, place.layer.low, place.layer.high)


def _hard_sigmoid(graph: TorchGraph, place: TorchPlace) -> fx.Node:
    layer = place.layer
    if (layer.slope, layer.offset) == (1 / 6, 0.5):
        return graph.module(place, place.node, nn.Hardsigmoid())
    scaled = graph.call(operator.mul, place.node, layer.slope)
    return graph.call(torch.clamp, graph.call(operator.add, scaled, layer.offset), 0.0, 1.0)


ELEMENTWISE: dict[str, TorchWriter] = {
    "ReLU": _module(lambda place: nn.ReLU()),
    "ReLU6": _module(lambda place: nn.ReLU6()),
    "LeakyReLU": _module(lambda place: nn.LeakyReLU(place.layer.slope)),
    "Sigmoid": _module(lambda place: nn.Sigmoid()),
    "Tanh": _module(lambda place: nn.Tanh()),
    "HardSwish": _module(lambda place: nn.Hardswish()),
    "SiLU": _module(lambda place: nn.SiLU()),
    "Mish": _module(lambda place: nn.Mish()),
    "ELU": _module(lambda place: nn.ELU(place.layer.alpha)),
    "GELU": _module(lambda place: nn.GELU(place.layer.approximate)),
    "Dropout": _module(lambda place: nn.Dropout(place.layer.rate)),
    "Scale": _scale,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
}
