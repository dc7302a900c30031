"""Pooling: the same windows as a convolution, with another reduction and no weights.

    max:  O[y,x,c] = max over r, s of X[y*S + r*D - P, …, c]     and which tap it was
    sum:  O[y,x,c] = sum over r, s of X[y*S + r - P, …, c]       average: divided by the pixels

The gradient of a maximum goes to the tap that was largest, of a sum to all taps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.layers import AvgPool2D
from striate.layers._base import WindowLayer
from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Index,
    Nest,
    Store,
    Tensor,
    strides_of,
    where,
)
from striate.plan import phases
from striate.plan.builder import Builder, pixels
from striate.plan.graph import Operation
from striate.plan.layout import EVERY, Buffer, Image, Place, Walk
from striate.plan.lower.elementwise import copy
from striate.shapes import Pads


class _Geometry:
    def __init__(self, operation: Operation) -> None:
        layer = operation.layer
        assert isinstance(layer, WindowLayer)
        self.layer = layer
        self.height, self.width, self.channels = operation.shapes[0]
        self.rows, self.columns, _ = operation.shape
        self.size, self.stride, self.dilation = layer.size, layer.stride, layer.dilation
        self.pads = layer.pads(operation.shapes[0])
        top, _, left, _ = self.pads
        self.window = Walk(
            {"y": self.stride[0], "r": self.dilation[0]},
            {"x": self.stride[1], "s": self.dilation[1]},
            {"c": 1},
            (-top, -left, 0),
        )
        self.vertical = phases.runs(
            self.height, self.size[0], self.stride[0], self.dilation[0], top
        )
        self.horizontal = phases.runs(
            self.width, self.size[1], self.stride[1], self.dilation[1], left
        )


def input_halo(operation: Operation) -> Pads:
    """The padding: zeros change no sum."""
    return _Geometry(operation).pads


def gradient_halo(operation: Operation) -> Pads:
    """How far the input gradient reads past the output's border."""
    g = _Geometry(operation)
    vertical = phases.halo(g.height, g.rows, g.size[0], g.stride[0], g.dilation[0], g.pads[0])
    horizontal = phases.halo(g.width, g.columns, g.size[1], g.stride[1], g.dilation[1], g.pads[2])
    return (*vertical, *horizontal)


def _windows(builder: Builder, g: _Geometry) -> tuple[tuple[str, int], ...]:
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
    g = _Geometry(operation)
    x = _with_border(builder, operation, g)
    stores = [builder.store(operation, Accumulator(0), EVERY)]
    places = {"x": Place(x.buffer), "out": builder.out(operation)}
    backward = builder.needs_gradient(operation.inputs[0])
    if backward:
        winners = _winners(builder, operation)
        builder.remember(operation, "winners", winners)
        stores.append(Store(winners.tensor("winners", EVERY), Accumulator(1)))
        places["winners"] = Place(winners.buffer)
    builder.recorder.blockwise(
        Nest(
            _windows(builder, g),
            stores=tuple(stores),
            terms=(x.tensor("x", g.window),),
            reduce=("r", "s"),
            reduction="argmax" if backward else "max",
            order=_number(g, {"r": 1, "s": 1}, 0, 0) if backward else None,
        ),
        places,
    )


def max_backward(builder: Builder, operation: Operation) -> None:
    """A pixel gets the gradient of those windows in which it was the winner."""
    g = _Geometry(operation)
    if not builder.needs_gradient(operation.inputs[0]):
        return
    _scatter(builder, operation, g, builder.recall(operation, "winners", Image))


def sum_forward(builder: Builder, operation: Operation) -> None:
    """The sums, or the averages over the pixels of each window."""
    g = _Geometry(operation)
    x = builder.values[operation.inputs[0]]
    scale, places = _scale(builder, operation, g, EVERY)
    builder.recorder.blockwise(
        Nest(
            _windows(builder, g),
            stores=(builder.store(operation, Accumulator() * scale, EVERY),),
            terms=(x.tensor("x", g.window),),
            reduce=("r", "s"),
            reduction="sum",
        ),
        {"x": Place(x.buffer), "out": builder.out(operation), **places},
    )


def sum_backward(builder: Builder, operation: Operation) -> None:
    """A pixel gets the gradient of every window that it is in."""
    if builder.needs_gradient(operation.inputs[0]):
        _scatter(builder, operation, _Geometry(operation), None)


