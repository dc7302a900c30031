"""Tiles of images for Winograd's algorithm: cut out, transformed, put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from striate.nest.algebra import (
    Expression,
    Matrix,
    Nest,
    Store,
    Tensor,
    Transformed,
    strides_of,
)
from striate.nest.small_matrix import grid_of
from striate.ops.winograd import Transforms
from striate.plan.layout import Access, Buffer, Image, Location
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.weight_panels import pixels_at_once
from striate.plan.settings import Settings
from striate.plan.stage import Locations

# V and M that are worth keeping at hand, as a part of a core's own cache, and tiles that are worth
# one pass over U.
_NEAR, _TILES = 1 / 2, 32


@dataclass(frozen=True)
class OutputSink:
    """How outputs are stored, and the images and other memory that this needs, by role."""

    store: Callable[[Expression, Access], Store]
    images: Mapping[str, Image]
    others: Locations

    def places(self, row: int) -> dict[str, Location]:
        """The memory, where the images begin at a `row`."""
        images = {role: Location(i.buffer, row * i.row) for role, i in self.images.items()}
        return {**images, **self.others}


@dataclass(frozen=True)
class Correlation:
    """An image seen in tiles, the first of which begins at `start`, and the `size` (rows, columns,
    channels) of what tiles of m × m cover.
    """

    transforms: Transforms
    image: Image
    start: tuple[int, int]
    size: tuple[int, int, int]

    @property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        m = self.transforms.outputs_count
        return -(-self.size[0] // m), -(-self.size[1] // m)

    def bands(self, depth: int, outputs: int, settings: Settings) -> list[range]:
        """Rows of tiles, from so many channels to so many, that stay in the cache together: as many
        in each as can be, or one less; of a single image in an even number of bands, if all
        filters stay there too, so that two threads have the same to do.
        """
        down, across = self.tiles
        cache, number = settings.target.core_cache, 4 * self.transforms.size**2
        near = int(_NEAR * cache) // (number * (depth + outputs))
        count = -(-down // max(max(near, _TILES) // across, 1))
        if settings.frozen and settings.blocks == 1 and number * depth * outputs <= cache:
            count = min(count + count % 2, down)
        size, larger = divmod(down, count)
        starts = [number * size + min(number, larger) for number in range(count + 1)]
        return [range(*pair) for pair in pairwise(starts)]


class Tiles:
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
        self.position = odd_lines(blocks * together)
        step = together if blocks > 1 else None
        size = self.size**2 * self.position - (blocks - 1) * together
        self.buffer = Buffer(name, size, "real", step=step)

    def at(self, role: str, down: str, across: str, tile: int = 0) -> Tensor:
        """The positions named by two axes, of all tiles, counted from one of them."""
        strides = {down: self.size * self.position, across: self.position}
        strides |= {"y": self.rows[1] * self.channels, "x": self.channels, "c": 1}
        return Tensor(role, strides_of(strides), tile * self.channels)


def odd_lines(size: int) -> int:
    """At least `size` numbers, and an odd number of cache lines: else all positions of a tile
    would share a few lines of the cache.
    """
    return (-(-size // 32) * 2 + 1) * 16


def blocks_together(tiles: int, weights: int) -> int:
    """Blocks of so many tiles that should share one pass over U of so many numbers a position."""
    return -(-pixels_at_once(weights) // tiles)


def transform_tiles(
    builder: Builder,
    work: Correlation,
    matrix: Matrix,
    tiles: Tiles,
    first: int,
    blocks: int | None = None,
) -> None:
    """The matrix on both sides of every tile, in the rows of tiles from `first` on.

    What reads the tiles may want `blocks` together; this then goes with it, for tiles are more
    numbers than what they are made of.
    """
    m = work.transforms.outputs_count
    pixels = Access({"y": m, "p": 1}, {"x": m, "q": 1}, {"c": 1}, (*work.start, 0))
    seen = Transformed(matrix, matrix, work.image.tensor("x", pixels))
    axes = (("y", tiles.rows[0]), ("x", tiles.rows[1]), ("c", tiles.channels))
    builder.recorder.blockwise(
        Nest(axes, (Store(tiles.at("tiles", "i", "j"), seen),), grid=grid_of(matrix, matrix)),
        {
            "x": Location(work.image.buffer, first * m * work.image.row),
            "tiles": Location(tiles.buffer),
        },
        blocks=blocks,
    )


@dataclass(frozen=True)
class TileGroup:
    """Tiles of which `height` × `width` outputs are inside the image."""

    first: tuple[int, int]
    count: tuple[int, int]
    height: int
    width: int


def tile_groups(work: Correlation, band: range) -> Iterator[TileGroup]:
    """The rows of tiles of a band: whole tiles, and those that the border cuts."""
    m = work.transforms.outputs_count
    for top, down, height in whole_and_cut(band.start, len(band), work.size[0], m):
        for left, across, width in whole_and_cut(0, work.tiles[1], work.size[1], m):
            yield TileGroup((top, left), (down, across), height, width)


def whole_and_cut(first: int, count: int, size: int, m: int) -> Iterator[tuple[int, int, int]]:
    """(place, count, outputs): of `count` tiles from the `first` on those with all m outputs, and
    the one that is cut where the `size` outputs end; places count from the first.
    """
    whole = min(first + count, size // m) - first
    if whole > 0:
        yield 0, whole, m
    if first + count > size // m:
        yield size // m - first, 1, size % m


def store_tiles(
    builder: Builder,
    work: Correlation,
    products: Tiles,
    part: TileGroup,
    first: int,
    target: OutputSink,
) -> None:
    """O: the outputs of some tiles."""
    m = work.transforms.outputs_count
    tile = part.first[0] * products.rows[1] + part.first[1]
    turned = tuple(zip(*work.transforms.outputs, strict=True))
    matrices = (turned[: part.height], turned[: part.width])
    start = (part.first[0] * m, part.first[1] * m, 0)
    store = target.store(
        Transformed(*matrices, products.at("products", "p", "q", tile)),
        Access({"y": m, "i": 1}, {"x": m, "j": 1}, {"c": 1}, start),
    )
    builder.recorder.blockwise(
        Nest(
            (("y", part.count[0]), ("x", part.count[1]), ("c", products.channels)),
            (store,),
            grid=grid_of(*matrices),
        ),
        {"products": Location(products.buffer), **target.places(first * m)},
    )
