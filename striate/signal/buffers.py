"""The memory of a compiled sweep: scratch buffers, weights, flags, and tables of row addresses.

All of it is allocated once, when the sweep is compiled, so that its kernels are called with fixed
addresses; before a run, weights and fill value are copied in, and the tables point to the arrays.
Scratch buffers are shared with other sweeps: the thread pool runs one at a time.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.nest.algebra import Nest
from striate.nest.ir import BYTES
from striate.nest.program import Argument
from striate.signal.sweep_spec import CACHE_LINE, SweepSpec

_APART = 4096 + 64  # bytes between buffers of two threads, so that neither disturbs the other
_TYPES = {
    f"{kind}{bits}": np.dtype(f"{kind}{bits // 8}")
    for kind in "fiu"
    for bits in (8, 16, 32, 64)
    if bits > 16 or kind != "f"
}


class RowTable:
    """Addresses of rows, (tasks, rows): for each block along x, all blocks along the others."""

    def __init__(
        self,
        rows: npt.NDArray[np.int64],
        starts: Sequence[int | None],
        blocks_per_task: int,
        filled: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Lay out the table.

        Args:
            rows: bytes from an array's first element to the rows of each block, (blocks, rows).
            starts: for each block along x, bytes from the beginning of a row to it; None where it
                consists of fill values.
            blocks_per_task: neighbours that are one task; the last block makes up for those that
                are missing.
            filled: which rows consist of fill values, (blocks, rows), in a table of rows that are
                read; None for rows that are written.
        """
        self.reads = filled is not None
        first = np.array([0 if start is None else start for start in starts], np.int64)
        offsets = (first[:, None, None] + rows).reshape(-1, rows.shape[1])
        self._offsets = _by_task(offsets, blocks_per_task)
        self.addresses = np.empty_like(self._offsets)
        empty = np.zeros(rows.shape, bool) if filled is None else filled
        outside = np.array([start is None for start in starts])
        outside = (outside[:, None, None] | empty).reshape(-1, rows.shape[1])
        self._filled = np.flatnonzero(_by_task(outside, blocks_per_task))

    @property
    def nbytes(self) -> int:
        """Bytes of the table, and of what it is made from."""
        return self._offsets.nbytes + self.addresses.nbytes + self._filled.nbytes

    def point(self, base: int, fill: int) -> None:
        """Fill in the table for an array at address `base` and fill values at address `fill`."""
        np.add(self._offsets, base, out=self.addresses)
        if len(self._filled):
            self.addresses.reshape(-1)[self._filled] = fill


# Scratch buffers of sweeps that run one after the other, by their number and size.
_SHARED: weakref.WeakValueDictionary[tuple[int, int], Array] = weakref.WeakValueDictionary()


def _shared_room(number: int, size: int) -> Array:
    """At least `size` bytes, which other sweeps use too: of each size are a few rooms."""
    size = 1 << (size - 1).bit_length()
    room = _SHARED.get((number, size))
    if room is None:
        room = _SHARED[number, size] = np.zeros(size, np.uint8)
    return room


def _by_task(rows: npt.NDArray[Any], blocks_per_task: int) -> npt.NDArray[Any]:
    """(blocks, rows) as (tasks, blocks_per_task · rows)."""
    missing = -len(rows) % blocks_per_task
    rows = np.concatenate([rows, rows[-1:].repeat(missing, 0)])
    return rows.reshape(-1, blocks_per_task * rows.shape[1])


