"""Which pixels each window of a pooling layer reads, and which of them its output depends on.

    max:      O = the largest pixel of the window          ∂O/∂X = 1 for the winner, else 0
    average:  O = Σ X / n  over its n pixels               ∂O/∂X = 1/n
    sum:      O = Σ X                                      ∂O/∂X = 1

("There are multiple ways to perform pooling such as max, average, and sum", *From Convolution to
Neural Network*, section Pooling for robustness.) The windows are laid down here one by one,
independently of the layers' code, so that comparing the two tests both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.layers import AvgPool2D, MaxPool2D, SumPool2D
from striate.ops import shapes
from striate.ops.shapes import Pads
from striate.teaching.chainrule.sums import Symbol

PoolingLayer = MaxPool2D | AvgPool2D | SumPool2D
KINDS: dict[str, type[PoolingLayer]] = {"max": MaxPool2D, "average": AvgPool2D, "sum": SumPool2D}
"""The layers by the names that article 001 gives them."""


@short_repr
@dataclass(frozen=True)
class PooledWindow:
    """One window of one channel.

    Attributes:
        place: (row, column, channel) of its output, from 0.
        pixels: (row, column) of its real pixels, row by row; padding is left out.
        values: their numbers.
        kind: one of `KINDS`.
        divisor: what a mean divides by; 1 of the other kinds.
    """

    place: tuple[int, int, int]
    pixels: tuple[tuple[int, int], ...]
    values: tuple[float, ...]
    kind: str
    divisor: int

    @property
    def winner(self) -> int | None:
        """The index of the first largest pixel; None of means and sums."""
        return self.values.index(max(self.values)) if self.kind == "max" else None

    @property
    def value(self) -> float:
        """The output."""
        if self.kind == "max":
            return max(self.values)
        return math.fsum(self.values) / self.divisor

    def slope(self, index: int) -> float:
        """The local gradient ∂O/∂X of the pixel of this index."""
        if self.kind == "max":
            return float(index == self.winner)
        return 1 / self.divisor


@short_repr
@dataclass(frozen=True, eq=False)
class Pooled:
    """A pooling with all its numbers; arrays are float64.

    Attributes:
        layer: what pools.
        kind: one of `KINDS`.
        source: where X comes from, such as "the file a.png"; "" if it was typed or drawn at random.
        x: the input (height, width, channels).
        output: O (rows, columns, channels), by an engine's kernels.
        gradient: ∂L/∂O of the same shape; None if nothing goes back.
        input_gradient: ∂L/∂X of the shape of X, by an engine's kernels; None without `gradient`.
        checked: the largest absolute difference between what the windows and what the kernels say,
            by name: "outputs", and "∂L/∂X" if it was compared.
        compared: how many windows were compared.
    """

    layer: PoolingLayer
    kind: str
    source: str
    x: Array
    output: Array
    gradient: Array | None
    input_gradient: Array | None
    checked: dict[str, float]
    compared: int

    @property
    def pads(self) -> Pads:
        """What windows read around X: the padding, and what a last window hangs over."""
        return self.layer.pads(self.x.shape)

    @property
    def reach(self) -> tuple[int, int]:
        """The rows and columns that a window spans."""
        size, dilation = self.layer.size, self.layer.dilation
        return shapes.extent(size[0], dilation[0]), shapes.extent(size[1], dilation[1])

    @property
    def overlaps(self) -> bool:
        """Whether neighbouring windows share rows or columns."""
        pairs = zip(self.reach, self.layer.stride, self.output.shape, strict=False)
        return any(reach > step and count > 1 for reach, step, count in pairs)

    @property
    def count(self) -> int:
        """The number of windows of all channels."""
        return self.output.size

    def window(self, row: int, column: int, channel: int = 0) -> PooledWindow:
        """The window of an output; numbers from 0."""
        height, width, _ = self.x.shape
        layer, around = self.layer, self.pads
        counted: Pads = (0, 0, 0, 0)
        if isinstance(layer, AvgPool2D) and layer.count_padding:
            counted = layer.given_pads(self.x.shape)
        pixels, divisor = [], 0
        for r, s in np.ndindex(*layer.size):
            y = row * layer.stride[0] + r * layer.dilation[0] - around[0]
            x = column * layer.stride[1] + s * layer.dilation[1] - around[2]
            if 0 <= y < height and 0 <= x < width:
                pixels.append((y, x))
            in_rows = -counted[0] <= y < height + counted[1]
            divisor += in_rows and -counted[2] <= x < width + counted[3]
        return PooledWindow(
            (row, column, channel),
            tuple(pixels),
            tuple(float(self.x[y, x, channel]) for y, x in pixels),
            self.kind,
            divisor if self.kind == "average" else 1,
        )

    def windows(self) -> Iterator[PooledWindow]:
        """All windows, channel after channel, row by row."""
        rows, columns, channels = self.output.shape
        for channel in range(channels):
            for row, column in np.ndindex(rows, columns):
                yield self.window(row, column, channel)

    def name(self, kind: str, place: tuple[int, int], channel: int) -> Symbol:
        """The name of a number, such as X_11, or X^2_11 where there are channels."""
        row, column = place
        return Symbol(kind, (row + 1, column + 1), (channel + 1,) * (self.x.shape[2] > 1))

    def to_dict(self) -> dict[str, Any]:
        """Arrays and differences as JSON-able values; winners as (row, column) from 0."""
        answer: dict[str, Any] = {
            "kind": self.kind,
            "window": list(self.layer.size),
            "stride": list(self.layer.stride),
            "padding": list(self.layer.given_pads(self.x.shape)),
            "dilation": list(self.layer.dilation),
            "input": self.x.tolist(),
            "output": self.output.tolist(),
        }
        if self.kind == "max":
            rows, columns, channels = self.output.shape
            answer["winners"] = [
                [
                    [_winner(self.window(row, column, channel)) for channel in range(channels)]
                    for column in range(columns)
                ]
                for row in range(rows)
            ]
        if self.gradient is not None and self.input_gradient is not None:
            answer["output_gradient"] = self.gradient.tolist()
            answer["input_gradient"] = self.input_gradient.tolist()
        return answer | {"largest_differences": dict(self.checked)}


def _winner(window: PooledWindow) -> list[int]:
    return list(window.pixels[window.winner or 0])
