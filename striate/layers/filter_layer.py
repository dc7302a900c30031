"""The base of layers that multiply windows with filters: Conv2D and LocallyConnected2D."""

from __future__ import annotations

from striate.common.arguments import true_or_false, whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import WindowLayer
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair, Shape


class FilterLayer(WindowLayer):
    """A layer that multiplies each window of an image with filters, shared by all windows or not.

    Attributes:
        filters: number of filters per window, which is the number of output channels.
        groups: filters and channels are split into this many groups that do not mix.
        bias: whether a learned bias is added.
    """

    def __init__(
        self,
        filters: int,
        groups: int,
        bias: bool,
        size: int | tuple[int, int],
        stride: int | tuple[int, int],
        padding: Padding,
        dilation: int | tuple[int, int],
        uncovered: str,
        name: str | None,
    ) -> None:
        super().__init__(size, stride, padding, dilation, uncovered, name)
        self.filters = whole_number(filters, "filters", self.who)
        self.groups = whole_number(groups, "groups", self.who)
        self.bias = true_or_false(bias, "bias", self.who)
        if self.filters % self.groups:
            raise StriateValueError(
                f"{self.who}: groups={self.groups} does not divide filters={self.filters}; "
                f"choose filters as a multiple of {self.groups}"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        channels = self.image_shape(inputs[0])[2]
        shapes.check_groups(self.groups, channels, self.filters, self.who)
        return (*self.windows(inputs[0]), self.filters)

    def multiply_adds(self, *inputs: Shape) -> int:
        rows, columns, filters = self.output_shape(*inputs)
        depth = inputs[0][2] // self.groups
        return rows * columns * filters * self.size[0] * self.size[1] * depth

    def fans(self, channels: int) -> tuple[int, int]:
        """(fan_in, fan_out) of the filters, for inputs with so many channels."""
        taps = self.size[0] * self.size[1]
        return taps * (channels // self.groups), taps * self.filters // self.groups

    def window(self, x: Array) -> tuple[shapes.Pads, Pair, Pair, int]:
        """(pads, stride, dilation, groups) for images x, as `striate.ops` takes them."""
        return (self.pads(x.shape[1:]), self.stride, self.dilation, self.groups)
