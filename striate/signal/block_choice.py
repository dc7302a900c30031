"""Which blocks an algorithm wants: inside the image, for running sums, for the L1 cache.

`split_interior` parts an image into what can be read where it is and the edges around it, which
must be copied with their border.  The other functions choose blocks for sums of equal weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from striate.nest.ir import BYTES
from striate.signal.blocks import FOLD, LOWEST, WIDEST, AxisBlocks, Blocks, blocks_along
from striate.signal.descriptor import AxisDescriptor, SweepDescriptor
from striate.signal.geometry import AxisWindow

_LONGEST = 64  # vectors of taps that are written out for one long row
_L1_SCRATCH = 28_000  # bytes of scratch that stay in the first-level cache
_L1_ROW = 8192  # bytes of a row there
_STRIP = 8192  # bytes of a row of running sums: some hundred of these stay in the L2 cache
_HIGHEST = 128  # rows that running sums are carried over, unless the kernel has more
_NARROWEST = 256  # columns below which a copy costs nothing
_WAY = 4096  # bytes of one way of a first-level cache
_OTHER_WAYS = 4  # taps along y that find room in the other ways


def is_long_row(descriptor: SweepDescriptor, lanes: int) -> bool:
    """Whether it is one long row and a kernel of many vectors: see `nests.long_row`."""
    x, y, z = descriptor.x, descriptor.y, descriptor.z
    lengths = {axis.window.size for axis in (y, z)} | {axis.taps for axis in (y, z)}
    plain = x.window.stride == x.window.dilation == descriptor.channels == 1
    return (
        lengths == {1}
        and plain
        and 2 * lanes <= x.taps <= _LONGEST * lanes
        and x.window.size >= FOLD * lanes
    )


def running_sum_blocks(descriptor: SweepDescriptor, lanes: int) -> Blocks | None:
    """Strips for running sums down the columns, whose rows are read where they are.

    None if the kernel is not a column of neighbours.
    """
    x, y, z = descriptor.x, descriptor.y, descriptor.z
    whole = AxisWindow(0, x.length)
    if y.taps == 1 or y.window.dilation > 1 or x.taps > 1 or x.window != whole or z.taps > 1:
        return None
    outputs = x.length * descriptor.channels
    unit = math.lcm(lanes, descriptor.channels)
    wide = max(_STRIP // BYTES[descriptor.element], unit)
    sizes = [*range(unit, min(wide, outputs) + 1, unit), min(outputs, wide)]
    columns = blocks_along(outputs, sizes, 0.0)
    high = max(_HIGHEST, y.taps)
    rows = blocks_along(y.window.size, range(high // 2, high + 1), y.taps)
    return Blocks(descriptor, lanes, columns=columns, rows=rows)


def doubling_blocks(descriptor: SweepDescriptor, lanes: int) -> Blocks:
    """Blocks for sums by doubling along the rows: in the L1 cache, where each is read and written
    again and again.  Along the columns, blocks as for other algorithms.
    """
    if descriptor.y.taps > 1:
        return Blocks(descriptor, lanes)
    size, channels = BYTES[descriptor.element], descriptor.channels
    outputs, span = descriptor.x.window.size * channels, Blocks.span(descriptor.x) * channels
    unit = math.lcm(lanes, channels)
    wide = max(_L1_ROW // size, span, unit)
    sizes = [*range(unit, min(wide, outputs) + 1, unit), min(outputs, wide)]
    columns = blocks_along(outputs, sizes, span / 4)
    high = max(_L1_SCRATCH // ((columns.size + span) * 2 * size), 1)
    rows = blocks_along(descriptor.y.window.size, [high], 0.0)
    return Blocks(descriptor, lanes, columns=columns, rows=rows)


@dataclass(frozen=True)
class InteriorSplit:
    """Blocks whose windows lie inside the image, and blocks of what is left around them.

    Attributes:
        columns, rows: the blocks inside.
        edge_columns: the columns left and right of them; None where there are none.
        edge_rows: the rows above and below them; None where there are none.
    """

    columns: AxisBlocks
    rows: AxisBlocks
    edge_columns: AxisBlocks | None
    edge_rows: AxisBlocks | None


def split_interior(
    descriptor: SweepDescriptor, lanes: int, first_aligned: int
) -> InteriorSplit | None:
    """Most of an image is far from its borders and can be read where it is, if that is fast.

    Args:
        descriptor: the sweep.
        lanes: numbers of a vector.
        first_aligned: the first number of an output row that begins a cache line; the columns
            inside begin a multiple of a vector after it.

    Returns:
        The parts; None where all of the image had better be copied.
    """
    x, y, size = descriptor.x, descriptor.y, BYTES[descriptor.source_element]
    if (
        descriptor.source_element != descriptor.element
        or descriptor.z.window.size > 1
        or descriptor.z.taps > 1
        or x.window.stride > 1
        or y.source_stride % size
        or not _fits_cache_sets(y)
        or is_long_row(descriptor, lanes)
    ):
        return None
    unit, wide = lanes, WIDEST // size
    rows: tuple[AxisBlocks, AxisBlocks | None] | None
    if y.window.size == 1 and y.taps == 1:
        unit, wide, rows = unit * FOLD, wide * FOLD, (AxisBlocks(1, (0,)), None)
    else:
        rows = _interior(y, 1, LOWEST, range(LOWEST, 65, LOWEST))
    sizes = range(unit, wide + 1, unit)
    columns = _interior(x, descriptor.channels, lanes, sizes, first_aligned)
    if columns is None or rows is None or columns[0].size < _NARROWEST:
        return None
    return InteriorSplit(columns[0], rows[0], columns[1], rows[1])


def _interior(
    axis: AxisDescriptor, scale: int, unit: int, sizes: Iterable[int], first_aligned: int = 0
) -> tuple[AxisBlocks, AxisBlocks | None] | None:
    """Outputs along an axis that read nothing beyond its ends, and the others.

    Those inside begin a multiple of `unit` after output `first_aligned`, and are a multiple of it.
    """
    outputs = axis.window.size * scale
    first, stop = axis.window.reach(axis.taps)
    before, after = max(-first, 0) * scale, max(stop - axis.length, 0) * scale
    before += (first_aligned - before) % unit
    middle = (outputs - before - after) // unit * unit
    after = outputs - before - middle
    edge = max(before, after)
    if middle < max(unit, 2 * edge):
        return None
    blocks = blocks_along(middle, sizes, 0.0)
    inner = AxisBlocks(blocks.size, tuple(before + start for start in blocks.starts))
    return inner, AxisBlocks(edge, (0, outputs - edge)) if edge else None


def _fits_cache_sets(axis: AxisDescriptor) -> bool:
    """Whether the rows that a tile reads find room beside each other in a first-level cache.

    Rows that lie a multiple of one of its ways apart compete for the same set: few may.
    """
    return axis.source_stride % _WAY != 0 or axis.taps <= _OTHER_WAYS
