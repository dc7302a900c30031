"""The numbers of one convolution, as all of its algorithms use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from striate.layers import Conv2D
from striate.nest.algebra import Tensor, strides_of
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Location, Steps
from striate.plan.lowering.weight_panels import PanelRun, panel, pixels_at_once
from striate.plan.lowering.window_geometry import WindowGeometry


class ConvGeometry(WindowGeometry):
    """The numbers of one convolution: axes g (groups), c (channels of a group), k (its filters).

    Where channels fill the lanes, C and K count panels of them.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        layer = cast(Conv2D, operation.layer)
        self.bias, self.groups = layer.bias, layer.groups
        self.depth = self.channels // layer.groups
        self.share = self.outputs // layer.groups
        self.c: Steps = {"g": self.depth, "C": panel(self.depth), "c": 1}
        self.k: Steps = {"g": self.share, "K": panel(self.share), "k": 1}
        # F[r, s, c, k] is stored (height, width, channels of a group, filters).
        self.row, self.column = self.size[1] * self.depth * self.outputs, self.depth * self.outputs
        self.weight = {"c": self.outputs, "g": self.share, "k": 1}

    @property
    def is_depthwise(self) -> bool:
        """Whether every group has one channel and one filter: then groups fill the lanes."""
        return self.depth == self.share == 1 and self.groups > 1

    @property
    def suits_winograd(self) -> bool:
        """Whether Winograd's algorithm is made for it: square filters of 3×3 or 5×5 that move pixel
        by pixel, without groups, and with less padding than taps.
        """
        taps = self.size[0]
        plain = (self.stride, self.dilation, self.groups) == ((1, 1), (1, 1), 1)
        return plain and self.size == (taps, taps) and taps in (3, 5) and max(self.pads) < taps

    @property
    def taps(self) -> int:
        """Taps of a filter, in both directions."""
        return self.size[0] * self.size[1]

    @property
    def together(self) -> int:
        """Images that should share one pass over the filters."""
        return -(-pixels_at_once(self.numbers) // (self.rows * self.columns))

    @property
    def numbers(self) -> int:
        """How many numbers the filters are."""
        return self.size[0] * self.size[1] * self.depth * self.outputs


@dataclass(frozen=True)
class Filters:
    """Filters as a nest reads them: strides of r, s, of the summed channel, of panels, groups.

    Attributes:
        run: the panels of channels that lie beside each other.
        summed: how many channels, or pairs of them, of a group are summed over.
    """

    place: Location
    run: PanelRun
    row: int
    column: int
    strides: dict[str, int]
    summed: int

    def tensor(self, strides: Mapping[str, int], offset: int = 0) -> Tensor:
        """The weights, where the axes of taps have these strides."""
        form = strides_of({**strides, **self.strides})
        return Tensor("filters", form, offset, self.place.buffer.element)
