"""Kernels as sums of separable ones."""

from __future__ import annotations

import numpy as np
import pytest

from striate.signal import lowrank
from striate.signal.lowrank import TOLERANCE, separate


def summed(terms: lowrank.SeparableTerms) -> np.ndarray:
    return np.einsum("jy,jx->yx", terms.columns, terms.rows)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(7, 9), (9, 7), (3, 12)])
def test_as_few_terms_as_the_rank(rank: int, dtype: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(rank)
    kernel = sum(
        np.multiply.outer(rng.standard_normal(shape[0]), rng.standard_normal(shape[1]))
        for _ in range(rank)
    )
    kernel = np.asarray(kernel, dtype)
    terms = separate(kernel)
    assert terms is not None
    assert terms.columns.shape == (rank, shape[0]) and terms.rows.shape == (rank, shape[1])
    largest = np.linalg.norm(kernel.astype("f8"), 2)
    left_out = np.linalg.norm(summed(terms) - kernel)
    assert left_out <= 2 * TOLERANCE * np.finfo(dtype).eps * largest


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_is_left_out_is_below_the_tolerance(dtype: str) -> None:
    eps = float(np.finfo(dtype).eps)
    one = np.outer([1.0, 2, 1], [1.0, 0, -1]) / np.sqrt(12)  # of norm 1
    other = np.outer([1.0, -1, 1], [1.0, 2, 1]) / np.sqrt(18)  # orthogonal to it, of norm 1
    for part, terms in ((TOLERANCE / 2, 1), (TOLERANCE * 4, 2)):
        found = separate((one + part * eps * other).astype(dtype))
        assert found is not None and len(found.columns) == terms


def test_a_full_rank_kernel_has_as_many_terms_as_rows() -> None:
    terms = separate(np.random.default_rng(0).random((5, 8)))
    assert terms is not None and len(terms.columns) == 5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_none_without_finite_terms(value: float) -> None:
    kernel = np.ones((3, 3))
    kernel[1, 2] = value
    assert separate(kernel) is None
    assert separate(np.zeros((3, 3))) is None


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8", "u8"])
def test_whole_numbers_are_exact(dtype: str) -> None:
    kernel = np.outer([0, 2, 3, 2], [0, 6, 4, 0, 2]).astype(dtype)
    terms = separate(kernel)
    assert terms is not None
    assert terms.columns.dtype == terms.rows.dtype == dtype
    np.testing.assert_array_equal(summed(terms), kernel)
    kernel[3, 3] += 1
    assert separate(kernel) is None
    assert separate(np.zeros((2, 2), dtype)) is None


def test_whole_numbers_with_signs() -> None:
    kernel = np.outer([-1, 2, 0], [0, -3, 5])
    terms = separate(kernel)
    assert terms is not None
    np.testing.assert_array_equal(summed(terms), kernel)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i8"])
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (0, 1)])
def test_the_least_whole_number(dtype: str, place: tuple[int, int]) -> None:
    # Its negative, which a factor of -1 asks for, is no number of that dtype.
    kernel = np.zeros((2, 2), dtype)
    kernel[place] = np.iinfo(dtype).min
    terms = separate(kernel)
    if terms is not None:
        np.testing.assert_array_equal(summed(terms), kernel)


def test_a_kernel_is_taken_apart_once() -> None:
    kernel = np.random.default_rng(1).random((4, 4))
    first = separate(kernel)
    assert separate(kernel.copy()) is first
    assert separate(np.asfortranarray(kernel)) is first
    assert separate(kernel.astype("f4")) is not first
    assert separate(kernel.reshape(2, 8)) is not first
