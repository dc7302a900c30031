"""Direct convolution: the textbook loops, one nest with the roles of its tensors exchanged.

    O[y,x,k]               += X[y*S + r*D - P, x*S + s*D - P, c] * F[r,s,c,k]
    dF[r,s,c,k]            += X[y*S + r*D - P, x*S + s*D - P, c] * dO[y,x,k]
    dX[y*S + r*D - P, …,c] += dO[y,x,k] * F[r,s,c,k]

with groups as one more axis g of channels and filters.  The input gradient is turned around, so
that each pixel is written once: see `striate.plan.lowering.polyphase`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.nest.algebra import Accumulator, Expression, Nest, Store, Tensor, product, strides_of
from striate.nest.rewrite import in_parts, in_rounds, joined, written_out
from striate.nest.schedule import choose, order_of_sums
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Axes, Image, Location, vector, vectors
from striate.plan.lowering.builder import Builder, GradientWriter, OutputWriter
from striate.plan.lowering.convolution.algorithm import PASSES, Algorithm, Pass
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry, Filters
from striate.plan.lowering.convolution.weight_rounds import weight_rounds
from striate.plan.lowering.protocol import NO_HALO
from striate.plan.lowering.weight_panels import (
    PanelRun,
    lay_out,
    narrowed,
    panel,
    panel_runs,
    whole,
)
from striate.plan.settings import Settings

# Vector operations in the time that one number takes to come from memory.
READING = 1.5
# How much Winograd's algorithm over tiles must save for it to be worth its rounding.
WINOGRAD_MARGIN = 1.15
# Rows that stay in the cache while all sums are brought up to date with them, as a part of a core's
# own; and products that this should be worth.
_NEAR, _LEAST = 1 / 4, 32


class Direct(Algorithm):
    """The sums as they are written."""

    name = "direct"

    def costs(self, settings: Settings, operation: Operation) -> Mapping[Pass, float]:
        g = ConvGeometry(operation)
        if settings.lanes > 1:
            taps = float(g.taps * g.depth * g.outputs)
            outputs, inputs = taps * g.rows * g.columns, taps * g.height * g.width
            return {"forward": outputs, "input_gradient": inputs, "filter_gradient": outputs}
        return dict.fromkeys(PASSES, cost_by_channels(g, settings.vector, settings.batch_size))

    def input_halo(self, settings: Settings, operation: Operation) -> Pads:
        return ConvGeometry(operation).pads

    def gradient_halo(self, settings: Settings, operation: Operation, name: Pass) -> Pads:
        return ConvGeometry(operation).gradient_halo() if name == "input_gradient" else NO_HALO

    def forward(self, builder: Builder, operation: Operation) -> None:
        g = ConvGeometry(operation)
        x = builder.values[operation.inputs[0]]
        for filters in forward_filters(builder, operation, g):
            correlate(builder, operation, g, x, filters)

    def input_gradient(self, builder: Builder, operation: Operation) -> None:
        g = ConvGeometry(operation)
        gradient = builder.gradients[operation.node]
        turn_around(builder, operation, g, gradient, backward_filters(builder, operation, g))

    def filter_gradient(self, builder: Builder, operation: Operation) -> None:
        g = ConvGeometry(operation)
        x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
        sum_image_products(builder, operation, g, x, gradient)

    def described(self, settings: Settings, operation: Operation) -> tuple[str, str]:
        return self.name, ""


def cost_by_channels(g: ConvGeometry, vector: int, images: int) -> float:
    """Vector operations for an image where channels fill vectors of so many lanes, and the time in
    which a batch of `images` reads the filters, once for all of them.
    """
    outputs = vectors(g.outputs, vector)
    reading = READING * g.depth * g.outputs / images
    return g.taps * (g.rows * g.columns * g.depth * outputs + WINOGRAD_MARGIN * reading)


def correlate(
    builder: Builder, operation: Operation, g: ConvGeometry, x: Image, filters: Filters
) -> None:
    """The forward pass, from an image and some filters laid out for it."""
    window_sums(builder, g, x, filters).record(OutputWriter(builder, operation, g.bias), g)


@dataclass(frozen=True)
class WindowSums:
    """The sum over the window of each output, apart from where it is stored."""

    axes: Axes
    term: Expression
    places: Mapping[str, Location]
    outputs: Access
    rounds: Mapping[str, int]

    def nest(self, builder: Builder, operation: Operation) -> Nest:
        """The sums alone, without what is added to them or made of them."""
        return Nest(
            self.axes,
            stores=(builder.store(operation, Accumulator(), self.outputs),),
            terms=(self.term,),
            reduce=("r", "s", "c"),
            reduction="sum",
        )

    def record(self, writer: OutputWriter | GradientWriter, g: ConvGeometry) -> None:
        """Record its nest."""
        writer.nest(
            self.axes,
            self.term,
            self.places,
            walk=self.outputs,
            reduce=("r", "s", "c"),
            before="y",
            blocks=g.together,
            rounds=self.rounds,
        )


def window_sums(builder: Builder, g: ConvGeometry, x: Image, filters: Filters) -> WindowSums:
    """The sums of an image's windows, from some filters laid out for it."""
    run = filters.run
    channels = {"g": g.share, "K": run.width, "k": 1}
    output = Access({"y": 1}, {"x": 1}, channels, start=(0, 0, run.first))
    groups = (("g", g.groups), ("K", run.panels))
    pixels, some = (("y", g.rows), ("x", g.columns)), (("k", run.width),)
    if not builder.channel_lanes:
        outputs = (*groups, pixels[0], *some, pixels[1])
    elif g.is_depthwise:
        outputs = (*pixels, *groups, *some)
    else:
        outputs = (*groups, *pixels, *some)
    reduced = {"r": g.size[0], "s": g.size[1], "c": filters.summed}
    return WindowSums(
        axes=(*outputs, ("v", builder.lanes), *reduced.items()),
        term=product(
            x.tensor("x", g.pixels({"g": filters.summed, "c": 1})),
            filters.tensor({"r": filters.row, "s": filters.column}),
        ),
        places={"x": Location(x.buffer), "filters": filters.place},
        outputs=output,
        rounds=weight_rounds(builder.settings, reduced, g.rows * g.columns),
    )


