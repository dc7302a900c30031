"""Convolution as its textbook loops: one nest, with the roles of its tensors exchanged.

    O[y,x,k]               += X[y*S + r*D - P, x*S + s*D - P, c] * F[r,s,c,k]
    dF[r,s,c,k]            += X[y*S + r*D - P, x*S + s*D - P, c] * dO[y,x,k]
    dX[y*S + r*D - P, …,c] += dO[y,x,k] * F[r,s,c,k]

with groups as one more axis g of channels and filters.  The input gradient is turned around, so
that each pixel is written once: see `striate.plan.phases`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from striate.layers import Conv2D
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.nest.rewrite import in_rounds
from striate.plan.builder import Builder, vector
from striate.plan.graph import Operation
from striate.plan.layout import Place, Steps, Walk
from striate.plan.lower._panels import lay_out, panel, pixels_at_once
from striate.plan.lower._windows import Windows

# Bytes of rows that stay in the cache while all sums are brought up to date with them; and
# products that this should be worth.
_NEAR, _LEAST = 256 << 10, 32


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

    @property
    def is_depthwise(self) -> bool:
        """Whether every group has one channel and one filter: then groups fill the lanes."""
        return self.depth == self.share == 1 and self.groups > 1

    @property
    def together(self) -> int:
        """Images that should share one pass over the filters."""
        return -(-pixels_at_once(self.numbers) // (self.rows * self.columns))

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
    groups = (("g", g.groups), ("K", g.share // filters.width))
    pixels, some = (("y", g.rows), ("x", g.columns)), (("k", filters.width),)
    if not builder.channel_lanes:
        outputs = (*groups, pixels[0], *some, pixels[1])
    elif g.is_depthwise:
        outputs = (*pixels, *groups, *some)
    else:
        outputs = (*groups, *pixels, *some)
    builder.recorder.blockwise(
        Nest(
            axes=(
                *outputs,
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
        blocks=g.together,
    )


def _forward_filters(builder: Builder, operation: Operation, g: Geometry) -> _Filters:
    place = builder.parameter(operation, "filters")
    if not builder.channel_lanes or panel(g.share) == g.share:
        return _Filters(place, g.share, g.row, g.column, g.weight)
    return _in_panels(builder, operation, g, beside="k", summed="c")


def _in_panels(
    builder: Builder, operation: Operation, g: Geometry, *, beside: str, summed: str
) -> _Filters:
    """The filters with the channels `beside` each other in panels, below them those `summed`."""
    counts, panels = {"c": g.depth, "k": g.share}, beside.upper()
    width = panel(counts[beside])
    column = counts[summed] * width
    row = g.size[1] * column
    whole = g.size[0] * row
    strides = {summed: width, beside: 1, panels: whole, "g": whole * (counts[beside] // width)}
    source = {panels: width * g.weight[beside], **g.weight}
    nest = Nest(
        (
            (panels, counts[beside] // width),
            ("g", g.groups),
            ("r", g.size[0]),
            ("s", g.size[1]),
            (summed, counts[summed]),
            (beside, width),
        ),
        stores=(
            Store(
                vector("laid", r=row, s=column, **strides),
                vector("filters", r=g.row, s=g.column, **source),
            ),
        ),
    )
    name = f"filters {operation.node} along {beside}"
    places = {"filters": builder.parameter(operation, "filters")}
    laid = lay_out(builder, name, g.numbers, nest, places, panels)
    return _Filters(laid, width, row, column, strides)


def filter_gradient(builder: Builder, operation: Operation) -> None:
    """dF, summed into the shard's own; of very many filters into the batch's."""
    g = Geometry(operation)
    x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
    by_shard = builder.sums_by_shard(operation)
    # Channels that one task takes, where there are no shards.
    some = g.depth if by_shard else _panel_of_channels(g.depth)
    target = vector("sum", r=g.row, s=g.column, g=g.share, C=some * g.outputs, c=g.outputs, k=1)
    taps, filters = (("r", g.size[0]), ("s", g.size[1])), (("k", g.share),)
    nest = Nest(
        axes=(
            ("g", g.groups),
            ("C", g.depth // some),
            ("c", some),
            *((*taps, *filters) if builder.channel_lanes else (*filters, *taps)),
            ("y", g.rows),
            ("x", g.columns),
            ("v", builder.lanes),
        ),
        stores=(Store(target, Accumulator()),),
        terms=(
            x.tensor("x", g.pixels({"g": g.depth, "C": some, "c": 1}))
            * gradient.tensor("gradient", Walk({"y": 1}, {"x": 1}, {"g": g.share, "k": 1})),
        ),
        reduce=("y", "x", "v"),
        reduction="sum",
        initial=(target,),
    )
    touched = [min(pair) for pair in zip(g.size, g.stride, strict=True)]
    pixels = touched[0] * touched[1] * g.columns  # that a further row of outputs reads
    row = 4 * (g.columns * g.outputs + pixels * g.channels) * builder.lanes
    rows = max(b for b in range(1, g.rows + 1) if g.rows % b == 0 and (b == 1 or b * row <= _NEAR))
    if rows < g.rows and rows * g.columns * builder.lanes >= _LEAST:
        nest = in_rounds(nest, "y", rows)
    places = {"x": Place(x.buffer), "gradient": Place(gradient.buffer)}
    if by_shard:
        builder.clear_shard(operation, "filters")
        sums = builder.shard_gradient(operation, "filters")
        builder.recorder.blockwise(nest, {**places, "sum": sums})
    else:
        sums = builder.parameter_gradient(operation, "filters")
        builder.clear(sums, g.numbers)
        builder.recorder.whole_batch(nest, "C", {**places, "sum": sums})


def _panel_of_channels(depth: int) -> int:
    """An equal part of the channels: one of 16, or of as many as whole vectors allow."""
    return next((p for p in range(16, depth, 16) if depth % p == 0 and depth // p <= 16), depth)


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
            inside = (("c", filters.width), ("v", builder.lanes))
            if not builder.channel_lanes:
                axes = (*part.axes(*groups, inside[0]), inside[1])
            elif g.is_depthwise:
                axes = (*part.axes(), *groups, *inside)
            else:
                axes = (*groups, *part.axes(), *inside)
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
                blocks=g.together,
            )


def _backward_filters(builder: Builder, operation: Operation, g: Geometry) -> _Filters:
    place = builder.parameter(operation, "filters")
    # Few channels would leave lanes idle: then the filters, which are summed over, fill them.
    few = g.depth < 8 and g.share % builder.settings.vector == 0
    if not builder.channel_lanes or g.depth == 1 or few:
        return _Filters(place, g.depth, g.row, g.column, g.weight)
    return _in_panels(builder, operation, g, beside="c", summed="k")
