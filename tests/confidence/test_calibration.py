"""Temperatures and calibration errors, against textbook loops and another optimiser."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from striate.confidence.calibration import fit_temperature
from striate.confidence.calibration_error import expected_calibration_error, reliability
from striate.confidence.coverage import (
    area_under_risk,
    auroc,
    binomial_interval,
    coverages,
)
from striate.model.answers import COLDEST, FEWEST


def drawn(temperature: float, count: int = 20_000, classes: int = 5) -> tuple[np.ndarray, ...]:
    """Outputs whose probabilities are true at a temperature, and classes drawn by these."""
    rng = np.random.default_rng(3)
    outputs = 2.5 * rng.normal(size=(count, classes))
    probabilities = np.exp(log_softmax(outputs / temperature, axis=1))
    labels = (probabilities.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return outputs, np.minimum(labels, classes - 1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_of_which_labels_were_drawn_is_found(temperature: float) -> None:
    found = fit_temperature(*drawn(temperature))
    assert found == pytest.approx(temperature, rel=0.05)


def test_it_has_the_least_log_loss() -> None:
    """Beside one image among many that is thought to be wrong."""
    outputs, labels = drawn(1.7)
    rows = np.arange(len(labels))
    best = minimize_scalar(
        lambda t: -log_softmax(outputs / t, axis=1)[rows, labels].mean(),
        bounds=(0.1, 10),
        method="bounded",
        options={"xatol": 1e-9},
    ).x
    assert fit_temperature(outputs, labels) == pytest.approx(best, rel=1e-3)


def test_where_all_answers_are_right_they_are_not_certain() -> None:
    """One in so many may well be wrong: probabilities do not become 1."""
    outputs = np.eye(4)[np.arange(200) % 4] * 3.0
    temperature = fit_temperature(outputs, outputs.argmax(axis=1))
    surest = np.exp(log_softmax(outputs / temperature, axis=1)).max(axis=1)
    assert temperature > 10 * COLDEST
    assert 1 - surest.mean() == pytest.approx(0.5 / 200, rel=0.1)


def test_labels_have_a_temperature_too() -> None:
    rng = np.random.default_rng(0)
    outputs = 4 * rng.normal(size=(20_000, 3))
    targets = rng.random(outputs.shape) < 1 / (1 + np.exp(-outputs / 2.2))
    assert fit_temperature(outputs, targets) == pytest.approx(2.2, rel=0.05)


@pytest.mark.parametrize(
    ("outputs", "labels", "match"),
    [
        (np.zeros((FEWEST - 1, 2)), np.zeros(FEWEST - 1), f"at least {FEWEST} images"),
        (np.zeros((30, 2)), np.zeros(29), "do not fit"),
        (np.zeros(30), np.zeros(30), "do not fit"),
        (np.full((30, 2), np.nan), np.zeros(30), "not finite"),
    ],
)
def test_what_cannot_be_calibrated(outputs: np.ndarray, labels: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        fit_temperature(outputs, labels)


# The calibration error


def textbook_error(confidences: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Σ |B| / n · |accuracy(B) - confidence(B)|, image by image."""
    total = 0.0
    for place in range(bins):
        inside = [
            row
            for row, sure in enumerate(confidences)
            if place / bins < sure <= (place + 1) / bins or (sure == 0 and place == 0)
        ]
        if inside:
            accuracy = sum(bool(right[row]) for row in inside) / len(inside)
            confidence = sum(confidences[row] for row in inside) / len(inside)
            total += len(inside) / len(confidences) * abs(accuracy - confidence)
    return total


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_expected_calibration_error(pairs: list[tuple[float, bool]]) -> None:
    confidences, right = (np.array(values) for values in zip(*pairs, strict=True))
    edges = np.linspace(0, 1, 16)
    # Where a bin ends exactly is a matter of rounding.
    if np.abs(edges[:, None] - confidences).min(initial=1, where=confidences > 0) > 1e-12:
        curve = reliability(confidences, right)
        assert sum(each.images for each in curve) == len(pairs)
        expected = textbook_error(confidences, right, 15)
        assert expected_calibration_error(curve) == pytest.approx(expected, abs=1e-12)


def test_certain_answers_are_in_the_last_bin() -> None:
    curve = reliability(np.array([0.0, 1.0, 1.0]), np.array([True, True, False]))
    assert [each.images for each in curve] == [1, *[0] * 13, 2]
    assert (curve[-1].confidence, curve[-1].accuracy) == (1.0, 0.5)
    assert curve[3].accuracy is None
    assert expected_calibration_error(curve) == pytest.approx((1 + 2 * 0.5) / 3)


@pytest.mark.parametrize(("sure", "right"), [([], []), ([0.5], [True, False]), ([[0.5]], [[True]])])
def test_what_has_no_calibration_error(sure: list[float], right: list[bool]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        reliability(np.array(sure), np.array(right, bool))


# Coverage


def test_the_surest_answers() -> None:
    sure = np.array([0.9, 0.2, 0.8, 0.4])
    right = np.array([True, False, True, True])
    found = coverages(sure, right, (1.0, 0.5, 0.01))
    assert [(each.images, each.coverage, each.accuracy, each.least) for each in found] == [
        (4, 1.0, 0.75, 0.2),
        (2, 0.5, 1.0, 0.8),
        (1, 0.25, 1.0, 0.9),
    ]
    assert area_under_risk(sure, right) == pytest.approx((0 + 0 + 0 + 0.25) / 4)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_auroc_is_the_share_of_pairs_in_order(near: list[int], far: list[int]) -> None:
    pairs = [(a > b) + 0.5 * (a == b) for a in far for b in near]
    assert auroc(np.array(near), np.array(far)) == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=300).round(1), rng.normal(1, 1, 200).round(1)
    truth = np.repeat([0, 1], [300, 200])
    expected = metrics.roc_auc_score(truth, np.concatenate([near, far]))
    assert auroc(near, far) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "total"), [(0, 50), (3, 50), (50, 50), (200, 10_000)])
def test_the_binomial_interval(count: int, total: int) -> None:
    """At its ends a count as far out has a probability of 2.5 %."""
    from scipy.stats import binom

    low, high = binomial_interval(count, total)
    assert low <= count / total <= high
    if count:
        assert binom.sf(count - 1, total, low) == pytest.approx(0.025, rel=1e-6)
    if count < total:
        assert binom.cdf(count, total, high) == pytest.approx(0.025, rel=1e-6)
    assert math.isclose(high, 1.0) == (count == total)
