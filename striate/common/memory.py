"""Memory that begins at a cache line, much of it in large pages; and giving free memory back."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.budget import need

LINE = 64
"""Bytes of a cache line, and of the widest vector register."""
LARGE_PAGE = 2 << 20
"""Bytes of a large page."""


def whole_lines(size: int) -> int:
    """`size` bytes rounded up to whole cache lines."""
    return -(-size // LINE) * LINE


def aligned_zeros(size: int, dtype: npt.DTypeLike = np.float32, alignment: int = LINE) -> Array:
    """`size` zeros (size,) that begin at a multiple of `alignment` bytes.

    Raises:
        MemoryError, OverflowError, ValueError: NumPy cannot have so many.
    """
    count = size * np.dtype(dtype).itemsize
    return _from_line(np.zeros(count + alignment, np.uint8), count, alignment).view(dtype)


def aligned_copy(values: Array, dtype: npt.DTypeLike | None = None) -> Array:
    """The same numbers in one row (values.size,) that begins a cache line, as `dtype` if given."""
    copy = aligned_zeros(values.size, values.dtype if dtype is None else dtype)
    copy[...] = values.reshape(-1)
    return copy


def zeros_in_pages(size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes, zero, from the beginning of a cache line on; of a large page, and in large
    pages, if they fill at least one and the system has them.

    Raises:
        StriateMemoryError, MemoryError: the system has no such memory.
    """
    if size < LARGE_PAGE:
        return aligned_zeros(size, np.uint8)
    need(size, "Network: the plan for this batch", "use a smaller batch, or smaller images")
    return _from_line(_fresh(size + LARGE_PAGE), size, LARGE_PAGE)


def give_back() -> None:
    """Let the C library give free memory back to the system, if it is one that does when asked."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _from_line(raw: npt.NDArray[np.uint8], size: int, alignment: int) -> npt.NDArray[np.uint8]:
    """The first `size` bytes from a multiple of `alignment` on, of as many more."""
    start = -raw.ctypes.data % alignment
    return raw[start : start + size]


def _fresh(size: int) -> npt.NDArray[np.uint8]:
    """Zeros that the process has not used before: NumPy's might be, and lie in small pages."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size, np.uint8)
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"the system has no {size:,} bytes for a plan") from error
    with contextlib.suppress(OSError):  # from a kernel that was built without them
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)
