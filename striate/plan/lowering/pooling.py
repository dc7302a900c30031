"""Pooling: the same windows as a convolution, with another reduction and no weights.

    max:  O[y,x,c] = max over r, s of X[y*S + r*D - P, …, c]     and which tap it was
    sum:  O[y,x,c] = sum over r, s of X[y*S + r*D - P, …, c]     average: divided by the pixels

over windows, or over the whole image.

The gradient of a maximum goes to the tap that was largest, of a sum to all taps.
"""

from __future__ import annotations

import functools

import numpy as np

from striate.layers import AvgPool2D, MaxPool2D
from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Index,
    Nest,
    Store,
    Tensor,
    strides_of,
)
from striate.nest.elementary import where
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Graph, Operation
from striate.plan.layout import EVERY_PIXEL, Access, Buffer, Image, Location, Steps, pixels
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.elementwise import copy
from striate.plan.lowering.protocol import NO_HALO, larger
from striate.plan.lowering.window_geometry import Axes, WindowGeometry
from striate.plan.settings import Settings

_CHANNEL: Steps = {"c": 1}
NEVER_WINS = float("-inf")
"""What the border of an image holds of which maxima are taken."""


def input_halo(_: Settings, operation: Operation) -> Pads:
    """The padding: zeros change no sum."""
    return WindowGeometry(operation).pads


def gradient_halo(_: Settings, operation: Operation) -> Pads:
    """How far the input gradient reads past the output's border."""
    return WindowGeometry(operation).gradient_halo()


def _axes(builder: Builder, g: WindowGeometry) -> Axes:
    return (
        ("y", g.rows),
        ("x", g.columns),
        ("c", g.channels),
        ("v", builder.lanes),
        ("r", g.size[0]),
        ("s", g.size[1]),
    )


def max_forward(builder: Builder, operation: Operation) -> None:
    """The maxima and, in training, the number of the tap (r * width + s) that had each."""
    g = WindowGeometry(operation)
    x = _with_border(builder, operation, g)
    stores = [builder.store(operation, Accumulator(0), EVERY_PIXEL)]
    places = {"x": Location(x.buffer), "out": builder.out(operation)}
    backward = builder.needs_gradient(operation.inputs[0])
    if backward:
        winners = _winners(builder, operation)
        builder.remember(operation, "winners", winners)
        stores.append(Store(winners.tensor("winners", EVERY_PIXEL), Accumulator(1)))
        places["winners"] = Location(winners.buffer)
    builder.recorder.blockwise(
        Nest(
            _axes(builder, g),
            stores=tuple(stores),
            terms=(x.tensor("x", g.pixels(_CHANNEL)),),
            reduce=("r", "s"),
            reduction="argmax" if backward else "max",
            order=Index(strides_of({"r": g.size[1], "s": 1})) if backward else None,
        ),
        places,
    )


def max_backward(builder: Builder, operation: Operation) -> None:
    """A pixel gets the gradient of those windows in which it was the winner."""
    winners = builder.recall(operation, "winners", Image)
    _scatter(builder, operation, WindowGeometry(operation), winners)


def sum_forward(builder: Builder, operation: Operation) -> None:
    """The sums, or the averages over the pixels of each window."""
    g = WindowGeometry(operation)
    x = builder.values[operation.inputs[0]]
    scale, places = _scale(builder, operation, g, EVERY_PIXEL)
    builder.recorder.blockwise(
        Nest(
            _axes(builder, g),
            stores=(builder.store(operation, Accumulator() * scale, EVERY_PIXEL),),
            terms=(x.tensor("x", g.pixels(_CHANNEL)),),
            reduce=("r", "s"),
            reduction="sum",
        ),
        {"x": Location(x.buffer), "out": builder.out(operation), **places},
    )


def sum_backward(builder: Builder, operation: Operation) -> None:
    """A pixel gets the gradient of every window that it is in."""
    _scatter(builder, operation, WindowGeometry(operation), None)


def _scatter(
    builder: Builder, operation: Operation, g: WindowGeometry, winners: Image | None
) -> None:
    gradient = builder.gradients[operation.node]
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for part in g.input_phases():
            axes = (*part.axes(), ("c", g.channels), ("v", builder.lanes))
            if part.is_empty:
                writer.zeros(axes, part.pixels(_CHANNEL), late=True)
                continue
            windows = part.outputs(_CHANNEL)
            seen = gradient.tensor("gradient", windows)
            places = {"gradient": Location(gradient.buffer)}
            if winners is not None:
                strides, offset = part.taps(g.size[1], 1)
                tap = Index(strides_of(strides), offset)
                term = where(winners.tensor("winners", windows), "==", tap, seen, 0.0)
                places["winners"] = Location(winners.buffer)
            else:
                scale, more = _scale(builder, operation, g, windows)
                term, places = seen * scale, {**places, **more}
            writer.nest(
                (*axes, *part.reduced),
                term,
                places,
                walk=part.pixels(_CHANNEL),
                reduce=("j", "i"),
                late=True,
            )


def _winners(builder: Builder, operation: Operation) -> Image:
    # The halo of the gradient, so that both are read alike; -1 is no tap.
    halo = WindowGeometry(operation).gradient_halo()
    return builder.image(f"winners {operation.node}", operation.shape, halo, fill=-1.0)


