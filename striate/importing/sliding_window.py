"""Windows along the axes of a foreign tensor, as layers of striate have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from striate.common.arrays import Array
from striate.ops.shapes import extent


@dataclass(frozen=True)
class SlidingWindow:
    """The window of a convolution or pooling, along the tensor's own one or two axes.

    Attributes:
        size, stride, dilation: one number for each axis.
        before, after: the padding at the begin and the end of each axis.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def room(self, axis: int, pixels: int) -> int:
        """By how many pixels the window can move along an axis; negative if it does not fit."""
        reach = extent(self.size[axis], self.dilation[axis])
        return pixels + self.before[axis] + self.after[axis] - reach

    def covers(self, pixels: tuple[int, ...]) -> bool:
        """Whether the one window that there is reads every pixel, and no padding."""
        return (
            self.size == pixels
            and not any((*self.before, *self.after))
            and all(gap == 1 for gap in self.dilation)
        )

    def without_overhang(self, pixels: tuple[int, ...]) -> SlidingWindow:
        """A window as large as the image, for a larger one that hangs over its end: what hangs over
        never counts.
        """
        size = list(self.size)
        for axis, count in enumerate(pixels):
            room = self.room(axis, count)
            # As many windows as ceil(room / stride) + 1: one.
            if self.dilation[axis] == 1 and -self.stride[axis] < room < 0:
                size[axis] += room
        return replace(self, size=tuple(size))

    def stored(self, letters: str) -> dict[str, Any]:
        """The arguments of a window layer, in striate's order of axes.

        Args:
            letters: what the axes of the tensor are, see `AxisView.image_letters`.
        """
        order = spatial(letters)

        def pair(values: Sequence[int], default: int) -> tuple[int, int]:
            placed = dict(zip(order, values, strict=True))
            return placed.get("H", default), placed.get("W", default)

        (top, left), (bottom, right) = pair(self.before, 0), pair(self.after, 0)
        return {
            "size": pair(self.size, 1),
            "stride": pair(self.stride, 1),
            "dilation": pair(self.dilation, 1),
            "padding": (top, bottom, left, right),
        }


def spatial(letters: str) -> str:
    """The letters of the axes that are height and width, in the tensor's order."""
    return "".join(letter for letter in letters if letter in "HW")


def hwio(filters: Array, letters: str) -> Array:
    """Filters (out, in, *window) as (height, width, in, out), `letters` being the image's axes."""
    order = spatial(letters)
    if len(order) == 1:
        filters = filters[:, :, None] if order == "W" else filters[..., None]
        order = "HW"
    axes = [2 + order.index("H"), 2 + order.index("W"), 1, 0]
    return filters.transpose(axes)


def uncovered_pixels(window: SlidingWindow, pixels: Iterable[int]) -> str:
    """ "error" where the windows read every pixel, else "drop"."""
    rooms = [window.room(axis, count) for axis, count in enumerate(pixels)]
    fits = all(room % step == 0 for room, step in zip(rooms, window.stride, strict=True))
    return "error" if fits else "drop"
