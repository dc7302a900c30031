"""Convolution as its textbook loops: one nest, with the roles of its tensors exchanged.

    O[y,x,k]               += X[y*S + r*D - P, x*S + s*D - P, c] * F[r,s,c,k]
    dF[r,s,c,k]            += X[y*S + r*D - P, x*S + s*D - P, c] * dO[y,x,k]
    dX[y*S + r*D - P, …,c] += dO[y,x,k] * F[r,s,c,k]

with groups as one more axis g of channels and filters.  The input gradient is turned around, so
that each pixel is written once: see `striate.plan.phases`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from striate.layers import Conv2D
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.builder import Builder, vector
from striate.plan.graph import Operation
from striate.plan.layout import Place, Steps, Walk
from striate.plan.lower._panels import lay_out, panel
from striate.plan.lower._windows import Windows

# Filters whose rows are longer than this are laid out in panels.
_LONG_ROW = 128


class Geometry(Windows):
    """The numbers of one convolution: axes g (groups), c (channels of a group), k (its filters).

    Where channels fill the lanes, C and K count panels of them.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        layer = cast(Conv2D, operation.layer)
        self.bias, self.groups = layer.bias, layer.groups
        self.depth = self.channels // layer.groups
        self.share = self.outputs // layer.groups
        self.c: Steps = {"g": self.depth, "C": panel(self.depth), "c": 1}
        self.k: Steps = {"g": self.share, "K": panel(self.share), "k": 1}
        # F[r, s, c, k] is stored (height, width, channels of a group, filters).
        self.row, self.column = self.size[1] * self.depth * self.outputs, self.depth * self.outputs
        self.weight = {"c": self.outputs, "g": self.share, "k": 1}

    def filter(self, role: str) -> Tensor:
        """F[r, s, c, k]."""
        return vector(role, r=self.row, s=self.column, **self.weight)

    @property
    def numbers(self) -> int:
        """How many numbers the filters are."""
        return self.size[0] * self.size[1] * self.depth * self.outputs


@dataclass(frozen=True)
class _Filters:
    """Filters as a nest reads them: strides of r, s, of the summed channel, of panels, groups."""

    place: Place
    width: int
    row: int
    column: int
    strides: dict[str, int]


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    g = Geometry(operation)
    x = builder.values[operation.inputs[0]]
    filters = _forward_filters(builder, operation, g)
    places = {"x": Place(x.buffer), "filters": filters.place, "out": builder.out(operation)}
    if g.bias:
        places["bias"] = builder.parameter(operation, "bias")
    output = Walk({"y": 1}, {"x": 1}, {"g": g.share, "K": filters.width, "k": 1})
    side_by_side = (("x", g.columns), ("k", filters.width))
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("g", g.groups),
                ("K", g.share // filters.width),
                ("y", g.rows),
                *(side_by_side if builder.channel_lanes else reversed(side_by_side)),
                ("v", builder.lanes),
                ("r", g.size[0]),
                ("s", g.size[1]),
                ("c", g.depth),
            ),
            stores=(builder.store(operation, Accumulator(), output),),
            terms=(
                x.tensor("x", g.pixels({"g": g.depth, "c": 1}))
                * vector("filters", r=filters.row, s=filters.column, **filters.strides),
            ),
            reduce=("r", "s", "c"),
            reduction="sum",
            initial=(vector("bias", g=g.share, K=filters.width, k=1),) if g.bias else (),
        ),
        places,
        before="y",
    )


