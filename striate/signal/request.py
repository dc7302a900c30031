"""One sweep as it is asked for: everything but the algorithm and the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from striate.common.arrays import Array
from striate.signal.geometry import AxisWindow, pad

Order = Literal["any", "rows", "line", "sums", "differences"]


@dataclass(frozen=True, eq=False)
class Request:
    """A sweep of `kernel`, in correlation order, over `axes` of `f`.

    The products are added up in any order, by any algorithm, or directly and each rounded before
    it is added, in one of the orders of scipy.ndimage:

    - "rows": 0, then all of the kernel in C order
    - "line": of a kernel along one axis the last, then from the first on
    - "sums", "differences": of an odd one the centre, then pairs of elements from the ends inwards,
      which are added (or subtracted) before they are multiplied by the weight of the first

    Attributes:
        f: the input; axes that are not swept are batches.  It may have another dtype than the
            arithmetic, and becomes it as it is read.
        kernel: one dimension for each of `axes`, of the arithmetic's dtype.
        windows: where the kernel stands, along each of `axes`.
        axes: the axes of `f` that are swept, counted from the front and rising.
        borders: what lies beyond the ends, along each of `axes`.
        fill_value: what the border "fill" holds.
        clip: each sum is rounded to the nearest whole number and clipped to this range.
        order: in which order the products are added up.
        mean: all weights are 1, and each sum is divided by their number.
    """

    f: Array
    kernel: Array
    windows: tuple[AxisWindow, ...]
    axes: tuple[int, ...]
    borders: tuple[str, ...]
    fill_value: Any
    clip: tuple[float, float] | None = None
    order: Order = "any"
    mean: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """What is computed in."""
        return self.kernel.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        shape = list(self.f.shape)
        for axis, window in zip(self.axes, self.windows, strict=True):
            shape[axis] = window.size
        return tuple(shape)

    @property
    def outputs(self) -> int:
        """Numbers in the result."""
        return math.prod(self.shape)

    def converted(self) -> Request:
        """The same with `f` in the arithmetic's dtype."""
        return replace(self, f=self.f.astype(self.dtype, copy=False))

    def weighted(self) -> Request:
        """A mean as a sum of products; anything else as it is."""
        if not self.mean:
            return self
        return replace(self, kernel=self.kernel / self.kernel.size, mean=False)

    def padded(self, *chosen: int) -> Request:
        """The same with the borders of some axes laid out in memory.

        Args:
            chosen: which of `axes`, counted among them: 0 is the first swept axis.
        """
        windows, borders = list(self.windows), list(self.borders)
        marked = [border if i in chosen else "" for i, border in enumerate(borders)]
        f = pad(self.f, self.kernel.shape, windows, self.axes, marked, self.fill_value)
        for i in chosen:
            windows[i] = replace(windows[i], start=0)
        return replace(self, f=f, windows=tuple(windows))
