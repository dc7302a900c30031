"""Confident learning against the definitions of the paper, written as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.checking.confident_learning import class_thresholds, confident_joint, wrong_labels


def textbook_joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Equations 1 and 2 of arXiv:1911.00068, and the calibration of equation 3."""
    count, classes = probabilities.shape
    thresholds = []
    for label in range(classes):
        own = [probabilities[i, label] for i in range(count) if labels[i] == label]
        thresholds.append(sum(own) / len(own) if own else float("inf"))
    joint = np.zeros((classes, classes))
    for i in range(count):
        sure = [j for j in range(classes) if probabilities[i, j] >= thresholds[j]]
        if sure:
            joint[labels[i], max(sure, key=lambda j: (probabilities[i, j], -j))] += 1
    for label in range(classes):
        if joint[label].sum() == 0:
            joint[label, label] = 1
        joint[label] *= np.sum(labels == label) / joint[label].sum()
    return joint


def random_case(
    seed: int, count: int, classes: int, sharp: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = np.exp(sharp * rng.normal(size=(count, classes)))
    return scores / scores.sum(axis=1, keepdims=True), rng.integers(0, classes, count)


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 6))
def test_the_joint_is_that_of_the_paper(seed: int, count: int, classes: int) -> None:
    probabilities, labels = random_case(seed, count, classes)
    joint = confident_joint(probabilities, labels)
    np.testing.assert_allclose(joint, textbook_joint(probabilities, labels))
    np.testing.assert_allclose(joint.sum(axis=1), np.bincount(labels, minlength=classes))


def test_thresholds_are_means_of_self_confidence() -> None:
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    assert class_thresholds(probabilities, np.array([0, 0, 1])).tolist() == [0.7, 0.8]
    assert class_thresholds(probabilities, np.array([0, 0, 0]))[1] == np.inf


def planted(
    count: int, classes: int, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of a good model, labels of which a share is flipped, and which."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    scores = rng.normal(size=(count, classes))
    scores[np.arange(count), truth] += 6
    scores = np.exp(scores)
    flipped = rng.random(count) < share
    labels = np.where(flipped, (truth + rng.integers(1, classes, count)) % classes, truth)
    return scores / scores.sum(axis=1, keepdims=True), labels, flipped


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_flipped_labels_are_found(share: float) -> None:
    probabilities, labels, flipped = planted(6000, 10, share, 1)
    found = wrong_labels(probabilities, labels)
    hit = flipped[found.rows]
    assert hit.mean() >= 0.9
    assert hit.sum() >= 0.95 * flipped.sum()
    truth = probabilities.argmax(axis=1)
    assert np.mean(found.suggested == truth[found.rows]) == 1
    assert (np.diff(found.margins) <= 0).all()
    # The joint estimates how many there are.
    wrong = found.joint.sum() - np.trace(found.joint)
    assert wrong == pytest.approx(flipped.sum(), rel=0.15)


def test_labels_that_the_model_agrees_with_are_not_found() -> None:
    probabilities, labels, _ = planted(3000, 6, 0.0, 2)
    assert len(wrong_labels(probabilities, labels).rows) <= 3
    assert len(wrong_labels(probabilities, labels, least_margin=0.99).rows) == 0


def test_a_class_without_images() -> None:
    probabilities, labels = random_case(3, 200, 4)
    labels[labels == 2] = 0
    joint = confident_joint(probabilities, labels)
    assert joint[2].sum() == 0 and joint[:, 2].sum() == 0  # nobody is sure of it
