"""The product of values, some of which are spread over the image or over the channels.

y = x0 * x1 * …         dxi = sum of dy * (product of all others), where xi is spread
"""

from __future__ import annotations

from functools import reduce
from operator import mul

from striate.nest.algebra import Expression, Nest
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Axes, Image, Location, pixels
from striate.plan.lowering.builder import Builder


def forward(builder: Builder, operation: Operation) -> None:
    """The product."""
    out, images = builder.values[operation.node], _inputs(builder, operation)
    product = reduce(mul, _factors(images, out))
    builder.recorder.blockwise(
        Nest(pixels(out, builder.lanes), stores=(builder.store(operation, product, EVERY_PIXEL),)),
        {"out": builder.out(operation), **_places(images)},
    )


def backward(builder: Builder, operation: Operation) -> None:
    """The gradient of every input."""
    images = _inputs(builder, operation)
    gradient = builder.gradients[operation.node]
    dy = gradient.tensor("gradient", EVERY_PIXEL)
    factors = _factors(images, gradient)
    for i, source in enumerate(operation.inputs):
        if not builder.needs_gradient(source):
            continue
        others = [factor for j, factor in enumerate(factors) if j != i]
        places = _places([image for j, image in enumerate(images) if j != i], skip=i)
        axes, spread = _axes(images[i], gradient, builder.lanes)
        with builder.writing_gradient(source) as writer:
            writer.nest(
                axes,
                reduce(mul, [dy, *others]),
                {"gradient": Location(gradient.buffer), **places},
                walk=_walk(images[i], gradient),
                reduce=spread,
            )


def _inputs(builder: Builder, operation: Operation) -> list[Image]:
    return [builder.values[value] for value in operation.inputs]


def _places(images: list[Image], skip: int | None = None) -> dict[str, Location]:
    """Where factors lie, numbered as `_factors` does, which may have one more at `skip`."""
    numbers = [i for i in range(len(images) + 1) if i != skip]
    return {f"x{i}": Location(image.buffer) for i, image in zip(numbers, images, strict=False)}


def _factors(images: list[Image], out: Image) -> list[Expression]:
    return [image.tensor(f"x{i}", _walk(image, out)) for i, image in enumerate(images)]


def _walk(image: Image, out: Image) -> Access:
    """Every pixel and channel of the output; standing still where the image has only one."""
    return Access(
        {"y": 1} if image.height == out.height else {},
        {"x": 1} if image.width == out.width else {},
        {"c": 1} if image.channels == out.channels else {},
    )


def _axes(image: Image, out: Image, lanes: int) -> tuple[Axes, tuple[str, ...]]:
    """The axes of a gradient, its own outermost, and those along which it is summed up."""
    walk = _walk(image, out)
    moving = {*walk.y, *walk.x, *walk.c, "v"}
    axes = pixels(out, lanes)
    spread = tuple(axis for axis, _ in axes if axis not in moving)
    own = tuple(axis for axis in axes if axis[0] in moving)
    return (*own, *(axis for axis in axes if axis[0] in spread)), spread
