"""Where values lie: blocks of images, with a halo.

A block is either one image, ``[height][width][channel]``, whose channels fill the lanes; or as many
images as a vector has lanes, ``[height][width][channel][lane]``, so that the textbook loop over one
image is, number by vector, the loop over a whole block, and no channel count leaves a tail.  See
`striate.plan.lowering.lanes` for the choice.  Around the pixels lies a halo, written once when
memory is made (zeros, as padding wants them), so that no loop ever asks whether it is still inside
the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from striate.nest.algebra import Element, Tensor, strides_of
from striate.ops.shapes import Pads

Scope = Literal["auto", "block", "shard", "partial", "thread", "temporary", "global"]
Axes = tuple[tuple[str, int], ...]
# A step along one axis of the image: how far each axis of the nest moves.
Steps = Mapping[str, int]


class HaloForm(NamedTuple):
    """Where the halo of a buffer lies, and what is in it."""

    height: int
    width: int
    channels: int
    lanes: int
    halo: Pads
    fill: float


@dataclass(eq=False)
class Buffer:
    """Memory to be allotted.

    Attributes:
        size: elements of one instance.
        scope: how many instances there are: one for each "block" of images, one for each "shard" of
            blocks, one for each "thread", or one ("global").  "auto" becomes one for each block
            that a thread has at hand if nothing outside one job needs it, else one per block.
            "auto", "thread", "partial" (one for each shard) and "temporary" (one) may share memory
            with others while they are not needed.
        fill: what it holds before anything is written: the halo.
        form: where its halo lies, if it has one: what only buffers of the same form leave as it is.
        step: elements from one instance to the next, where instances lie inside each other.
        near: elements that come into the cache with one instance, where that is not its size.
    """

    name: str
    size: int
    element: Element
    scope: Scope = "auto"
    fill: float = 0.0
    form: HaloForm | None = None
    step: int | None = None
    near: int | None = None

    @property
    def span(self) -> int:
        """Elements from one instance to the next: whole cache lines."""
        return self.step or -(-self.size // 64) * 64


@dataclass(frozen=True)
class Location:
    """A buffer from one of its elements on."""

    buffer: Buffer
    offset: int = 0


@dataclass(frozen=True)
class Access:
    """How the axes of a nest move over an image.

    With ``y={"y": 2, "r": 1}`` and ``start=(-1, 0, 0)`` the row is 2y + r - 1.
    """

    y: Steps = field(default_factory=dict)
    x: Steps = field(default_factory=dict)
    c: Steps = field(default_factory=dict)
    start: tuple[int, int, int] = (0, 0, 0)


EVERY_PIXEL = Access({"y": 1}, {"x": 1}, {"c": 1})


@dataclass
class Image:
    """A value of a block, with its halo (top, bottom, left, right).

    Attributes:
        pitch: channels from one pixel to the next, where those of this image are only some of them.
        first: which of them is its first.
    """

    buffer: Buffer
    height: int
    width: int
    channels: int
    lanes: int
    halo: Pads = field(default=(0, 0, 0, 0))
    pitch: int = 0
    first: int = 0

    def view(self, first: int, channels: int) -> Image:
        """So many of its channels, in the same memory."""
        pitch = self.pitch or self.channels
        return replace(self, channels=channels, pitch=pitch, first=self.first + first)

    def copied(self) -> Image:
        """An image of the same form, in memory of its own."""
        return replace(self, buffer=replace(self.buffer))

    @property
    def features(self) -> int:
        """Numbers of one image, without the halo."""
        return self.height * self.width * self.channels

    @property
    def row(self) -> int:
        """Elements from one row to the next."""
        return self._strides[0]

    @property
    def is_flat(self) -> bool:
        """Whether its numbers follow each other without gaps."""
        return not any(self.halo) and not self.pitch

    def tensor(self, role: str, walk: Access) -> Tensor:
        """The linear form of the pixels and channels that `walk` visits, in each lane v."""
        row, column, channel = self._strides
        form = dict(self._lane)
        for stride, steps in ((row, walk.y), (column, walk.x), (channel, walk.c)):
            for axis, step in steps.items():
                form[axis] = form.get(axis, 0) + stride * step
        top, _, left, _ = self.halo
        y, x, c = walk.start
        offset = (top + y) * row + (left + x) * column + (self.first + c) * channel
        return Tensor(role, strides_of(form), offset, self.buffer.element)

    def flat(self, role: str, axis: str) -> Tensor:
        """The linear form of the flattened image, numbered by `axis`."""
        return Tensor(role, strides_of({**self._lane, axis: self.lanes}), 0, self.buffer.element)

    def flattened(self, role: str, image: Image) -> Tensor:
        """This vector, numbered by row y, column x and channel c of the `image` it was."""
        lanes, row = self.lanes, image.width * image.channels
        strides = {**self._lane, "y": row * lanes, "x": image.channels * lanes, "c": lanes}
        return Tensor(role, strides_of(strides), 0, self.buffer.element)

    @property
    def _lane(self) -> dict[str, int]:
        """The axis over the images of a block, if it has several."""
        return {"v": 1} if self.lanes > 1 else {}

    @property
    def _strides(self) -> tuple[int, int, int]:
        channel = self.lanes
        column = (self.pitch or self.channels) * channel
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
    form = HaloForm(height, width, channels, lanes, halo, fill) if any(halo) else None
    buffer = Buffer(name, size, "real", fill=fill, form=form)
    return Image(buffer, height, width, channels, lanes, halo)


def vectors(count: int, lanes: int) -> int:
    """Vectors that `count` numbers fill: whole ones, then halves, quarters … for the rest."""
    return count // lanes + (count % lanes).bit_count()


def vector(role: str, **strides: int) -> Tensor:
    """A tensor without images: parameters, statistics."""
    return Tensor(role, strides_of(strides))


def pixels(image: Image, lanes: int) -> Axes:
    """The axes of an element-wise nest over an image."""
    return (("y", image.height), ("x", image.width), ("c", image.channels), ("v", lanes))
