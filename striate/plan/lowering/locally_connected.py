"""The locally connected layer: a convolution with filters of its own at each position.

    O[y,x,k]                 = b[y,x,k] + sum_rsc X[y*S + r*D - P, …, c] * W[y,x,r,s,c,k]
    dW[y,x,r,s,c,k]          = sum_n X[n, y*S + r*D - P, …, c] * dO[n,y,x,k]
    dX[y*S + r*D - P, …, c] += sum_k dO[y,x,k] * W[y,x,r,s,c,k]

with groups as one more axis g of channels and filters.  As in a dense layer every weight serves an
image once, so several images take turns at it, and dW is summed over the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from striate.layers import LocallyConnected2D
from striate.nest.algebra import Accumulator, Constant, Nest, Store, Tensor
from striate.nest.rewrite import without_axes
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Axes, Image, Location, Steps, pixels, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.dense import images_at_once
from striate.plan.lowering.window_geometry import WindowGeometry
from striate.plan.settings import Settings


class LocalGeometry(WindowGeometry):
    """The numbers of one layer: axes g (groups), c (channels of a group), k (its filters)."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        layer = cast(LocallyConnected2D, operation.layer)
        self.bias, self.groups = layer.bias, layer.groups
        self.depth, self.share = self.channels // layer.groups, self.outputs // layer.groups
        self.channel: Steps = {"g": self.depth, "c": 1}
        self.filter: Steps = {"g": self.share, "k": 1}
        column = self.depth * self.outputs
        row = self.size[1] * column
        position = self.size[0] * row
        self.weights = {
            "y": self.columns * position,
            "x": position,
            "r": row,
            "s": column,
            "c": self.outputs,
            **self.filter,
        }
        self.biases = {"y": self.columns * self.outputs, "x": self.outputs, **self.filter}
        self.numbers = self.rows * self.columns * position
        self.positions: Axes = (("y", self.rows), ("x", self.columns))
        self.taps: Axes = (("r", self.size[0]), ("s", self.size[1]))


def input_halo(_: Settings, operation: Operation) -> Pads:
    """The padding."""
    return WindowGeometry(operation).pads


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    g = LocalGeometry(operation)
    x = builder.values[operation.inputs[0]]
    places = {
        "x": Location(x.buffer),
        "weights": builder.parameter(operation, "weights"),
        "out": builder.out(operation),
    }
    if g.bias:
        places["bias"] = builder.parameter(operation, "bias")
    builder.recorder.blockwise(
        Nest(
            axes=(
                *g.positions,
                ("g", g.groups),
                *_inside(builder, ("k", g.share)),
                *g.taps,
                ("c", g.depth),
            ),
            stores=(builder.store(operation, Accumulator(), Access({"y": 1}, {"x": 1}, g.filter)),),
            terms=(x.tensor("x", g.pixels(g.channel)) * vector("weights", **g.weights),),
            reduce=("r", "s", "c"),
            reduction="sum",
            initial=(vector("bias", **g.biases),) if g.bias else (),
        ),
        places,
        before="v",
        blocks=images_at_once(builder, g.numbers),
    )


def _inside(builder: Builder, channel: tuple[str, int]) -> Axes:
    """The axes of the lanes: images, or else the channels."""
    lanes = ("v", builder.lanes)
    return (lanes, channel) if builder.channel_lanes else (channel, lanes)


def backward(builder: Builder, operation: Operation) -> None:
    """dX block by block; dW and the bias's gradient later, from the whole batch at once."""
    g = LocalGeometry(operation)
    x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
    builder.defer(lambda: _weight_gradient(builder, operation, g, x, gradient))
    if builder.needs_gradient(operation.inputs[0]):
        _input_gradient(builder, operation, g, gradient)


