"""Which values of its inputs each output of a layer reads, whatever these values are.

Every value is an image (height, width, channels); a vector (features,) is an image of one pixel.
`Layer.reads` returns one of these descriptions, from which receptive fields and unread pixels
follow: see `striate.inspect`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.ops.shapes import Pads, Pair


@dataclass(frozen=True)
class Pointwise:
    """Output (row, column, channel) reads the input at the same place: activations."""


@dataclass(frozen=True)
class FullyConnected:
    """Every output reads the whole input: Dense."""


@dataclass(frozen=True)
class Reshaped:
    """The output is the input in another shape, in the same order: Flatten."""


@dataclass(frozen=True)
class PointwiseMerge:
    """Output (row, column, channel) reads the same place of each of several inputs: Add.

    Along an axis where an input has one index only, that is the place: Multiply.
    """


@dataclass(frozen=True)
class PixelChannels:
    """Output (row, column, channel) reads some channels of the pixel at the same place.

    Attributes:
        channels: those that each channel of the output reads.
    """

    channels: tuple[range, ...]


@dataclass(frozen=True)
class Concatenation:
    """The output is several inputs one after the other along the channels: Concat."""


@dataclass(frozen=True)
class Window:
    """Each output reads the pixels under a window: convolution and pooling.

    Output (y, x) reads the rows y·stride + r·dilation - pads for all taps r, and the columns
    likewise; places outside the input are padding.

    Attributes:
        size, stride, dilation: (height, width).
        pads: (top, bottom, left, right); negative where the windows begin inside the input, or end
            there.
        groups: the channels are split into so many groups that do not mix: 1 for a convolution,
            the number of channels for pooling.
    """

    size: Pair
    stride: Pair
    dilation: Pair
    pads: Pads
    groups: int

    def pixels(self, axis: int, outputs: int) -> npt.NDArray[np.int64]:
        """The row (axis 0) or column (axis 1) under each tap of each window, (outputs, size).

        Those below 0, and from the input's size on, are in the padding.
        """
        starts = np.arange(outputs) * self.stride[axis] - self.pads[2 * axis]
        return starts[:, None] + np.arange(self.size[axis]) * self.dilation[axis]


@dataclass(frozen=True)
class TransposedWindow:
    """The outputs under a window read one pixel: transposed convolution.

    The rows y·stride + r·dilation - pads of the output, for all taps r, read row y of the input,
    and the columns likewise.

    Attributes:
        size, stride, dilation, pads, groups: of the convolution from the output to the input, as in
            `Window`.
    """

    size: Pair
    stride: Pair
    dilation: Pair
    pads: Pads
    groups: int

    def pixels(self, axis: int, inputs: int) -> npt.NDArray[np.int64]:
        """The row (axis 0) or column (axis 1) of the output under each tap of each input,
        (inputs, size); those below 0, and from the output's size on, are cut away.
        """
        return self.convolution.pixels(axis, inputs)

    @property
    def convolution(self) -> Window:
        """The windows of the convolution from the output to the input."""
        return Window(self.size, self.stride, self.dilation, self.pads, self.groups)


Reads = (
    Pointwise
    | FullyConnected
    | Reshaped
    | PointwiseMerge
    | PixelChannels
    | Concatenation
    | Window
    | TransposedWindow
)
