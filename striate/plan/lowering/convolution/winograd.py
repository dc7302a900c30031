"""Convolution by Winograd's minimal filtering over tiles: `striate.ops.winograd` derives it.

The image is cut into tiles of m × m outputs of r × r taps.  With tiles t, and (m+r-1)² positions p
inside a tile:

    V[p][t][c] = B' D B          of the inputs of a tile, overlapping by r - 1
    U[p][c][k] = G F G'          once a step
    M[p][t][k] = sum over c of V[p][t][c] * U[p][c][k]
    O          = A' M A

and for the gradient of the filters, with W[p][t][k] = A dO A':

    dU[p][c][k] += V[p][t][c] * W[p][t][k]        dF = G' dU G

The sums are products of matrices, one for each position, and nearly all of the work; the
transforms are sums and differences of whole vectors of channels.  Some rows of tiles are taken
through all three at a time, so that V and M stay in a core's own cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from striate.nest.algebra import (
    Accumulator,
    Expression,
    Nest,
    Store,
    Tensor,
    Transformed,
    strides_of,
)
from striate.nest.small_matrix import grid_of
from striate.ops.shapes import Pads
from striate.ops.winograd import Transforms, transforms
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Location, vector, vectors
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution import winograd_input_gradient
from striate.plan.lowering.convolution.algorithm import PASSES, Algorithm, Pass
from striate.plan.lowering.convolution.bfloat16 import is_faster
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.lowering.convolution.direct import READING, WINOGRAD_MARGIN, cost_by_channels
from striate.plan.lowering.convolution.winograd_filter_gradient import (
    KeptTiles,
    sum_at_once,
    sum_by_shard,
)
from striate.plan.lowering.convolution.winograd_tiles import (
    Correlation,
    OutputSink,
    Tiles,
    blocks_together,
    store_tiles,
    tile_groups,
    transform_tiles,
)
from striate.plan.lowering.weight_panels import lay_out, panel
from striate.plan.settings import Settings

# Bytes of U that are too many to have with what the filters' gradient needs.
_LARGE = 24 << 20
# Vector operations of the transforms of a tile of 4 × 4 to 7 × 7 inputs, for each vector of input
# and of output channels, as measured.
_INPUT = {4: 70, 5: 150, 6: 240, 7: 520}
_OUTPUT = {4: 50, 5: 105, 6: 160, 7: 330}
# Bytes of an image's V that are worth keeping from the forward to the backward pass.
_AT_HAND = 64 << 10


@dataclass(frozen=True)
class Tiling:
    """Tiles of `outputs` × `outputs`, and vector operations for one image."""

    transforms: Transforms
    cost: float


def tiling(operation: Operation, vector: int, images: int) -> Tiling | None:
    """The best tiles for vectors of so many lanes; None where the textbook loops are as fast.

    Each batch of `images` reads the filters once, and these are more numbers once transformed.
    """
    g = ConvGeometry(operation)
    if not g.suits_winograd:
        return None
    taps = g.size[0]
    outputs, depth = (vectors(count, vector) for count in (g.outputs, g.depth))
    reading = READING * g.depth * g.outputs / images
    best: Tiling | None = None
    least = cost_by_channels(g, vector, images) / WINOGRAD_MARGIN
    for size in _INPUT:
        m = size - taps + 1
        if m < 2:
            continue
        tiles = -(-g.rows // m) * -(-g.columns // m)
        products = size**2 * g.depth * outputs
        transforming = _INPUT[size] * depth + _OUTPUT[size] * outputs
        cost = tiles * (products + transforming) + size**2 * reading
        if cost < least:
            best, least = Tiling(transforms(m, taps), cost), cost
    return best


class Winograd(Algorithm):
    """Minimal filtering over tiles of the image: all three passes, or none, as they share U, V and
    W.
    """

    name = "Winograd"
    is_winograd = True

    def costs(self, settings: Settings, operation: Operation) -> Mapping[Pass, float]:
        found = self._tiling(settings, operation)
        return dict.fromkeys(PASSES, WINOGRAD_MARGIN * found.cost) if found else {}

    def _tiling(self, settings: Settings, operation: Operation) -> Tiling | None:
        if settings.lanes > 1 or settings.exact:
            return None
        found = tiling(operation, settings.vector, settings.batch_size)
        if found and settings.bfloat16 and is_faster(operation, settings.vector, found.cost):
            return None
        return found

    def _transforms(self, settings: Settings, operation: Operation) -> Transforms:
        found = self._tiling(settings, operation)
        if found is None:
            raise ValueError(f"{operation.layer.who}: is not computed by Winograd's algorithm")
        return found.transforms

    def input_halo(self, settings: Settings, operation: Operation) -> Pads:
        # The padding, and what the last tiles read behind it.
        matrices = self._transforms(settings, operation)
        g, m, more = ConvGeometry(operation), matrices.outputs_count, matrices.taps - 1
        top, _, left, _ = g.pads
        return (
            top,
            -(-g.rows // m) * m + more - top - g.height,
            left,
            -(-g.columns // m) * m + more - left - g.width,
        )

    def gradient_halo(self, settings: Settings, operation: Operation, name: Pass) -> Pads:
        # What the input gradient reads around the output, and the last tiles behind it.
        matrices = self._transforms(settings, operation)
        g, m, more = ConvGeometry(operation), matrices.outputs_count, matrices.taps - 1
        top, left = more - g.pads[0], more - g.pads[2]
        if winograd_input_gradient.pays(operation, matrices, settings.target):
            return 0, -(-g.rows // m) * m - g.rows, 0, -(-g.columns // m) * m - g.columns
        return (
            top,
            max(-(-g.height // m) * m + more - top, -(-g.rows // m) * m) - g.rows,
            left,
            max(-(-g.width // m) * m + more - left, -(-g.columns // m) * m) - g.columns,
        )

    def forward(self, builder: Builder, operation: Operation) -> None:
        matrices = self._transforms(builder.settings, operation)
        g = ConvGeometry(operation)
        work = Correlation(
            matrices,
            builder.values[operation.inputs[0]],
            (-g.pads[0], -g.pads[2]),
            (g.rows, g.columns, g.outputs),
        )

        def store(value: Expression, walk: Access) -> Store:
            return builder.store(operation, value + vector("bias", c=1) if g.bias else value, walk)

        bias = {"bias": builder.parameter(operation, "bias")} if g.bias else {}
        target = OutputSink(store, builder.stored(operation), bias)
        seen = _correlate(builder, work, _filters(builder, operation, matrices, "k"), target)
        if seen and 4 * seen.size**2 * seen.count * seen.channels <= _AT_HAND:
            builder.remember(operation, "seen", KeptTiles(seen, builder.recorder.stage()))

    def gradients(self, builder: Builder, operation: Operation) -> None:
        matrices = self._transforms(builder.settings, operation)
        g, spread = ConvGeometry(operation), None
        if 4 * matrices.size**2 * g.depth * g.outputs >= _LARGE:
            # The sums over the whole batch come first, so that nothing of them is kept meanwhile.
            _filter_gradient(builder, operation, matrices)
            builder.recomputation.refresh(operation.inputs)
            _input_gradient(builder, operation, matrices)
            return
        if winograd_input_gradient.pays(operation, matrices, builder.settings.target):
            spread = _spread(builder, operation, matrices)
        _input_gradient(builder, operation, matrices, spread)
        _filter_gradient(builder, operation, matrices, spread)

    def input_gradient(self, builder: Builder, operation: Operation) -> None:
        _input_gradient(builder, operation, self._transforms(builder.settings, operation))

    def filter_gradient(self, builder: Builder, operation: Operation) -> None:
        _filter_gradient(builder, operation, self._transforms(builder.settings, operation))

    def products(self, settings: Settings, operation: Operation) -> float:
        matrices, g = self._transforms(settings, operation), ConvGeometry(operation)
        per_output = (matrices.size / matrices.outputs_count) ** 2
        return per_output * g.rows * g.columns * g.depth * g.outputs

    def described(self, settings: Settings, operation: Operation) -> tuple[str, str]:
        found = self._transforms(settings, operation)
        m, r, saved = found.outputs_count, found.taps, (found.size / found.outputs_count) ** 2
        return f"Winograd F({m}×{m}, {r}×{r})", f"{saved:.2g} products an output instead of {r * r}"


def _input_gradient(
    builder: Builder, operation: Operation, matrices: Transforms, spread: Tiles | None = None
) -> None:
    """dX: the correlation of dO with the filters turned by half a turn; or from W (`spread`)."""
    g = ConvGeometry(operation)
    if winograd_input_gradient.pays(operation, matrices, builder.settings.target):
        spread = spread or _spread(builder, operation, matrices)
        filters = _filters(builder, operation, matrices, "c")
        winograd_input_gradient.input_gradient(builder, operation, matrices, spread, filters)
        return
    work = Correlation(
        matrices,
        builder.gradients[operation.node],
        (g.pads[0] - matrices.taps + 1, g.pads[2] - matrices.taps + 1),
        (g.height, g.width, g.depth),
    )
    filters = _filters(builder, operation, matrices, "c", turned=True)
    with builder.writing_gradient(operation.inputs[0]) as writer:
        _correlate(builder, work, filters, OutputSink(writer.store, writer.images, {}))


def _filter_gradient(
    builder: Builder, operation: Operation, matrices: Transforms, spread: Tiles | None = None
) -> None:
    """dF: summed up at the positions first, and turned into filters once, at the end; of all tiles
    at once where W is there (`spread`).
    """
    g = ConvGeometry(operation)
    image = Correlation(
        matrices,
        builder.values[operation.inputs[0]],
        (-g.pads[0], -g.pads[2]),
        (g.rows, g.columns, g.depth),
    )
    gradient = _outputs(builder, operation, matrices)
    if builder.sums_by_shard(operation):
        sum_by_shard(builder, operation, (image, gradient), spread)
    else:
        sum_at_once(builder, operation, (image, gradient))


def _outputs(builder: Builder, operation: Operation, matrices: Transforms) -> Correlation:
    """The gradient of the outputs in tiles of outputs."""
    g = ConvGeometry(operation)
    gradient = builder.gradients[operation.node]
    return Correlation(matrices, gradient, (0, 0), (g.rows, g.columns, g.outputs))


def _spread(builder: Builder, operation: Operation, matrices: Transforms) -> Tiles:
    """W, of all tiles."""
    gradient = _outputs(builder, operation, matrices)
    spread = Tiles("W", matrices, gradient.tiles, gradient.size[2])
    depth, outputs = builder.values[operation.inputs[0]].channels, gradient.size[2]
    transform_tiles(
        builder,
        gradient,
        matrices.outputs,
        spread,
        0,
        blocks_together(spread.count, depth * outputs),
    )
    return spread


def _correlate(
    builder: Builder, work: Correlation, filters: Location, target: OutputSink
) -> Tiles | None:
    """All tiles, some rows of them at a time; gives V if that is all of it."""
    depth, outputs = work.image.channels, work.size[2]
    bands = work.bands(depth, outputs, builder.settings)
    for builder.recorder.band, band in enumerate(bands):
        rows = (len(band), work.tiles[1])
        seen = Tiles("V", work.transforms, rows, depth)
        products = Tiles("M", work.transforms, rows, outputs)
        blocks = blocks_together(seen.count, depth * outputs)
        transform_tiles(builder, work, work.transforms.inputs, seen, band.start, blocks)
        _multiply(builder, seen, products, filters)
        for part in tile_groups(work, band):
            store_tiles(builder, work, products, part, band.start, target)
    builder.recorder.band = None
    return seen if len(bands) == 1 else None


def _multiply(builder: Builder, seen: Tiles, products: Tiles, filters: Location) -> None:
    """M: for each position the matrix of tiles and channels times that of the filters."""
    depth, outputs = seen.channels, products.channels
    width = panel(outputs)
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("p", seen.size**2),
                ("K", outputs // width),
                ("t", seen.count),
                ("k", width),
                ("c", depth),
            ),
            stores=(
                Store(
                    vector("products", p=products.position, t=outputs, K=width, k=1),
                    Accumulator(),
                ),
            ),
            terms=(
                vector("seen", p=seen.position, t=depth, c=1)
                * vector("filters", p=depth * outputs, K=depth * width, c=width, k=1),
            ),
            reduce=("c",),
            reduction="sum",
        ),
        {"seen": Location(seen.buffer), "products": Location(products.buffer), "filters": filters},
        before="t",
        blocks=blocks_together(seen.count, depth * outputs),
    )


def _filters(
    builder: Builder,
    operation: Operation,
    matrices: Transforms,
    beside: str,
    *,
    turned: bool = False,
) -> Location:
    """U: G F G' with filters k or channels c `beside` each other in panels; perhaps turned."""
    g = ConvGeometry(operation)
    depth, outputs = (g.outputs, g.depth) if beside == "c" else (g.depth, g.outputs)
    width = panel(outputs)
    along, across = (1, g.outputs) if beside == "c" else (g.outputs, 1)

    # Turned by half a turn, the taps are read from the last one on.
    sense, last = (-1, g.size[0] - 1) if turned else (1, 0)
    strides = {"c": along, "K": width * across, "k": across}
    taps = {"p": sense * g.row, "q": sense * g.column}
    filters = Tensor("filters", strides_of({**strides, **taps}), last * (g.row + g.column))
    matrix = matrices.filters
    size, position = len(matrix), depth * outputs
    places = {"i": size * position, "j": position, "K": depth * width, "c": width, "k": 1}
    nest = Nest(
        (("K", outputs // width), ("c", depth), ("k", width)),
        (Store(vector("laid", **places), Transformed(matrix, matrix, filters)),),
        grid=grid_of(matrix, matrix),
    )
    return lay_out(
        builder,
        f"{'turned ' * turned}filters {operation.node} along {beside}",
        size**2 * depth * outputs,
        nest,
        {"filters": builder.parameter(operation, "filters")},
        "K" if outputs > width else "c",
    )