def _input_gradient(
    builder: Builder, operation: Operation, g: LocalGeometry, gradient: Image
) -> None:
    """dX: every output hands its share to the pixels that it read, padding included."""
    top, bottom, left, right = g.pads
    shape = (g.height + top + bottom, g.width + left + right, g.channels)
    sums = builder.image(f"padded gradient {operation.node}", shape)
    builder.recorder.blockwise(
        Nest(
            pixels(sums, builder.lanes), (Store(sums.tensor("sums", EVERY_PIXEL), Constant(0.0)),)
        ),
        {"sums": Location(sums.buffer)},
    )
    pixel = Access({"y": g.stride[0], "r": g.dilation[0]}, {"x": g.stride[1], "s": g.dilation[1]})
    forms = {
        "sums": sums.tensor("sums", replace(pixel, c=g.channel)),
        "gradient": gradient.tensor("gradient", Access({"y": 1}, {"x": 1}, g.filter)),
        "weights": vector("weights", **g.weights),
    }
    memory = {
        "sums": Location(sums.buffer),
        "gradient": Location(gradient.buffer),
        "weights": builder.parameter(operation, "weights"),
    }
    for axes, standing in _apart(g):
        moving = {role: without_axes(form, standing) for role, form in forms.items()}
        target = moving["sums"]
        nest = Nest(
            axes=(*axes, ("g", g.groups), *_inside(builder, ("c", g.depth)), ("k", g.share)),
            stores=(Store(target, Accumulator()),),
            terms=(moving["gradient"] * moving["weights"],),
            reduce=("k",),
            reduction="sum",
            initial=(target,),
        )
        places = {
            role: Location(place.buffer, place.offset + _distance(forms[role], standing))
            for role, place in memory.items()
        }
        together = images_at_once(builder, g.numbers)
        builder.recorder.blockwise(nest, places, before="v", blocks=together)
    with builder.writing_gradient(operation.inputs[0]) as writer:
        writer.nest(
            pixels(builder.values[operation.inputs[0]], builder.lanes),
            sums.tensor("sums", replace(EVERY_PIXEL, start=(top, left, 0))),
            {"sums": Location(sums.buffer)},
        )


def _distance(form: Tensor, standing: Mapping[str, int]) -> int:
    """Elements from where these axes are 0 to where they stand."""
    return sum(form.stride(axis) * index for axis, index in standing.items())


def _apart(g: LocalGeometry) -> Iterator[tuple[Axes, dict[str, int]]]:
    """Axes over outputs and taps that meet no pixel twice, and where the others stand.

    Either all positions with one tap, or all taps of one position, whichever are fewer nests: they
    differ in nothing but where they begin, so that they are one piece of machine code.
    """
    inner, outer = g.positions, g.taps
    if g.rows * g.columns < g.size[0] * g.size[1]:
        inner, outer = outer, inner
    (first, firsts), (second, seconds) = outer
    for i in range(firsts):
        for j in range(seconds):
            yield inner, {first: i, second: j}


def _weight_gradient(
    builder: Builder, operation: Operation, g: LocalGeometry, x: Image, gradient: Image
) -> None:
    if not builder.learns(operation):
        return
    outputs = gradient.tensor("gradient", Access({"y": 1}, {"x": 1}, g.filter))
    batch: Axes = (("v", builder.lanes),)
    builder.recorder.whole_batch(
        Nest(
            axes=(*g.positions, ("g", g.groups), *g.taps, ("c", g.depth), ("k", g.share), *batch),
            stores=(Store(vector("out", **g.weights), Accumulator()),),
            terms=(x.tensor("x", g.pixels(g.channel)) * outputs,),
            reduce=("v",),
            reduction="sum",
        ),
        max((*g.positions, *g.taps), key=lambda axis: axis[1])[0],
        {
            "x": Location(x.buffer),
            "gradient": Location(gradient.buffer),
            "out": builder.parameter_gradient(operation, "weights"),
        },
    )
    if not g.bias:
        return
    builder.recorder.whole_batch(
        Nest(
            axes=(*g.positions, ("g", g.groups), ("k", g.share), *batch),
            stores=(Store(vector("out", **g.biases), Accumulator()),),
            terms=(outputs,),
            reduce=("v",),
            reduction="sum",
        ),
        max(g.positions, key=lambda axis: axis[1])[0],
        {
            "gradient": Location(gradient.buffer),
            "out": builder.parameter_gradient(operation, "bias"),
        },
    )
