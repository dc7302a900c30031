"""Folding: batch normalisation and `Affine` become part of the convolution or dense layer before.

Once trained, they multiply every channel by a number and add another:

    f * (W x + b - mean) + shift = (f W) x + (f (b - mean) + shift)

with f = scale / sqrt(variance + eps); for `Affine`, f = scale and mean = 0.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from striate.layers import Affine, BatchNorm, Conv2D, Dense, Input

if TYPE_CHECKING:
    from striate.layers import Layer, Node
    from striate.model.model import Model

Numbers = npt.NDArray[np.float64]


def folded(network: Model) -> Model:
    """The same function of images, with fewer layers and parameters of its own.

    Places of one layer share its weights as before, if what is folded into them is the same.
    """
    result = _folded_once(network)
    while _followers(result):  # several may follow each other
        result = _folded_once(result)
    return result


def _folded_once(network: Model) -> Model:
    """Into each layer, what follows it directly."""
    from striate.model.model import Model

    network = network.branch()
    followers = _followers(network)
    folded_away = set(followers.values())
    image = Input(network.input_shape)
    values: dict[int, Node] = {-1: image}
    kept: list[int] = []
    layers: dict[tuple[int, int | None], Layer] = {}
    for i, vertex in enumerate(network.nodes):
        if i in folded_away:
            values[i] = values[vertex.inputs[0]]
            continue
        follower = network.owner(followers[i]) if i in followers else None
        layer = layers.setdefault((network.owner(i), follower), copy.copy(vertex.layer))
        if i in followers:
            cast(Conv2D | Dense, layer).bias = True
        sources = (values[source] for source in vertex.inputs)
        values[i] = layer(*sources, name=vertex.name)
        kept.append(i)
    result = Model(inputs=image, output=values[len(network.nodes) - 1], seed=None)
    for new, old in enumerate(kept):
        for name, array in network.parameters_of(old).items():
            result.parameters_of(new)[name][...] = array
        for name, array in network.state_of(old).items():
            result.state_of(new)[name][...] = array
        if old in followers:
            _fold(network, old, followers[old], result, new)
    result.preprocessing = network.preprocessing
    return result


def _followers(network: Model) -> dict[int, int]:
    """For each layer that nothing but a batch normalisation or `Affine` reads, that one."""
    readers = Counter(source for vertex in network.nodes for source in vertex.inputs)
    return {
        vertex.inputs[0]: i
        for i, vertex in enumerate(network.nodes)
        if type(vertex.layer) in (BatchNorm, Affine)
        and vertex.inputs[0] >= 0
        and readers[vertex.inputs[0]] == 1
        and type(network.nodes[vertex.inputs[0]].layer) in (Conv2D, Dense)
    }


def _fold(network: Model, old: int, follower: int, result: Model, new: int) -> None:
    factor, mean, shift = _factor(network, follower)
    parameters = result.parameters_of(new)
    weights = "filters" if "filters" in parameters else "weights"
    before = network.parameters_of(old)
    parameters[weights][...] = before[weights] * factor
    bias = before.get("bias", 0.0)
    parameters["bias"][...] = (bias - mean) * factor + shift


def _factor(network: Model, follower: int) -> tuple[Numbers, Numbers, Numbers]:
    """Factor, mean and shift of every channel, in float64; those of `Affine` may be one number."""
    layer = network.nodes[follower].layer
    own = {**network.parameters_of(follower), **network.state_of(follower)}
    exact = {name: np.asarray(array, np.float64) for name, array in own.items()}
    factor, shift = exact.get("scale", np.ones(1)), exact.get("shift", np.zeros(1))
    if isinstance(layer, BatchNorm):
        return factor / np.sqrt(exact["variance"] + layer.eps), exact["mean"], shift
    return factor, np.zeros(1), shift
