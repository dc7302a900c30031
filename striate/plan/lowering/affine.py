"""Layers with a learned number for each channel: Affine and PReLU.

y = x * scale + shift         dx = dy * scale     dscale = sum(dy * x)     dshift = sum(dy)
y = x > 0 ? x : slope * x     dx = x > 0 ? dy : slope * dy     dslope = sum(x > 0 ? 0 : dy * x)
"""

from __future__ import annotations

from typing import cast

from striate.layers import Affine, PReLU
from striate.nest.algebra import Expression, Nest, Tensor
from striate.nest.elementary import where
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Location, pixels, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.channel_sums import sum_by_channel
from striate.plan.stage import Locations


def affine_forward(builder: Builder, operation: Operation) -> None:
    """y."""
    layer = cast(Affine, operation.layer)
    result: Expression = builder.values[operation.inputs[0]].tensor("x", EVERY_PIXEL)
    if layer.scale:
        result = result * vector("scale", c=1)
    if layer.shift:
        result = result + vector("shift", c=1)
    names = [name for name in ("scale", "shift") if getattr(layer, name)]
    _every_pixel(builder, operation, result, _parameters(builder, operation, *names))


def affine_backward(builder: Builder, operation: Operation) -> None:
    """The gradients of x, scale and shift."""
    layer, source = cast(Affine, operation.layer), operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    dy = gradient.tensor("gradient", EVERY_PIXEL)
    places = {"gradient": Location(gradient.buffer), "x": Location(x.buffer)}
    terms: dict[str, Expression] = {}
    if layer.scale:
        terms["scale"] = dy * x.tensor("x", EVERY_PIXEL)
    if layer.shift:
        terms["shift"] = dy
    if not layer.scale:
        places.pop("x")
    sum_by_channel(builder, operation, x, terms, places)
    if not builder.needs_gradient(source):
        return
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            dy * vector("scale", c=1) if layer.scale else dy,
            {
                "gradient": Location(gradient.buffer),
                **(_parameters(builder, operation, "scale") if layer.scale else {}),
            },
        )


def prelu_forward(builder: Builder, operation: Operation) -> None:
    """y."""
    x = builder.values[operation.inputs[0]].tensor("x", EVERY_PIXEL)
    result = where(x, ">", 0.0, x, x * _slope(operation))
    _every_pixel(builder, operation, result, _parameters(builder, operation, "slope"))


def prelu_backward(builder: Builder, operation: Operation) -> None:
    """The gradients of x and the slope."""
    source = operation.inputs[0]
    image, gradient = builder.values[source], builder.gradients[operation.node]
    x, dy = image.tensor("x", EVERY_PIXEL), gradient.tensor("gradient", EVERY_PIXEL)
    places = {"gradient": Location(gradient.buffer), "x": Location(image.buffer)}
    terms = {"slope": where(x, ">", 0.0, 0.0, dy * x)}
    sum_by_channel(builder, operation, image, terms, places)
    if not builder.needs_gradient(source):
        return
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(image, builder.lanes),
            where(x, ">", 0.0, dy, dy * _slope(operation)),
            {**places, **_parameters(builder, operation, "slope")},
        )


def _slope(operation: Operation) -> Tensor:
    return vector("slope") if cast(PReLU, operation.layer).shared else vector("slope", c=1)


def _parameters(builder: Builder, operation: Operation, *names: str) -> Locations:
    return {name: builder.parameter(operation, name) for name in names}


def _every_pixel(
    builder: Builder, operation: Operation, result: Expression, parameters: Locations
) -> None:
    x = builder.values[operation.inputs[0]]
    builder.recorder.blockwise(
        Nest(pixels(x, builder.lanes), stores=(builder.store(operation, result, EVERY_PIXEL),)),
        {"x": Location(x.buffer), "out": builder.out(operation), **parameters},
    )
