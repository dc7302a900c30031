"""Winograd's algorithm along the rows of an image, as nests: `row_strips` has the mathematics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Matrix,
    Nest,
    Store,
    Tensor,
    Transformed,
)
from striate.nest.small_matrix import grid_of
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Buffer, Image, Location, Steps, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.algorithm import PASSES, Algorithm, Pass
from striate.plan.lowering.convolution.overlapping_tiles import ONE, OverlappingTiles
from striate.plan.lowering.convolution.row_strips import (
    MARGIN,
    StripChoice,
    Strips,
    best,
    gradient_halo,
    input_halo,
)
from striate.plan.lowering.convolution.winograd_tiles import whole_and_cut
from striate.plan.lowering.weight_panels import lay_out
from striate.plan.settings import Settings

# Vectors of M that are worth keeping at hand, and of W.
_NEAR, _SPREAD = 2048, 4096
_CHANNEL: Steps = {"c": 1}


class WinogradRows(Algorithm):
    """Minimal filtering along the rows of an image: pass by pass, where that is faster."""

    name = "Winograd along rows"
    is_winograd = True

    def costs(self, settings: Settings, operation: Operation) -> Mapping[Pass, float]:
        choice = self._choice(settings, operation)
        if choice is None:
            return {}
        costs = choice.strips.costs()
        return {name: MARGIN * costs[name] for name in PASSES if name in choice.passes}

    def _choice(self, settings: Settings, operation: Operation) -> StripChoice | None:
        if settings.lanes == 1 or settings.exact:
            return None
        training = settings.loss is not None
        return best(operation, training, training and settings.input_gradient, settings.bfloat16)

    def _strips(self, settings: Settings, operation: Operation) -> Strips:
        choice = self._choice(settings, operation)
        if choice is None:
            raise ValueError(f"{operation.layer.who}: is not computed in strips")
        return choice.strips

    def input_halo(self, settings: Settings, operation: Operation) -> Pads:
        return input_halo(self._strips(settings, operation))

    def gradient_halo(self, settings: Settings, operation: Operation, name: Pass) -> Pads:
        return gradient_halo(self._strips(settings, operation))

    def forward(self, builder: Builder, operation: Operation) -> None:
        _forward(builder, operation, self._strips(builder.settings, operation))

    def input_gradient(self, builder: Builder, operation: Operation) -> None:
        _input_gradient(builder, operation, self._strips(builder.settings, operation))

    def filter_gradient(self, builder: Builder, operation: Operation) -> None:
        _filter_gradient(builder, operation, self._strips(builder.settings, operation))

    def gradients(self, builder: Builder, operation: Operation) -> None:
        strips = self._strips(builder.settings, operation)
        spread = _spread_out(builder, operation, strips)  # both read it
        _input_gradient(builder, operation, strips, spread)
        _filter_gradient(builder, operation, strips, spread)

    def described(self, settings: Settings, operation: Operation) -> tuple[str, str]:
        strips = self._strips(settings, operation)
        m, r, size = strips.m, strips.matrices.taps, strips.positions
        saved = f"{size * r / m:.3g} products an output instead of {r * r}"
        return f"Winograd F({m}, {r}) along rows", saved


def _forward(builder: Builder, operation: Operation, strips: Strips) -> None:
    """O, with bias and activation applied as it is stored; some rows at a time."""
    seen, filters = _see(builder, operation, strips), _filters(builder, operation, strips)
    for first, count in _bands(strips):
        sums = builder.image("M", (strips.positions * count, strips.count, strips.outputs))
        builder.recorder.blockwise(
            Nest(
                axes=(
                    ("p", strips.positions),
                    ("y", count),
                    ("k", strips.outputs),
                    ("x", strips.count),
                    ("v", builder.lanes),
                    ("r", strips.matrices.taps),
                    ("c", strips.depth),
                ),
                stores=(
                    Store(
                        sums.tensor("sums", Access({"p": count, "y": 1}, {"x": 1}, {"k": 1})),
                        Accumulator(),
                    ),
                ),
                terms=(_lines(seen, strips) * _laid(strips),),
                reduce=("r", "c"),
                reduction="sum",
            ),
            {
                "seen": Location(seen.buffer, first * seen.row),
                "filters": filters,
                "sums": Location(sums.buffer),
            },
        )
        _put(builder, operation, strips, sums, first)


def _put(builder: Builder, operation: Operation, strips: Strips, sums: Image, first: int) -> None:
    """O = A' M, of some rows from the `first` on."""
    count = sums.height // strips.positions
    places = {"sums": Location(sums.buffer)}
    for role, image in builder.stored(operation).items():
        places[role] = Location(image.buffer, first * image.row)
    if strips.bias:
        places["bias"] = builder.parameter(operation, "bias")
    for left, across, width in whole_and_cut(0, strips.count, strips.columns, strips.m):
        matrix = _turned(strips.matrices.outputs)[:width]
        positions = Access({"y": 1, "q": count}, {"x": 1}, _CHANNEL, (0, left, 0))
        value: Expression = Transformed(ONE, matrix, sums.tensor("sums", positions))
        if strips.bias:
            value = value + vector("bias", c=1)
        pixels = Access({"y": 1}, {"x": strips.m, "j": 1}, _CHANNEL, (0, left * strips.m, 0))
        axes = (("y", count), ("x", across), ("c", strips.outputs), ("v", builder.lanes))
        store = builder.store(operation, value, pixels)
        builder.recorder.blockwise(Nest(axes, (store,), grid=grid_of(ONE, matrix)), places)