class Buffers:
    """The memory of one compiled sweep.  Each buffer is an `Argument`: what a kernel call takes."""

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec
        self._dtype = _TYPES[spec.descriptor.element]
        self._tables: list[RowTable] = []
        self._kept: list[Array] = []
        self._rooms: list[Array] = []
        self._flags: list[Array] = []
        self._weights: list[Array] = []
        self._sizes: dict[Argument, int] = {}
        self._fill = np.zeros(0, _TYPES[spec.descriptor.source_element])
        self._fill_address = 0

    # --- allocation ----------------------------------------------------------------------------

    def scratch(self, count: int) -> Argument:
        """Room for `count` numbers for each thread."""
        size = BYTES[self._spec.descriptor.element]
        stride = -(-count * size // CACHE_LINE) * CACHE_LINE + _APART
        size = stride * self._spec.threads + CACHE_LINE
        if self._spec.shares_scratch:
            room = _shared_room(len(self._rooms), size)
            self._rooms.append(room)
        else:
            room = np.zeros(size, np.uint8)
            self._kept.append(room)
        return self._sized(
            Argument(room.ctypes.data + -room.ctypes.data % CACHE_LINE, thread=stride), count
        )

    def flags(self, tasks: int, count: int) -> Argument:
        """Room for `count` numbers of each task: any but 0 after a run casts doubt on it."""
        flags = np.zeros((tasks, count), self._dtype)
        self._flags.append(flags)
        return Argument(flags.ctypes.data, task=flags.strides[0])

    def weights(self, number: int, count: int) -> Argument:
        """Room for the weights that `load` takes as that number."""
        if number == len(self._weights):
            self._weights.append(np.zeros(count, self._dtype))
        return self._sized(Argument(self._weights[number].ctypes.data), count)

    def constants(self, values: Array) -> Argument:
        """Numbers that never change."""
        numbers = np.ascontiguousarray(values, self._dtype)
        self._kept.append(numbers)
        return self._sized(Argument(numbers.ctypes.data), numbers.size)

    def words(self, values: Sequence[int]) -> Argument:
        """Whole numbers that never change."""
        words = np.array(values, np.int64)
        self._kept.append(words)
        return Argument(words.ctypes.data)

    def part(self, buffer: Argument, offset: int, size: int) -> Argument:
        """A buffer from one of its numbers on, which have `size` bytes."""
        count = self._sizes[buffer] - offset
        return self._sized(replace(buffer, base=buffer.base + offset * size), count)

    def table(self, table: RowTable) -> Argument:
        """A table of addresses."""
        self._tables.append(table)
        return Argument(table.addresses.ctypes.data, task=8 * table.addresses.shape[1])

    def fill_row(self, reach: int) -> None:
        """Room for a row of fill values, of which `reach` are read forwards or backwards."""
        self._fill = np.zeros(2 * reach, self._fill.dtype)
        self._fill_address = self._fill.ctypes.data + reach * self._fill.itemsize

    def _sized(self, argument: Argument, count: int) -> Argument:
        self._sizes[argument] = count
        return argument

    def check(self, nest: Nest, buffers: Mapping[str, Argument]) -> None:
        """Make sure that a nest stays within its buffers (not: in the rows behind a table).

        Raises:
            IndexError: it does not.
        """
        for tensor in nest.tensors():
            size = self._sizes.get(buffers[tensor.buffer])
            low, high = nest.reach(tensor)
            if size is not None and not 0 <= low <= high < size:
                raise IndexError(f"{tensor} reaches {low} to {high} of {size} numbers")

    @property
    def nbytes(self) -> int:
        """Bytes of all that is not shared with other sweeps."""
        tables = sum(table.nbytes for table in self._tables)
        own = (*self._kept, *self._flags, *self._weights, self._fill)
        return tables + sum(array.nbytes for array in own)

    # --- a run ---------------------------------------------------------------------------------

    def load(self, weights: Sequence[Array], fill: Any) -> None:
        """Copy in weights and fill value."""
        for own, given in zip(self._weights, weights, strict=True):
            own[: given.size] = given.ravel()  # zeros stay behind it
        if self._fill[0] != fill:
            self._fill[...] = fill

    def point(self, source: int, output: int) -> None:
        """Let the tables point to arrays at these addresses."""
        for table in self._tables:
            table.point(source if table.reads else output, self._fill_address)

    @property
    def flagged(self) -> bool:
        """Whether the last run cast doubt on its result."""
        return any(flags.any() for flags in self._flags)