def forward_filters(builder: Builder, operation: Operation, g: ConvGeometry) -> Sequence[Filters]:
    """The filters as `correlate` reads them best."""
    place = builder.parameter(operation, "filters")
    runs = panel_runs(g.share)
    if builder.settings.frozen and builder.settings.target.vector_bytes == 4:
        runs = tuple(_narrowed(builder, operation, g, run) for run in runs)
    if not builder.channel_lanes or runs == (whole(g.share),):
        return (Filters(place, whole(g.share), g.row, g.column, g.weight, g.depth),)
    return _in_panels(builder, operation, g, runs, beside="k", summed="c")


def _narrowed(builder: Builder, operation: Operation, g: ConvGeometry, run: PanelRun) -> PanelRun:
    """The channels in narrow panels, if these leave sums in the order in which other processors add
    them; else as they are.
    """
    place = builder.parameter(operation, "filters")
    x = builder.values[operation.inputs[0]]

    def order(tried: PanelRun) -> tuple[str, ...]:
        row, column, strides = _panel_strides(g, tried, beside="k", summed="c")
        filters = Filters(place, tried, row, column, strides, g.depth)
        sums = window_sums(builder, g, x, filters)
        nest = joined(sums.nest(builder, operation))
        schedule = choose(nest, builder.settings.target, builder.settings.element)
        return order_of_sums(written_out(nest), schedule)

    narrow = narrowed(run)
    return narrow if order(narrow) == order(run) else run


