"""Moves images about in the memory that they have, where a copy of all could be too much."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from striate.common.rows_on_demand import as_rows, on_demand

Rows = npt.NDArray[Any]

_BLOCK = 1 << 22  # bytes that are moved at a time


def rows_of(images: Rows, rows: npt.NDArray[np.intp]) -> Rows:
    """Return some rows: a copy of them, or of images that are read on demand the same on demand."""
    found = as_rows(images)
    return images[rows] if found is None else cast("Rows", found.part(rows))


def run_of_rows(images: Rows, start: int, stop: int) -> Rows:
    """Return the rows from `start` up to `stop`, without copying or reading them."""
    found = as_rows(images)
    return images[start:stop] if found is None else cast("Rows", found.part(np.arange(start, stop)))


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of both, on demand if they are read so from one source."""
    one, other = as_rows(first), as_rows(second)
    both = None if one is None or other is None else one.with_rows_of(other)
    return np.concatenate([first, second]) if both is None else cast("Rows", both)


def keep_rows(array: Rows, kept: npt.NDArray[np.integer[Any]]) -> Rows:
    """Return the rows `kept`, ascending, of an array (n, ...), which is used up.

    They are moved to its beginning, so that no second array is needed.
    """
    if len(kept) == len(array):
        return array
    if not array.flags.writeable:
        return np.take(array, kept, axis=0)
    step = max(1, _BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(kept), step):
        # A row never moves down: what is overwritten has been moved already, or is dropped.
        rows = kept[start : start + step]
        array[start : start + len(rows)] = array[rows]
    return array[: len(kept)]


def part_rows(
    array: Rows, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> tuple[Rows, Rows]:
    """Return the rows `first` and the rows `second` of an array (n, ...), which is used up.

    Both are views of that array, so only the smaller part is held twice, and only meanwhile.

    Args:
        array: (n, ...).
        first, second: ascending; together every row of 0...n - 1 once.
    """
    if on_demand(array):
        return rows_of(array, first), rows_of(array, second)
    if not len(first) or not len(second):
        return array[: len(first)], array[len(first) :]
    if not array.flags.writeable:
        return array[first], array[second]
    if len(second) <= len(first):
        moved = array[second]
        keep_rows(array, first)
        array[len(first) :] = moved
    else:
        moved = array[first]
        keep_rows(array[::-1], len(array) - 1 - second[::-1])
        array[: len(first)] = moved
    return array[: len(first)], array[len(first) :]
