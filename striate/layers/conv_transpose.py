"""The transposed convolution."""

from __future__ import annotations

import math
from typing import Any

from striate.common.arguments import true_or_false, whole_number
from striate.common.arrays import Array
from striate.common.budget import MOST_TAPS, at_most, check_activations
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, Parameter, PassContext
from striate.layers.reads import Reads, TransposedWindow
from striate.ops import conv_transpose, shapes
from striate.ops.shapes import Field, Padding, Pads, Pair, Shape


class ConvTranspose2D(Layer):
    """The transposed convolution: each pixel is spread over a window, multiplied with filters.

    It is the input gradient of a convolution, as a layer; with a stride it enlarges an image, from
    (height, width, channels) to ``(height - 1)*stride + R - padding before - padding after +
    output_padding`` rows, and columns likewise, where R = dilation*(size - 1) + 1. See
    `striate.ops.conv_transpose` for the formula.

    Its parameters are filters (height, width, filters // groups, channels), those of the `Conv2D`
    from this layer's output to its input, and bias (filters,).

    Args:
        filters: number of output channels.
        size: filter (height, width), or one number for both.
        stride: step between the windows of neighbouring pixels, one number or (height, width).
        padding: rows and columns cut away from the output: one number, (vertical, horizontal) or
            (top, bottom, left, right).
        output_padding: rows and columns added at the bottom and right, one number or (height,
            width); smaller than the stride or the dilation.
        dilation: distance between the taps of a filter.
        groups: filters and channels are split into this many groups that do not mix.
        bias: add a learned number per filter.
        name: of the layer.
    """

    kind = "conv_transpose2d"

    def __init__(
        self,
        filters: int,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: Padding = 0,
        output_padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.filters = whole_number(filters, "filters", self.who)
        self.size: Pair = shapes.pair(size, "size", self.who)
        self.stride: Pair = shapes.pair(stride, "stride", self.who)
        if isinstance(padding, str):
            raise StriateValueError(
                f"{self.who}: padding must be a number, (vertical, horizontal) or "
                f"(top, bottom, left, right), got {padding!r}"
            )
        self.padding: Padding = shapes.check_padding(padding, self.who)
        self.output_padding = _pair_from_zero(output_padding, self.who)
        self.dilation: Pair = shapes.pair(dilation, "dilation", self.who)
        self.groups = whole_number(groups, "groups", self.who)
        self.bias = true_or_false(bias, "bias", self.who)
        if self.filters % self.groups:
            raise StriateValueError(
                f"{self.who}: groups={self.groups} does not divide filters={self.filters}; "
                f"choose filters as a multiple of {self.groups}"
            )
        for axis, more in enumerate(self.output_padding):
            most = max(self.stride[axis], self.dilation[axis]) - 1
            if more > most:
                raise StriateValueError(
                    f"{self.who}: output_padding={more} along the {shapes.AXES[axis]} must be "
                    f"smaller than the stride {self.stride[axis]} or the dilation "
                    f"{self.dilation[axis]}; choose at most {most}"
                )

    @property
    def pads(self) -> Pads:
        """What is cut away: (top, bottom, left, right)."""
        return shapes.four_sides(self.padding)

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = self.image_shape(inputs[0])
        shapes.check_groups(self.groups, channels, self.filters, self.who)
        outputs = conv_transpose.transposed_outputs(
            (height, width), self.size, self.stride, self.dilation, self.pads, self.output_padding
        )
        for axis, count in enumerate(outputs):
            if count < 1:
                before, after = self.pads[2 * axis : 2 * axis + 2]
                raise StriateValueError(
                    f"{self.who}: a padding of {before} + {after} cuts away all of the "
                    f"{count + before + after} pixels along the {shapes.AXES[axis]}; choose a "
                    f"padding of at most {count + before + after - 1} in all"
                )
        return (*outputs, self.filters)

    def check_budget(self, *inputs: Shape) -> None:
        height, width, channels = self.image_shape(inputs[0])
        at_most(math.prod(self.size), MOST_TAPS, "taps", self.who, "choose a smaller size")
        rows, columns, _ = self.output_shape(*inputs)
        top, bottom, left, right = self.pads
        check_activations((rows + top + bottom, columns + left + right, self.filters), self.who)
        down, across = (  # so far around its input the compiled engine may read
            shapes.extent(size, gap) // step
            for size, gap, step in zip(self.size, self.dilation, self.stride, strict=True)
        )
        check_activations((height + 2 * down, width + 2 * across, channels), self.who)

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        channels = inputs[0][2]
        taps = self.size[0] * self.size[1]
        # Windows that are a stride apart: so many of them meet in an output, on average.
        met = max(1, taps // (self.stride[0] * self.stride[1]))
        filters = Parameter(
            "filters",
            (*self.size, self.filters // self.groups, channels),
            "he_normal",
            fan_in=met * (channels // self.groups),
            fan_out=taps * self.filters // self.groups,
        )
        if not self.bias:
            return (filters,)
        return (filters, Parameter("bias", (self.filters,), "zeros", decay=False))

    def multiply_adds(self, *inputs: Shape) -> int:
        height, width, channels = inputs[0]
        return height * width * channels * self.size[0] * self.size[1] * self.filters // self.groups

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        reach = (
            shapes.extent(self.size[0], self.dilation[0]),
            shapes.extent(self.size[1], self.dilation[1]),
        )
        return fields[0].through_transposed(reach, self.stride, self.pads, Field().through(image))

    def reads(self, *inputs: Shape) -> Reads:
        return TransposedWindow(self.size, self.stride, self.dilation, self.pads, self.groups)

    def _window(self) -> tuple[Pads, Pair, Pair, int]:
        return (self.pads, self.stride, self.dilation, self.groups)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        rows, columns, _ = self.output_shape(x.shape[1:])
        output = conv_transpose.conv_transpose2d(
            x, parameters["filters"], (rows, columns), *self._window()
        )
        return output + parameters["bias"] if self.bias else output, x

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        gradients = {
            "filters": conv_transpose.conv_transpose2d_filter_gradient(
                saved, gradient, self.size, *self._window()
            )
        }
        if self.bias:
            gradients["bias"] = gradient.sum((0, 1, 2))
        return self.input_gradients(gradient, saved, parameters), gradients

    def input_gradients(self, gradient: Array, saved: Any, parameters: Arrays) -> tuple[Array, ...]:
        image = (saved.shape[1], saved.shape[2])
        return (
            conv_transpose.conv_transpose2d_input_gradient(
                gradient, parameters["filters"], image, *self._window()
            ),
        )


def _pair_from_zero(value: object, who: str) -> Pair:
    """A whole number from 0 on, or two of them, as (height, width)."""
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise StriateValueError(
            f"{who}: output_padding must be one number or (height, width), got {tuple(both)}"
        )
    down, across = (whole_number(side, "output_padding", who, minimum=0) for side in both)
    return (down, across)
