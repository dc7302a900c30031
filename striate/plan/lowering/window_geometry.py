"""What convolution and pooling share: windows that slide over an image, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from striate.layers.layer import WindowLayer
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Steps
from striate.plan.lowering import polyphase

Axes = tuple[tuple[str, int], ...]


class WindowGeometry:
    """The geometry of one operation, as walks of the axes

    y, x (output row and column), r, s (row and column of the window); and for the way back from
    outputs to pixels p, q (the place of a pixel in its run), j, i (the outputs that read it).
    """

    def __init__(self, operation: Operation) -> None:
        self.layer = layer = cast(WindowLayer, operation.layer)
        self.height, self.width, self.channels = operation.shapes[0]
        self.rows, self.columns, self.outputs = operation.shape
        self.size, self.stride, self.dilation = layer.size, layer.stride, layer.dilation
        self.pads = operation.pads

    def pixels(self, channel: Steps) -> Access:
        """Input pixel (y*S + r*D - P, x*S + s*D - P)."""
        top, _, left, _ = self.pads
        return Access(
            {"y": self.stride[0], "r": self.dilation[0]},
            {"x": self.stride[1], "s": self.dilation[1]},
            channel,
            (-top, -left, 0),
        )

    def _runs(self) -> tuple[list[polyphase.Phase], list[polyphase.Phase]]:
        (height, width), (stride_y, stride_x) = self.size, self.stride
        dilation_y, dilation_x = self.dilation
        top, _, left, _ = self.pads
        return (
            polyphase.phases_of(self.height, height, stride_y, dilation_y, top),
            polyphase.phases_of(self.width, width, stride_x, dilation_x, left),
        )

    def gradient_halo(self) -> Pads:
        """How far the way back reads past the outputs."""
        vertical, horizontal = self._runs()
        return (
            *polyphase.halo(vertical, self.rows),
            *polyphase.halo(horizontal, self.columns),
        )

    def input_phases(self) -> Iterator[InputPhase]:
        """The parts of the image, each with the outputs that read its pixels."""
        vertical, horizontal = self._runs()
        for rows in vertical:
            for columns in horizontal:
                yield InputPhase(rows, columns, self.stride)


@dataclass(frozen=True)
class InputPhase:
    """Pixels that are read alike: see `striate.plan.lowering.polyphase`."""

    rows: polyphase.Phase
    columns: polyphase.Phase
    stride: tuple[int, int]

    @property
    def is_empty(self) -> bool:
        """Whether no output reads these pixels."""
        return not (self.rows.taps and self.columns.taps)

    def axes(self, *channels: tuple[str, int]) -> Axes:
        """The axes over the pixels, those of the channels between rows and columns."""
        rows, columns = (("y", self.rows.count), ("p", self.rows.length)), self.columns
        return (*rows, *channels, ("x", columns.count), ("q", columns.length))

    @property
    def reduced(self) -> Axes:
        """The axes over the outputs that read a pixel."""
        return (("j", self.rows.taps), ("i", self.columns.taps))

    def pixels(self, channel: Steps, first: int = 0) -> Access:
        """The pixels, of their channels those from `first` on."""
        start = (self.rows.start, self.columns.start, first)
        return Access({"y": self.stride[0], "p": 1}, {"x": self.stride[1], "q": 1}, channel, start)

    def outputs(self, channel: Steps) -> Access:
        """The outputs that read them."""
        origin = (self.rows.origin, self.columns.origin, 0)
        return Access(
            {"y": 1, "j": -self.rows.move}, {"x": 1, "i": -self.columns.move}, channel, origin
        )

    def taps(self, row: int, column: int) -> tuple[dict[str, int], int]:
        """The tap with which output (j, i) reads pixel (p, q), as a linear form: strides and
        offset, where taps are `row` and `column` apart.
        """
        strides = {
            "p": row,
            "j": self.rows.step * row,
            "q": column,
            "i": self.columns.step * column,
        }
        return strides, self.rows.first * row + self.columns.first * column
