"""Layers that choose channels: each is a copy, and its gradient the copy back."""

from __future__ import annotations

from typing import cast

from striate.layers import ChannelShuffle, ChannelSlice
from striate.nest.algebra import Nest
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Axes, Image, Location
from striate.plan.lowering.builder import Builder


def shuffle_forward(builder: Builder, operation: Operation) -> None:
    """Channel i * share + j goes to j * groups + i."""
    x = builder.values[operation.inputs[0]]
    axes, before, after = _shuffled(builder, operation, x)
    builder.recorder.blockwise(
        Nest(axes, stores=(builder.store(operation, x.tensor("x", before), after),)),
        {"x": Location(x.buffer), "out": builder.out(operation)},
    )


def shuffle_backward(builder: Builder, operation: Operation) -> None:
    """And back."""
    gradient = builder.gradients[operation.node]
    axes, before, after = _shuffled(builder, operation, gradient)
    with builder.writing_gradient(operation.inputs[0]) as writer:
        writer.nest(
            axes,
            gradient.tensor("gradient", after),
            {"gradient": Location(gradient.buffer)},
            walk=before,
        )


def _shuffled(builder: Builder, operation: Operation, image: Image) -> tuple[Axes, Access, Access]:
    """The axes of a nest, and how they move over the channels before and after the shuffle."""
    groups = cast(ChannelShuffle, operation.layer).groups
    share = image.channels // groups
    axes = (
        ("y", image.height),
        ("x", image.width),
        ("i", groups),
        ("j", share),
        ("v", builder.lanes),
    )
    before = Access({"y": 1}, {"x": 1}, {"i": share, "j": 1})
    return axes, before, Access({"y": 1}, {"x": 1}, {"j": groups, "i": 1})


def slice_forward(builder: Builder, operation: Operation) -> None:
    """The chosen channels."""
    x, out = builder.values[operation.inputs[0]], builder.values[operation.node]
    layer = cast(ChannelSlice, operation.layer)
    chosen = _channels(layer.start, layer.step)
    builder.recorder.blockwise(
        Nest(
            _over(builder, out, out.channels),
            stores=(builder.store(operation, x.tensor("x", chosen), _channels(0, 1)),),
        ),
        {"x": Location(x.buffer), "out": builder.out(operation)},
    )


def slice_backward(builder: Builder, operation: Operation) -> None:
    """The gradient of the chosen channels, and zeros for the others."""
    source, layer = operation.inputs[0], cast(ChannelSlice, operation.layer)
    x, gradient = builder.values[source], builder.gradients[operation.node]
    count, step = gradient.channels, layer.step
    end = layer.start + (count - 1) * step + 1
    others = [(0, 1, layer.start), (end, 1, x.channels - end)]
    others += [(layer.start + rest, step, count - 1) for rest in range(1, step)]
    with builder.writing_gradient(source) as writer:
        writer.nest(
            _over(builder, gradient, count),
            gradient.tensor("gradient", _channels(0, 1)),
            {"gradient": Location(gradient.buffer)},
            walk=_channels(layer.start, step),
        )
        for start, apart, some in others:
            if some > 0:
                writer.zeros(_over(builder, gradient, some), _channels(start, apart))


def _over(builder: Builder, image: Image, channels: int) -> Axes:
    """All pixels, and so many channels."""
    return (("y", image.height), ("x", image.width), ("c", channels), ("v", builder.lanes))


def _channels(start: int, step: int) -> Access:
    return Access({"y": 1}, {"x": 1}, {"c": step}, (0, 0, start))
