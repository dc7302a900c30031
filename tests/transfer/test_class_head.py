"""Logistic regression on features, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from striate.common.stratified import stratified_folds
from striate.transfer.class_head import fit_class_head
from striate.transfer.linear_head import LinearHead


def accuracy(head: LinearHead, labels: np.ndarray) -> float:
    """Of images that were held out."""
    return float((head.held_out.argmax(axis=1) == labels).mean())


def blobs(images: int, features: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1.2, (classes, features))
    labels = random.integers(0, classes, images)
    mixing = random.normal(0, 1, (features, features)) / np.sqrt(features)
    noise = random.normal(0, 2, (images, features)) @ mixing
    return (3 + centres[labels] + noise).astype(np.float32), labels.astype(np.intp)


@pytest.mark.parametrize(
    ("images", "features", "classes"), [(60, 7, 3), (41, 90, 4), (30, 31, 2), (33, 32, 5)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_scikit_learns_minimum(
    images: int, features: int, classes: int, weighted: bool
) -> None:
    x, labels = blobs(images, features, classes)
    weights = np.random.default_rng(1).uniform(0.2, 3, images) if weighted else None
    head = fit_class_head([x], labels, classes, weights=weights)
    scale = np.sqrt(np.square(x - x.mean(axis=0, dtype=np.float64)).mean())
    total = images if weights is None else weights.sum()
    peer = LogisticRegression(C=1 / (head.penalty * total), tol=1e-10, max_iter=20_000)
    peer.fit(x.astype(np.float64) / scale, labels, sample_weight=weights)
    mine = x @ head.weights + head.bias
    theirs = peer.predict_proba(x.astype(np.float64) / scale)
    shares = np.exp(mine - mine.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, theirs, atol=3e-4)


def test_held_out_images_are_not_learnt_from() -> None:
    """Labels at random: what was seen is known by heart, what was not is guessed."""
    random = np.random.default_rng(2)
    x = random.normal(0, 1, (200, 300)).astype(np.float32)
    labels = random.integers(0, 2, 200)
    head = fit_class_head([x], labels, 2)
    assert abs(accuracy(head, labels) - 0.5) < 0.12 and head.loss > 0.68
    assert head.penalty >= 1, "nothing can be learnt, so the strongest penalties are best"


def test_each_fold_is_held_out_as_it_is_given() -> None:
    """Against scikit-learn, trained on all other folds with the penalty that was chosen."""
    x, labels = blobs(90, 12, 3)
    folds = np.repeat([0, 1, 2, 3], [40, 5, 25, 20])
    head = fit_class_head([x], labels, 3, folds=folds)
    scale = np.sqrt(np.square(x - x.mean(axis=0, dtype=np.float64)).mean())
    for fold in range(4):
        rest, held = folds != fold, folds == fold
        peer = LogisticRegression(C=1 / (head.penalty * rest.sum()), tol=1e-10, max_iter=20_000)
        peer.fit(x[rest].astype(np.float64) / scale, labels[rest])
        theirs = peer.predict_proba(x[held].astype(np.float64) / scale)
        shares = np.exp(head.held_out[held])
        np.testing.assert_allclose(shares / shares.sum(axis=1, keepdims=True), theirs, atol=0.02)


def test_a_class_that_is_clear_needs_little_penalty() -> None:
    x, labels = blobs(300, 20, 3)
    hard = fit_class_head([x + np.random.default_rng(0).normal(0, 9, x.shape).astype("f4")],
                           labels, 3)  # fmt: skip
    clear = fit_class_head([np.eye(3, 20, dtype=np.float32)[labels]], labels, 3)
    assert clear.penalty < hard.penalty and accuracy(clear, labels) == 1
    assert accuracy(hard, labels) < 1


def test_views_of_an_image_are_held_out_together() -> None:
    """The second view is the first one again: were it not held out too, all would be known."""
    random = np.random.default_rng(3)
    x = random.normal(0, 1, (120, 400)).astype(np.float32)
    labels = random.integers(0, 2, 120)
    assert abs(accuracy(fit_class_head([x, x], labels, 2), labels) - 0.5) < 0.15
    # And twice the same says what once says.
    clear, known = blobs(50, 8, 3)
    once, twice = (fit_class_head([clear] * n, known, 3) for n in (1, 2))
    np.testing.assert_allclose(once.weights, twice.weights, atol=1e-2)


def test_the_same_seed_gives_the_same_and_constant_features_are_no_trouble() -> None:
    x, labels = blobs(40, 6, 3)
    x[:, 2] = 7
    first, again = (fit_class_head([x], labels, 3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert np.isfinite(first.weights).all() and accuracy(first, labels) > 0.5
    flat = fit_class_head([np.ones((9, 3), np.float32)], np.arange(9) % 3, 3)
    assert np.isfinite(flat.loss) and not flat.weights.any()


@pytest.mark.parametrize("folds", [1, 2, 5, 23])
def test_folds_share_out_every_class(folds: int) -> None:
    labels = np.random.default_rng(0).choice(["a", "b", "c"], 23, p=[0.7, 0.2, 0.1])
    parts = stratified_folds(labels, folds, np.random.default_rng(1))
    for chosen in (np.ones(23, bool), *(labels == name for name in "abc")):
        counts = np.bincount(parts[chosen], minlength=folds)
        assert counts.max() - counts.min() <= 1
    with pytest.raises(ValueError, match="23 things"):
        stratified_folds(labels, 24, np.random.default_rng(1))


def test_rare_classes() -> None:
    """A class of one image is in no training when that one is held out."""
    x, labels = blobs(30, 5, 3)
    labels[:] = np.arange(30) % 2
    labels[0] = 2
    head = fit_class_head([x], labels, 4)  # and a class without images
    assert head.held_out.shape == (30, 4) and np.isfinite(head.loss)
    with pytest.raises(ValueError, match="two images at least"):
        fit_class_head([x[:1]], labels[:1], 3)
