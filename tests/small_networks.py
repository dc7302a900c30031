"""Small networks with every layer, and numbers in them that hide no mistake."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from striate.layers import LAYERS, Flatten, Layer, Node, Tanh
from striate.network import Network

IMAGE = (9, 8, 6)
"""An image that the layers below take: uneven, with channels for groups of two and three."""

ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "Conv2D": [
        {"filters": 4, "size": (3, 2), "padding": (1, 0, 0, 1), "groups": 2, "dilation": 2},
    ],
    "LocallyConnected2D": [
        {"filters": 4, "size": (3, 2), "groups": 2, "padding": (0, 1, 1, 0)},
        {"filters": 3, "size": (2, 4), "stride": (1, 2), "bias": False, "dilation": (2, 1)},
    ],
    "ConvTranspose2D": [
        {"filters": 4, "size": (2, 3), "stride": 2, "groups": 2, "bias": False},
        {"filters": 5, "size": 3, "stride": (3, 2), "padding": (1, 0, 2, 1), "output_padding": 1},
        {"filters": 3, "size": 3, "padding": 1, "dilation": 2, "output_padding": (1, 0)},
    ],
    "MaxPool2D": [
        {"size": (3, 2), "dilation": 2, "padding": (2, 1), "uncovered": "drop"},
        {"size": 2, "stride": 1, "padding": 2, "dilation": 2},
        {"size": (3, 2), "padding": (1, 0), "uncovered": "drop"},
        {"size": 3, "stride": 2, "uncovered": "overhang"},
        {"size": 3, "stride": 2, "padding": (1, 0, 0, 1), "uncovered": "overhang"},
    ],
    "AvgPool2D": [
        {"size": 3, "stride": 2, "padding": (1, 1, 0, 1)},
        {"size": 3, "stride": 2, "padding": (1, 1, 0, 1), "count_padding": True},
        {"size": 3, "stride": 2, "uncovered": "overhang", "count_padding": True, "padding": 1},
        {"size": 3, "stride": 2, "uncovered": "overhang", "padding": (0, 1, 1, 0)},
        {"size": 2, "stride": 1, "dilation": (2, 1), "padding": 1},
        {"size": 2, "stride": 1, "dilation": 2, "padding": 1, "count_padding": True},
    ],
    "SumPool2D": [
        {"size": (2, 3), "stride": 1, "padding": (1, 0, 2, 1)},
        {"size": 3, "stride": 2, "uncovered": "overhang"},
        {"size": 2, "dilation": 2, "stride": 1},
    ],
    "GlobalMaxPool2D": [{}, {"keepdims": True}],
    "GlobalAvgPool2D": [{}, {"keepdims": True}],
    "Dense": [{"units": 5}, {"units": 7, "bias": False}],
    "GroupedDense": [{"units": 6, "group": 2}, {"units": 6, "group": 3, "bias": False}],
    "LeakyReLU": [{"slope": 0.25}],
    "Scale": [{"factor": 0.5}],
    "Dropout": [{"rate": 0.5}],
    "Clip": [{"low": -0.5, "high": 1.5}, {"high": 0.5}],
    "ELU": [{"alpha": 0.7}],
    "GELU": [{}, {"approximate": "tanh"}],
    "HardSigmoid": [{}, {"slope": 0.2, "offset": 0.4}],
    "PReLU": [{}, {"shared": True}],
    "Affine": [{}, {"scale": False}, {"shift": False}],
    "LayerNorm": [{"eps": 1e-3}],
    "LRN": [{"size": 3}, {"size": 4, "alpha": 0.2, "beta": 0.6, "bias": 2.0}],
    "ChannelShuffle": [{"groups": 3}, {"groups": 1}],
    "ChannelSlice": [{"start": 1, "stop": 6, "step": 2}, {"start": 2, "stop": 5}],
    "ZeroPad2D": [{"padding": (1, 0, 2, 3)}],
    "Crop2D": [{"cropping": (1, 0, 0, 2)}, {"cropping": 1}],
}
"""Arguments with which each layer fits the image; those that are missing need none."""

CASES = [(name, arguments) for name in LAYERS for arguments in ARGUMENTS.get(name, [{}])]
"""Every layer, once for each set of arguments."""

OF_VECTORS = ("Dense", "GroupedDense")
MERGES = ("Add", "Concat", "Multiply")


def case_id(value: object) -> str | None:
    """How pytest calls a part of a case: layers by their names, arguments by those that are set."""
    if isinstance(value, dict):
        return " ".join(f"{name}={given}" for name, given in value.items()) or "plain"
    return value if isinstance(value, str) else None


def read_by(layer: Layer, x: Node) -> Node:
    """The layer behind an image or vector; what merges several also reads its tanh."""
    kind = type(layer).__name__
    if kind in MERGES:
        return layer(x, Tanh()(x))
    return layer(Flatten()(x) if kind in OF_VECTORS and len(x.shape) == 3 else x)


def randomise(network: Network, seed: int = 0) -> Network:
    """Set numbers that no flip, transposition or other statistic leaves alike.

    Values keep about their size from layer to layer: the variance of weights is one over the
    number of values that each output sums.

    Returns:
        The same network.
    """
    rng = np.random.default_rng(seed)
    for name, array in network.parameters.items():
        if name.endswith(("/filters", "/weights")):
            fan = math.prod(array.shape[:-1]) if array.ndim < 6 else math.prod(array.shape[2:5])
            array[...] = rng.normal(0, 1 / math.sqrt(fan), array.shape)
        else:
            array[...] = rng.uniform(-0.9, 0.9, array.shape) + name.endswith("/scale")
    for name, array in network.state.items():
        low, high = (0.3, 2.0) if name.endswith("/variance") else (-0.5, 0.5)
        array[...] = rng.uniform(low, high, array.shape)
    return network