def _input_gradient(
    builder: Builder, operation: Operation, strips: Strips, spread: Image | None = None
) -> None:
    """dX, from W (`spread`) if that is there."""
    spread = spread or _spread_out(builder, operation, strips)
    filters = _filters(builder, operation, strips)
    size = strips.positions
    overlap = OverlappingTiles(strips.matrices, strips.pads[2], strips.width, strips.count)
    shape = (strips.height, strips.count, size * strips.depth)
    sums = builder.image(f"N {operation.node}", shape, (0, 0, *overlap.halo))
    for run in strips.runs():
        outputs = Access(
            {"p": strips.rows, "y": 1, "r": -1}, {"x": 1}, {"k": 1}, (run.taps - 1, 0, 0)
        )
        rows = sums.tensor("sums", Access({"y": 1}, {"x": 1}, {"p": strips.depth, "c": 1}))
        at = Location(sums.buffer, run.first * sums.row)
        axes = (
            ("p", size),
            ("y", run.count),
            ("c", strips.depth),
            ("x", strips.count),
            ("v", builder.lanes),
        )
        if not run.taps:
            builder.recorder.blockwise(Nest(axes, (Store(rows, Constant(0.0)),)), {"sums": at})
            continue
        # The last tap reads the row that lies highest.
        highest = run.line - run.tap - (run.taps - 1)
        builder.recorder.blockwise(
            Nest(
                axes=(*axes, ("r", run.taps), ("k", strips.outputs)),
                stores=(Store(rows, Accumulator()),),
                terms=(spread.tensor("spread", outputs) * _laid(strips),),
                reduce=("r", "k"),
                reduction="sum",
            ),
            {
                "spread": Location(spread.buffer, highest * spread.row),
                "filters": Location(filters.buffer, filters.offset + run.tap * strips.at_tap),
                "sums": at,
            },
        )
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for left, across, width in whole_and_cut(0, overlap.groups, strips.width, strips.m):
            matrix = overlap.matrix(width)
            # Strips lie beside each other, position by position: so do all that a pixel is in.
            first = (0, left + overlap.first, 0)
            positions = Access({"y": 1}, {"x": 1}, {"q": strips.depth, "c": 1}, first)
            value = Transformed(ONE, matrix, sums.tensor("sums", positions))
            pixels = Access({"y": 1}, {"x": strips.m, "j": 1}, _CHANNEL, (0, left * strips.m, 0))
            image = (("y", strips.height), ("x", across), ("c", strips.depth), ("v", builder.lanes))
            nest = Nest(image, (writer.store(value, pixels),), grid=grid_of(ONE, matrix))
            builder.recorder.blockwise(nest, {"sums": Location(sums.buffer), **writer.places})


def _filter_gradient(
    builder: Builder, operation: Operation, strips: Strips, spread: Image | None = None
) -> None:
    """dF, from W (`spread`) if that is there, else from W of a few filters after the other: each
    thread sums up dU of one shard after another.
    """
    seen = _see(builder, operation, strips)
    size = strips.positions * strips.at_position
    total = Location(Buffer(f"position gradient {operation.node}", size, "real", "thread"))
    builder.recorder.at_shard_start(
        Nest((("e", size),), (Store(vector("out", e=1), Constant(0.0)),)), {"out": total}
    )
    if spread:
        _sum_products(builder, strips, seen, spread, total)
    else:
        for first, count in _filters_at_a_time(strips):
            some = _spread_out(builder, operation, strips, first, count)
            _sum_products(builder, strips, seen, some, Location(total.buffer, first))
    matrix = _turned(strips.matrices.filters)
    taps = Transformed(ONE, matrix, _laid(strips, "sum", "q"))
    builder.recorder.at_shard_end(
        Nest(
            _filter_axes(strips),
            (Store(_plain(strips, "out", "j"), taps),),
            grid=grid_of(ONE, matrix),
        ),
        {"sum": total, "out": builder.shard_gradient(operation, "filters")},
    )


