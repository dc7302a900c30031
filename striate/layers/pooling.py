"""Pooling layers: maximum, average and sum of each window or of a whole image."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import true_or_false
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext, WindowLayer
from striate.layers.reads import Reads, Window
from striate.ops import pooling, shapes
from striate.ops.shapes import Field, Padding, Pads, Pair, Shape


class _Pool2D(WindowLayer):
    """The base of pooling layers. `stride=None` means windows side by side: stride = size."""

    uncovered_ways = ("error", "drop", "overhang")

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
        pads = self.given_pads(inputs[0])
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
        padding, dilation: as in `Conv2D`.
        uncovered: "error" to refuse sizes that do not fit, "drop" to leave the last rows and
            columns unread, "overhang" to keep a last window that hangs over the end of the padded
            image, if it starts in the image or the padding before it: PyTorch's `ceil_mode=True`.
            What hangs over is no pixel, and counts for nothing.
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
        size, stride, padding, dilation, uncovered, name: as in `MaxPool2D`.
    """

    kind = "sum_pool2d"

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
        return pooling.sum_pool2d(x, *window), (x.shape[1:3], window)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        image, window = saved
        return (pooling.sum_pool2d_input_gradient(gradient, image, *window),), {}


class AvgPool2D(_Pool2D):
    """Average pooling: the mean of each window, per channel.

    Args:
        size, stride, padding, dilation, uncovered, name: as in `MaxPool2D`.
        count_padding: divide by the whole window's size, padding included; by default a window
            over the border divides by the number of its real pixels. What hangs over with
            uncovered="overhang" never counts.
    """

    kind = "avg_pool2d"

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: Padding = 0,
        dilation: int | tuple[int, int] = 1,
        count_padding: bool = False,
        uncovered: str = "error",
        name: str | None = None,
    ) -> None:
        super().__init__(size, stride, padding, dilation, uncovered, name)
        self.count_padding = true_or_false(count_padding, "count_padding", self.who)

    def counted_pads(self, shape: Shape) -> Pads:
        """The part of the padding of an input of this shape that counts as pixels."""
        return self.given_pads(shape) if self.count_padding else (0, 0, 0, 0)

    def pixels(self, shape: Shape) -> Array:
        """How many pixels each mean divides by, float64 (rows, columns, 1)."""
        height, width, _ = self.image_shape(shape)
        window = (self.size, self.pads(shape), self.stride, self.dilation)
        return pooling.window_pixels((height, width), *window, self.counted_pads(shape))

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        window = (self.size, self.pads(x.shape[1:]), self.stride, self.dilation)
        pixels = self.pixels(x.shape[1:]).astype(x.dtype)
        output = pooling.sum_pool2d(x, *window)
        output /= pixels
        return output, (x.shape[1:3], window, pixels)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        image, window, pixels = saved
        return (pooling.sum_pool2d_input_gradient(gradient / pixels, image, *window),), {}


class _GlobalPool2D(Layer):
    """The base of poolings over the whole image.

    From (height, width, channels) to (channels,), or with `keepdims` to (1, 1, channels).
    """

    def __init__(self, *, keepdims: bool = False, name: str | None = None) -> None:
        super().__init__(name=name)
        self.keepdims = true_or_false(keepdims, "keepdims", self.who)

    def output_shape(self, *inputs: Shape) -> Shape:
        channels = self.image_shape(inputs[0])[2]
        return (1, 1, channels) if self.keepdims else (channels,)

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        height, width, _ = inputs[0]
        return fields[0].through((height, width))

    def reads(self, *inputs: Shape) -> Reads:
        height, width, channels = inputs[0]
        return Window((height, width), (1, 1), (1, 1), (0, 0, 0, 0), channels)

    def _shaped(self, output: Array) -> Array:
        """The output (n, channels) as the layer gives it."""
        return output[:, None, None] if self.keepdims else output

    def _flat(self, gradient: Array) -> Array:
        """The gradient of the output as (n, channels)."""
        return gradient[:, 0, 0] if self.keepdims else gradient


class GlobalAvgPool2D(_GlobalPool2D):
    """Global average pooling: the mean of each channel over the image.

    From (height, width, channels) to (channels,).

    Args:
        keepdims: keep an image of one pixel, (1, 1, channels).
        name: of the layer.
    """

    kind = "global_avg_pool2d"

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        return self._shaped(x.mean((1, 2))), x.shape

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        _, height, width, _ = saved
        share = self._flat(gradient) / gradient.dtype.type(height * width)
        return (share[:, None, None, :].repeat(height, 1).repeat(width, 2),), {}


class GlobalMaxPool2D(_GlobalPool2D):
    """Global max-pooling: the largest pixel of each channel over the image.

    From (height, width, channels) to (channels,). Of equal pixels the first, row by row, gets the
    gradient.

    Args:
        keepdims: keep an image of one pixel, (1, 1, channels).
        name: of the layer.
    """

    kind = "global_max_pool2d"

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        output, winner = pooling.global_max_pool2d(x)
        return self._shaped(output), (winner, x.shape[1:3])

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        winner, image = saved
        arriving = self._flat(gradient)
        return (pooling.global_max_pool2d_input_gradient(arriving, winner, image),), {}
