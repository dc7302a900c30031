"""Pooling layers: maximum, average and sum of each window, and the average of a whole image."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import true_or_false
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext, WindowLayer
from striate.layers.reads import Reads, Window
from striate.ops import pooling, shapes
from striate.ops.shapes import Field, Padding, Pair, Shape


class _Pool2D(WindowLayer):
    """The base of pooling layers. `stride=None` means windows side by side: stride = size."""

    def __init__(
        self,
        size: int | tuple[int, int],
        stride: int | tuple[int, int] | None,
        padding: Padding,
        dilation: int | tuple[int, int],
        uncovered: str,
        name: str | None,
    ) -> None:
        super().__init__(
            size, size if stride is None else stride, padding, dilation, uncovered, name
        )

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = self.image_shape(inputs[0])
        outputs = self.windows(inputs[0])
        pads = self.pads(inputs[0])
        for axis, pixels in enumerate((height, width)):
            border = max(pads[2 * axis : 2 * axis + 2])
            reach = shapes.extent(self.size[axis], self.dilation[axis])
            # Taps `dilation` apart could also step over an image narrower than that.
            if border and (border >= reach or self.dilation[axis] > pixels):
                raise StriateValueError(
                    f"{self.who}: a window along the {shapes.AXES[axis]} (size {self.size[axis]}, "
                    f"dilation {self.dilation[axis]}) could lie in the padding of {border} alone, "
                    f"with no pixel to pool; choose a padding below {reach}"
                    + f" and a dilation of at most {pixels}"
                    * (self.dilation[axis] > pixels)
                )
        return (*outputs, channels)

    def channel_groups(self, *inputs: Shape) -> int:
        return inputs[0][2]


class MaxPool2D(_Pool2D):
    """Max-pooling: the largest pixel of each window, per channel.

    Padding is never the maximum. Of equal pixels the first, row by row, gets the gradient.

    Args:
        size: window (height, width), or one number for both.
        stride: step between windows; None for windows side by side (stride = size).
        padding, dilation, uncovered: as in `Conv2D`.
        name: of the layer.
    """

    kind = "max_pool2d"

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: Padding = 0,
        dilation: int | tuple[int, int] = 1,
        uncovered: str = "error",
        name: str | None = None,
    ) -> None:
        super().__init__(size, stride, padding, dilation, uncovered, name)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        window = (self.size, self.pads(x.shape[1:]), self.stride, self.dilation)
        output, winner = pooling.max_pool2d(x, *window)
        return output, (winner, x.shape[1:3], window)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        winner, image, window = saved
        return (pooling.max_pool2d_input_gradient(gradient, winner, image, *window),), {}


class SumPool2D(_Pool2D):
    """Sum pooling: the sum of each window, per channel; padding counts as zero.

    Args:
        size, stride, padding, uncovered, name: as in `MaxPool2D`.
    """

    kind = "sum_pool2d"

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: Padding = 0,
        uncovered: str = "error",
        name: str | None = None,
    ) -> None:
        super().__init__(size, stride, padding, 1, uncovered, name)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        return pooling.sum_pool2d(x, self.size, self.pads(x.shape[1:]), self.stride), x.shape

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        _, height, width, channels = saved
        pads = self.pads((height, width, channels))
        return (
            pooling.sum_pool2d_input_gradient(
                gradient, (height, width), self.size, pads, self.stride
            ),
        ), {}


class AvgPool2D(_Pool2D):
    """Average pooling: the mean of each window, per channel.

    Args:
        size, stride, padding, uncovered, name: as in `MaxPool2D`.
        count_padding: divide by the whole window's size, padding included; by default a window
            over the border divides by the number of its real pixels.
    """

    kind = "avg_pool2d"

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: Padding = 0,
        count_padding: bool = False,
        uncovered: str = "error",
        name: str | None = None,
    ) -> None:
        super().__init__(size, stride, padding, 1, uncovered, name)
        self.count_padding = true_or_false(count_padding, "count_padding", self.who)

    def pixels(self, shape: Shape) -> Array:
        """How many pixels each mean divides by, float64 (rows, columns, 1)."""
        height, width, _ = self.image_shape(shape)
        return pooling.window_pixels(
            (height, width), self.size, self.pads(shape), self.stride, self.count_padding
        )

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        output = pooling.sum_pool2d(x, self.size, self.pads(x.shape[1:]), self.stride)
        output /= self.pixels(x.shape[1:]).astype(x.dtype)
        return output, x.shape

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        _, height, width, channels = saved
        shape = (height, width, channels)
        shares = gradient / self.pixels(shape).astype(gradient.dtype)
        return (
            pooling.sum_pool2d_input_gradient(
                shares, (height, width), self.size, self.pads(shape), self.stride
            ),
        ), {}


class GlobalAvgPool2D(Layer):
    """Global average pooling: the mean of each channel over the image.

    From (height, width, channels) to (channels,).
    """

    kind = "global_avg_pool2d"

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.image_shape(inputs[0])[2:]

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        height, width, _ = inputs[0]
        return fields[0].through((height, width))

    def reads(self, *inputs: Shape) -> Reads:
        height, width, channels = inputs[0]
        return Window((height, width), (1, 1), (1, 1), (0, 0, 0, 0), channels)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        return x.mean((1, 2)), x.shape

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        _, height, width, _ = saved
        share = gradient / gradient.dtype.type(height * width)
        return (share[:, None, None, :].repeat(height, 1).repeat(width, 2),), {}
