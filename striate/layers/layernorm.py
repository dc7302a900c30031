"""The layer normalisation layer."""

from __future__ import annotations

from typing import Any

from striate.common.arrays import Array
from striate.layers.layer import Arrays, Gradients, Inputs, PassContext
from striate.layers.reads import PixelChannels, Reads
from striate.layers.scaled_layer import NormalisingLayer
from striate.ops import layernorm
from striate.ops.shapes import Shape


class LayerNorm(NormalisingLayer):
    """Normalise the channels of each pixel to mean 0 and variance 1, then scale and shift them.

    It is the layer normalisation of ConvNeXt (arXiv:2201.03545): over the channels alone, each
    pixel for itself. It does the same in training and in prediction.

    Its parameters are scale (channels,) and shift (channels,).

    Args:
        eps: added to the variance, > 0.
    """

    kind = "layer_norm"

    def __init__(self, *, eps: float = 1e-6, name: str | None = None) -> None:
        super().__init__(eps, name)

    def reads(self, *inputs: Shape) -> Reads:
        channels = inputs[0][-1]
        return PixelChannels((range(channels),) * channels)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        normal, inverse = layernorm.normalise_pixels(inputs[0], self.eps)
        return parameters["scale"] * normal + parameters["shift"], (normal, inverse)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        normal, inverse = saved
        to_x, to_scale, to_shift = layernorm.layer_norm_gradients(
            gradient, normal, inverse, parameters["scale"]
        )
        return (to_x,), {"scale": to_scale, "shift": to_shift}
