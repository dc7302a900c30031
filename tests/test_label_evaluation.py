"""Figures of labels against scikit-learn, and the thresholds by which labels are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics

from striate.confidence.label_decisions import FEWEST, chosen_thresholds
from striate.model.answers import Answers
from striate.training.label_evaluation import LabelEvaluation, average_precision


def example(images: int, labels: int, seed: int = 0, ties: bool = False):
    rng = np.random.default_rng(seed)
    truth = rng.random((images, labels)) < np.linspace(0.1, 0.7, labels)
    outputs = rng.normal(size=(images, labels)) + 2.0 * truth
    return (np.round(outputs) if ties else outputs).astype(np.float32), truth.astype(np.int64)


@settings(max_examples=40)
@given(
    images=st.integers(1, 60),
    labels=st.integers(1, 6),
    seed=st.integers(0, 1000),
    ties=st.booleans(),
)
def test_figures_are_those_of_scikit_learn(images, labels, seed, ties):
    outputs, truth = example(images, labels, seed, ties)
    thresholds = tuple(np.linspace(0.3, 0.8, labels).tolist())
    found = LabelEvaluation.from_outputs(
        outputs, truth, answers=Answers("labels", thresholds=thresholds)
    )
    chances = expit(outputs.astype(np.float64))
    said = (chances >= np.array(thresholds)).astype(int)
    assert found.images == images
    assert found.subset_accuracy == pytest.approx(
        metrics.accuracy_score(truth, said) if labels > 1 else (truth == said).mean()
    )
    assert found.hamming_loss == pytest.approx((truth != said).mean())
    if labels > 1:
        assert found.hamming_loss == pytest.approx(metrics.hamming_loss(truth, said))
    assert found.loss == pytest.approx(
        metrics.log_loss(truth.ravel(), chances.ravel(), labels=[0, 1])
    )
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, said, average=None, zero_division=np.nan, labels=range(labels)
    ) if labels > 1 else [[value] for value in metrics.precision_recall_fscore_support(
        truth[:, 0], said[:, 0], average="binary", zero_division=np.nan
    )[:3]] + [[truth.sum()]]  # fmt: skip
    for index, report in enumerate(found.labels):
        assert report.support == support[index]
        assert report.threshold == thresholds[index]
        for ours, theirs in ((report.precision, precision), (report.recall, recall)):
            assert (ours is None) == np.isnan(theirs[index])
            assert ours is None or ours == pytest.approx(theirs[index])
        if report.support:
            assert report.f1 == pytest.approx(f1[index])
            ranked = metrics.average_precision_score(truth[:, index], chances[:, index])
            assert report.average_precision == pytest.approx(ranked)
        else:
            assert report.f1 is None and report.average_precision is None
    if truth.any():
        assert found.micro_f1 == pytest.approx(
            metrics.f1_score(truth.ravel(), said.ravel(), zero_division=0)
        )
        seen = truth.any(axis=0)
        assert found.mean_average_precision == pytest.approx(
            metrics.average_precision_score(truth[:, seen], chances[:, seen], average="macro")
            if seen.sum() > 1
            else metrics.average_precision_score(truth[:, seen][:, 0], chances[:, seen][:, 0])
        )
    else:
        assert found.micro_f1 is found.mean_average_precision is found.macro_f1 is None


def test_temperature_changes_the_loss_and_no_ranking():
    outputs, truth = example(50, 3)
    plain = LabelEvaluation.from_outputs(outputs, truth)
    warm = LabelEvaluation.from_outputs(outputs, truth, answers=Answers("labels", temperature=4))
    assert warm.mean_average_precision == pytest.approx(plain.mean_average_precision)
    assert warm.loss == pytest.approx(
        metrics.log_loss(truth.ravel(), expit(outputs.ravel().astype(float) / 4))
    )


def test_average_precision_of_a_worked_case():
    truth = np.array([True, False, True, False])
    # Right, wrong, right: 1/1 and 2/3, each a half of the recall.
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.1]), truth) == pytest.approx(5 / 6)
    # All at once: one step.
    assert average_precision(np.zeros(4), truth) == pytest.approx(0.5)
    assert average_precision(np.zeros(2), np.array([False, False])) is None


def test_a_table_and_plain_values():
    outputs, truth = example(30, 2)
    found = LabelEvaluation.from_outputs(outputs, truth, ["cat", "<dog>"])
    assert [row[0] for row in found.table()] == ["label", "cat", "<dog>"]
    assert "cat" in str(found) and "&lt;dog&gt;" in found._repr_html_()
    assert found.to_dict()["labels"][0]["name"] == "cat"


@pytest.mark.parametrize(
    ("outputs", "truth", "message"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), "there are no images to evaluate on"),
        (np.zeros((3, 2)), np.zeros((2, 2)), "there are 3 images but 2 labels"),
        (np.full((2, 2), np.nan), np.zeros((2, 2)), "the network has diverged"),
        (np.zeros((2, 2)), np.full((2, 2), 2), "labels run from 2 to 2"),
        (np.zeros(2), np.zeros(2), r"outputs must be \(images, labels\)"),
    ],
)
def test_what_does_not_fit_is_told(outputs, truth, message):
    with pytest.raises(ValueError, match=message):
        LabelEvaluation.from_outputs(outputs, truth)


# --- thresholds ----------------------------------------------------------------------------------


@settings(max_examples=60)
@given(images=st.integers(1, 80), seed=st.integers(0, 10_000), ties=st.booleans())
def test_thresholds_have_the_best_f1_of_all(images, seed, ties):
    outputs, truth = example(images, 2, seed, ties)
    chances = expit(outputs.astype(np.float64))
    has = truth.astype(bool)
    for index, threshold in enumerate(chosen_thresholds(chances, has)):
        column, right = chances[:, index], has[:, index]
        if right.sum() < FEWEST or (~right).sum() < FEWEST:
            assert threshold == 0.5
            continue
        assert threshold not in column  # so that rounding decides nothing
        ours = metrics.f1_score(right, column >= threshold, zero_division=0)
        # Every other one; but not to give the label to all, which needs no network.
        others = [metrics.f1_score(right, column >= limit) for limit in np.unique(column)[1:]]
        assert ours == pytest.approx(max(others))


def test_equal_probabilities_leave_the_threshold():
    assert chosen_thresholds(np.full((40, 1), 0.3), np.arange(40)[:, None] % 2 == 0) == (0.5,)
