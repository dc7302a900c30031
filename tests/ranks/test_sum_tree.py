from __future__ import annotations

import numpy as np
import pytest

from striate.ranks.sum_tree import (
    SumTree,
    VectorPart,
    joinings,
    largest_blocks,
    sum_of,
    textbook_sum,
)


def vectors(count: int, length: int = 37, seed: int = 0) -> list[np.ndarray]:
    """Numbers of very different sizes: each order of adding them has its own bits."""
    random = np.random.default_rng([count, length, seed])
    sizes = 10.0 ** random.integers(-4, 5, (count, length))
    return list((random.normal(size=(count, length)) * sizes).astype(np.float32))


def rounded(numbers: np.ndarray) -> np.ndarray:
    """The nearest numbers of 8 bits, of two the even one, by arithmetic of float64."""
    fractions, exponents = np.frexp(numbers.astype(np.float64))
    return np.ldexp(np.rint(fractions * 256), exponents - 8).astype(np.float32)


def rounded_sum(given: list[np.ndarray]) -> np.ndarray:
    """The sum by its definition, rounded at the leaves and at every node."""
    if len(given) == 1:
        return rounded(given[0])
    middle = 1 << (len(given) - 1).bit_length() - 1
    return rounded(rounded_sum(given[:middle]) + rounded_sum(given[middle:]))


@pytest.mark.parametrize("count", [*range(1, 35), 64, 100])
def test_the_order_is_that_of_the_definition(count: int) -> None:
    given, tree = vectors(count), SumTree([VectorPart(5), VectorPart(32)])
    memory = np.empty(37, np.float32)
    for _ in range(2):  # buffers are used again
        for place, vector in enumerate(given):
            memory[...] = vector
            tree.add(place, memory[:5], memory[5:])
            np.testing.assert_array_equal(memory, vector)
        total = np.concatenate(sum_of(tree.take_blocks()))
        np.testing.assert_array_equal(total, textbook_sum(given))
    exact = np.sum(np.asarray(given, np.float64), axis=0)
    np.testing.assert_allclose(total, exact, atol=1e-6 * np.abs(given).max() * count)
    if count > 3:
        in_turn = np.zeros(37, np.float32)
        for vector in given:
            in_turn += vector
        assert (total != in_turn).any()


def test_it_keeps_one_sum_for_each_power_of_two() -> None:
    tree = SumTree([VectorPart(3)])
    for place in range(1000):
        tree.add(place, np.ones(3, np.float32))
        assert len(tree._blocks) <= 10
    assert len(tree._blocks) + len(tree._free) <= 12
    np.testing.assert_array_equal(sum_of(tree.take_blocks())[0], np.full(3, 1000, np.float32))


@pytest.mark.parametrize("are_all", [False, True])
@pytest.mark.parametrize("places", [range(n) for n in range(1, 20)] + [range(3, 14), range(6, 7)])
def test_slots_hold_the_blocks(places: range, are_all: bool) -> None:
    """What is told to whoever adds up by himself, done with vectors."""
    if are_all and places.start:
        pytest.skip("all places begin with the first")
    given = dict(zip(places, vectors(len(places)), strict=True))
    slots: dict[int, np.ndarray] = {}
    told = list(joinings(places, are_all=are_all))
    for place, joining in zip(places, told, strict=True):
        total = given[place]
        for slot in reversed(joining.left):
            total = slots.pop(slot) + total
        assert joining.slot not in slots
        slots[joining.slot] = total
    blocks = [places] if are_all else largest_blocks(places)
    assert sorted(slots) == list(range(len(blocks)))
    for slot, block in enumerate(blocks):
        expected = textbook_sum([given[place] for place in block])
        np.testing.assert_array_equal(slots[slot], expected)
