"""The dropout layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.common.arguments import real_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.random_bits import drop_threshold, uniform_bits
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.ops.shapes import Shape


class Dropout(Layer):
    """Dropout: in training, set random values to 0 and scale the others by 1/(1 - rate).

    In prediction it does nothing (Srivastava et al. 2014, with the scaling moved to training). The
    choice depends only on each image's key and the layer: see `striate.common.random_bits`.

    Args:
        rate: the share of values to drop, 0 ≤ rate < 1.
        name: of the layer.
    """

    kind = "dropout"

    def __init__(self, rate: float, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.rate = real_number(rate, "rate", self.who)
        if not 0 <= self.rate < 1:
            raise StriateValueError(
                f"{self.who}: rate must be at least 0 and below 1 (the part of the values that "
                f"is dropped), got {self.rate}"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        if not run.training or self.rate == 0:
            return x, None
        if run.keys is None:
            raise StriateValueError(
                f"{self.who}: training needs one random key per image, got none"
            )
        bits = uniform_bits(run.keys, run.salt, x[0].size).reshape(x.shape)
        factors = np.where(bits < drop_threshold(self.rate), 0, 1 / (1 - self.rate)).astype(x.dtype)
        return x * factors, factors

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (gradient if saved is None else gradient * saved,), {}
