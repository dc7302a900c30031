"""The windows of a size along one axis: where each lies, what it reads, what is never read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array
from striate.ops.shapes import extent
from striate.teaching.size_answer import Fit


@dataclass(frozen=True)
class AxisWindows:
    """The windows along one axis. Places count from 0, those of the padding before it included.

    Attributes:
        fit: the sizes. The last pixels may be more than the windows reach: they are unread.
    """

    fit: Fit

    @property
    def reach(self) -> int:
        """R: the places that a window spans."""
        return extent(self.fit.filter, self.fit.dilation)

    @property
    def places(self) -> int:
        """How many places there are: pixels and padding."""
        return self.fit.input + sum(self.fit.padding)

    @property
    def room(self) -> int:
        """How far the window can move: I - R + P_before + P_after."""
        return self.places - self.reach

    def start(self, window: int) -> int:
        """The first place of a window, which are numbered from 0."""
        return window * self.fit.stride

    def taps(self, window: int) -> range:
        """The places that a window reads."""
        first = self.start(window)
        return range(first, first + self.reach, self.fit.dilation)

    def is_padding(self, place: int) -> bool:
        """Whether there is no pixel at a place."""
        return not 0 <= place - self.fit.padding[0] < self.fit.input

    @property
    def reads(self) -> Array:
        """How many windows read each pixel, int64 (input,)."""
        counts = np.zeros(self.places, np.int64)
        for tap in self.taps(0):
            counts[tap : tap + (self.fit.output - 1) * self.fit.stride + 1 : self.fit.stride] += 1
        before = self.fit.padding[0]
        return counts[before : before + self.fit.input]

    @property
    def unread(self) -> list[int]:
        """The places of the pixels that no window reads."""
        return [int(pixel) + self.fit.padding[0] for pixel in np.flatnonzero(self.reads == 0)]

    def shown(self, most: int) -> list[int | None]:
        """The windows to be drawn: all, or the first and the last with None for those between."""
        count = self.fit.output
        if count <= most:
            return [*range(count)]
        last = max(most // 3, 1)
        return [*range(most - last), None, *range(count - last, count)]
