"""Splits of things with several labels: every label keeps its share."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.common.iterative_stratification import iteratively_stratified


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