def _forward_filters(builder: Builder, operation: Operation, g: Geometry) -> _Filters:
    place = builder.parameter(operation, "filters")
    if not builder.channel_lanes or g.outputs <= _LONG_ROW or panel(g.share) == g.share:
        return _Filters(place, g.share, g.row, g.column, g.weight)
    width = panel(g.share)
    column = g.depth * width
    row = g.size[1] * column
    strides = {"c": width, "k": 1, "K": g.size[0] * row, "g": g.size[0] * row * (g.share // width)}
    nest = Nest(
        (("K", g.share // width), ("g", g.groups), ("r", g.size[0]), ("s", g.size[1]),
         ("c", g.depth), ("k", width)),
        stores=(
            Store(
                vector("laid", r=row, s=column, **strides),
                vector("filters", r=g.row, s=g.column, K=width, **g.weight),
            ),
        ),
    )  # fmt: skip
    name = f"filters {operation.node}"
    laid = lay_out(builder, name, g.numbers, nest, {"filters": place}, "K")
    return _Filters(laid, width, row, column, strides)


def filter_gradient(builder: Builder, operation: Operation) -> None:
    """dF, summed into the shard's own; of very many filters into the batch's."""
    g = Geometry(operation)
    x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
    output = Walk({"y": 1}, {"x": 1}, {"g": g.share, "k": 1})
    target = g.filter("sum")
    places = {"x": Place(x.buffer), "gradient": Place(gradient.buffer)}
    shared = builder.sums_by_shard(operation)
    if shared:
        builder.clear_shard(operation, "filters")
    # Channels that one task takes, where the whole batch is summed up at once.
    some = g.depth if shared or g.depth % 16 else 16
    target = replace(target, strides=strides_of({**dict(target.strides), "C": some * g.outputs}))
    nest = Nest(
        axes=(
            ("g", g.groups),
            ("C", g.depth // some),
            ("c", some),
            *(() if builder.channel_lanes else (("k", g.share),)),
            ("r", g.size[0]),
            ("s", g.size[1]),
            *((("k", g.share),) if builder.channel_lanes else ()),
            ("y", g.rows),
            ("x", g.columns),
            ("v", builder.lanes),
        ),
        stores=(Store(target, Accumulator()),),
        terms=(
            x.tensor("x", g.pixels({"g": g.depth, "C": some, "c": 1}))
            * gradient.tensor("gradient", output),
        ),
        reduce=("y", "x", "v"),
        reduction="sum",
        initial=(target,) if shared else (),
    )
    if shared:
        places["sum"] = builder.shard_gradient(operation, "filters")
        builder.recorder.blockwise(nest, places)
    else:
        places["sum"] = builder.parameter_gradient(operation, "filters")
        builder.recorder.whole_batch(nest, "C", places)


def input_gradient(builder: Builder, operation: Operation) -> None:
    """dX: every pixel from the outputs that read it."""
    g = Geometry(operation)
    gradient = builder.gradients[operation.node]
    filters = _backward_filters(builder, operation, g)
    channel = {"g": g.depth, "C": filters.width, "c": 1}
    places = {"gradient": Place(gradient.buffer), "filters": filters.place}
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for part in g.ways_back():
            groups = (("g", g.groups), ("C", g.depth // filters.width))
            lanes = ("v", builder.lanes)
            if builder.channel_lanes:
                axes = (*groups, *part.axes(), ("c", filters.width), lanes)
            else:
                axes = (*part.axes(*groups, ("c", filters.width)), lanes)
            if part.is_empty:
                writer.nothing(axes, part.pixels(channel))
                continue
            strides, offset = part.taps(filters.row, filters.column)
            taps = Tensor("filters", strides_of({**strides, **filters.strides}), offset)
            writer.nest(
                (*axes, *part.reduced, ("k", g.share)),
                gradient.tensor("gradient", part.outputs({"g": g.share, "k": 1})) * taps,
                places,
                walk=part.pixels(channel),
                reduce=("j", "i", "k"),
                before="y",
            )


def _backward_filters(builder: Builder, operation: Operation, g: Geometry) -> _Filters:
    place = builder.parameter(operation, "filters")
    if not builder.channel_lanes or g.depth == 1:
        return _Filters(place, g.depth, g.row, g.column, g.weight)
    width = panel(g.depth)
    column = g.share * width
    row = g.size[1] * column
    strides = {"k": width, "c": 1, "C": g.size[0] * row, "g": g.size[0] * row * (g.depth // width)}
    nest = Nest(
        (("C", g.depth // width), ("g", g.groups), ("r", g.size[0]), ("s", g.size[1]),
         ("k", g.share), ("c", width)),
        stores=(
            Store(
                vector("laid", r=row, s=column, **strides),
                vector("filters", r=g.row, s=g.column, C=width * g.outputs, **g.weight),
            ),
        ),
    )  # fmt: skip
    name = f"turned filters {operation.node}"
    laid = lay_out(builder, name, g.numbers, nest, {"filters": place}, "C")
    return _Filters(laid, width, row, column, strides)
