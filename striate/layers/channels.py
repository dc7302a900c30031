"""The layers that choose channels: ChannelShuffle and ChannelSlice."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.layers.reads import PixelChannels, Reads
from striate.ops import channels
from striate.ops.shapes import Shape


class ChannelShuffle(Layer):
    """Channel i·(channels/groups) + j goes to j·groups + i (ShuffleNet, arXiv:1707.01083).

    After it, each group of channels has some of every former group. Of a vector it takes the
    features for channels. ChannelShuffle(channels // groups) undoes it.

    Args:
        groups: the channels must be a multiple of it.
    """

    kind = "channel_shuffle"

    def __init__(self, groups: int, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.groups = whole_number(groups, "groups", self.who)

    def output_shape(self, *inputs: Shape) -> Shape:
        count = inputs[0][-1]
        if count % self.groups:
            raise StriateValueError(
                f"{self.who}: {count} channels are no multiple of groups={self.groups}; choose a "
                f"divisor of {count}"
            )
        return inputs[0]

    def sources(self, count: int) -> list[int]:
        """Which channel of the input each of `count` channels is."""
        share = count // self.groups
        return [(k % self.groups) * share + k // self.groups for k in range(count)]

    def reads(self, *inputs: Shape) -> Reads:
        return PixelChannels(tuple(range(c, c + 1) for c in self.sources(inputs[0][-1])))

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return channels.shuffle(inputs[0], self.groups), None

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (channels.shuffle(gradient, gradient.shape[-1] // self.groups),), {}


class ChannelSlice(Layer):
    """Some of the channels: those from `start` to `stop`, which is not among them.

    Of a vector it takes the features for channels.

    Args:
        start, stop: 0 ≤ start < stop ≤ channels.
        step: from one channel to the next, at least 1.
    """

    kind = "channel_slice"

    def __init__(self, start: int, stop: int, step: int = 1, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.start = whole_number(start, "start", self.who, minimum=0)
        self.stop = whole_number(stop, "stop", self.who)
        self.step = whole_number(step, "step", self.who)
        if self.start >= self.stop:
            raise StriateValueError(
                f"{self.who}: start must be below stop, got {self.start} and {self.stop}"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        count = inputs[0][-1]
        if self.stop > count:
            raise StriateValueError(
                f"{self.who}: stop={self.stop} is more than the {count} channels of its input "
                f"{inputs[0]}; choose a stop of at most {count}"
            )
        return (*inputs[0][:-1], len(range(self.start, self.stop, self.step)))

    def reads(self, *inputs: Shape) -> Reads:
        chosen = range(self.start, self.stop, self.step)
        return PixelChannels(tuple(range(c, c + 1) for c in chosen))

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        return np.ascontiguousarray(x[..., self.start : self.stop : self.step]), x.shape

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        to_x = np.zeros(saved, gradient.dtype)
        to_x[..., self.start : self.stop : self.step] = gradient
        return (to_x,), {}
