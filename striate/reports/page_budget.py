"""Chooses what goes into a page of limited size: images, values of layers, weights.

Nothing is rounded to save bytes. Values that the page's script can compute from others to the last
bit (ReLU, batch normalisation, max-pooling, ...) are not stored at all. If the rest is too large,
images are left out first, then the values of the largest layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.layers import Parameter
    from striate.network import Network

COMPUTED = frozenset(
    (
        "ReLU",
        "LeakyReLU",
        "ReLU6",
        "Clip",
        "PReLU",
        "Scale",
        "Affine",
        "Dropout",
        "Flatten",
        "Concat",
    )
) | frozenset(("Add", "Multiply", "ChannelShuffle", "ChannelSlice", "BatchNorm", "MaxPool2D"))
"""Layers whose outputs page/values.js computes from their inputs, to the last bit of float32."""

EACH_NUMBER = 4 * 4 / 3
"""The bytes of a float32 in base64."""


@dataclass(frozen=True)
class PageContent:
    """The content of a page.

    Attributes:
        images: how many of the chosen images are in the page.
        kept: nodes whose values are stored in the page.
        shown: these, and the nodes whose values the page computes; -1 is the input.
        weights: nodes whose parameters are in the page.
        used: the bytes that all this takes, roughly.
    """

    images: int
    kept: frozenset[int]
    shown: frozenset[int]
    weights: frozenset[int]
    used: float


def fit_page(network: Network, images: int, room: float, each: float) -> PageContent:
    """Choose what fits into `room` bytes: at least one image, if need be without any layer.

    Args:
        network: the network.
        images: how many images are wanted, at least 1.
        room: the bytes available.
        each: the bytes of an image without the values of layers.
    """
    sizes = {
        index: EACH_NUMBER * sum(math.prod(p.shape) for p in _parameters(network, index))
        for index in range(len(network.nodes))
    }
    weights = frozenset(index for index, size in sizes.items() if size)
    while weights and sum(sizes[index] for index in weights) > 0.75 * room:
        weights -= {max(weights, key=lambda index: (sizes[index], index))}
    heavy = sum(sizes[index] for index in weights)
    numbers = [math.prod(vertex.shape) for vertex in network.nodes]
    for most in (*sorted(set(numbers), reverse=True), 0):
        kept, shown = _without_larger(network, numbers, most, weights)
        cost = each + EACH_NUMBER * sum(numbers[index] for index in kept)
        if cost <= room - heavy:
            images = min(images, int((room - heavy) // cost))
            return PageContent(images, kept, shown, weights, heavy + images * cost)
    return PageContent(1, frozenset(), frozenset((-1,)), weights, heavy + each)


def _without_larger(
    network: Network, numbers: list[int], most: int, weights: frozenset[int]
) -> tuple[frozenset[int], frozenset[int]]:
    """(kept, shown) if no node with more than `most` numbers is stored."""
    kept: set[int] = set()
    shown = {-1}
    for index, vertex in enumerate(network.nodes):
        if numbers[index] > most:
            continue
        known = index in weights or not _parameters(network, index)
        computed = type(vertex.layer).__name__ in COMPUTED and known
        if not computed or not shown.issuperset(vertex.inputs):
            kept.add(index)
        shown.add(index)
    return frozenset(kept), frozenset(shown)


def _parameters(network: Network, index: int) -> tuple[Parameter, ...]:
    layer, shapes = network.nodes[index].layer, network.input_shapes(index)
    return (*layer.parameters(*shapes), *layer.state(*shapes))
