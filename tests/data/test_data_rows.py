"""Moving images within the memory that they have."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data import rows
from striate.data.rows import keep_rows, part_rows


@given(st.integers(1, 60), st.data(), st.integers(1, 7))
def test_rows_are_kept_and_parted(count: int, data: st.DataObject, block: int) -> None:
    first = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1)))), dtype=np.intp)
    second = np.setdiff1d(np.arange(count), first)
    array = np.arange(count * 6, dtype=np.int32).reshape(count, 2, 3)
    whole = array.copy()
    before = rows._BLOCK
    rows._BLOCK = block * array[0].nbytes
    try:
        assert np.array_equal(keep_rows(array.copy(), first), whole[first])
        one, other = part_rows(array, first, second)
    finally:
        rows._BLOCK = before
    assert np.array_equal(one, whole[first])
    assert np.array_equal(other, whole[second])
    assert np.shares_memory(one, array) or not len(one)
    assert np.shares_memory(other, array) or not len(other)


def test_what_may_not_be_written_is_copied() -> None:
    array = np.arange(12).reshape(6, 2)
    array.flags.writeable = False
    one, other = part_rows(array, np.array([0, 3]), np.array([1, 2, 4, 5]))
    assert one.tolist() == [[0, 1], [6, 7]]
    assert other[:, 0].tolist() == [2, 4, 8, 10]
    assert keep_rows(array, np.array([5])).tolist() == [[10, 11]]


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_a_split_needs_little_memory(share: float) -> None:
    array = np.zeros((64, 1 << 20), np.uint8)
    taken = np.random.default_rng(0).random(64) < share
    tracemalloc.start()
    part_rows(array, np.flatnonzero(~taken), np.flatnonzero(taken))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.4 * array.nbytes
