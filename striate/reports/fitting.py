"""What goes into a page so that it stays within a size: images, values of layers, weights.

Nothing is rounded to save bytes. What the page can compute from other values to the last bit
(ReLU, batch normalisation, maxima, ...) is not kept at all; of what is left, first images are left
out, then the largest layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.layers import Parameter
    from striate.network import Network

COMPUTED = frozenset(
    ("ReLU", "LeakyReLU", "Scale", "Dropout", "Flatten", "Concat", "Add", "BatchNorm", "MaxPool2D")
)
"""Layers whose outputs page/values.js computes from their inputs, with float32's own bits."""

EACH_NUMBER = 4 * 4 / 3
"""Bytes of a float32 in base64."""


@dataclass(frozen=True)
class PageFit:
    """What is in the page.

    Attributes:
        images: how many of the images that were asked for.
        kept: nodes whose values are in the page.
        shown: those, and nodes whose values the page computes; -1 is the input.
        weights: nodes whose parameters are in the page.
        used: bytes that all this takes, about.
    """

    images: int
    kept: frozenset[int]
    shown: frozenset[int]
    weights: frozenset[int]
    used: float


def fit(network: Network, images: int, room: float, each: float) -> PageFit:
    """Choose what goes into `room` bytes.

    Args:
        images: how many are wanted, at least 1.
        each: bytes that an image takes besides the values of its layers.

    One image stays whatever the room, with its input alone if need be.
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
            return PageFit(images, kept, shown, weights, heavy + images * cost)
    return PageFit(1, frozenset(), frozenset((-1,)), weights, heavy + each)


def _without_larger(
    network: Network, numbers: list[int], most: int, weights: frozenset[int]
) -> tuple[frozenset[int], frozenset[int]]:
    """What is kept and what can be shown if no node with more than `most` numbers is kept."""
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
