"""Rounding to the upper halves of float32, against arithmetic of float64."""

from __future__ import annotations

import numpy as np

from striate.common.bfloat16_rounding import (
    add_rounded,
    from_bfloat16,
    round_into,
    to_bfloat16,
    widen_into,
)


def nearest(numbers: np.ndarray) -> np.ndarray:
    """The nearest numbers of 8 bits, of two the even one; below 2^-126 all steps are 2^-133."""
    fractions, exponents = np.frexp(numbers.astype(np.float64))
    steps = np.maximum(exponents - 8, -133)
    with np.errstate(over="ignore"):
        found = np.ldexp(np.rint(np.ldexp(fractions, exponents - steps)), steps)
        return found.astype(np.float32)


def test_every_kind_of_number() -> None:
    random = np.random.default_rng(0)
    bits = random.integers(0, 1 << 32, 100_000, np.uint32)  # subnormal and huge ones too
    ties = (random.integers(0, 1 << 16, 1000, np.uint32) << 16) + 0x8000
    edges = np.array([0.0, -0.0, 1.0, 3.39e38, -3.4e38, np.inf, -np.inf, 1e-45], np.float32)
    numbers = np.concatenate([bits.view(np.float32), ties.view(np.float32), edges])
    numbers = numbers[~np.isnan(numbers)]
    found = from_bfloat16(to_bfloat16(numbers))
    np.testing.assert_array_equal(found.view(np.uint32), nearest(numbers).view(np.uint32))
    assert np.isinf(found[np.abs(numbers) > 3.396e38]).all()


def test_what_is_no_number_stays_none() -> None:
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    assert np.isnan(from_bfloat16(to_bfloat16(bits.view(np.float32)))).all()


def test_sums_in_place_longer_than_what_is_added_at_once() -> None:
    one, other = np.random.default_rng(1).normal(size=(2, 70_001)).astype(np.float32)
    left, right = np.empty_like(one, np.uint16), to_bfloat16(other)
    round_into(one, left)
    add_rounded(left, right)
    wide = np.empty_like(one)
    widen_into(left, wide)
    np.testing.assert_array_equal(wide, nearest(nearest(one) + nearest(other)))
