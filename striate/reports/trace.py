"""All that a network computes on the way to its outputs, and what of an image it looks at.

The values are the NumPy engine's, in float32: each is the sum that its layer's formula says, and
nothing is transformed, fused or computed in another precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.layers import Run
from striate.shapes import Array

if TYPE_CHECKING:
    from striate.network import Network

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward pass of n images.

    Attributes:
        values: the output of each node (n, *shape), float32; -1 is the preprocessed input.
        saved: what each layer keeps for its backward pass.
    """

    values: dict[int, FloatArray]
    saved: list[Any]


def trace(network: Network, images: Array) -> Trace:
    """Run `network` forward on raw images (n, *input_shape) and keep every value."""
    values: dict[int, FloatArray] = {-1: network.preprocessing.apply(images)}
    saved: list[Any] = []
    for index, vertex in enumerate(network.nodes):
        values[index], kept = vertex.layer.forward(
            tuple(values[source] for source in vertex.inputs),
            network.parameters_of(index),
            network.state_of(index),
            Run(training=False, salt=index),
        )
        saved.append(kept)
    return Trace(values, saved)


def saliency(network: Network, traced: Trace, outputs: npt.NDArray[np.intp]) -> FloatArray:
    """|∂ output / ∂ input| of one output of each image: (n, height, width), the largest channel's.

    The vanilla gradient of Simonyan, Vedaldi and Zisserman (arXiv:1312.6034): how much the score
    of class `outputs[i]` would change if a pixel of image i changed a little.
    """
    last = len(network.nodes) - 1
    gradient = np.zeros_like(traced.values[last])
    gradient[np.arange(len(outputs)), outputs] = 1
    arriving: dict[int, Array] = {last: gradient}
    for index in reversed(range(len(network.nodes))):
        vertex = network.nodes[index]
        shares, _ = vertex.layer.backward(
            arriving.pop(index), traced.saved[index], network.parameters_of(index)
        )
        for source, share in zip(vertex.inputs, shares, strict=True):
            # Where a value is read twice, the gradients of its readers add up.
            arriving[source] = arriving[source] + share if source in arriving else share
    return np.asarray(np.abs(arriving[-1]).max(axis=3), np.float32)
