"""The input gradient from tiles of outputs, by Winograd's algorithm read backwards.

The chain rule on O = A' M A, M = sum over c of V * U, V = B' D B gives, with W[p][t][k] = A dO A',

    N[p][t][c] = sum over k of W[p][t][k] * U[p][c][k]     dX = B N B', added up where tiles overlap

Tiles of inputs, as dX is also a correlation, are more than those of outputs where the padding is
less than r - 1; and W is what the gradient of the filters reads too.
"""

from __future__ import annotations

from striate.nest.algebra import Accumulator, Nest, Store, Transformed
from striate.nest.small_matrix import grid_of
from striate.nest.target import Target
from striate.ops.winograd import Transforms
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Image, Location, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.lowering.convolution.overlapping_tiles import ONE, OverlappingTiles
from striate.plan.lowering.convolution.winograd_tiles import Tiles, blocks_together, whole_and_cut
from striate.plan.lowering.weight_panels import panel

# W and N, which are needed at once, that are worth keeping, by the size of a core's own cache.
_NEAR = 2


def pays(operation: Operation, matrices: Transforms, target: Target) -> bool:
    """Whether there are fewer tiles of outputs than of inputs, and these stay at hand."""
    g, m = ConvGeometry(operation), matrices.outputs_count
    tiles = -(-g.rows // m) * -(-g.columns // m)
    left = matrices.size**2 * (tiles * g.outputs + _all_tiles(g, matrices) * g.depth)
    return tiles < -(-g.height // m) * -(-g.width // m) and 4 * left <= _NEAR * target.core_cache


def _all_tiles(g: ConvGeometry, matrices: Transforms) -> int:
    """Tiles of N, those included that are zeros."""
    m, counts = matrices.outputs_count, []
    for overlap, size in zip(_overlaps(g, matrices), (g.rows, g.columns), strict=True):
        counts.append(sum(overlap.halo) + -(-size // m))
    return counts[0] * counts[1]


def _overlaps(g: ConvGeometry, matrices: Transforms) -> tuple[OverlappingTiles, OverlappingTiles]:
    m = matrices.outputs_count
    return (
        OverlappingTiles(matrices, g.pads[0], g.height, -(-g.rows // m)),
        OverlappingTiles(matrices, g.pads[2], g.width, -(-g.columns // m)),
    )


def input_gradient(
    builder: Builder, operation: Operation, matrices: Transforms, spread: Tiles, filters: Location
) -> None:
    """dX, from W and U with the channels side by side."""
    g, m = ConvGeometry(operation), matrices.outputs_count
    down, across = _overlaps(g, matrices)
    size, (rows, columns) = matrices.size, spread.rows
    # Tile by tile and, inside, position by position, as if these were pixels.
    name, wide, depth = f"N {operation.node}", columns * size, g.depth
    (above, below), (left, right) = ((size * n for n in o.halo) for o in (down, across))
    sums = builder.image(name, (rows * size, wide, depth), (above, below, 0, 0))
    half = builder.image(f"{name} by rows", (g.height, wide, depth), (0, 0, left, right))
    _multiply(builder, spread, sums, filters)
    for y, count, height in whole_and_cut(0, down.groups, g.height, m):
        matrix = down.matrix(height)
        tiles = Access({"y": size, "p": 1}, {"x": 1}, {"c": 1}, (size * (y + down.first), 0, 0))
        lines = Access({"y": m, "i": 1}, {"x": 1}, {"c": 1}, (y * m, 0, 0))
        value = Transformed(matrix, ONE, sums.tensor("sums", tiles))
        nest = Nest(
            (("y", count), ("x", wide), ("c", depth)),
            (Store(half.tensor("half", lines), value),),
            grid=grid_of(matrix, ONE),
        )
        builder.recorder.blockwise(
            nest, {"sums": Location(sums.buffer), "half": Location(half.buffer)}
        )
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for x, count, width in whole_and_cut(0, across.groups, g.width, m):
            matrix = across.matrix(width)
            tiles = Access(
                {"y": 1}, {"x": size, "q": 1}, {"c": 1}, (0, size * (x + across.first), 0)
            )
            pixels = Access({"y": 1}, {"x": m, "j": 1}, {"c": 1}, (0, x * m, 0))
            value = Transformed(ONE, matrix, half.tensor("half", tiles))
            nest = Nest(
                (("y", g.height), ("x", count), ("c", depth)),
                (writer.store(value, pixels),),
                grid=grid_of(ONE, matrix),
            )
            builder.recorder.blockwise(nest, {"half": Location(half.buffer), **writer.places})


def _multiply(builder: Builder, spread: Tiles, sums: Image, filters: Location) -> None:
    """N: for each position (u, w) the matrix of tiles and filters times that of the channels."""
    outputs, depth, size = spread.channels, sums.channels, spread.size
    width, position = panel(depth), outputs * depth
    tile = Access({"y": size, "u": 1}, {"x": size, "w": 1}, {"C": width, "c": 1})
    seen = vector(
        "spread",
        u=size * spread.position,
        w=spread.position,
        y=spread.rows[1] * outputs,
        x=outputs,
        k=1,
    )
    laid = vector("filters", u=size * position, w=position, C=outputs * width, k=width, c=1)
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("u", size),
                ("w", size),
                ("C", depth // width),
                ("y", spread.rows[0]),
                ("x", spread.rows[1]),
                ("c", width),
                ("k", outputs),
            ),
            stores=(Store(sums.tensor("sums", tile), Accumulator()),),
            terms=(seen * laid,),
            reduce=("k",),
            reduction="sum",
        ),
        {"spread": Location(spread.buffer), "sums": Location(sums.buffer), "filters": filters},
        before="y",
        blocks=blocks_together(spread.count, depth * outputs),
    )
