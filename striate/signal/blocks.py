"""Cache blocks of the output: how large they are, what each reads, and where that lies.

A sweep is done block by block: some rows by some columns (and planes) of the output, small enough
that what a block reads, its halo included, stays in a core's cache.  All blocks of one sweep have
the same size, so that one kernel serves them; the last one along an axis begins earlier and repeats
some of its neighbour's work.

Rows and planes may be read from anywhere: each block has a table of the addresses of its rows, and
borders along z and y are entries of that table.  Along x a block reads up to three pieces: what
lies left of the image, the image, and what lies right of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.nest.ir import BYTES
from striate.signal.descriptor import AxisDescriptor, SweepDescriptor
from striate.signal.geometry import border_indices

Addresses = npt.NDArray[np.int64]
FOLD = 8  # runs of one long row that are computed side by side, as if they were rows
LOWEST = 8  # rows of output in the lowest of blocks
WIDEST = 16384  # bytes of a row in a block: long runs, which are what processors fetch ahead
_SCRATCH = 400_000  # bytes of scratch: well inside the L2 cache of a core


@dataclass(frozen=True)
class AxisBlocks:
    """Blocks of equal size along one axis of the output.

    Attributes:
        size: outputs of a block; along x numbers, channels included.
        starts: the first output of each block.
    """

    size: int
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A run of pixels that is copied into each scratch row of a block.

    Attributes:
        offset: the first number of the scratch row that is written.
        count: how many pixels are copied.
        step: pixels from one to the next in the source: 0 repeats one, -1 runs backwards.
        channels: numbers of a pixel.
    """

    offset: int
    count: int
    step: int
    channels: int


@dataclass(frozen=True)
class Group:
    """Blocks along x that are copied alike: with the same pieces.

    Attributes:
        pieces: what is copied into each row.
        starts: the first output number of each block's columns.
        firsts: for each piece, where it begins in the source row of each block, in numbers; None
            for fill values.
    """

    pieces: tuple[Piece, ...]
    starts: tuple[int, ...]
    firsts: tuple[tuple[int | None, ...], ...]