def _panel_strides(
    g: ConvGeometry, run: PanelRun, *, beside: str, summed: str
) -> tuple[int, int, dict[str, int]]:
    """How filters lie in panels: from one row and column of taps to the next, and along channels,
    panels and groups.
    """
    column = {"c": g.depth, "k": g.share}[summed] * run.width
    row = g.size[1] * column
    size = g.size[0] * row
    return (
        row,
        column,
        {summed: run.width, beside: 1, beside.upper(): size, "g": size * run.panels},
    )


def _in_panels(
    builder: Builder,
    operation: Operation,
    g: ConvGeometry,
    runs: Sequence[PanelRun],
    *,
    beside: str,
    summed: str,
) -> Sequence[Filters]:
    """The filters with the channels `beside` each other in panels, below them those `summed`."""
    counts, panels = {"c": g.depth, "k": g.share}, beside.upper()
    laid: list[Filters] = []
    for run in runs:
        row, column, strides = _panel_strides(g, run, beside=beside, summed=summed)
        size = strides[panels]
        source = {panels: run.width * g.weight[beside], **g.weight}
        nest = Nest(
            (
                (panels, run.panels),
                ("g", g.groups),
                ("r", g.size[0]),
                ("s", g.size[1]),
                (summed, counts[summed]),
                (beside, run.width),
            ),
            stores=(
                Store(
                    vector("laid", r=row, s=column, **strides),
                    Tensor(
                        "filters",
                        strides_of({"r": g.row, "s": g.column, **source}),
                        run.first * g.weight[beside],
                    ),
                ),
            ),
        )
        name = f"filters {operation.node} along {beside} from {run.first}"
        numbers = size * run.panels * g.groups
        places = {"filters": builder.parameter(operation, "filters")}
        place = lay_out(builder, name, numbers, nest, places, panels)
        laid.append(Filters(place, run, row, column, strides, counts[summed]))
    return laid


def sum_image_products(
    builder: Builder, operation: Operation, g: ConvGeometry, x: Image, gradient: Image
) -> None:
    """The gradient of the filters, from an image and the gradient of what they make of it."""
    steps = {"g": g.depth, "C": channels_of_task(builder, operation, g), "c": 1}
    access = Access({"y": 1}, {"x": 1}, {"g": g.share, "k": 1})
    sum_products(
        builder,
        operation,
        g,
        (x.tensor("x", g.pixels(steps)), gradient.tensor("gradient", access)),
        (Location(x.buffer), Location(gradient.buffer)),
        g.columns,
    )


def channels_of_task(builder: Builder, operation: Operation, g: ConvGeometry) -> int:
    """How many channels one task takes: the extent of axis c, where C is over the tasks."""
    return g.depth if builder.sums_by_shard(operation) else _panel_of_channels(g.depth)


