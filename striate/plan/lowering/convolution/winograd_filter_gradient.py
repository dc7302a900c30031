"""The gradient of filters by Winograd's algorithm: summed up at the positions of tiles.

dU[p][c][k] += V[p][t][c] * W[p][t][k]        dF = G' dU G
"""

from __future__ import annotations

from dataclasses import dataclass

from striate.nest.algebra import Accumulator, Constant, Nest, Store, Transformed
from striate.nest.small_matrix import grid_of
from striate.ops.winograd import Transforms
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Buffer, Location, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.lowering.convolution.winograd_tiles import (
    Correlation,
    Tiles,
    odd_lines,
    transform_tiles,
)
from striate.plan.stage import Stage


@dataclass(frozen=True)
class KeptTiles:
    """V of the forward pass, which is still there for as long as its `stage` goes on."""

    tiles: Tiles
    stage: Stage


def sum_by_shard(
    builder: Builder,
    operation: Operation,
    images: tuple[Correlation, Correlation],
    spread: Tiles | None,
) -> None:
    """Each thread sums up dU of one shard after another; from W of all tiles (`spread`) if that is
    there, else from some rows of tiles at a time.
    """
    left, right = images
    depth, outputs = left.size[2], right.size[2]
    positions = left.transforms.size**2
    size = positions * odd_lines(depth * outputs)
    total = Buffer(f"position gradient {operation.node}", size, "real", "thread")
    builder.recorder.at_shard_start(
        Nest((("e", size),), (Store(vector("out", e=1), Constant(0.0)),)), {"out": Location(total)}
    )
    whole = [range(left.tiles[0])]
    for band in whole if spread else left.bands(depth, outputs, builder.settings):
        rows = (len(band), left.tiles[1])
        other = spread or Tiles("W", left.transforms, rows, outputs)
        seen = _still_there(builder, operation, rows)
        if not seen:
            seen = Tiles("V", left.transforms, rows, depth)
            transform_tiles(builder, left, left.transforms.inputs, seen, band.start)
        if not spread:
            transform_tiles(builder, right, right.transforms.outputs, other, band.start)
        builder.recorder.blockwise(
            _position_gradient(seen, other, added=True),
            {
                "seen": Location(seen.buffer),
                "other": Location(other.buffer),
                "sum": Location(total),
            },
        )
    nest = _back_to_filters(operation, left.transforms)
    target = builder.shard_gradient(operation, "filters")
    builder.recorder.at_shard_end(nest, {"sum": Location(total), "out": target})


def _still_there(builder: Builder, operation: Operation, rows: tuple[int, int]) -> Tiles | None:
    """V of all these rows of tiles, if the forward pass has left it."""
    if not builder.has(operation, "seen") or not builder.recorder.stage_is_open:
        return None
    seen = builder.recall(operation, "seen", KeptTiles)
    here = seen.stage is builder.recorder.stage()
    return seen.tiles if here and seen.tiles.rows == rows else None


def sum_at_once(
    builder: Builder, operation: Operation, images: tuple[Correlation, Correlation]
) -> None:
    """Where dU is large: all images first, then each position as a task."""
    left, right = images
    blocks, depth, outputs = builder.settings.blocks, left.size[2], right.size[2]
    seen = Tiles("V", left.transforms, left.tiles, depth, blocks)
    other = Tiles("W", left.transforms, left.tiles, outputs, blocks)
    transform_tiles(builder, left, left.transforms.inputs, seen, 0)
    transform_tiles(builder, right, right.transforms.outputs, other, 0)
    size = left.transforms.size**2 * odd_lines(depth * outputs)
    total = Location(Buffer("position gradient", size, "real", "temporary"))
    builder.recorder.whole_batch(
        _position_gradient(seen, other, added=False),
        "p",
        {"seen": Location(seen.buffer), "other": Location(other.buffer), "sum": total},
    )
    target = builder.parameter_gradient(operation, "filters")
    nest = _back_to_filters(operation, left.transforms)
    builder.recorder.spread(nest, "c", {"sum": total, "out": target})


def _position_gradient(seen: Tiles, other: Tiles, *, added: bool) -> Nest:
    """dU of each position: the sum over tiles of V times W."""
    depth, outputs = seen.channels, other.channels
    target = vector("sum", p=odd_lines(depth * outputs), c=outputs, k=1)
    return Nest(
        axes=(("p", seen.size**2), ("c", depth), ("k", outputs), ("t", seen.count)),
        stores=(Store(target, Accumulator()),),
        terms=(
            vector("seen", p=seen.position, t=depth, c=1)
            * vector("other", p=other.position, t=outputs, k=1),
        ),
        reduce=("t",),
        reduction="sum",
        initial=(target,) if added else (),
    )


def _back_to_filters(operation: Operation, matrices: Transforms) -> Nest:
    """dF = G' dU G."""
    g, size = ConvGeometry(operation), matrices.size
    position = odd_lines(g.depth * g.outputs)
    turned = tuple(zip(*matrices.filters, strict=True))
    total = vector("sum", p=size * position, q=position, c=g.outputs, k=1)
    taps = vector("out", i=g.row, j=g.column, c=g.outputs, k=1)
    return Nest(
        (("c", g.depth), ("k", g.outputs)),
        (Store(taps, Transformed(turned, turned, total)),),
        grid=grid_of(turned, turned),
    )
