"""The bases of layers that end with a learned factor and addend for each channel."""

from __future__ import annotations

import math

from striate.common.arguments import real_number
from striate.common.errors import StriateValueError
from striate.layers.layer import Layer, Parameter
from striate.ops.shapes import Shape


class ScaledLayer(Layer):
    """A layer whose output has the shape of its input and is a · scale + shift, by channels.

    Its parameters are scale (channels,), which starts at 1, and shift (channels,), which starts
    at 0. Weight decay leaves them alone.
    """

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        channels = inputs[0][-1:]
        return (
            Parameter("scale", channels, "ones", decay=False),
            Parameter("shift", channels, "zeros", decay=False),
        )

    def multiply_adds(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])


class NormalisingLayer(ScaledLayer):
    """A scaled layer that first brings numbers to mean 0 and variance 1.

    Attributes:
        eps: what is added to the variance, > 0.
    """

    def __init__(self, eps: float, name: str | None) -> None:
        super().__init__(name=name)
        self.eps = real_number(eps, "eps", self.who)
        if self.eps <= 0:
            raise StriateValueError(f"{self.who}: eps must be positive, got {self.eps}")