def sum_products(
    builder: Builder,
    operation: Operation,
    g: ConvGeometry,
    tensors: tuple[Tensor, Tensor],
    memory: tuple[Location, Location],
    columns: int,
) -> None:
    """The gradient of the filters from an image "x" and a "gradient", their forms and where they
    lie; of each row, `columns` outputs or pairs of them are summed over.
    """
    by_shard = builder.sums_by_shard(operation)
    some = channels_of_task(builder, operation, g)
    target = vector("sum", r=g.row, s=g.column, g=g.share, C=some * g.outputs, c=g.outputs, k=1)
    taps, filters = (("r", g.size[0]), ("s", g.size[1])), (("k", g.share),)
    nest = Nest(
        axes=(
            ("g", g.groups),
            ("C", g.depth // some),
            ("c", some),
            *((*taps, *filters) if builder.channel_lanes else (*filters, *taps)),
            ("y", g.rows),
            ("x", columns),
            ("v", builder.lanes),
        ),
        stores=(Store(target, Accumulator()),),
        terms=(product(*tensors),),
        reduce=("y", "x", "v"),
        reduction="sum",
        initial=(target,),
    )
    # Filters whose gradients, of some rows, stay near while all channels are multiplied with them.
    width = panel(g.share) if builder.channel_lanes else g.share
    if width < g.share:
        nest = in_parts(nest, "k", width, before="C")
    touched = [min(pair) for pair in zip(g.size, g.stride, strict=True)]
    pixels = touched[0] * touched[1] * g.columns  # that a further row of outputs reads
    row = 4 * (g.columns * width + pixels * some) * g.groups * builder.lanes
    near = _NEAR * builder.settings.target.core_cache
    rows = max(b for b in range(1, g.rows + 1) if g.rows % b == 0 and (b == 1 or b * row <= near))
    if rows < g.rows and rows * columns * builder.lanes >= _LEAST:
        nest = in_rounds(nest, "y", rows)
    places = {"x": memory[0], "gradient": memory[1]}
    if by_shard:
        builder.clear_shard(operation, "filters")
        sums = builder.shard_gradient(operation, "filters")
        builder.recorder.blockwise(nest, {**places, "sum": sums})
    else:
        sums = builder.parameter_gradient(operation, "filters")
        builder.clear(sums, g.numbers)
        builder.recorder.whole_batch(nest, "C", {**places, "sum": sums})


def _panel_of_channels(depth: int) -> int:
    """An equal part of the channels: one of 8 to 16, or of as many as whole vectors allow."""
    most = max((p for p in range(16, depth, 16) if depth % p == 0 and depth // p >= 8), default=0)
    return most or next((p for p in range(16, depth, 16) if depth % p == 0), depth)


def turn_around(
    builder: Builder,
    operation: Operation,
    g: ConvGeometry,
    gradient: Image,
    laid: Sequence[Filters],
) -> None:
    """The gradient of the input, from that of the output and filters laid out for it."""
    with builder.writing_gradient(operation.inputs[0]) as writer:
        spread(builder, g, gradient, laid, writer)


def spread(
    builder: Builder,
    g: ConvGeometry,
    gradient: Image,
    laid: Sequence[Filters],
    writer: OutputWriter | GradientWriter,
) -> None:
    """What outputs hand back to the pixels that they read, each of which is written once."""
    for part, filters in itertools.product(g.input_phases(), laid):
        run = filters.run
        channel = {"g": g.depth, "C": run.width, "c": 1}
        groups = (("g", g.groups), ("C", run.panels))
        inside = (("c", run.width), ("v", builder.lanes))
        if not builder.channel_lanes:
            axes = (*part.axes(*groups, inside[0]), inside[1])
        elif g.is_depthwise:
            axes = (*part.axes(), *groups, *inside)
        else:
            axes = (*groups, *part.axes(), *inside)
        walk = part.pixels(channel, run.first)
        if part.is_empty:
            writer.zeros(axes, walk)
            continue
        strides, offset = part.taps(filters.row, filters.column)
        read = gradient.tensor("gradient", part.outputs({"g": filters.summed, "k": 1}))
        reduced = {**dict(part.reduced), "k": filters.summed}
        pixels = math.prod(extent for _, extent in part.axes())
        writer.nest(
            (*axes, *reduced.items()),
            product(read, filters.tensor(strides, offset)),
            {"gradient": Location(gradient.buffer), "filters": filters.place},
            walk=walk,
            reduce=tuple(reduced),
            before="y",
            blocks=g.together,
            rounds=weight_rounds(builder.settings, reduced, pixels),
        )


def backward_filters(builder: Builder, operation: Operation, g: ConvGeometry) -> Sequence[Filters]:
    """The filters as `spread` reads them best."""
    place = builder.parameter(operation, "filters")
    # Few channels would leave lanes idle: then the filters, which are summed over, fill them.
    few = g.depth < 8 and g.share % builder.settings.vector == 0
    if not builder.channel_lanes or g.depth == 1 or few:
        return (Filters(place, whole(g.depth), g.row, g.column, g.weight, g.share),)
    return _in_panels(builder, operation, g, panel_runs(g.depth), beside="c", summed="k")
