"""Where each weight of a network is in the state dict of its PyTorch module, and how it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array, Floats
from striate.ops.shapes import Shape


@dataclass(frozen=True)
class TensorLayout:
    """How the numbers of an array are ordered in a tensor of PyTorch.

    Attributes:
        split: the shape of the array, of which an axis may stand as several.
        order: the axes of `split` in the order of the tensor.
        shape: of the tensor.
    """

    split: Shape
    order: tuple[int, ...]
    shape: Shape

    def tensor(self, array: Array) -> Array:
        """The numbers of the array as the tensor has them, C-contiguous, not shared."""
        ordered = array.reshape(self.split).transpose(self.order).reshape(self.shape)
        return np.array(ordered, order="C", copy=True)

    def array(self, tensor: Array, shape: Shape) -> Array:
        """The numbers of the tensor as the array of this shape has them: `tensor` turned round."""
        parts = tuple(self.split[axis] for axis in self.order)
        ordered: Array = tensor.reshape(parts).transpose(np.argsort(self.order)).reshape(shape)
        return ordered


@dataclass(frozen=True)
class TorchWeight:
    """A parameter, or a running statistic, of a network and its PyTorch module.

    Attributes:
        key: its name in the state dict.
        name: its name in the network.
        array: its numbers in the network.
        layout: the tensor's.
    """

    key: str
    name: str
    array: Floats
    layout: TensorLayout


def reordered(shape: Shape, *order: int) -> TensorLayout:
    """An array of this shape with its axes in another order."""
    return TensorLayout(shape, order, tuple(shape[axis] for axis in order))


def features(count: int, image: Shape | None) -> TensorLayout:
    """One number for each of `count` features, which may lie as the channels-first `image` does.

    Args:
        count: how many.
        image: (height, width, channels) whose flattening the features are; None if they are in
            the network's order.
    """
    if image is None:
        return reordered((count,), 0)
    return TensorLayout(image, (2, 0, 1), (count,))


def rows(inputs: int, units: int, image: Shape | None) -> TensorLayout:
    """Weights (inputs, units) as (units, inputs), the inputs as `features` orders them."""
    split = (inputs,) if image is None else image
    order = (0,) if image is None else (2, 0, 1)
    assert math.prod(split) == inputs
    return TensorLayout((*split, units), (len(split), *order), (units, inputs))
