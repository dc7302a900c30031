"""Splits: sizes, proportions, nothing lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.training.split import random_split, stratified_split


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    fraction=st.floats(0.05, 0.6),
    seed=st.integers(0, 5),
)
def test_classes_keep_their_proportions(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    wanted = round(len(labels) * fraction)
    if wanted < 1 or wanted > len(labels) - len(counts):
        with pytest.raises(ValueError, match="validation"):
            stratified_split(labels, fraction, seed)
        return
    kept, held = stratified_split(labels, fraction, seed)
    assert len(held) == wanted
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(labels)))
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()
    assert set(labels[kept]) == set(labels)
    if min(counts) > 1 / (1 - fraction):  # else the rule "one to train on" may move some
        shares = np.array(counts) * wanted / len(labels)
        taken = np.bincount(labels[held], minlength=len(counts))
        assert (abs(taken - shares) < 1 + 1e-9).all()


def test_a_split_depends_on_the_seed_alone():
    labels = np.arange(40) % 4
    first, again, other = (stratified_split(labels, 0.25, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_labels_may_be_names():
    kept, held = stratified_split(np.array(["b", "a", "b", "a"]), 0.5)
    assert len(kept) == len(held) == 2


def test_random_split():
    kept, held = random_split(10, 0.3, seed=4)
    assert len(held) == 3
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(10))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 2.0])
def test_a_fraction_out_of_range_is_told(fraction):
    with pytest.raises(ValueError, match="validation_fraction must lie between 0 and 1"):
        stratified_split(np.zeros(10, int), fraction)


def test_too_few_images_are_told():
    with pytest.raises(ValueError, match="leaves 3 for training and 0 for validation"):
        random_split(3, 0.1)
    with pytest.raises(ValueError, match=r"one of each of 3 classes.*lower validation_fraction"):
        stratified_split(np.arange(3), 0.5)
