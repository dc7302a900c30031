"""The layer that turns images into vectors."""

from __future__ import annotations

import math
from typing import Any

from striate.common.arrays import Array
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.layers.reads import Reads, Reshaped
from striate.ops.shapes import Shape


class Flatten(Layer):
    """(height, width, channels) -> (features,), in that order; a vector stays as it is."""

    kind = "flatten"

    def output_shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def reads(self, *inputs: Shape) -> Reads:
        return Reshaped()

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (gradient.reshape(saved),), {}
