"""Convolution by Winograd's minimal filtering: see `striate.ops.winograd` for where it is from.

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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Matrix,
    Nest,
    Store,
    Tensor,
    Transformed,
    grid_of,
    strides_of,
)
from striate.ops.winograd import POINTS, Transforms, transforms
from striate.plan.builder import Builder, Settings, vector
from striate.plan.graph import Operation
from striate.plan.layout import Buffer, Image, Place, Walk, vectors
from striate.plan.lower._panels import lay_out, panel, pixels_at_once
from striate.plan.lower.direct import Geometry
from striate.plan.recorder import Places
from striate.shapes import Pads

# Bytes of V and M that are worth keeping at hand, and tiles that are worth one pass over U.
_NEAR, _TILES = 512 << 10, 32
# Vector operations of the transforms of a tile of 4 × 4 or 6 × 6 inputs, for each vector of input
# and of output channels, as measured.  And how much must be saved for it to be worth its rounding.
_INPUT, _OUTPUT = {4: 70, 6: 240}, {4: 50, 6: 160}
_WORTH = 1.15
# Vector operations in the time that one number takes to come from memory.
_READING = 0.5


@dataclass(frozen=True)
class Tiling:
    """Tiles of `outputs` × `outputs`, and vector operations for one image."""

    transforms: Transforms
    cost: float


def tiling(operation: Operation, vector: int, images: int) -> Tiling | None:
    """The best tiles for vectors of so many lanes; None where the textbook loops are as fast.

    Each batch of `images` reads the filters once, and these are more numbers once transformed.
    """
    g = Geometry(operation)
    taps = g.size[0]
    plain = (g.stride, g.dilation, g.groups) == ((1, 1), (1, 1), 1)
    if not plain or g.size != (taps, taps) or taps not in (3, 5) or max(g.pads) >= taps:
        return None
    outputs, depth = (vectors(count, vector) for count in (g.outputs, g.depth))
    reading = _READING * g.depth * g.outputs / images
    best: Tiling | None = None
    least: float = taps * taps * (g.rows * g.columns * g.depth * outputs / _WORTH + reading)
    for size in POINTS:
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


def chosen(settings: Settings, operation: Operation) -> Transforms | None:
    """The transforms to use, or None where another algorithm is faster or asked for."""
    if settings.lanes > 1 or settings.exact:
        return None
    found = tiling(operation, settings.vector, settings.batch_size)
    return found.transforms if found else None


def input_halo(operation: Operation, with_: Transforms) -> Pads:
    """The padding, and what the last tiles read behind it."""
    g, m, more = Geometry(operation), with_.outputs_count, with_.taps - 1
    top, _, left, _ = g.pads
    return (
        top,
        -(-g.rows // m) * m + more - top - g.height,
        left,
        -(-g.columns // m) * m + more - left - g.width,
    )


def gradient_halo(operation: Operation, with_: Transforms) -> Pads:
    """What the input gradient reads around the output, and the last tiles behind it."""
    g, m, more = Geometry(operation), with_.outputs_count, with_.taps - 1
    top, left = more - g.pads[0], more - g.pads[2]
    return (
        top,
        max(-(-g.height // m) * m + more - top, -(-g.rows // m) * m) - g.rows,
        left,
        max(-(-g.width // m) * m + more - left, -(-g.columns // m) * m) - g.columns,
    )


def forward(builder: Builder, operation: Operation, with_: Transforms) -> None:
    """O, with bias and activation applied as it is stored."""
    g = Geometry(operation)
    work = _Correlation(
        with_,
        builder.values[operation.inputs[0]],
        (-g.pads[0], -g.pads[2]),
        (g.rows, g.columns, g.outputs),
    )

    def store(value: Expression, walk: Walk) -> Store:
        return builder.store(operation, value + vector("bias", c=1) if g.bias else value, walk)

    bias = {"bias": builder.parameter(operation, "bias")} if g.bias else {}
    target = _Target(store, {"out": builder.values[operation.node]}, bias)
    _correlate(builder, work, _filters(builder, operation, with_, turned=False), target)


def input_gradient(builder: Builder, operation: Operation, with_: Transforms) -> None:
    """dX: the correlation of dO with the filters turned by half a turn."""
    g = Geometry(operation)
    work = _Correlation(
        with_,
        builder.gradients[operation.node],
        (g.pads[0] - with_.taps + 1, g.pads[2] - with_.taps + 1),
        (g.height, g.width, g.depth),
    )
    filters = _filters(builder, operation, with_, turned=True)
    with builder.writing_gradient(operation.inputs[0]) as writer:
        _correlate(builder, work, filters, _Target(writer.store, writer.images, {}))


def filter_gradient(builder: Builder, operation: Operation, with_: Transforms) -> None:
    """dF: summed up at the positions first, and turned into filters once, at the end."""
    g = Geometry(operation)
    images = (
        _Correlation(
            with_,
            builder.values[operation.inputs[0]],
            (-g.pads[0], -g.pads[2]),
            (g.rows, g.columns, g.depth),
        ),
        _Correlation(
            with_,
            builder.gradients[operation.node],
            (0, 0),
            (g.rows, g.columns, g.outputs),
        ),
    )
    if builder.sums_by_shard(operation):
        _sum_by_shard(builder, operation, images)
    else:
        _sum_at_once(builder, operation, images)


@dataclass(frozen=True)
class _Target:
    """How outputs are stored, and the images and other memory that this needs, by role."""

    store: Callable[[Expression, Walk], Store]
    images: Mapping[str, Image]
    others: Places

    def places(self, row: int) -> dict[str, Place]:
        """The memory, where the images begin at a `row`."""
        images = {role: Place(i.buffer, row * i.row) for role, i in self.images.items()}
        return {**images, **self.others}


@dataclass(frozen=True)
class _Correlation:
    """An image seen in tiles, the first of which begins at `start`, and the `size` (rows, columns,
    channels) of what tiles of m × m cover."""

    transforms: Transforms
    image: Image
    start: tuple[int, int]
    size: tuple[int, int, int]

    @property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        m = self.transforms.outputs_count
        return -(-self.size[0] // m), -(-self.size[1] // m)

    def band(self, channels: int) -> int:
        """Rows of tiles, with so many channels in all, that stay in the cache together."""
        down, across = self.tiles
        tile = 4 * self.transforms.size**2 * channels
        fitting = max(max(_NEAR // tile, _TILES) // across, 1)
        return max(rows for rows in range(1, down + 1) if down % rows == 0 and rows <= fitting)


def _correlate(builder: Builder, work: _Correlation, filters: Place, target: _Target) -> None:
    """All tiles, some rows of them at a time."""
    depth, outputs = work.image.channels, work.size[2]
    band = work.band(depth + outputs)
    rows = (band, work.tiles[1])
    for first in range(0, work.tiles[0], band):
        seen = _Tiles("V", work.transforms, rows, depth)
        products = _Tiles("M", work.transforms, rows, outputs)
        _see(builder, work, work.transforms.inputs, seen, first)
        _multiply(builder, seen, products, filters)
        for part in _parts(work, first, band):
            _put(builder, work, products, part, first, target)


class _Tiles:
    """Numbers of some rows of tiles: [position][row of tiles][tile][channel].

    With `blocks` all blocks of images lie inside each position.
    """

    def __init__(
        self,
        name: str,
        transforms: Transforms,
        rows: tuple[int, int],
        channels: int,
        blocks: int = 1,
    ) -> None:
        self.size, self.rows, self.channels = transforms.size, rows, channels
        self.count = rows[0] * rows[1]
        together = self.count * channels
        self.position = _apart(blocks * together)
        step = together if blocks > 1 else None
        size = self.size**2 * self.position - (blocks - 1) * together
        self.buffer = Buffer(name, size, "real", step=step)

    def at(self, role: str, down: str, across: str, tile: int = 0) -> Tensor:
        """The positions named by two axes, of all tiles, counted from one of them."""
        strides = {down: self.size * self.position, across: self.position}
        strides |= {"y": self.rows[1] * self.channels, "x": self.channels, "c": 1}
        return Tensor(role, strides_of(strides), tile * self.channels)


def _apart(size: int) -> int:
    """At least `size` numbers, and an odd number of cache lines: else all positions of a tile
    would share a few lines of the cache."""
    return (-(-size // 32) * 2 + 1) * 16


def _see(builder: Builder, work: _Correlation, matrix: Matrix, tiles: _Tiles, first: int) -> None:
    """The matrix on both sides of every tile, in the rows of tiles from `first` on."""
    m = work.transforms.outputs_count
    pixels = Walk({"y": m, "p": 1}, {"x": m, "q": 1}, {"c": 1}, (*work.start, 0))
    seen = Transformed(matrix, matrix, work.image.tensor("x", pixels))
    axes = (("y", tiles.rows[0]), ("x", tiles.rows[1]), ("c", tiles.channels))
    builder.recorder.blockwise(
        Nest(axes, (Store(tiles.at("tiles", "i", "j"), seen),), grid=grid_of(matrix, matrix)),
        {
            "x": Place(work.image.buffer, first * m * work.image.row),
            "tiles": Place(tiles.buffer),
        },
    )


def _multiply(builder: Builder, seen: _Tiles, products: _Tiles, filters: Place) -> None:
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
        {"seen": Place(seen.buffer), "products": Place(products.buffer), "filters": filters},
        before="t",
        blocks=-(-pixels_at_once(depth * outputs) // seen.count),
    )


@dataclass(frozen=True)
class _Part:
    """Tiles of which `height` × `width` outputs are inside the image."""

    first: tuple[int, int]
    count: tuple[int, int]
    height: int
    width: int


def _parts(work: _Correlation, first: int, band: int) -> Iterator[_Part]:
    """The rows of tiles from `first` on: whole tiles, and those that the border cuts."""
    m = work.transforms.outputs_count

    def cut(begin: int, count: int, size: int) -> Iterator[tuple[int, int, int]]:
        whole = min(begin + count, size // m) - begin
        if whole > 0:
            yield 0, whole, m
        if begin + count > size // m:
            yield size // m - begin, 1, size % m

    for top, down, height in cut(first, band, work.size[0]):
        for left, across, width in cut(0, work.tiles[1], work.size[1]):
            yield _Part((top, left), (down, across), height, width)


def _put(
    builder: Builder,
    work: _Correlation,
    products: _Tiles,
    part: _Part,
    first: int,
    target: _Target,
) -> None:
    """O: the outputs of some tiles."""
    m = work.transforms.outputs_count
    tile = part.first[0] * products.rows[1] + part.first[1]
    turned = tuple(zip(*work.transforms.outputs, strict=True))
    matrices = (turned[: part.height], turned[: part.width])
    start = (part.first[0] * m, part.first[1] * m, 0)
    store = target.store(
        Transformed(*matrices, products.at("products", "p", "q", tile)),
        Walk({"y": m, "i": 1}, {"x": m, "j": 1}, {"c": 1}, start),
    )
    builder.recorder.blockwise(
        Nest(
            (("y", part.count[0]), ("x", part.count[1]), ("c", products.channels)),
            (store,),
            grid=grid_of(*matrices),
        ),
        {"products": Place(products.buffer), **target.places(first * m)},
    )


def _filters(builder: Builder, operation: Operation, with_: Transforms, *, turned: bool) -> Place:
    """U: G F G' in panels of output channels; for the input gradient of the turned filters."""
    g = Geometry(operation)
    depth, outputs = (g.outputs, g.depth) if turned else (g.depth, g.outputs)
    width = panel(outputs)
    along, across = (1, g.outputs) if turned else (g.outputs, 1)

    # Turned by half a turn, the taps are read from the last one on.
    sense, last = (-1, g.size[0] - 1) if turned else (1, 0)
    strides = {"c": along, "K": width * across, "k": across}
    taps = {"p": sense * g.row, "q": sense * g.column}
    filters = Tensor("filters", strides_of({**strides, **taps}), last * (g.row + g.column))
    matrix = with_.filters
    size, position = len(matrix), depth * outputs
    places = {"i": size * position, "j": position, "K": depth * width, "c": width, "k": 1}
    nest = Nest(
        (("K", outputs // width), ("c", depth), ("k", width)),
        (Store(vector("laid", **places), Transformed(matrix, matrix, filters)),),
        grid=grid_of(matrix, matrix),
    )
    return lay_out(
        builder,
        f"{'turned ' * turned}filters {operation.node}",
        size**2 * depth * outputs,
        nest,
        {"filters": builder.parameter(operation, "filters")},
        "K" if outputs > width else "c",
    )


# --- the gradient of the filters ---------------------------------------------------------------


def _sum_by_shard(
    builder: Builder, operation: Operation, images: tuple[_Correlation, _Correlation]
) -> None:
    """Each thread sums up dU of one shard after another."""
    left, right = images
    depth, outputs = left.size[2], right.size[2]
    positions = left.transforms.size**2
    size = positions * _apart(depth * outputs)
    total = Buffer(f"position gradient {operation.node}", size, "real", "thread")
    builder.recorder.at_shard_start(
        Nest((("e", size),), (Store(vector("out", e=1), Constant(0.0)),)), {"out": Place(total)}
    )
    band = left.band(depth + outputs)
    rows = (band, left.tiles[1])
    for first in range(0, left.tiles[0], band):
        seen = _Tiles("V", left.transforms, rows, depth)
        other = _Tiles("W", left.transforms, rows, outputs)
        _see(builder, left, left.transforms.inputs, seen, first)
        _see(builder, right, right.transforms.outputs, other, first)
        builder.recorder.blockwise(
            _position_gradient(seen, other, added=True),
            {"seen": Place(seen.buffer), "other": Place(other.buffer), "sum": Place(total)},
        )
    nest = _back_to_filters(operation, left.transforms)
    target = builder.shard_gradient(operation, "filters")
    builder.recorder.at_shard_end(nest, {"sum": Place(total), "out": target})


def _sum_at_once(
    builder: Builder, operation: Operation, images: tuple[_Correlation, _Correlation]
) -> None:
    """Where dU is large: all images first, then each position as a task."""
    left, right = images
    blocks, depth, outputs = builder.settings.blocks, left.size[2], right.size[2]
    seen = _Tiles("V", left.transforms, left.tiles, depth, blocks)
    other = _Tiles("W", left.transforms, left.tiles, outputs, blocks)
    _see(builder, left, left.transforms.inputs, seen, 0)
    _see(builder, right, right.transforms.outputs, other, 0)
    size = left.transforms.size**2 * _apart(depth * outputs)
    total = Place(Buffer("position gradient", size, "real", "temporary"))
    builder.recorder.whole_batch(
        _position_gradient(seen, other, added=False),
        "p",
        {"seen": Place(seen.buffer), "other": Place(other.buffer), "sum": total},
    )
    target = builder.parameter_gradient(operation, "filters")
    nest = _back_to_filters(operation, left.transforms)
    builder.recorder.spread(nest, "c", {"sum": total, "out": target})


def _position_gradient(seen: _Tiles, other: _Tiles, *, added: bool) -> Nest:
    """dU of each position: the sum over tiles of V times W."""
    depth, outputs = seen.channels, other.channels
    target = vector("sum", p=_apart(depth * outputs), c=outputs, k=1)
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
    g, size = Geometry(operation), matrices.size
    position = _apart(g.depth * g.outputs)
    turned = tuple(zip(*matrices.filters, strict=True))
    total = vector("sum", p=size * position, q=position, c=g.outputs, k=1)
    taps = vector("out", i=g.row, j=g.column, c=g.outputs, k=1)
    return Nest(
        (("c", g.depth), ("k", g.outputs)),
        (Store(taps, Transformed(turned, turned, total)),),
        grid=grid_of(turned, turned),
    )
