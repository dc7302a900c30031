"""Layers that put rows and columns around images, or cut them away: copies, and copies back.

A border of zeros that only convolutions read is no copy: see
`striate.plan.analysis.zero_borders`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

from striate.layers import Crop2D, ZeroPad2D
from striate.nest.algebra import Constant, Nest
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Axes, Image, Location, pixels
from striate.plan.lowering.builder import Builder


def pad_forward(builder: Builder, operation: Operation) -> None:
    """The image, and zeros around it."""
    x, out = builder.values[operation.inputs[0]], builder.values[operation.node]
    border = cast(ZeroPad2D, operation.layer).border
    _copy_from(builder, operation, x, EVERY_PIXEL, pixels(x, builder.lanes), _inside(border))
    for part in _around(out, border):
        store = builder.store(operation, Constant(0.0), part.pixels)
        builder.recorder.blockwise(
            Nest(part.axes(builder, out), stores=(store,)), {"out": builder.out(operation)}
        )


def pad_backward(builder: Builder, operation: Operation) -> None:
    """The gradient of the image alone."""
    source = operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    inside = _inside(cast(ZeroPad2D, operation.layer).border)
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            gradient.tensor("gradient", inside),
            {"gradient": Location(gradient.buffer)},
        )


def crop_forward(builder: Builder, operation: Operation) -> None:
    """The inside of the image."""
    x, out = builder.values[operation.inputs[0]], builder.values[operation.node]
    inside = _inside(cast(Crop2D, operation.layer).border)
    _copy_from(builder, operation, x, inside, pixels(out, builder.lanes), EVERY_PIXEL)


def crop_backward(builder: Builder, operation: Operation) -> None:
    """The gradient of what is left, and zeros for what was cut away."""
    source = operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    border = cast(Crop2D, operation.layer).border
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(gradient, builder.lanes),
            gradient.tensor("gradient", EVERY_PIXEL),
            {"gradient": Location(gradient.buffer)},
            walk=_inside(border),
        )
        for part in _around(x, border):
            writer.zeros(part.axes(builder, x), part.pixels)


def _copy_from(
    builder: Builder, operation: Operation, x: Image, read: Access, axes: Axes, write: Access
) -> None:
    store = builder.store(operation, x.tensor("x", read), write)
    builder.recorder.blockwise(
        Nest(axes, stores=(store,)), {"x": Location(x.buffer), "out": builder.out(operation)}
    )


def _inside(border: Pads) -> Access:
    """The pixels of an image from its border on."""
    return Access({"y": 1}, {"x": 1}, {"c": 1}, (border[0], border[2], 0))


class _Strip(NamedTuple):
    """Some rows and columns of an image."""

    row: int
    column: int
    height: int
    width: int

    @property
    def pixels(self) -> Access:
        """Where they lie."""
        return Access({"y": 1}, {"x": 1}, {"c": 1}, (self.row, self.column, 0))

    def axes(self, builder: Builder, image: Image) -> Axes:
        """The axes over them."""
        return (
            ("y", self.height),
            ("x", self.width),
            ("c", image.channels),
            ("v", builder.lanes),
        )


def _around(image: Image, border: Pads) -> Iterator[_Strip]:
    """The border of an image: above, below, left and right of what is inside it."""
    top, bottom, left, right = border
    inside = image.height - top - bottom
    for part in (
        _Strip(0, 0, top, image.width),
        _Strip(image.height - bottom, 0, bottom, image.width),
        _Strip(top, 0, inside, left),
        _Strip(top, image.width - right, inside, right),
    ):
        if part.height and part.width:
            yield part
