"""Where values lie: images in the lanes.

A block of as many images as a vector has lanes is stored together: a value of shape
(height, width, channels) becomes ``[height][width][channels][lane]``, so that the textbook loop
over one image is, number by vector, the loop over a whole block, and no channel count, filter
size or stride leaves a tail.  Around the pixels lies a halo, written once when memory is made
(zeros, as padding wants them), so that no loop ever asks whether it is still inside the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from striate.nest.algebra import Element, Tensor, strides_of
from striate.shapes import Pads

Scope = Literal["auto", "block", "shard", "global"]
# A step along one axis of the image: how far each axis of the nest moves.
Steps = Mapping[str, int]


@dataclass(eq=False)
class Buffer:
    """Memory to be allotted.

    Attributes
    ----------
    size
        Elements of one instance.
    scope
        How many instances there are: one for each "block" of images, one for each "shard" of
        blocks, or one ("global").  "auto" becomes one per thread if nothing outside one job
        needs it, else one per block.
    fill
        What it holds before anything is written: the halo.
    """

    name: str
    size: int
    element: Element
    scope: Scope = "auto"
    fill: float = 0.0

    @property
    def span(self) -> int:
        """Elements from one instance to the next: whole cache lines."""
        return -(-self.size // 64) * 64


@dataclass(frozen=True)
class Place:
    """A buffer from one of its elements on."""

    buffer: Buffer
    offset: int = 0


@dataclass(frozen=True)
class Walk:
    """How the axes of a nest move over an image.

    With ``y={"y": 2, "r": 1}`` and ``start=(-1, 0, 0)`` the row is 2y + r - 1.
    """

    y: Steps = field(default_factory=dict)
    x: Steps = field(default_factory=dict)
    c: Steps = field(default_factory=dict)
    start: tuple[int, int, int] = (0, 0, 0)


EVERY = Walk({"y": 1}, {"x": 1}, {"c": 1})


@dataclass
class Image:
    """A value in the lanes layout, with its halo (top, bottom, left, right)."""

    buffer: Buffer
    height: int
    width: int
    channels: int
    lanes: int
    halo: Pads = field(default=(0, 0, 0, 0))

    @property
    def features(self) -> int:
        """Numbers of one image, without the halo."""
        return self.height * self.width * self.channels

    @property
    def is_flat(self) -> bool:
        """Whether its numbers follow each other without gaps."""
        return not any(self.halo)

    def tensor(self, role: str, walk: Walk) -> Tensor:
        """The linear form of the pixels and channels that `walk` visits, in each lane v."""
        row, column, channel = self._strides
        form = {"v": 1}
        for stride, steps in ((row, walk.y), (column, walk.x), (channel, walk.c)):
            for axis, step in steps.items():
                form[axis] = form.get(axis, 0) + stride * step
        top, _, left, _ = self.halo
        y, x, c = walk.start
        offset = (top + y) * row + (left + x) * column + c * channel
        return Tensor(role, strides_of(form), offset, self.buffer.element)

    def flat(self, role: str, axis: str) -> Tensor:
        """The linear form of the flattened image, numbered by `axis`."""
        return Tensor(role, strides_of({"v": 1, axis: self.lanes}), 0, self.buffer.element)

    def flattened(self, role: str, image: Image) -> Tensor:
        """This vector, numbered by row y, column x and channel c of the `image` it was."""
        lanes, row = self.lanes, image.width * image.channels
        strides = {"v": 1, "y": row * lanes, "x": image.channels * lanes, "c": lanes}
        return Tensor(role, strides_of(strides), 0, self.buffer.element)

    @property
    def _strides(self) -> tuple[int, int, int]:
        channel = self.lanes
        column = self.channels * channel
        return (self.width + self.halo[2] + self.halo[3]) * column, column, channel


def image_buffer(
    name: str,
    shape: tuple[int, ...],
    lanes: int,
    halo: Pads = (0, 0, 0, 0),
    fill: float = 0.0,
) -> Image:
    """An image, or a vector as an image of one pixel, with memory to be allotted."""
    height, width, channels = shape if len(shape) == 3 else (1, 1, shape[0])
    size = (height + halo[0] + halo[1]) * (width + halo[2] + halo[3]) * channels * lanes
    buffer = Buffer(name, size, "real", fill=fill)
    return Image(buffer, height, width, channels, lanes, halo)