def _scatter(builder: Builder, operation: Operation, g: _Geometry, winners: Image | None) -> None:
    gradient = builder.gradients[operation.node]
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for rows in g.vertical:
            for columns in g.horizontal:
                pixels_ = Walk(
                    {"y": g.stride[0], "p": 1},
                    {"x": g.stride[1], "q": 1},
                    {"c": 1},
                    (rows.start, columns.start, 0),
                )
                axes = (
                    ("y", rows.count),
                    ("x", columns.count),
                    ("p", rows.length),
                    ("q", columns.length),
                    ("c", g.channels),
                    ("v", builder.lanes),
                )
                if not (rows.taps and columns.taps):
                    writer.nothing(axes, pixels_)
                    continue
                windows = Walk(
                    {"y": 1, "j": -rows.move},
                    {"x": 1, "i": -columns.move},
                    {"c": 1},
                    (rows.origin, columns.origin, 0),
                )
                seen = gradient.tensor("gradient", windows)
                places = {"gradient": Place(gradient.buffer)}
                if winners is not None:
                    tap = _number(
                        g,
                        {"p": 1, "j": rows.step, "q": 1, "i": columns.step},
                        rows.first,
                        columns.first,
                    )
                    winner = winners.tensor("winners", windows)
                    places["winners"] = Place(winners.buffer)
                    term = where(winner, "==", tap, seen, 0.0)
                else:
                    scale, more = _scale(builder, operation, g, windows)
                    places |= more
                    term = seen * scale
                single = rows.taps == columns.taps == 1
                writer.nest(
                    axes if single else (*axes, ("j", rows.taps), ("i", columns.taps)),
                    _without(term, {"j", "i"}) if single else term,
                    places,
                    walk=pixels_,
                    reduce=() if single else ("j", "i"),
                )


def _without(term: Expression, axes: set[str]) -> Expression:
    """The term at index 0 of some axes."""
    from dataclasses import fields, replace

    changes: dict[str, object] = {}
    if isinstance(term, Tensor | Index):
        return replace(term, strides=tuple(s for s in term.strides if s[0] not in axes))
    for field in fields(term):  # type: ignore[arg-type]
        value = getattr(term, field.name)
        if isinstance(value, Expression):
            changes[field.name] = _without(value, axes)
    return replace(term, **changes)  # type: ignore[type-var]


def _number(g: _Geometry, taps: dict[str, int], row: int, column: int) -> Index:
    """The number of a tap, r * width + s, where r moves along r, p and j, s along s, q and i."""
    width = g.size[1]
    strides = {axis: n * (width if axis in "rpj" else 1) for axis, n in taps.items()}
    return Index(strides_of(strides), row * width + column)


def _winners(builder: Builder, operation: Operation) -> Image:
    # The halo of the gradient, so that both are read alike; -1 is no tap.
    halo = gradient_halo(operation)
    return builder.image(f"winners {operation.node}", operation.shape, halo, fill=-1.0)


def _with_border(builder: Builder, operation: Operation, g: _Geometry) -> Image:
    """The input, in a border that never wins where there is padding."""
    x = builder.values[operation.inputs[0]]
    if not any(g.pads):
        return x
    bordered = builder.image(
        f"bordered {operation.node}", operation.shapes[0], g.pads, fill=float("-inf")
    )
    copy(builder, x, bordered)
    return bordered


def _scale(
    builder: Builder, operation: Operation, g: _Geometry, windows: Walk
) -> tuple[Expression, dict[str, Place]]:
    """What a sum is multiplied by: 1, 1/window, or 1/(pixels of the window inside the image)."""
    layer = g.layer
    if not isinstance(layer, AvgPool2D):
        return Constant(1.0), {}
    if layer.count_padding or not any(g.pads):
        return Constant(1.0 / (g.size[0] * g.size[1])), {}
    top, bottom, left, right = gradient_halo(operation)
    if not builder.has(operation, "scale"):
        counts = np.outer(
            _inside(g.height, g.rows, g.size[0], g.stride[0], g.pads[0]),
            _inside(g.width, g.columns, g.size[1], g.stride[1], g.pads[2]),
        )
        table = np.pad(1.0 / counts, ((top, bottom), (left, right)))
        builder.remember(operation, "scale", builder.constant(f"scale {operation.node}", table))
    buffer = builder.recall(operation, "scale", Buffer)
    row = left + g.columns + right
    strides = {axis: row * step for axis, step in windows.y.items()}
    strides |= windows.x
    offset = (top + windows.start[0]) * row + left + windows.start[1]
    return Tensor("scale", strides_of(strides), offset), {"scale": Place(buffer)}


def _inside(
    pixels: int, outputs: int, size: int, stride: int, before: int
) -> npt.NDArray[np.int64]:
    """How many taps of each window lie inside the image."""
    first = np.arange(outputs)[:, None] * stride - before + np.arange(size)
    counts: npt.NDArray[np.int64] = ((first >= 0) & (first < pixels)).sum(axis=1)
    return counts


def global_forward(builder: Builder, operation: Operation) -> None:
    """The average of each channel."""
    x = builder.values[operation.inputs[0]]
    scale = 1.0 / (x.height * x.width)
    builder.recorder.blockwise(
        Nest(
            (("c", x.channels), ("v", builder.lanes), ("y", x.height), ("x", x.width)),
            stores=(builder.store(operation, Accumulator() * scale, Walk(c={"c": 1})),),
            terms=(x.tensor("x", EVERY),),
            reduce=("y", "x"),
            reduction="sum",
        ),
        {"x": Place(x.buffer), "out": builder.out(operation)},
    )


def global_backward(builder: Builder, operation: Operation) -> None:
    """Every pixel gets its share of the channel's gradient."""
    source = operation.inputs[0]
    if not builder.needs_gradient(source):
        return
    x, gradient = builder.values[source], builder.gradients[operation.node]
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            gradient.flat("gradient", "c") * (1.0 / (x.height * x.width)),
            {"gradient": Place(gradient.buffer)},
        )