def maxima_alone(graph: Graph) -> dict[int, Pads]:
    """The values that only maxima are taken of, with padding, and their borders then: so they need
    not be copied into one.
    """
    borders: dict[int, Pads] = {}
    for operation in graph.operations:
        readers = graph.readers_of.get(operation.node, ())
        alone = all(type(reader.layer) is MaxPool2D for reader in readers)
        border = functools.reduce(larger, (reader.pads for reader in readers), NO_HALO)
        if alone and any(border) and operation.node not in graph.outputs:
            borders[operation.node] = border
    return borders


def _with_border(builder: Builder, operation: Operation, g: WindowGeometry) -> Image:
    """The input, in a border that never wins where there is padding."""
    x = builder.values[operation.inputs[0]]
    if not any(g.pads) or (any(x.halo) and x.buffer.fill == NEVER_WINS):
        return x
    bordered = builder.image(f"bordered {operation.node}", operation.shapes[0], g.pads, NEVER_WINS)
    copy(builder, x, bordered)
    return bordered


def _scale(
    builder: Builder, operation: Operation, g: WindowGeometry, windows: Access
) -> tuple[Expression, dict[str, Location]]:
    """What a sum is multiplied by: 1, 1/window, or 1/(pixels of the window inside the image)."""
    layer = g.layer
    if not isinstance(layer, AvgPool2D):
        return Constant(1.0), {}
    # What is there of the input may be less than the layer would read: see `operations._trim`.
    shape = builder.network.input_shapes(operation.node)[0]
    pixels = layer.pixels(shape)[: g.rows, : g.columns, 0]
    if (pixels == g.size[0] * g.size[1]).all():
        return Constant(1.0 / (g.size[0] * g.size[1])), {}
    top, bottom, left, right = WindowGeometry(operation).gradient_halo()
    if not builder.has(operation, "scale"):
        table = np.pad(1.0 / pixels, ((top, bottom), (left, right)))
        builder.remember(operation, "scale", builder.constant(f"scale {operation.node}", table))
    buffer = builder.recall(operation, "scale", Buffer)
    row = left + g.columns + right
    strides = {axis: row * step for axis, step in windows.y.items()}
    strides |= windows.x
    offset = (top + windows.start[0]) * row + left + windows.start[1]
    return Tensor("scale", strides_of(strides), offset), {"scale": Location(buffer)}


_ONLY_PIXEL = Access(c=_CHANNEL)


def _whole_image(builder: Builder, x: Image) -> Axes:
    return (("c", x.channels), ("v", builder.lanes), ("y", x.height), ("x", x.width))


def global_average_forward(builder: Builder, operation: Operation) -> None:
    """The average of each channel."""
    x = builder.values[operation.inputs[0]]
    scale = 1.0 / (x.height * x.width)
    builder.recorder.blockwise(
        Nest(
            _whole_image(builder, x),
            stores=(builder.store(operation, Accumulator() * scale, _ONLY_PIXEL),),
            terms=(x.tensor("x", EVERY_PIXEL),),
            reduce=("y", "x"),
            reduction="sum",
        ),
        {"x": Location(x.buffer), "out": builder.out(operation)},
    )


def global_average_backward(builder: Builder, operation: Operation) -> None:
    """Every pixel gets its share of the channel's gradient."""
    source = operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            gradient.tensor("gradient", _ONLY_PIXEL) * (1.0 / (x.height * x.width)),
            {"gradient": Location(gradient.buffer)},
        )


def global_max_forward(builder: Builder, operation: Operation) -> None:
    """The largest pixel of each channel and, in training, its number row * width + column."""
    x = builder.values[operation.inputs[0]]
    stores = [builder.store(operation, Accumulator(0), _ONLY_PIXEL)]
    places = {"x": Location(x.buffer), "out": builder.out(operation)}
    backward = builder.needs_gradient(operation.inputs[0])
    if backward:
        winners = builder.image(f"winners {operation.node}", operation.shape)
        builder.remember(operation, "winners", winners)
        stores.append(Store(winners.tensor("winners", _ONLY_PIXEL), Accumulator(1)))
        places["winners"] = Location(winners.buffer)
    builder.recorder.blockwise(
        Nest(
            _whole_image(builder, x),
            stores=tuple(stores),
            terms=(x.tensor("x", EVERY_PIXEL),),
            reduce=("y", "x"),
            reduction="argmax" if backward else "max",
            order=_pixel_number(x) if backward else None,
        ),
        places,
    )


def global_max_backward(builder: Builder, operation: Operation) -> None:
    """The pixel that was the largest of its channel gets the gradient."""
    source = operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    winners = builder.recall(operation, "winners", Image)
    seen = gradient.tensor("gradient", _ONLY_PIXEL)
    winner = winners.tensor("winners", _ONLY_PIXEL)
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            where(winner, "==", _pixel_number(x), seen, 0.0),
            {"gradient": Location(gradient.buffer), "winners": Location(winners.buffer)},
        )


def _pixel_number(x: Image) -> Index:
    return Index(strides_of({"y": x.width, "x": 1}))
