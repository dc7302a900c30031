"""Figures of numbers against scikit-learn, and targets that are standardised for training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from striate.layers import Conv2D, Dense, Flatten, GlobalAvgPool2D, Input, ReLU, Scale
from striate.model.answers import Answers
from striate.network import Network, load
from striate.training.number_evaluation import QUANTILES, NumberEvaluation
from striate.training.target_scale import TargetScale, can_fold


@settings(max_examples=40)
@given(images=st.integers(1, 50), numbers=st.integers(1, 4), seed=st.integers(0, 1000))
def test_figures_are_those_of_scikit_learn(images, numbers, seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(1000, 50, (images, numbers))
    outputs = (truth + rng.normal(3, 20, truth.shape)).astype(np.float32)
    found = NumberEvaluation.from_outputs(outputs, truth)
    for index, report in enumerate(found.numbers):
        pair = truth[:, index], outputs[:, index].astype(np.float64)
        assert report.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(*pair))
        assert report.root_mean_squared_error == pytest.approx(
            metrics.root_mean_squared_error(*pair)
        )
        assert report.error_quantiles[0] == pytest.approx(metrics.median_absolute_error(*pair))
        assert report.largest_error == pytest.approx(metrics.max_error(*pair))
        if images > 1:
            assert report.r2 == pytest.approx(metrics.r2_score(*pair))
        else:
            assert report.r2 is None
        sizes = np.abs(pair[1] - pair[0])
        np.testing.assert_allclose(report.error_quantiles, np.quantile(sizes, QUANTILES))
    if images > 1:
        assert found.r2 == pytest.approx(metrics.r2_score(truth, outputs))


def test_one_number_may_be_a_row_and_be_constant():
    found = NumberEvaluation.from_outputs(np.array([[1.0], [3.0]]), [2.0, 2.0], ["height"])
    assert found.r2 is None and found.numbers[0].r2 is None
    assert found.numbers[0].mean_absolute_error == 1
    assert "height" in str(found) and found.to_dict()["numbers"][0]["error_quantiles"]["0.5"] == 1


@pytest.mark.parametrize(
    ("outputs", "truth", "message"),
    [
        (np.zeros((0, 1)), np.zeros((0, 1)), "there are no images to evaluate on"),
        (np.zeros((2, 1)), np.zeros((3, 1)), "there are 2 images but 3 numbers"),
        (np.zeros((2, 1)), np.zeros((2, 3)), r"have the shape \(2, 3\), but the network has 1"),
        (np.zeros((2, 1)), np.full((2, 1), np.inf), "NaN or infinity"),
        (np.full((2, 1), np.nan), np.zeros((2, 1)), "the network has diverged"),
    ],
)
def test_what_does_not_fit_is_told(outputs, truth, message):
    with pytest.raises(ValueError, match=message):
        NumberEvaluation.from_outputs(outputs, truth)


# --- standardised targets ------------------------------------------------------------------------


def chain(*end) -> Network:
    return Network([Conv2D(5, 3), ReLU(), GlobalAvgPool2D(), *end], (7, 6, 2), seed=3)


def graph() -> Network:
    image = Input((7, 6, 2))
    x = Flatten()(ReLU()(Conv2D(4, 3)(image)))
    output, side = Scale(0.25)(Dense(2)(x)), Dense(2)(x)
    return Network(inputs=image, output=output, heads={"side": (side, 0.5)}, seed=4)


@pytest.mark.parametrize(
    "made", [chain(Dense(2)), chain(Dense(2), Scale(0.1)), chain(Dense(2), Scale(-2.0), Scale(3))]
)
def test_a_folded_network_answers_in_the_targets_unit(made):
    rng = np.random.default_rng(0)
    truth = rng.normal((50.0, -3.0), (20.0, 0.01), (30, 2))
    scale = TargetScale.of(truth)
    np.testing.assert_allclose(scale.scaled(truth).mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scale.scaled(truth).std(axis=0), 1, atol=1e-3)
    images = rng.normal(size=(9, 7, 6, 2)).astype(np.float32)
    assert can_fold(made)
    before = made.predict_logits(images).astype(np.float64)
    scale.fold_into(made)
    wanted = before * np.array(scale.std) + np.array(scale.mean)
    np.testing.assert_allclose(made.predict_logits(images), wanted, rtol=1e-5, atol=1e-5)


def test_auxiliary_heads_are_folded_too():
    made = graph()
    images = np.random.default_rng(1).normal(size=(5, 7, 6, 2)).astype(np.float32)
    before = made.predict_logits(images, head="side").astype(np.float64)
    TargetScale((10.0, 20.0), (2.0, 5.0)).fold_into(made)
    np.testing.assert_allclose(
        made.predict_logits(images, head="side"), before * (2, 5) + (10, 20), rtol=1e-5
    )


def test_what_cannot_be_folded_is_left():
    shared = Dense(6)
    image = Input((6,))
    twice = Network(inputs=image, output=shared(ReLU()(shared(image))))
    networks = (chain(Dense(2, bias=False)), chain(Dense(2), ReLU()), chain(), twice)
    assert not any(map(can_fold, networks))
    with pytest.raises(ValueError, match="does not end in a Dense layer with a bias"):
        TargetScale((0.0,), (1.0,)).fold_into(chain())


def test_a_constant_number_keeps_its_unit():
    scale = TargetScale.of(np.full((4, 1), 7.5))
    assert (scale.mean, scale.std) == ((7.5,), (1.0,))
    assert not scale.is_coarse
    assert TargetScale.of(np.array([[1e9], [1e9 + 1]])).is_coarse


def test_a_network_of_numbers_says_numbers(tmp_path):
    made = chain(Dense(2))
    made.answers = Answers("numbers", names=("width", "height"))
    images = np.random.default_rng(1).normal(size=(5, 7, 6, 2)).astype(np.float32)
    said = made.predict(images)
    np.testing.assert_array_equal(said, made.predict_logits(images))
    assert said.dtype == np.float64
    with pytest.raises(ValueError, match="numbers, which have no probabilities"):
        made.predict_proba(images)
    found = made.evaluate(images, said)
    assert found.numbers[1].name == "height" and found.r2 == pytest.approx(1)
    made.save(tmp_path / "model")
    assert load(tmp_path / "model").answers == made.answers
    made.fit(images, said, epochs=1, engine="numpy", progress=False)
    assert made.answers.names == ("width", "height")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "labels", "names": ("a",)}, 'names are for the kind "numbers"'),
        ({"kind": "numbers", "names": "ab"}, "names must be a tuple of text"),
        ({"kind": "numbers", "names": (1,)}, "names must be a tuple of text"),
    ],
)
def test_names_that_do_not_fit_are_told(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Answers(**arguments)


def test_as_many_names_as_numbers():
    with pytest.raises(ValueError, match=r"it has 3 names for outputs of shape \(2,\)"):
        chain(Dense(2)).answers = Answers("numbers", names=("a", "b", "c"))
