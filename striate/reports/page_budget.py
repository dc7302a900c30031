"""Chooses what goes into a page of limited size: images, values of layers, weights, gradients.

Nothing is rounded to save bytes. Values and gradients that the page's script can compute from
others to the last bit (ReLU, batch normalisation, max-pooling, ...) are not stored at all. If the
rest is too large, images are left out first, then gradients, those of the layers nearest to the
loss last, then the values of the largest layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.layers import MaxPool2D

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

PASSED_BACK = COMPUTED - {"Multiply", "ChannelShuffle", "ChannelSlice", "Affine"}
"""Layers whose input gradients page/gradients.js computes from those of their outputs, to the last
bit, where nothing else reads their input; of max-pooling only where windows do not overlap."""

WEIGHTS_PER_IMAGE = 3_000
"""The gradients of so many weights a layer has in the page for each image, on average: of more
weights fewer images have them, the first ones."""

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
        gradients: nodes whose ∂L/∂output is stored in the page; -1 is the input.
        gradients_shown: these, and the nodes of which the page computes it.
        weight_gradients: for how many images, the first ones, the gradients of a node's parameters
            are in the page; only nodes that have any.
        used: the bytes that all this takes, roughly.
    """

    images: int
    kept: frozenset[int]
    shown: frozenset[int]
    weights: frozenset[int]
    gradients: frozenset[int]
    gradients_shown: frozenset[int]
    weight_gradients: Mapping[int, int]
    used: float


def with_weight_gradients(network: Network, images: int) -> dict[int, int]:
    """For how many of some images a page of any size has the gradients of a node's weights."""
    counts: dict[int, int] = {}
    for slot in network.slots:
        counts[slot.node] = counts.get(slot.node, 0) + slot.stop - slot.start
    shares = {n: min(images, WEIGHTS_PER_IMAGE * images // count) for n, count in counts.items()}
    return {node: share for node, share in shares.items() if share}


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
            break
    else:
        kept, shown, cost = frozenset(), frozenset((-1,)), each
    gradients, back = _gradients(network, shown, weights, math.inf)
    with_gradients = cost + _bytes_of(network, gradients)
    if with_gradients <= room - heavy:
        images = min(images, int((room - heavy) // with_gradients))
    else:
        images = max(1, min(images, int((room - heavy) // cost)))
        spare = (room - heavy) / images - cost
        gradients, back = _gradients(network, shown, weights, spare)
    used = heavy + images * (cost + _bytes_of(network, gradients))
    chosen: dict[int, int] = {}
    for index, share in sorted(with_weight_gradients(network, images).items(), reverse=True):
        if index in back & weights and used + share * sizes[index] <= room:
            chosen[index] = share
            used += share * sizes[index]
    return PageContent(images, kept, shown, weights, gradients, back, chosen, used)


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


def _gradients(
    network: Network, shown: frozenset[int], weights: frozenset[int], room: float
) -> tuple[frozenset[int], frozenset[int]]:
    """(stored, shown) gradients of values that are shown, from the loss back, in `room` bytes."""
    readers = _readers(network)
    stored: set[int] = set()
    known: set[int] = set()
    for index in range(len(network.nodes) - 1, -2, -1):
        if index not in shown:
            continue
        if not _is_passed_back(network, readers[index], known, weights):
            size = _bytes_of(network, (index,))
            if size > room:
                continue
            room -= size
            stored.add(index)
        known.add(index)
    return frozenset(stored), frozenset(known)


def _is_passed_back(
    network: Network, readers: list[int], known: set[int], weights: frozenset[int]
) -> bool:
    """Whether the page computes the gradient of a value from that of its only reader."""
    if len(readers) != 1 or readers[0] not in known:
        return False
    (reader,) = readers
    layer = network.nodes[reader].layer
    if type(layer).__name__ not in PASSED_BACK:
        return False
    if isinstance(layer, MaxPool2D):
        reach = [
            (size - 1) * step + 1 for size, step in zip(layer.size, layer.dilation, strict=True)
        ]
        return all(stride >= long for stride, long in zip(layer.stride, reach, strict=True))
    return reader in weights or not _parameters(network, reader)


def _readers(network: Network) -> dict[int, list[int]]:
    """The nodes that read each node, as often as they read it; of -1 those that read the image."""
    readers: dict[int, list[int]] = {index: [] for index in range(-1, len(network.nodes))}
    for index, vertex in enumerate(network.nodes):
        for source in vertex.inputs:
            readers[source].append(index)
    return readers


def _bytes_of(network: Network, nodes: Iterable[int]) -> float:
    """The bytes of all values of some nodes, of one image; -1 is the input."""
    shapes = (network.input_shape if i < 0 else network.nodes[i].shape for i in nodes)
    return EACH_NUMBER * sum(map(math.prod, shapes))


def _parameters(network: Network, index: int) -> tuple[Parameter, ...]:
    layer, shapes = network.nodes[index].layer, network.input_shapes(index)
    return (*layer.parameters(*shapes), *layer.state(*shapes))
