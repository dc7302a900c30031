"""Identity filters that would hand on a constant channel begin with random numbers instead.

Where one channel of all images is constant, an identity filter hands on that constant, batch
normalisation divides it by nearly nothing, and gradients are multiplied by as much, in each of a
row of such layers: the weights are soon in the millions.  A random filter reads all channels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array, Floats
from striate.layers import Conv2D, PassContext
from striate.model.traversal import forward_pass

if TYPE_CHECKING:
    from striate.model.model import Model

IMAGES = 32  # in which a channel that is not constant shows it
SMALLEST_SPREAD = 1e-6  # of standardised numbers; less is rounding


def redraw_dead_identities(network: Model, images: Array, rows: NDArray[np.intp]) -> None:
    """Draw the filters of each ``Conv2D(initial="identity")`` anew that only copy a constant.

    Filters that have been trained are no copies any more, and stay.

    Args:
        network: the network, whose preprocessing is applied to the images.
        images: raw, (n, height, width, channels).
        rows: the indices of those to use; of many, some at equal distances.
    """
    places = [
        index
        for index, node in enumerate(network.nodes)
        if isinstance(node.layer, Conv2D)
        and node.layer.initial == "identity"
        and index not in network.frozen_nodes
    ]
    if not places:
        return
    count = min(len(rows), IMAGES)
    inputs = network.preprocessing.apply(images[rows[:: len(rows) // count][:count]])
    if not _constant(inputs).any():
        return

    def compute(index: int, values: tuple[Array, ...]) -> Array:
        node, parameters = network.nodes[index], network.parameters_of(index)
        if index in places:
            _redraw(network, index, parameters["filters"], _constant(values[0]))
        run = PassContext(training=False, salt=index)
        return node.layer.forward(values, parameters, network.state_of(index), run)[0]

    for index, _ in forward_pass(network, inputs, compute):
        if index == places[-1]:
            break


def _constant(values: Array) -> NDArray[np.bool_]:
    """Which channels, the last axis, are the same everywhere."""
    rows = values.reshape(-1, values.shape[-1])
    found: NDArray[np.bool_] = rows.max(axis=0) - rows.min(axis=0) <= SMALLEST_SPREAD
    return found


def _redraw(network: Model, index: int, filters: Floats, constant: NDArray[np.bool_]) -> None:
    height, width, channels, count = filters.shape
    centre = ((height - 1) // 2, (width - 1) // 2)
    groups = len(constant) // channels
    random = np.random.default_rng([0, index])
    fan_in = height * width * channels
    for number in range(count):
        ones = np.flatnonzero(filters[(*centre, slice(None), number)])
        if len(ones) != 1 or np.count_nonzero(filters[..., number]) != 1:
            continue
        group = number // (count // groups)
        if filters[(*centre, ones[0], number)] == 1.0 and constant[group * channels + ones[0]]:
            drawn = random.standard_normal((height, width, channels)) * math.sqrt(2 / fan_in)
            filters[..., number] = drawn
