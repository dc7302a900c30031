"""Memory that begins a cache line, or lies in large pages."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.memory import (
    LARGE_PAGE,
    aligned_copy,
    aligned_zeros,
    whole_lines,
    zeros_in_pages,
)


@pytest.mark.parametrize("size", [1, 15, 16, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_aligned_zeros(size: int, dtype: Any) -> None:
    buffer = aligned_zeros(size, dtype)
    assert (buffer.shape, buffer.dtype) == ((size,), dtype)
    assert buffer.ctypes.data % 64 == 0
    assert not buffer.any()
    buffer[:] = 1


def test_other_alignments() -> None:
    for alignment in (64, 256, 4096):
        assert aligned_zeros(3, alignment=alignment).ctypes.data % alignment == 0
    assert aligned_zeros(3).dtype == np.float32
    assert aligned_zeros(0).shape == (0,)


def test_more_zeros_than_there_can_be() -> None:
    for size in (1 << 60, 1 << 80):
        with pytest.raises((MemoryError, OverflowError, ValueError)):
            aligned_zeros(size)


def test_a_copy_lies_elsewhere() -> None:
    values = np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::-1]
    copy = aligned_copy(values)
    assert copy.ctypes.data % 64 == 0
    assert copy.dtype == np.float64
    np.testing.assert_array_equal(copy, values.ravel())
    assert not np.shares_memory(copy, values)
    assert aligned_copy(values, np.float32).dtype == np.float32


def test_whole_lines() -> None:
    assert [whole_lines(size) for size in (0, 1, 64, 65)] == [0, 64, 64, 128]


@pytest.mark.parametrize("size", [100, LARGE_PAGE + 100])
def test_memory_is_zeros_from_the_beginning_of_a_line(size: int) -> None:
    found = zeros_in_pages(size)
    assert (found.dtype, found.shape) == (np.uint8, (size,))
    assert found.ctypes.data % (64 if size < LARGE_PAGE else LARGE_PAGE) == 0
    assert not found.any()
    found[:] = 1


def test_memory_that_nobody_has() -> None:
    with pytest.raises(MemoryError, match="needs more than an exbibyte of memory"):
        zeros_in_pages(1 << 60)


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="a system without large pages"
)
def test_much_memory_may_lie_in_large_pages() -> None:
    """Of a mapping that is shared with other processes, the default of `mmap`, it would not."""
    found = zeros_in_pages(LARGE_PAGE)
    place, inside = found.ctypes.data, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head, *others = line.split()
        if not head.endswith(":"):
            start, stop = (int(end, 16) for end in head.split("-"))
            inside = start <= place < stop
            if inside:
                assert others[0] == "rw-p"
        elif inside and head == "VmFlags:":
            assert "hg" in others
            return
    raise AssertionError("the mapping was not found")
