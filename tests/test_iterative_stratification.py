"""Splits of things with several labels: every label keeps its share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.common.iterative_stratification import iterative_folds, iteratively_stratified


@settings(max_examples=80)
@given(
    images=st.integers(1, 200),
    labels=st.integers(0, 8),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_every_row_is_in_one_part_and_the_parts_have_their_sizes(images, labels, share, seed):
    rng = np.random.default_rng(seed)
    has = rng.random((images, labels)) < 0.3
    wanted = round(share * images)
    rest, drawn = iteratively_stratified(has, wanted, np.random.default_rng(seed))
    assert len(drawn) == wanted
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, drawn])), np.arange(images))
    assert (np.diff(rest) > 0).all() and (np.diff(drawn) > 0).all()


def test_labels_keep_their_shares_better_than_by_chance():
    rng = np.random.default_rng(0)
    frequency = np.array([0.5, 0.2, 0.05, 0.02, 0.01])
    has = rng.random((1000, 5)) < frequency
    has[:, 3] |= has[:, 2] & (rng.random(1000) < 0.5)  # labels that come together
    ours, chance = [], []
    for seed in range(20):
        _, drawn = iteratively_stratified(has, 200, np.random.default_rng(seed))
        ours.append(np.abs(has[drawn].sum(axis=0) - 0.2 * has.sum(axis=0)))
        at_random = np.random.default_rng(seed).permutation(1000)[:200]
        chance.append(np.abs(has[at_random].sum(axis=0) - 0.2 * has.sum(axis=0)))
    assert np.max(ours) <= 2.0  # of each label at most two images too many or too few
    assert np.mean(ours) < np.mean(chance) / 3


def test_the_seed_decides():
    has = np.random.default_rng(1).random((50, 3)) < 0.4
    one, two, three = (
        iteratively_stratified(has, 10, np.random.default_rng(seed))[1].tolist()
        for seed in (0, 0, 1)
    )
    assert one == two != three


def test_the_only_image_with_a_label_stays_in_the_larger_part():
    has = np.zeros((20, 2), bool)
    has[:, 0] = True
    has[7, 1] = True
    for seed in range(10):
        rest, _ = iteratively_stratified(has, 4, np.random.default_rng(seed))
        assert 7 in rest


def test_two_parts_are_drawn_as_ever():
    """Model files know their split by its seed: what is drawn by one must never change."""
    has = np.random.default_rng(3).random((40, 3)) < (0.5, 0.2, 0.06)
    _, drawn = iteratively_stratified(has, 7, np.random.default_rng(11))
    assert drawn.tolist() == [5, 11, 17, 19, 20, 22, 24]


@pytest.mark.parametrize("folds", [1, 2, 5, 23])
def test_folds_share_out_every_label(folds):
    has = np.random.default_rng(0).random((23, 4)) < (0.6, 0.3, 0.1, 0)
    parts = iterative_folds(has, folds, np.random.default_rng(1))
    sizes = np.bincount(parts, minlength=folds)
    assert len(sizes) == folds and sizes.max() - sizes.min() <= 1
    for label in has.T:
        counts = np.bincount(parts[label], minlength=folds)
        assert counts.max() - counts.min() <= 2
    with pytest.raises(ValueError, match="23 things"):
        iterative_folds(has, 24, np.random.default_rng(1))


def test_rare_labels_are_spread_over_the_folds():
    rng = np.random.default_rng(4)
    has = rng.random((200, 6)) < (0.5, 0.4, 0.3, 0.02, 0.02, 0.02)
    for seed in range(5):
        parts = iterative_folds(has, 5, np.random.default_rng(seed))
        for label in has.T:
            wanted = label.sum() / 5
            counts = np.bincount(parts[label], minlength=5)
            assert np.abs(counts - wanted).max() < 2
