"""Blocks of the output: how large they are, what each reads, and where that lies.

Blocks of one problem all have the same size, so that one kernel serves them; the last one in a
direction begins earlier and repeats some of its neighbour's work.  Rows and planes may be read
from anywhere: each block has a table of the addresses of its rows, and borders along z and y are
entries of that table.  Along x a block reads up to three pieces: what lies left of the image,
the image, and what lies right of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.nest.ir import BYTES
from striate.signal.geometry import AxisWindow, beyond
from striate.signal.problem import Problem, Role

Addresses = npt.NDArray[np.int64]
_SCRATCH = 400_000  # bytes of scratch: well inside the L2 cache of a core
_WIDE = 16384  # bytes of a row in a block: long runs, which are what processors fetch ahead
_LONGEST = 64  # vectors of taps that are written out for one long row
_LOW = 8  # rows of output in the lowest of blocks
_NEAR = 28_000  # bytes of scratch that stay in the first-level cache
_ROW = 8192  # bytes of a row there
_STRIPE = 8192  # bytes of a row of running sums: some hundred of these stay in the L2 cache
_HIGH = 128  # rows that running sums are carried over, unless the kernel has more
FOLD = 8  # runs of one long row that are computed side by side


@dataclass(frozen=True)
class Cut:
    """Equal blocks along one direction, in outputs."""

    size: int
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """Part of a block's rows: `count` pixels of `channels` numbers, from number `offset` of the
    scratch row on; `step` leads from one pixel of the source to the next."""

    offset: int
    count: int
    step: int
    channels: int


@dataclass(frozen=True)
class Group:
    """Blocks that lie alike: with the same pieces."""

    pieces: tuple[Piece, ...]
    starts: tuple[int, ...]  # first output number of each block's columns
    firsts: tuple[
        tuple[int | None, ...], ...
    ]  # by piece and block: a number of the row; None: fill


def cut(total: int, sizes: Iterable[int], overhead: float) -> Cut:
    """Blocks of the size that computes least; `overhead` outputs a block are lost anyway."""
    size = min(
        {min(size, total) for size in sizes},
        key=lambda size: (-(-total // size) * (size + overhead), -size),
    )
    count = -(-total // size)
    return Cut(size, tuple(min(i * size, total - size) for i in range(count)))


class Blocks:
    """The blocks of a problem, or of some of its columns.

    Parameters
    ----------
    foldable
        Whether one long row may be cut into runs.
    length
        How many rows a block shall read; 0: as many as is best.
    columns, lines
        Which columns and rows of the output; default all.
    """

    def __init__(
        self,
        problem: Problem,
        lanes: int,
        *,
        foldable: bool = False,
        length: int = 0,
        columns: Cut | None = None,
        lines: Cut | None = None,
    ) -> None:
        self.problem = problem
        z, y, x = problem.z, problem.y, problem.x
        size = BYTES[problem.element]
        self.phases = x.window.stride
        # With phases the kernel is laid out with zeros for what its dilation leaves out.
        self.spread_x = x.window.dilation * problem.channels if self.phases == 1 else 1
        one_row = y.window.size == z.window.size == 1 and y.taps == z.taps == 1
        unit = math.lcm(lanes, problem.channels)
        if not (foldable and one_row):
            self.fold = 1
        elif columns is not None:
            self.fold = FOLD if columns.size % FOLD == 0 else 1
        else:
            self.fold = FOLD if x.window.size * problem.channels >= FOLD * unit else 1
        self.x = columns or self._columns(unit * self.fold, length or _LOW + self.span(y), one_row)
        # Numbers that a row of scratch needs, for each phase.
        self.reach_x = self.x.size + (self.taps_x - 1) * self.spread_x
        self.pitch = (-(-self.reach_x // lanes) + 1) * lanes
        if self.pitch * size % 1024 == 0:
            self.pitch += lanes  # rows that all begin in the same sets of a cache evict each other
        row = self.pitch * self.phases * size
        room = max(_SCRATCH // row, 1)
        heights = [length - self.span(y)] if length else self._heights(room)
        self.y = lines or cut(y.window.size, heights, self.span(y) / 4)
        self.rows = self._rows(y, self.y.size)
        room = max(room // self.rows, 1)
        depths = [n for n in (1, 2, 4, 8) if n == 1 or self._rows(z, n) <= room]
        self.z = cut(z.window.size, depths, self.span(z) / 4)
        self.planes = self._rows(z, self.z.size)

    def _columns(self, unit: int, rows: int, one_row: bool) -> Cut:
        """Blocks as wide as the scratch buffer allows, if so many rows are to fit into it."""
        problem, size = self.problem, BYTES[self.problem.element]
        outputs = problem.x.window.size * problem.channels
        span = self.span(problem.x) * problem.channels // self.phases
        wide = _WIDE * FOLD if one_row else min(_WIDE, _SCRATCH // rows)
        wide = max(wide // size, span, unit)
        sizes = [*range(unit, min(wide, outputs) + 1, unit)]
        if self.fold == 1 and outputs <= wide:
            sizes.append(outputs)
        return cut(outputs, sizes, span / 4)

    def _heights(self, room: int) -> list[int]:
        """Numbers of rows that a block may have, if `room` rows fit into the scratch buffer."""
        y = self.problem.y
        heights = [n for n in range(8, 129, 8) if n == 8 or self._rows(y, n) <= room]
        exact = y.window.size
        return [*heights, exact] if exact < 64 and self._rows(y, exact) <= room else heights

    @staticmethod
    def span(role: Role) -> int:
        return (role.taps - 1) * role.window.dilation

    def _rows(self, role: Role, outputs: int) -> int:
        """Elements read along an axis for some neighbouring outputs."""
        return (outputs - 1) * role.window.stride + self.span(role) + 1

    @property
    def taps_x(self) -> int:
        """Taps along x within a phase."""
        x = self.problem.x
        return x.taps if self.phases == 1 else self.span(x) // self.phases + 1

    # --- what blocks read along x ------------------------------------------------------------

    def groups(self) -> list[Group] | None:
        """The blocks along x by what they read; None if a border must be unfolded first."""
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
        problem, x, c = self.problem, self.problem.x, self.problem.channels
        if self.phases > 1:  # nothing lies beyond the ends: see `compiled`
            first = start * self.phases + x.window.start
            return [
                (Piece(p * self.reach_x, self.reach_x, self.phases, 1), first + p)
                for p in range(self.phases)
            ]
        first = start + x.window.start * c
        left = min(max(-first, 0), self.reach_x)
        right = min(max(first + self.reach_x - x.length * c, 0), self.reach_x)
        inside = self.reach_x - left - right
        if inside <= 0 or not self._single(problem.x.border, max(left, right) // c):
            return None
        pieces: list[tuple[Piece, int | None]] = []
        if left:
            step, at = _outside(x.border, x.length, left // c, before=True)
            pieces.append((Piece(0, left // c, step, c), None if at is None else at * c))
        pieces.append((Piece(left, inside, 1, 1), first + left))
        if right:
            step, at = _outside(x.border, x.length, right // c, before=False)
            pieces.append(
                (Piece(left + inside, right // c, step, c), None if at is None else at * c)
            )
        return pieces

    def _single(self, border: str, pixels: int) -> bool:
        """Whether so many pixels beyond an end are met before the border turns around."""
        length = self.problem.x.length
        return pixels <= {"reflect": length, "wrap": length, "mirror": length - 1}.get(
            border, pixels
        )

    # --- where rows lie ------------------------------------------------------------------------

    def source_rows(self) -> tuple[Addresses, npt.NDArray[np.bool_]]:
        """Bytes from the first element to each row read, (blocks, planes · rows), and where a row
        is made of fill values.  Blocks: batches, planes, rows, in C order."""
        z, inside_z = self._lines(self.problem.z, self.z, self.planes)
        y, inside_y = self._lines(self.problem.y, self.y, self.rows)
        batch = self._batch(1)
        offsets = (
            batch[:, None, None, None, None] + z[None, :, None, :, None] + y[None, None, :, None, :]
        )
        filled = ~(inside_z[:, None, :, None] & inside_y[None, :, None, :])
        count = self.planes * self.rows
        filled = np.broadcast_to(filled, offsets.shape).reshape(-1, count)
        return offsets.reshape(-1, count), filled

    def target_rows(self) -> Addresses:
        """Bytes from the first element of the output to each row written, (blocks, rows)."""
        if self.fold > 1:
            run = self.x.size // self.fold * BYTES[self.problem.target]
            return self._batch(2)[:, None] + run * np.arange(self.fold)
        z = np.add.outer(self.z.starts, np.arange(self.z.size)) * self.problem.z.target
        y = np.add.outer(self.y.starts, np.arange(self.y.size)) * self.problem.y.target
        offsets = (
            self._batch(2)[:, None, None, None, None]
            + z[None, :, None, :, None]
            + y[None, None, :, None, :]
        )
        return np.asarray(offsets.reshape(-1, self.z.size * self.y.size), np.int64)

    def _lines(self, role: Role, cut: Cut, count: int) -> tuple[Addresses, npt.NDArray[np.bool_]]:
        """(blocks, count) bytes to what each block reads along an axis; whether that exists."""
        window = role.window
        where = beyond(role.border, role.length, *window.reach(role.taps))
        # A block may read a little beyond what its outputs need only where strides leave gaps.
        at = np.add.outer(np.array(cut.starts) * window.stride, np.arange(count))
        where = where[at]
        return np.maximum(where, 0) * role.source, where >= 0

    def _batch(self, which: int) -> Addresses:
        """Bytes to each batch."""
        offsets: Addresses = np.zeros(1, np.int64)
        for entry in self.problem.batch:
            steps = np.arange(entry[0], dtype=np.int64) * entry[which]
            offsets = (offsets[:, None] + steps).ravel()
        return np.asarray(offsets, np.int64)

    @property
    def count(self) -> int:
        """Blocks of all batches, planes and rows, without the cut along x."""
        batches = math.prod(length for length, *_ in self.problem.batch)
        return batches * len(self.z.starts) * len(self.y.starts)


def stripes(problem: Problem, lanes: int) -> Blocks | None:
    """Blocks for running sums down the columns, whose rows are read where they are.

    None if the kernel is not a column of neighbours.
    """
    x, y, z = problem.x, problem.y, problem.z
    whole = AxisWindow(0, x.length)
    if y.taps == 1 or y.window.dilation > 1 or x.taps > 1 or x.window != whole or z.taps > 1:
        return None
    outputs = x.length * problem.channels
    unit = math.lcm(lanes, problem.channels)
    wide = max(_STRIPE // BYTES[problem.element], unit)
    columns = cut(outputs, [*range(unit, min(wide, outputs) + 1, unit), min(outputs, wide)], 0.0)
    high = max(_HIGH, y.taps)
    lines = cut(y.window.size, range(high // 2, high + 1), y.taps)
    return Blocks(problem, lanes, columns=columns, lines=lines)


def near(problem: Problem, lanes: int) -> Blocks:
    """Blocks that fit into a first-level cache, to be read and written again and again."""
    if problem.y.taps > 1:
        return Blocks(problem, lanes)
    size, channels = BYTES[problem.element], problem.channels
    outputs, span = problem.x.window.size * channels, Blocks.span(problem.x) * channels
    unit = math.lcm(lanes, channels)
    wide = max(_ROW // size, span, unit)
    sizes = [*range(unit, min(wide, outputs) + 1, unit), min(outputs, wide)]
    columns = cut(outputs, sizes, span / 4)
    rows = max(_NEAR // ((columns.size + span) * 2 * size), 1)
    return Blocks(problem, lanes, columns=columns, lines=cut(problem.y.window.size, [rows], 0.0))


@dataclass(frozen=True)
class Split:
    """Blocks whose windows lie inside the image, and cuts of what is left around them."""

    columns: Cut
    lines: Cut
    edge_columns: Cut | None
    edge_lines: Cut | None


def is_long(problem: Problem, lanes: int) -> bool:
    """Whether it is one long row and a kernel of many vectors: see `stages.one_row`."""
    x, y, z = problem.x, problem.y, problem.z
    lengths = {role.window.size for role in (y, z)} | {role.taps for role in (y, z)}
    plain = x.window.stride == x.window.dilation == problem.channels == 1
    return (
        lengths == {1}
        and plain
        and 2 * lanes <= x.taps <= _LONGEST * lanes
        and x.window.size >= FOLD * lanes
    )


def split(problem: Problem, lanes: int, lead: int) -> Split | None:
    """Most of an image is far from its borders and can be read where it is, if that is fast.

    The columns inside begin `lead` numbers after a multiple of a vector.
    """
    x, y, size = problem.x, problem.y, BYTES[problem.source]
    if (
        problem.source != problem.element
        or problem.z.window.size > 1
        or problem.z.taps > 1
        or x.window.stride > 1
        or y.source % size
        or not _fits_sets(y)
        or is_long(problem, lanes)
    ):
        return None
    unit, wide = lanes, _WIDE // size
    lines: tuple[Cut, Cut | None] | None
    if y.window.size == 1 and y.taps == 1:
        unit, wide, lines = unit * FOLD, wide * FOLD, (Cut(1, (0,)), None)
    else:
        lines = _inside(y, 1, _LOW, range(_LOW, 65, _LOW))
    columns = _inside(x, problem.channels, lanes, range(unit, wide + 1, unit), lead)
    if columns is None or lines is None or columns[0].size < _NARROW:
        return None
    return Split(columns[0], lines[0], columns[1], lines[1])


def _inside(
    role: Role, scale: int, unit: int, sizes: Iterable[int], lead: int = 0
) -> tuple[Cut, Cut | None] | None:
    """Outputs along an axis that read nothing beyond its ends, and the others.

    Those inside begin `lead` outputs after a multiple of `unit`, and are a multiple of it.
    """
    outputs = role.window.size * scale
    first, stop = role.window.reach(role.taps)
    before, after = max(-first, 0) * scale, max(stop - role.length, 0) * scale
    before += (lead - before) % unit
    middle = (outputs - before - after) // unit * unit
    after = outputs - before - middle
    edge = max(before, after)
    if middle < max(unit, 2 * edge):
        return None
    whole = cut(middle, sizes, 0.0)
    inner = Cut(whole.size, tuple(before + start for start in whole.starts))
    return inner, Cut(edge, (0, outputs - edge)) if edge else None


def _fits_sets(role: Role) -> bool:
    """Whether the rows that a tile reads find room beside each other in a first-level cache.

    Rows that lie a multiple of one of its ways apart compete for the same set: few may.
    """
    return role.source % _WAY != 0 or role.taps <= _FEW


_NARROW = 256  # columns below which a copy costs nothing
_WAY = 4096  # bytes of one way of a first-level cache
_FEW = 4  # taps along y that find room in the other ways


def _outside(border: str, length: int, pixels: int, *, before: bool) -> tuple[int, int | None]:
    """Step and first pixel of what lies before the first, or behind the last pixel of a row."""
    if border == "nearest":
        return 0, 0 if before else length - 1
    if border == "reflect":
        return -1, pixels - 1 if before else length - 1
    if border == "mirror":
        return -1, pixels if before else length - 2
    if border == "wrap":
        return 1, length - pixels if before else 0
    return 0, None
