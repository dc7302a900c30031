from __future__ import annotations

import numpy as np
import pytest

from striate.ranks.sum_tree import SumTree, textbook_sum


def vectors(count: int, length: int = 37) -> list[np.ndarray]:
    """Numbers of very different sizes: each order of adding them has its own bits."""
    random = np.random.default_rng(count)
    sizes = 10.0 ** random.integers(-4, 5, (count, length))
    return list((random.normal(size=(count, length)) * sizes).astype(np.float32))


@pytest.mark.parametrize("count", [*range(1, 35), 64, 100])
def test_the_order_is_that_of_the_definition(count: int) -> None:
    given, tree = vectors(count), SumTree(37)
    for _ in range(2):  # buffers are used again
        for place, vector in enumerate(given):
            tree.add(place, vector[:5], vector[5:])
        total = tree.take()
        np.testing.assert_array_equal(total, textbook_sum(given))
    exact = np.sum(np.asarray(given, np.float64), axis=0)
    np.testing.assert_allclose(total, exact, atol=1e-6 * np.abs(given).max() * count)
    if count > 3:
        in_turn = np.zeros(37, np.float32)
        for vector in given:
            in_turn += vector
        assert (total != in_turn).any()


def test_it_keeps_one_sum_for_each_power_of_two() -> None:
    tree = SumTree(3)
    for place in range(1000):
        tree.add(place, np.ones(3, np.float32))
        assert len(tree._blocks) <= 10
    assert len(tree._blocks) + len(tree._free) <= 12
    np.testing.assert_array_equal(tree.take(), np.full(3, 1000, np.float32))
