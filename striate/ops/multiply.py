"""The product of several values, some of which may be spread over the image or over the channels.

output = x₁ · x₂ · …          ∂L/∂xᵢ = g · (product of all others), summed where xᵢ was spread
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from operator import mul

import numpy as np

from striate.common.arrays import Array


def multiply_loops(inputs: Sequence[Array]) -> Array:
    """One number at a time, in float64.

    Args:
        inputs: (n, height, width, channels) or (n, channels); each extent that of the output, or 1.
    """
    images = [x if x.ndim == 4 else x[:, None, None, :] for x in inputs]
    shape = [max(x.shape[axis] for x in images) for axis in range(4)]
    output = np.zeros(shape)
    for place in np.ndindex(*shape):
        product = 1.0
        for x in images:
            product *= float(x[tuple(min(i, n - 1) for i, n in zip(place, x.shape, strict=True))])
        output[place] = product
    return output if any(x.ndim == 4 for x in inputs) else output[:, 0, 0, :]


def multiply_gradients_loops(gradient: Array, inputs: Sequence[Array]) -> list[Array]:
    """∂L/∂input of each input by one number at a time, in float64."""
    images = [x if x.ndim == 4 else x[:, None, None, :] for x in inputs]
    arriving = gradient if gradient.ndim == 4 else gradient[:, None, None, :]
    found = [np.zeros(x.shape) for x in images]
    for place in np.ndindex(*arriving.shape):
        at = [tuple(min(i, n - 1) for i, n in zip(place, x.shape, strict=True)) for x in images]
        for i, own in enumerate(at):
            product = float(arriving[place])
            for j, other in enumerate(at):
                product *= float(images[j][other]) if j != i else 1.0
            found[i][own] += product
    return [array.reshape(x.shape) for array, x in zip(found, inputs, strict=True)]


def multiply(inputs: Sequence[Array]) -> Array:
    """The product, (n, *the largest shape)."""
    return reduce(mul, spread(inputs))


def multiply_gradients(gradient: Array, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """∂L/∂input of each input from ∂L/∂output."""
    images = spread(inputs)
    before = [gradient, *accumulate(images[:-1], mul, initial=gradient)][1:]
    after = [*accumulate(reversed(images[1:]), mul)][::-1]
    found = []
    for i, x in enumerate(images):
        share = before[i] * after[i] if i < len(after) else before[i]
        axes = tuple(axis for axis in range(1, share.ndim) if x.shape[axis] < share.shape[axis])
        found.append(share.sum(axes, keepdims=True) if axes else share)
    return tuple(share.reshape(x.shape) for share, x in zip(found, inputs, strict=True))


def spread(inputs: Sequence[Array]) -> list[Array]:
    """Vectors as images of one pixel, if any input is an image."""
    if all(x.ndim == 2 for x in inputs):
        return list(inputs)
    return [x if x.ndim == 4 else x[:, None, None, :] for x in inputs]