def blocks_along(total: int, sizes: Iterable[int], overhead: float) -> AxisBlocks:
    """Blocks of the size that computes least.

    Args:
        total: outputs along the axis.
        sizes: the sizes to choose from.
        overhead: what each block costs besides its outputs, as a number of outputs.
    """
    size = min(
        {min(size, total) for size in sizes},
        key=lambda size: (-(-total // size) * (size + overhead), -size),
    )
    count = -(-total // size)
    return AxisBlocks(size, tuple(min(i * size, total - size) for i in range(count)))


def few_sizes(most: int) -> list[int]:
    """Whole numbers up to `most`, few of each magnitude: 1, 2, 3, 4, 6, 8, 12 …"""
    powers = [1 << bits for bits in range(most.bit_length())]
    return sorted({n for power in powers for n in (power, 3 * power // 2) if n <= most})


def pitch_of(width: int, lanes: int) -> int:
    """Numbers from one row of a scratch buffer to the next, for rows of `width` numbers.

    Few different ones, since each is built into the code that reads and writes such rows. One
    vector more than a power of two: rows that all begin in the same sets of a cache evict each
    other.
    """
    whole = 4 * lanes
    while whole < width:
        whole *= 4
    return whole + lanes


class Blocks:
    """The blocks of a sweep, or of some of its rows and columns.

    Attributes:
        descriptor: the sweep.
        x, y, z: the blocks along each axis of the output.
        fold: runs that each row of a block is cut into, which are computed side by side like rows:
            `FOLD` for one long row, else 1.
        phases: the stride along x.  With a stride of S, element p of every S is phase p, and each
            phase is a row of its own in the scratch buffer, read without a stride (polyphase).
        taps_x: taps along x within a phase.
        tap_stride_x: numbers from one tap to the next along x.
        width_read: numbers of each phase that a row of a block reads, its halo included.
        pitch: numbers from one scratch row to the next.
        rows_read: rows that a plane of a block reads, halo included.
        planes_read: planes that a block reads, halo included.
    """

    def __init__(
        self,
        descriptor: SweepDescriptor,
        lanes: int,
        *,
        foldable: bool = False,
        length: int = 0,
        columns: AxisBlocks | None = None,
        rows: AxisBlocks | None = None,
    ) -> None:
        """Choose the blocks.

        Args:
            descriptor: the sweep.
            lanes: numbers of a vector.
            foldable: whether one long row may be cut into runs.
            length: how many rows a block reads; 0: as many as is best.
            columns, rows: which columns and rows of the output; default all.
        """
        self.descriptor = descriptor
        z, y, x = descriptor.z, descriptor.y, descriptor.x
        size = BYTES[descriptor.element]
        self.phases = x.window.stride
        # With phases the kernel is laid out with zeros for what its dilation leaves out.
        self.tap_stride_x = x.window.dilation * descriptor.channels if self.phases == 1 else 1
        one_row = y.window.size == z.window.size == 1 and y.taps == z.taps == 1
        unit = math.lcm(lanes, descriptor.channels)
        self._whole_vectors = length > 0
        if not (foldable and one_row):
            self.fold = 1
        elif columns is not None:
            self.fold = FOLD if columns.size % FOLD == 0 else 1
        else:
            self.fold = FOLD if x.window.size * descriptor.channels >= FOLD * unit else 1
        lowest = length or LOWEST + self.span(y)
        self.x = columns or self._columns(unit * self.fold, lowest, one_row)
        self.width_read = self.x.size + (self.taps_x - 1) * self.tap_stride_x
        self.pitch = pitch_of(self.width_read, lanes)
        row = (-(-self.width_read // lanes) + 1) * lanes * self.phases * size
        room = max(_SCRATCH // row, 1)
        heights = [length - self.span(y)] if length else self._heights(room)
        self.y = rows or blocks_along(y.window.size, heights, self.span(y) / 4)
        self.rows_read = self._elements_read(y, self.y.size)
        room = max(room // self.rows_read, 1)
        depths = [n for n in (1, 2, 4, 8) if n == 1 or self._elements_read(z, n) <= room]
        self.z = blocks_along(z.window.size, depths, self.span(z) / 4)
        self.planes_read = self._elements_read(z, self.z.size)

    def _columns(self, unit: int, rows: int, one_row: bool) -> AxisBlocks:
        """Blocks as wide as the scratch buffer allows, if so many rows are to fit into it."""
        x, size = self.descriptor.x, BYTES[self.descriptor.element]
        outputs = x.window.size * self.descriptor.channels
        span = self.span(x) * self.descriptor.channels // self.phases
        wide = WIDEST * FOLD if one_row else min(WIDEST, _SCRATCH // rows)
        wide = max(wide // size, span, unit)
        sizes = [*range(unit, min(wide, outputs) + 1, unit)]
        if self.fold > 1:
            sizes = [unit * n for n in few_sizes(min(wide, outputs) // unit)]
        elif outputs <= wide and not (self._whole_vectors and outputs >= unit):
            sizes.append(outputs)
        return blocks_along(outputs, sizes, span / 4)

    def _heights(self, room: int) -> list[int]:
        """Numbers of rows that a block may have, if `room` rows fit into the scratch buffer."""
        y = self.descriptor.y
        heights = [n for n in range(8, 129, 8) if n == 8 or self._elements_read(y, n) <= room]
        exact = y.window.size
        fits = exact < 64 and self._elements_read(y, exact) <= room
        return [*heights, exact] if fits else heights

    @staticmethod
    def span(axis: AxisDescriptor) -> int:
        """Elements from the first to the last tap: the halo of a block."""
        return (axis.taps - 1) * axis.window.dilation

    def _elements_read(self, axis: AxisDescriptor, outputs: int) -> int:
        """Elements that are read along an axis for some neighbouring outputs."""
        return (outputs - 1) * axis.window.stride + self.span(axis) + 1

    @property
    def run(self) -> int:
        """Numbers of a row, or of each of the runs that it is cut into."""
        return self.x.size // self.fold

    @property
    def taps_x(self) -> int:
        """Taps along x within a phase."""
        x = self.descriptor.x
        return x.taps if self.phases == 1 else self.span(x) // self.phases + 1

    # --- what blocks read along x ------------------------------------------------------------

    def groups(self) -> list[Group] | None:
        """The blocks along x by what they read; None if a border must be padded in memory first."""
        found: dict[tuple[Piece, ...], list[tuple[int, list[int | None]]]] = {}
        for start in self.x.starts:
            pieces = self._pieces(start)
            if pieces is None:
                return None
            key = tuple(piece for piece, _ in pieces)
            found.setdefault(key, []).append((start, [first for _, first in pieces]))
        return [
            Group(
                key,
                tuple(start for start, _ in blocks),
                tuple(zip(*(firsts for _, firsts in blocks), strict=True)),
            )
            for key, blocks in found.items()
        ]

    def _pieces(self, start: int) -> list[tuple[Piece, int | None]] | None:
        """Pieces and where each begins in the row, in numbers, of the block from output `start`."""
        x, c = self.descriptor.x, self.descriptor.channels
        if self.phases > 1:  # nothing lies beyond the ends: see `compiled_engine.run_compiled`
            first = start * self.phases + x.window.start
            return [
                (Piece(p * self.pitch, self.width_read, self.phases, 1), first + p)
                for p in range(self.phases)
            ]
        first = start + x.window.start * c
        left = min(max(-first, 0), self.width_read)
        right = min(max(first + self.width_read - x.length * c, 0), self.width_read)
        inside = self.width_read - left - right
        if inside <= 0 or not self._repeats_once(x.border, max(left, right) // c):
            return None
        pieces: list[tuple[Piece, int | None]] = []
        if left:
            step, at = _border_piece(x.border, x.length, left // c, before=True)
            pieces.append((Piece(0, left // c, step, c), None if at is None else at * c))
        pieces.append((Piece(left, inside, 1, 1), first + left))
        if right:
            step, at = _border_piece(x.border, x.length, right // c, before=False)
            pieces.append(
                (Piece(left + inside, right // c, step, c), None if at is None else at * c)
            )
        return pieces

    def _repeats_once(self, border: str, pixels: int) -> bool:
        """Whether a border of so many pixels repeats or mirrors a row at most once."""
        length = self.descriptor.x.length
        return pixels <= {"reflect": length, "wrap": length, "mirror": length - 1}.get(
            border, pixels
        )

    # --- where rows lie ------------------------------------------------------------------------

    def source_rows(self) -> tuple[Addresses, npt.NDArray[np.bool_]]:
        """Where the rows that are read lie.

        Returns:
            Bytes from the first element to each row, (blocks, planes · rows), and which of them
            are made of fill values.  Blocks: batches, planes, rows, in C order.
        """
        z, inside_z = self._lines(self.descriptor.z, self.z, self.planes_read)
        y, inside_y = self._lines(self.descriptor.y, self.y, self.rows_read)
        batch = self._batch(1)
        offsets = (
            batch[:, None, None, None, None] + z[None, :, None, :, None] + y[None, None, :, None, :]
        )
        filled = ~(inside_z[:, None, :, None] & inside_y[None, :, None, :])
        count = self.planes_read * self.rows_read
        filled = np.broadcast_to(filled, offsets.shape).reshape(-1, count)
        return offsets.reshape(-1, count), filled

    def output_rows(self) -> Addresses:
        """Bytes from the first element of the output to each row written, (blocks, rows)."""
        if self.fold > 1:
            run = self.run * BYTES[self.descriptor.output_element]
            return self._batch(2)[:, None] + run * np.arange(self.fold)
        z_stride, y_stride = self.descriptor.z.output_stride, self.descriptor.y.output_stride
        z = np.add.outer(self.z.starts, np.arange(self.z.size)) * z_stride
        y = np.add.outer(self.y.starts, np.arange(self.y.size)) * y_stride
        offsets = (
            self._batch(2)[:, None, None, None, None]
            + z[None, :, None, :, None]
            + y[None, None, :, None, :]
        )
        return np.asarray(offsets.reshape(-1, self.z.size * self.y.size), np.int64)

    def _lines(
        self, axis: AxisDescriptor, blocks: AxisBlocks, count: int
    ) -> tuple[Addresses, npt.NDArray[np.bool_]]:
        """(blocks, count) bytes to what each block reads along an axis; whether that exists."""
        window = axis.window
        where = border_indices(axis.border, axis.length, *window.reach(axis.taps))
        # A block may read a little beyond what its outputs need only where strides leave gaps.
        at = np.add.outer(np.array(blocks.starts) * window.stride, np.arange(count))
        where = where[at]
        return np.maximum(where, 0) * axis.source_stride, where >= 0

    def _batch(self, which: int) -> Addresses:
        """Bytes to each batch: 1 in the input, 2 in the output."""
        offsets: Addresses = np.zeros(1, np.int64)
        for entry in self.descriptor.batch:
            steps = np.arange(entry[0], dtype=np.int64) * entry[which]
            offsets = (offsets[:, None] + steps).ravel()
        return np.asarray(offsets, np.int64)

    @property
    def count(self) -> int:
        """Blocks of all batches, planes and rows, not counting those along x apart."""
        batches = math.prod(length for length, *_ in self.descriptor.batch)
        return batches * len(self.z.starts) * len(self.y.starts)


def _border_piece(border: str, length: int, pixels: int, *, before: bool) -> tuple[int, int | None]:
    """What lies before the first, or behind the last pixel of a row: its step and first pixel."""
    if border == "nearest":
        return 0, 0 if before else length - 1
    if border == "reflect":
        return -1, pixels - 1 if before else length - 1
    if border == "mirror":
        return -1, pixels if before else length - 2
    if border == "wrap":
        return 1, length - pixels if before else 0
    return 0, None
