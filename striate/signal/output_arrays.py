"""New arrays where they are quick to write, and finished sums converted to an array's dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from striate.common.arrays import Array

_PAGE = 4096
_LARGE = 16 * _PAGE  # bytes; for less, a page more would be much
_APART = 256  # bytes: rows of common images lie a multiple of twice that apart


def aligned_empty(shape: Sequence[int], dtype: np.dtype[Any], like: Array | None = None) -> Array:
    """A new array that lies in its cache lines as `like` does, or else begins one.

    Then what is read and what is written for it cross as few lines as can be.  And it begins
    somewhere else in its page: a processor that loads from just ahead of where it stored, as far
    as the last twelve bits of the addresses tell, waits for the store (4K aliasing).
    """
    if dtype.kind == "O":
        return np.empty(shape, dtype)
    count = math.prod(shape) * dtype.itemsize
    if count < _LARGE:
        like = None
    period = 64 if like is None else _PAGE
    room = np.empty(count + period + dtype.itemsize, np.uint8)
    start = 0 if like is None else like.ctypes.data + _APART
    start = (start - room.ctypes.data) % period
    start += -(room.ctypes.data + start) % dtype.itemsize
    return room[start : start + count].view(dtype).reshape(shape)


def convert_into(values: Array, out: Array) -> None:
    """Write `values` to `out`, converting as C does: fractions are cut, integers wrap."""
    if values.dtype.kind == "f" and out.dtype.kind in "iu":
        if out.dtype == np.uint64:
            # Beyond the signed range a conversion by way of int64 would be wrong.
            large = values >= 2.0**63
            low = np.where(large, values - 2.0**63, values).astype(np.int64)
            np.copyto(out, low.view(np.uint64))
            out[large] += np.uint64(2**63)
            return
        values = values.astype(np.int64)
    np.copyto(out, values, casting="unsafe")
