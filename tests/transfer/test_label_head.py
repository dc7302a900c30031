"""Logistic regressions of labels on features, against scikit-learn's, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from striate.optim.losses import SigmoidCrossEntropy
from striate.transfer.label_head import fit_label_head
from striate.transfer.linear_head import LinearHead


def tagged(
    images: int, features: int, frequency: tuple[float, ...], seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Features that tell, with noise, which labels an image has."""
    random = np.random.default_rng(seed)
    labels = random.random((images, len(frequency))) < frequency
    directions = random.normal(0, 1.5, (len(frequency), features))
    return (
        (2 + labels @ directions + random.normal(0, 2, (images, features))).astype(np.float32),
        labels.astype(np.float32),
    )


def chances(head: LinearHead, x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(x @ head.weights + head.bias)))


@pytest.mark.parametrize(
    ("images", "features", "weights"),
    [(90, 7, ()), (41, 90, ()), (60, 33, (4.0, 1.0, 0.5)), (33, 32, (2.0,))],
)
def test_each_label_is_scikit_learns_minimum(
    images: int, features: int, weights: tuple[float, ...]
) -> None:
    x, labels = tagged(images, features, (0.5, 0.3, 0.15))
    head = fit_label_head([x], labels, SigmoidCrossEntropy(0, weights))
    scale = np.sqrt(np.square(x - x.mean(axis=0, dtype=np.float64)).mean())
    scaled = x.astype(np.float64) / scale
    mine = chances(head, x)
    for index, label in enumerate(labels.T):
        weight = 1.0 if not weights else weights[index % len(weights)]
        peer = LogisticRegression(C=1 / (head.penalty * images), tol=1e-10, max_iter=20_000)
        peer.fit(scaled, label, sample_weight=np.where(label > 0, weight, 1))
        np.testing.assert_allclose(mine[:, index], peer.predict_proba(scaled)[:, 1], atol=3e-4)


def test_weights_of_images() -> None:
    x, labels = tagged(60, 8, (0.5, 0.3))
    weights = np.random.default_rng(1).uniform(0.2, 3, 60)
    head = fit_label_head([x], labels, weights=weights)
    scale = np.sqrt(np.square(x - x.mean(axis=0, dtype=np.float64)).mean())
    scaled = x.astype(np.float64) / scale
    for index, label in enumerate(labels.T):
        peer = LogisticRegression(C=1 / (head.penalty * weights.sum()), tol=1e-10, max_iter=20_000)
        peer.fit(scaled, label, sample_weight=weights)
        expected = peer.predict_proba(scaled)[:, 1]
        np.testing.assert_allclose(chances(head, x)[:, index], expected, atol=3e-4)


def test_held_out_images_are_not_learnt_from() -> None:
    """Labels at random: what was seen is known by heart, what was not is guessed."""
    random = np.random.default_rng(2)
    x = random.normal(0, 1, (200, 300)).astype(np.float32)
    labels = (random.random((200, 2)) < 0.5).astype(np.float32)
    for views in ([x], [x, x]):
        head = fit_label_head(views, labels)
        right = (head.held_out > 0) == (labels > 0.5)
        assert np.abs(right.mean(axis=0) - 0.5).max() < 0.12 and head.loss > 0.68
        assert head.penalty >= 1


def test_the_loss_is_that_of_the_held_out_images() -> None:
    x, labels = tagged(70, 9, (0.6, 0.2))
    head = fit_label_head([x], labels)
    s = 1 / (1 + np.exp(-head.held_out))
    losses = np.where(labels > 0.5, -np.log(s), -np.log(1 - s))
    assert head.loss == pytest.approx(losses.mean(), rel=1e-9)
    assert losses.mean() < 0.5  # and something was learnt


def test_rare_labels_and_those_of_all_images_or_none() -> None:
    x, labels = tagged(50, 6, (0.5, 0.4, 0.0, 1.0, 0.0))
    labels[17, 4] = 1  # held out, no other image has it
    head = fit_label_head([x], labels)
    assert np.isfinite(head.weights).all() and np.isfinite(head.held_out).all()
    found = chances(head, x)
    assert found[:, 2].max() < 1e-3 and found[:, 3].min() > 1 - 1e-3
    assert 0.001 < found[:, 4].mean() < 0.1
    # It takes nothing from the labels that many images have.
    alone = fit_label_head([x], labels[:, :2])
    np.testing.assert_allclose(chances(alone, x), found[:, :2], atol=0.1)


def test_the_same_seed_gives_the_same() -> None:
    x, labels = tagged(40, 6, (0.5, 0.2))
    first, again = (fit_label_head([x], labels, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert fit_label_head([x], labels, seed=5).loss != first.loss
