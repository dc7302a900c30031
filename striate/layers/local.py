"""The locally connected layer, which is between a dense layer and a convolution."""

from __future__ import annotations

from typing import Any

from striate.common.arrays import Array
from striate.layers.filter_layer import FilterLayer
from striate.layers.layer import Arrays, Gradients, Inputs, Parameter, PassContext
from striate.ops import local
from striate.ops.shapes import Padding, Shape


class LocallyConnected2D(FilterLayer):
    """A layer of windows over an image like `Conv2D`, but each position has filters of its own.

    If all positions share theirs it is the convolution (`striate.conversions` converts both ways).
    It computes correlation: no filter is flipped. Input (height, width, channels), output (rows,
    columns, filters) by the size rule of `striate.ops.shapes`.

    Its parameters are weights (rows, columns, height, width, channels // groups, filters) and bias
    (rows, columns, filters).

    Args:
        filters: number of filters of each position, which is the number of output channels.
        size: window (height, width), or one number for both.
        stride: step between windows, one number or (height, width).
        padding: zeros around the image, as in `Conv2D`. Weights that are only multiplied with
            padding never change.
        dilation: distance between the taps of a window.
        groups: filters and channels are split into this many groups that do not mix.
        bias: add a learned number per output.
        uncovered: "error" to refuse sizes that do not fit, "drop" to leave the last rows and
            columns unread.
        name: of the layer.
    """

    kind = "locally_connected2d"

    def __init__(
        self,
        filters: int,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: Padding = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        uncovered: str = "error",
        name: str | None = None,
    ) -> None:
        super().__init__(filters, groups, bias, size, stride, padding, dilation, uncovered, name)

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        rows, columns, _ = self.output_shape(*inputs)
        channels = inputs[0][2]
        fan_in, fan_out = self.fans(channels)
        weights = Parameter(
            "weights",
            (rows, columns, *self.size, channels // self.groups, self.filters),
            "he_normal",
            fan_in=fan_in,
            fan_out=fan_out,
        )
        if not self.bias:
            return (weights,)
        bias = Parameter("bias", (rows, columns, self.filters), "zeros", decay=False)
        return (weights, bias)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        window = self.window(x)
        output = local.local2d(x, parameters["weights"], *window)
        if self.bias:
            output += parameters["bias"]
        return output, (x, window)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        x, window = saved
        gradients = {"weights": local.local2d_weight_gradient(x, gradient, self.size, *window)}
        if self.bias:
            gradients["bias"] = gradient.sum(0)
        return self.input_gradients(gradient, saved, parameters), gradients

    def input_gradients(self, gradient: Array, saved: Any, parameters: Arrays) -> tuple[Array, ...]:
        x, window = saved
        image = (x.shape[1], x.shape[2])
        return (local.local2d_input_gradient(gradient, parameters["weights"], image, *window),)