def _sum_products(
    builder: Builder, strips: Strips, seen: Image, spread: Image, total: Location
) -> None:
    """dU of the filters that W is of, which begin at `total`."""
    target = _laid(strips, "sum")
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("p", strips.positions),
                # W is larger than V as a rule: for some of its filters V is read again.
                ("k", spread.channels),
                ("c", strips.depth),
                ("r", strips.matrices.taps),
                ("y", strips.rows),
                ("x", strips.count),
                ("v", builder.lanes),
            ),
            stores=(Store(target, Accumulator()),),
            terms=(
                _lines(seen, strips)
                * spread.tensor("spread", Access({"p": strips.rows, "y": 1}, {"x": 1}, {"k": 1})),
            ),
            reduce=("y", "x", "v"),
            reduction="sum",
            initial=(target,),
        ),
        {"seen": Location(seen.buffer), "spread": Location(spread.buffer), "sum": total},
    )


# --- the transforms ----------------------------------------------------------------------------


def _see(builder: Builder, operation: Operation, strips: Strips) -> Image:
    """V: (positions · rows, strips, channels)."""
    x, (top, _, left, _) = builder.values[operation.inputs[0]], strips.pads
    seen = builder.image("V", (strips.positions * strips.lines, strips.count, strips.depth))
    _transform(builder, strips, strips.matrices.inputs, (x, (-top, -left, 0)), seen)
    return seen


def _spread_out(
    builder: Builder, operation: Operation, strips: Strips, first: int = 0, count: int | None = None
) -> Image:
    """W: (positions · rows, strips, filters), of so many filters from one on; of all by default."""
    gradient, outputs = builder.gradients[operation.node], count or strips.outputs
    spread = builder.image("W", (strips.positions * strips.rows, strips.count, outputs))
    _transform(builder, strips, strips.matrices.outputs, (gradient, (0, 0, first)), spread)
    return spread


def _transform(
    builder: Builder,
    strips: Strips,
    matrix: Matrix,
    source: tuple[Image, tuple[int, int, int]],
    target: Image,
) -> None:
    """The matrix times the pixels of each strip, of an image from some pixel on."""
    image, start = source
    lines = target.height // strips.positions
    pixels = image.tensor("x", Access({"y": 1}, {"x": strips.m, "q": 1}, _CHANNEL, start))
    positions = target.tensor("out", Access({"y": 1, "j": lines}, {"x": 1}, _CHANNEL))
    axes = (("y", lines), ("x", strips.count), ("c", target.channels), ("v", builder.lanes))
    store = Store(positions, Transformed(ONE, matrix, pixels))
    places = {"x": Location(image.buffer), "out": Location(target.buffer)}
    builder.recorder.blockwise(Nest(axes, (store,), grid=grid_of(ONE, matrix)), places)


def _filters(builder: Builder, operation: Operation, strips: Strips) -> Location:
    """U: [position][row of taps][channel][filter]."""
    matrix = strips.matrices.filters
    taps = Transformed(ONE, matrix, _plain(strips, "filters", "q"))
    places = {"filters": builder.parameter(operation, "filters")}
    size = strips.positions * strips.at_position
    store = Store(_laid(strips, "laid", "j"), taps)
    nest = Nest(_filter_axes(strips), (store,), grid=grid_of(ONE, matrix))
    return lay_out(builder, f"filters {operation.node}", size, nest, places, "r")


# --- where things lie --------------------------------------------------------------------------


def _lines(seen: Image, strips: Strips) -> Tensor:
    """V at the rows that the taps of each output see."""
    return seen.tensor("seen", Access({"p": strips.lines, "y": 1, "r": 1}, {"x": 1}, _CHANNEL))


def _laid(strips: Strips, role: str = "filters", position: str = "p") -> Tensor:
    """U or dU, the positions along an axis."""
    strides = {"r": strips.at_tap, "c": strips.outputs, "k": 1}
    return vector(role, **strides, **{position: strips.at_position})


def _plain(strips: Strips, role: str, column: str) -> Tensor:
    """The filters as they are, or their gradient, the columns along an axis."""
    strides = {"r": strips.row, "c": strips.outputs, "k": 1}
    return vector(role, **strides, **{column: strips.column})


def _filter_axes(strips: Strips) -> tuple[tuple[str, int], ...]:
    return (("r", strips.matrices.taps), ("c", strips.depth), ("k", strips.outputs))


def _bands(strips: Strips) -> Iterator[tuple[int, int]]:
    """(first, count): equal runs of rows of outputs whose sums stay near."""
    row = strips.positions * strips.count * strips.outputs
    fitting = max(_NEAR // row, 1)
    count = max(c for c in range(1, strips.rows + 1) if strips.rows % c == 0 and c <= fitting)
    for first in range(0, strips.rows, count):
        yield first, count


def _turned(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _filters_at_a_time(strips: Strips) -> Iterator[tuple[int, int]]:
    """(first, count): runs of filters, all but the last equal, of which W stays near until it is
    read.
    """
    fitting = max(_SPREAD // (strips.spread // strips.outputs), 2)
    count = -(-strips.outputs // -(-strips.outputs // fitting))
    for first in range(0, strips.outputs, count):
        yield first, min(count, strips.outputs - first)
