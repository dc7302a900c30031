"""Layers that treat every number alone, or add and join values."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import cast

from striate.common.random_bits import drop_threshold
from striate.layers import Dropout
from striate.nest.algebra import (
    Expression,
    Index,
    Keep,
    Nest,
    Store,
    Tensor,
    strides_of,
)
from striate.plan.analysis.activations import activated, derived, told_by
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Image, Location, pixels
from striate.plan.lowering.batchnorm import is_left_to_sum, normalised
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.gradient_aliasing import alias_gradients
from striate.plan.stage import Locations


def copy(builder: Builder, source: Image, target: Image) -> None:
    """A step that copies a value, leaving the halo as it is."""
    builder.recorder.blockwise(
        Nest(
            pixels(source, builder.lanes),
            stores=(Store(target.tensor("out", EVERY_PIXEL), source.tensor("x", EVERY_PIXEL)),),
        ),
        {"x": Location(source.buffer), "out": Location(target.buffer)},
    )


def flatten_forward(builder: Builder, operation: Operation) -> None:
    """A copy without halo, where a view would not do."""
    x, flat = builder.values[operation.inputs[0]], builder.values[operation.node]
    value = activated(operation.activation, x.tensor("x", EVERY_PIXEL))
    builder.recorder.blockwise(
        Nest(pixels(x, builder.lanes), stores=(Store(flat.flattened("out", x), value),)),
        {"x": Location(x.buffer), "out": Location(flat.buffer)},
    )


def flatten_backward(builder: Builder, operation: Operation) -> None:
    """The gradient as an image again."""
    source = operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            gradient.flattened("gradient", x),
            {"gradient": Location(gradient.buffer)},
        )


def activation_forward(builder: Builder, operation: Operation) -> None:
    """An activation that could not be fused."""
    x = builder.values[operation.inputs[0]]
    result = activated(operation.layer, x.tensor("x", EVERY_PIXEL))
    builder.recorder.blockwise(
        Nest(pixels(x, builder.lanes), stores=(builder.store(operation, result, EVERY_PIXEL),)),
        {"x": Location(x.buffer), "out": builder.out(operation)},
    )


def activation_backward(builder: Builder, operation: Operation) -> None:
    """Its derivative, from what tells it."""
    source = operation.inputs[0]
    what = told_by(operation.layer)
    told = builder.values[source if what == "input" else operation.node]
    reads = {} if what == "nothing" else {"told": Location(told.buffer)}
    gradient = builder.gradients[operation.node]
    term = derived(
        operation.layer, told.tensor("told", EVERY_PIXEL), gradient.tensor("gradient", EVERY_PIXEL)
    )
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(gradient, builder.lanes),
            term,
            {**reads, "gradient": Location(gradient.buffer)},
        )


def _kept(builder: Builder, operation: Operation, image: Image) -> Expression:
    """1 / (1 - rate) where a number is kept, else 0: the same forward and backward."""
    rate = cast(Dropout, operation.layer).rate
    row = image.width * image.channels
    place = Index(strides_of({"y": row, "x": image.channels, "c": 1}))
    key = Tensor("keys", strides_of({"v": 1}), element="u32")
    return Keep(key, place, operation.node, drop_threshold(rate)) * (1.0 / (1.0 - rate))


def dropout_forward(builder: Builder, operation: Operation) -> None:
    """Zero a part of the numbers; the mask is computed where it is needed, and never stored."""
    x = builder.values[operation.inputs[0]]
    result = x.tensor("x", EVERY_PIXEL) * _kept(builder, operation, x)
    builder.recorder.blockwise(
        Nest(pixels(x, builder.lanes), stores=(builder.store(operation, result, EVERY_PIXEL),)),
        {"x": Location(x.buffer), "keys": Location(builder.keys), "out": builder.out(operation)},
    )


def dropout_backward(builder: Builder, operation: Operation) -> None:
    """The same mask on the gradient."""
    source = operation.inputs[0]
    gradient = builder.gradients[operation.node]
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(gradient, builder.lanes),
            gradient.tensor("gradient", EVERY_PIXEL) * _kept(builder, operation, gradient),
            {"gradient": Location(gradient.buffer), "keys": Location(builder.keys)},
        )


def add_forward(builder: Builder, operation: Operation) -> None:
    """The sum of the inputs."""
    _add(builder, operation)
    builder.recomputation.sum(operation, lambda: _add_again(builder, operation))


def _add_again(builder: Builder, operation: Operation) -> None:
    builder.recomputation.refresh(operation.inputs)
    _add(builder, operation)


def _add(builder: Builder, operation: Operation) -> None:
    places = {"out": builder.out(operation)}
    parts = list[Expression]()
    for number, value in enumerate(operation.inputs):
        part, read = _summand(builder, value, f"x{number}")
        parts.append(part)
        places |= read
    total = reduce(lambda left, right: left + right, parts)
    axes = pixels(builder.values[operation.node], builder.lanes)
    builder.recorder.blockwise(
        Nest(axes, stores=(builder.store(operation, total, EVERY_PIXEL),)), places
    )


def _summand(builder: Builder, value: int, role: str) -> tuple[Expression, Locations]:
    """A pixel of an input, and what it reads; batch normalisation may leave its work to the sum."""
    maker = builder.graph.makers.get(value)
    if maker is not None and is_left_to_sum(builder.graph, maker):
        builder.recomputation.refresh(maker.inputs)
        return normalised(builder, maker, role)
    image = builder.values[value]
    return image.tensor(role, EVERY_PIXEL), {role: Location(image.buffer)}


def add_backward(builder: Builder, operation: Operation) -> None:
    """Every input gets the whole gradient."""
    gradient = builder.gradients[operation.node]
    handed = alias_gradients(builder, operation)
    for source in operation.inputs:
        if builder.needs_gradient(source) and source not in handed:
            _pass_on(builder, source, gradient, gradient.channels, 0)


def concat_forward(builder: Builder, operation: Operation) -> None:
    """The inputs side by side, but for those that are there already."""
    start, out = 0, builder.values[operation.node]
    for source in operation.inputs:
        x = builder.values[source]
        if (x.buffer, x.first) == (out.buffer, out.first + start):
            start += x.channels
            continue
        store = builder.store(operation, x.tensor("x", EVERY_PIXEL), _channels_from(start))
        builder.recorder.blockwise(
            Nest(pixels(x, builder.lanes), stores=(store,)),
            {"x": Location(x.buffer), "out": builder.out(operation)},
        )
        start += x.channels


def concat_backward(builder: Builder, operation: Operation) -> None:
    """Every input gets its channels of the gradient."""
    gradient = builder.gradients[operation.node]
    start = 0
    for source in operation.inputs:
        channels = builder.values[source].channels
        if builder.needs_gradient(source):
            _pass_on(builder, source, gradient, channels, start)
        start += channels


def _channels_from(start: int) -> Access:
    return replace(EVERY_PIXEL, start=(0, 0, start))


def _pass_on(builder: Builder, source: int, gradient: Image, channels: int, start: int) -> None:
    axes = (
        ("y", gradient.height),
        ("x", gradient.width),
        ("c", channels),
        ("v", builder.lanes),
    )
    with builder.writing_gradient(source) as writer:
        writer.nest(
            axes,
            gradient.tensor("gradient", _channels_from(start)),
            {"gradient": Location(gradient.buffer)},
        )
