"""The local response normalisation layer."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import real_number, whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.layers.reads import PixelChannels, Reads
from striate.ops import lrn
from striate.ops.shapes import Shape


class LRN(Layer):
    """Local response normalisation: x / (bias + alpha/size · Σ x²)^beta, as AlexNet has it.

    The sum goes over `size` neighbouring channels of the pixel: ⌊(size - 1)/2⌋ before and
    ⌈(size - 1)/2⌉ after, as far as there are any. These are the formula and the arguments of ONNX
    and PyTorch; Caffe's alpha is the same, TensorFlow's is alpha/size.

    Args:
        size: channels of the window, at least 1.
        alpha: not negative.
        beta: the exponent.
        bias: positive (PyTorch calls it k).
    """

    kind = "lrn"

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        bias: float = 1.0,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.size = whole_number(size, "size", self.who)
        self.alpha = real_number(alpha, "alpha", self.who)
        self.beta = real_number(beta, "beta", self.who)
        self.bias = real_number(bias, "bias", self.who)
        if self.alpha < 0 or self.bias <= 0:
            raise StriateValueError(
                f"{self.who}: alpha must not be negative and bias must be positive, or what it "
                f"divides by could be 0; got alpha={self.alpha} and bias={self.bias}"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def reads(self, *inputs: Shape) -> Reads:
        channels = inputs[0][-1]
        before, after = lrn.neighbours(self.size)
        return PixelChannels(
            tuple(range(max(c - before, 0), min(c + after + 1, channels)) for c in range(channels))
        )

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        d = lrn.denominators(x, self.size, self.alpha, self.bias)
        return lrn.lrn(x, d, self.beta), (x, d)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        x, d = saved
        return (lrn.lrn_input_gradient(gradient, x, d, self.size, self.alpha, self.beta),), {}
