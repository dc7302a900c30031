"""Stratified splits: shares of classes, and the same images for the same seed for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.common.stratified import largest_remainders, nearest_shares, stratified_parts
from striate.data.dataset import train_test_split
from striate.training.split import random_split, stratified_split

LABELS = np.array([2, 0, 0, 1, 2, 2, 1, 0, 2, 2, 0, 1])


def test_seeds_mean_what_they_always_meant() -> None:
    """Models are tested again on the images that they were not trained on."""
    assert stratified_split(LABELS, 0.3, 7)[1].tolist() == [0, 6, 7, 8]
    assert random_split(12, 0.3, 7)[1].tolist() == [6, 7, 10, 11]
    assert train_test_split(LABELS, 0.3, 7, list("xyz"))[1].tolist() == [0, 1, 3, 5]


def test_test_parts_do_not_depend_on_the_numbers_of_classes() -> None:
    other = np.array([0, 2, 1])[LABELS]
    assert train_test_split(other, 0.3, 7, list("xyz"))[1].tolist() == [0, 1, 3, 5]


@pytest.mark.parametrize("together", [True, False])
def test_parts_are_all_and_as_many_as_asked_for(together: bool) -> None:
    names = np.array(["b", "a", "c"])[LABELS]
    asked: list[list[int]] = []

    def share(counts: np.ndarray) -> np.ndarray:
        asked.append(counts.tolist())
        return np.array([3, 0, 2])

    rest, drawn = stratified_parts(names, share, np.random.default_rng(1), together=together)
    assert asked == [[3, 4, 5]]  # of "a", "b" and "c"
    assert sorted([*rest, *drawn]) == list(range(12))
    assert (np.diff(rest) > 0).all() and (np.diff(drawn) > 0).all()
    assert [int((names[drawn] == name).sum()) for name in "abc"] == [3, 0, 2]


def test_largest_remainders() -> None:
    # Shares of 3.5, 1.75 and 0.75: one more each for the second and the third.
    assert largest_remainders(np.array([14, 7, 3]), 6).tolist() == [3, 2, 1]
    assert largest_remainders(np.array([1, 1, 10]), 9).tolist() == [0, 0, 9]
    with pytest.raises(ValueError, match="leave not one of each class over"):
        largest_remainders(np.array([1, 1, 10]), 10)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.floats(0, 1))
def test_largest_remainders_add_up(numbers: list[int], fraction: float) -> None:
    counts = np.array(numbers)
    wanted = round(fraction * int((counts - 1).sum()))
    taken = largest_remainders(counts, wanted)
    assert taken.sum() == wanted
    assert (taken >= 0).all() and (taken < counts).all()


def test_nearest_shares() -> None:
    counts = np.array([2, 3, 10, 15, 100])
    assert nearest_shares(counts, 0.25).tolist() == [1, 1, 3, 4, 25]
    assert nearest_shares(counts, 0.01).tolist() == [1, 1, 1, 1, 1]
    assert nearest_shares(counts, 0.99).tolist() == [1, 2, 9, 14, 99]


def test_the_class_with_one_image_that_comes_first_is_named() -> None:
    labels = np.array([1, 1, 2, 0])
    with pytest.raises(ValueError, match="class 'z' has one image only and cannot be split"):
        train_test_split(labels, 0.5, 0, list("xyz"))
