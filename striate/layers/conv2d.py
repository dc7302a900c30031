"""The convolutional layer."""

from __future__ import annotations

from typing import Any

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.filter_layer import FilterLayer
from striate.layers.layer import Arrays, Gradients, Inputs, Parameter, PassContext
from striate.ops import conv
from striate.ops.shapes import Padding, Shape

# The initialisations of the filters, and the values that the network first draws for each.
INITIAL = {"he_normal": "he_normal", "identity": "identity", "whitening": "zeros"}


class Conv2D(FilterLayer):
    """The convolution: learned filters that slide over an image.

    It computes correlation (the filters are not flipped), as all deep-learning libraries do; see
    `striate.ops.conv` for the formula and its gradients. Input (height, width, channels), output
    (rows, columns, filters) by the size rule of `striate.ops.shapes`.

    Its parameters are filters (height, width, channels // groups, filters), which is HWIO, and
    bias (filters,).

    Args:
        filters: number of filters, which is the number of output channels.
        size: filter (height, width), or one number for both.
        stride: step between windows, one number or (height, width).
        padding: zeros around the image: "valid" (none), "same" (output = ceil(input / stride)),
            one number, (vertical, horizontal) or (top, bottom, left, right).
        dilation: distance between the taps of a filter.
        groups: filters and channels are split into this many groups that do not mix.
        bias: add a learned number per filter.
        initial: the initialisation of the filters. "he_normal": random numbers of variance
            2 / (height·width·channels) (arXiv:1502.01852). "identity": the same, but filter i
            copies channel i, as far as there are both (Zagoruyko and Komodakis,
            arXiv:1706.00388), so that a deep network first passes on its input. "whitening":
            zeros, until `fit` sets them so that the outputs are uncorrelated over the training
            images (`striate.training.whitening`); for the first layer of a network.
        uncovered: "error" to refuse sizes that do not fit, "drop" to leave the last rows and
            columns unread.
        name: of the layer.
    """

    kind = "conv2d"

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
        initial: str = "he_normal",
        uncovered: str = "error",
        name: str | None = None,
    ) -> None:
        super().__init__(filters, groups, bias, size, stride, padding, dilation, uncovered, name)
        if initial not in INITIAL:
            known = ", ".join(f'"{name}"' for name in INITIAL)
            raise StriateValueError(f"{self.who}: initial must be one of {known}, got {initial!r}")
        self.initial = str(initial)

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        channels = inputs[0][2]
        fan_in, fan_out = self.fans(channels)
        filters = Parameter(
            "filters",
            (*self.size, channels // self.groups, self.filters),
            INITIAL[self.initial],
            fan_in=fan_in,
            fan_out=fan_out,
        )
        if not self.bias:
            return (filters,)
        return (filters, Parameter("bias", (self.filters,), "zeros", decay=False))

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        window = self.window(x)
        output = conv.conv2d(x, parameters["filters"], *window)
        if self.bias:
            output += parameters["bias"]
        return output, (x, window)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        x, window = saved
        gradients = {"filters": conv.conv2d_filter_gradient(x, gradient, self.size, *window)}
        if self.bias:
            gradients["bias"] = gradient.sum((0, 1, 2))
        return self.input_gradients(gradient, saved, parameters), gradients

    def input_gradients(self, gradient: Array, saved: Any, parameters: Arrays) -> tuple[Array, ...]:
        x, window = saved
        image = (x.shape[1], x.shape[2])
        return (conv.conv2d_input_gradient(gradient, parameters["filters"], image, *window),)
