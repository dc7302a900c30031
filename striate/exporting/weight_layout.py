"""How the numbers of a weight lie in a file of another library: their axes and their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array


@dataclass(frozen=True)
class WeightLayout:
    """An array's axes divided, put into another order, and merged: no number changes.

    Attributes:
        divided: the shape of the array, some axes perhaps divided into several.
        order: axis i of what is written is axis `order[i]` of these.
        shape: what is written, these axes perhaps merged.
    """

    divided: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def reshaped(cls, array: Array, *shape: int) -> WeightLayout:
        """The layout of the same numbers in the same order, by default in the same shape."""
        return cls(array.shape, tuple(range(array.ndim)), shape or array.shape)

    @classmethod
    def transposed(cls, array: Array, *order: int) -> WeightLayout:
        """The layout with the axes in another order."""
        return cls(array.shape, order, tuple(array.shape[axis] for axis in order))

    def written(self, array: Array) -> Array:
        """The array as it is written."""
        return array.reshape(self.divided).transpose(self.order).reshape(self.shape)

    def read(self, written: Array, shape: Sequence[int]) -> Array:
        """The array of this shape that was written: the opposite of `written`."""
        apart = written.reshape([self.divided[axis] for axis in self.order])
        return apart.transpose(np.argsort(self.order)).reshape(shape)
