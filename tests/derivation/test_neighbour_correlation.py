"""The correlation of near and far pixels, against sums in loops."""

from __future__ import annotations

import numpy as np
import pytest

from striate.teaching.derivation.neighbour_correlation import correlation_of, sentences


def test_both_directions_are_those_of_loops() -> None:
    gray = np.cumsum(np.random.default_rng(2).standard_normal((9, 14)), axis=1)
    found = correlation_of(gray, "it")
    for apart, across, down in zip(found.apart, found.across, found.down, strict=True):
        for value, dy, dx in ((across, 0, apart), (down, apart, 0)):
            pairs = [
                (gray[y, x], gray[y + dy, x + dx])
                for y in range(9 - dy)
                for x in range(14 - dx)
            ]  # fmt: skip
            if not pairs:
                assert np.isnan(value)
                continue
            one, other = np.array(pairs).T
            one, other = one - one.mean(), other - other.mean()
            expected = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
            assert value == pytest.approx(expected, abs=1e-12)
    assert found.across[0] > found.across[-1]
    assert abs(found.down[0]) < found.across[0]  # only rows were made smooth


def test_two_inputs_suffice_where_the_others_say_nothing() -> None:
    """Each pixel is the mean of its left and upper neighbours with noise."""
    random = np.random.default_rng(1)
    gray = np.zeros((60, 70))
    for y in range(60):
        for x in range(70):
            gray[y, x] = 0.49 * (gray[y - 1, x] + gray[y, x - 1]) + random.standard_normal()
    explained = correlation_of(gray, "it").explained
    assert explained is not None
    every, near, distant = explained
    assert every >= near > 0.5
    assert every - near < 0.01
    assert distant < 0.2
    assert "the first two inputs suffice" in sentences(correlation_of(gray, "it"))[1]


def test_two_inputs_do_not_suffice_where_the_far_ones_decide() -> None:
    far = np.random.default_rng(3).standard_normal((60, 60))
    gray = np.tile(far[:, :20], (1, 4))  # each pixel is the one 20 columns to its left
    found = correlation_of(gray, "it")
    assert found.far == 20
    assert "do not suffice" in sentences(found)[1]


def test_flat_and_tiny_pictures() -> None:
    assert np.isnan(correlation_of(np.ones((5, 5)), "it").across[0])
    with pytest.raises(ValueError, match="it has 2×5 pixels, too few"):
        correlation_of(np.ones((2, 5)), "it")
