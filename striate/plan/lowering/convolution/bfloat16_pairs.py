"""Images and filters packed into pairs of bfloat16 numbers, for sums that run over pairs.

What has no partner is paired with zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from striate.nest.algebra import Constant, Element, Nest, Pair, Store, Tensor, strides_of
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Axes, Buffer, Image, Location
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry, Filters
from striate.plan.lowering.weight_panels import lay_out, panel_runs, whole


def pairs_of(count: int) -> int:
    """Pairs that hold so many numbers."""
    return -(-count // 2)


@dataclass(frozen=True)
class _Packing:
    """Pairs of the numbers `first` and of those `apart` further on, stored to `target`.

    All move along the axes; along the axis `along` there is one more number without a partner, if
    `single`.
    """

    axes: Axes
    along: str
    first: Tensor
    apart: int
    target: Tensor
    single: bool

    def nests(self) -> Iterator[Nest]:
        """The nest for those with a partner, and the one for those without."""
        partner = replace(self.first, offset=self.first.offset + self.apart)
        whole = dict(self.axes)[self.along]
        if whole:
            yield Nest(self.axes, (Store(self.target, Pair(self.first, partner)),))
        if self.single:
            first, target = (
                replace(
                    tensor,
                    strides=tuple(s for s in tensor.strides if s[0] != self.along),
                    offset=tensor.offset + whole * tensor.stride(self.along),
                )
                for tensor in (self.first, self.target)
            )
            axes = tuple(axis for axis in self.axes if axis[0] != self.along)
            yield Nest(axes, (Store(target, Pair(first, Constant(0.0))),))


def channels(builder: Builder, name: str, image: Image, groups: int) -> Image:
    """An image with channels 2e and 2e + 1 of every group in a pair, halo included."""
    lanes, share = builder.lanes, image.channels // groups
    top, bottom, left, right = image.halo
    pixels = (image.height + top + bottom) * (image.width + left + right)
    pairs = _image(name, image.height, image.width, groups * pairs_of(share), lanes)
    pairs.halo, pairs.buffer.size = image.halo, pixels * pairs.channels * lanes
    half, single = divmod(share, 2)
    # Without a single one all pairs follow each other, whatever they belong to.
    axes: Axes = (("e", pixels * groups * half),)
    if single:
        axes = (("p", pixels), ("g", groups), ("e", half))
    there = {name for name, _ in axes}

    def form(role: str, steps: dict[str, int], element: Element) -> Tensor:
        strides = {axis: step * lanes for axis, step in steps.items() if axis in there}
        return Tensor(role, strides_of({**strides, **lane}), 0, element)

    lane = {"v": 1} if lanes > 1 else {}
    first = form("x", {"p": image.channels, "g": share, "e": 2}, "real")
    target = form("out", {"p": pairs.channels, "g": pairs_of(share), "e": 1}, "pair")
    _record(
        builder,
        image,
        pairs.buffer,
        _Packing(axes + _lanes(builder), "e", first, lanes, target, bool(single)),
    )
    return pairs


def pixels_read(builder: Builder, name: str, image: Image, g: ConvGeometry) -> Image:
    """`channels` of those pixels only that filters of 1 × 1 read, without a halo."""
    each = pairs_of(g.depth)
    pairs = _image(name, g.rows, g.columns, g.groups * each, builder.lanes)
    axes = (("y", g.rows), ("x", g.columns), ("g", g.groups), ("e", g.depth // 2))
    steps = ({"y": g.stride[0]}, {"x": g.stride[1]})
    _record(
        builder,
        image,
        pairs.buffer,
        _Packing(
            axes + _lanes(builder),
            "e",
            image.tensor("x", Access(*steps, {"g": g.depth, "e": 2}, (-g.pads[0], -g.pads[2], 0))),
            builder.lanes,
            pairs.tensor("out", Access({"y": 1}, {"x": 1}, {"g": each, "e": 1})),
            g.depth % 2 == 1,
        ),
    )
    return pairs


def outputs(builder: Builder, name: str, image: Image) -> Image:
    """An image with pixels 2x and 2x + 1 of every row in a pair, without a halo."""
    pairs = _image(name, image.height, pairs_of(image.width), image.channels, builder.lanes)
    axes = (("y", image.height), ("x", image.width // 2), ("c", image.channels))
    first = image.tensor("x", Access({"y": 1}, {"x": 2}, {"c": 1}))
    _record(
        builder,
        image,
        pairs.buffer,
        _Packing(
            axes + _lanes(builder),
            "x",
            first,
            image.channels * builder.lanes,
            pairs.tensor("out", Access({"y": 1}, {"x": 1}, {"c": 1})),
            image.width % 2 == 1,
        ),
    )
    return pairs


def pixels_of_outputs(
    builder: Builder, name: str, image: Image, g: ConvGeometry, channel: dict[str, int]
) -> tuple[Buffer, Tensor]:
    """The pixels that outputs 2x and 2x + 1 of a row read with the same tap, in a pair; and how
    they are found by row y and pair x of outputs, taps r and s, and the axes in `channel`.
    """
    lanes, (height, width) = builder.lanes, g.size
    stride, dilation, columns = g.stride[1], g.dilation[1], pairs_of(g.columns)
    # One row for each that is read; of filters of one row none is skipped.
    down = g.stride[0] if height > 1 else 1
    lines = (g.rows - 1) * down + (height - 1) * g.dilation[0] + 1
    start = (-g.pads[0], -g.pads[2], 0)
    step = {"y": g.stride[0] if height == 1 else 1}
    reach = (width - 1) * dilation
    single = g.columns % 2 == 1
    if stride == 1 and 2 * columns - 1 + reach <= width * columns:
        # From every pixel on: many are read with several taps.
        across = 2 * columns - 1 + reach
        read = {"x": 2, "s": dilation}
        axes: Axes = (("y", lines), ("x", across - single))
        source, target = {"x": 1}, {"x": 1}
    else:
        across = width * columns
        read = {"x": 1, "s": columns}
        axes = (("y", lines), ("s", width), ("x", columns - single))
        source, target = {"x": 2 * stride, "s": dilation}, read
    pairs = _image(name, lines, across, image.channels, lanes)
    _record(
        builder,
        image,
        pairs.buffer,
        _Packing(
            (*axes, ("c", image.channels), *_lanes(builder)),
            "x",
            image.tensor("x", Access(step, source, {"c": 1}, start)),
            stride * image.channels * lanes,
            pairs.tensor("out", Access({"y": 1}, target, {"c": 1})),
            single,
        ),
    )
    walk = Access({"y": down, "r": g.dilation[0]}, read, channel)
    return pairs.buffer, pairs.tensor("x", walk)


def filters(
    builder: Builder, operation: Operation, g: ConvGeometry, *, beside: str, summed: str
) -> Sequence[Filters]:
    """Filters in panels of the channels `beside` each other, of pairs of those `summed`."""
    counts, panels = {"c": g.depth, "k": g.share}, beside.upper()
    pairs = pairs_of(counts[summed])
    places = {"filters": builder.parameter(operation, "filters")}
    laid: list[Filters] = []
    count = counts[beside]
    for run in panel_runs(count) if builder.channel_lanes else (whole(count),):
        column = pairs * run.width
        row = g.size[1] * column
        size = g.size[0] * row
        strides = {summed: run.width, beside: 1, panels: size, "g": size * run.panels}
        source = {panels: run.width * g.weight[beside], **g.weight, summed: 2 * g.weight[summed]}
        axes = (
            (panels, run.panels),
            ("g", g.groups),
            ("r", g.size[0]),
            ("s", g.size[1]),
            (summed, counts[summed] // 2),
            (beside, run.width),
        )
        packing = _Packing(
            axes,
            summed,
            Tensor(
                "filters",
                strides_of({"r": g.row, "s": g.column, **source}),
                run.first * g.weight[beside],
            ),
            g.weight[summed],
            Tensor("laid", strides_of({"r": row, "s": column, **strides}), 0, "pair"),
            counts[summed] % 2 == 1,
        )
        numbers = size * run.panels * g.groups
        name = f"pairs of filters {operation.node} along {beside} from {run.first}"
        nests = tuple(packing.nests())
        place = lay_out(builder, name, numbers, nests, places, panels, "pair")
        laid.append(Filters(place, run, row, column, strides, pairs))
    return laid


def _lanes(builder: Builder) -> Axes:
    """The axis over the images of a block, if it has several: an axis of one would be taken for
    what fills the lanes, as nothing moves along it.
    """
    return (("v", builder.lanes),) if builder.lanes > 1 else ()


def _image(name: str, height: int, width: int, channels_: int, lanes: int) -> Image:
    size = height * width * channels_ * lanes
    return Image(Buffer(name, size, "pair"), height, width, channels_, lanes)


def _record(builder: Builder, image: Image, pairs: Buffer, packing: _Packing) -> None:
    for nest in packing.nests():
        builder.recorder.blockwise(nest, {"x": Location(image.buffer), "out": Location(pairs)})
