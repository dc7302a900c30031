"""Distances, surrogates and thresholds, against textbook loops."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.confidence import scores
from striate.confidence.rejector import (
    KEPT,
    choose_rejection,
    fewest_images,
    quantiles,
    threshold_for,
)
from striate.confidence.surrogates import KINDS, surrogates
from striate.training.outlier_exposure import learn_exposure

RNG = np.random.default_rng(0)
OUTPUTS = 4 * RNG.normal(size=(50, 6))
LABELS = np.arange(300) % 3
CENTRES = 3 * RNG.normal(size=(3, 7))
MIXING = RNG.normal(size=(7, 7))
FEATURES = (RNG.normal(size=(300, 7)) @ MIXING + CENTRES[LABELS]).astype(np.float32)
ASKED = (RNG.normal(size=(40, 7)) @ MIXING * 2).astype(np.float32)
ARRAYS = scores.fit_arrays(FEATURES, LABELS, 3)


def test_scores_of_outputs() -> None:
    nothing = np.zeros((50, 0))
    for row, values in enumerate(OUTPUTS):
        exponentials = [np.exp(value) for value in values]
        expected = {
            "softmax": 1 - max(exponentials) / sum(exponentials),
            "logit": -max(values),
            "energy": -np.log(sum(exponentials)),
        }
        for name, value in expected.items():
            found = scores.distance(name, OUTPUTS, nothing, {})
            assert found[row] == pytest.approx(value)


def test_mahalanobis() -> None:
    """With a covariance that is inverted, and means, that are computed in another way."""
    means = [FEATURES[label == LABELS].astype(float).mean(axis=0) for label in range(3)]
    centred = FEATURES.astype(float) - np.array(means)[LABELS]
    inverse = np.linalg.inv(scores.shrunk_covariance(centred))
    found = scores.distance("mahalanobis", np.zeros((40, 3)), ASKED, ARRAYS["mahalanobis"])
    for row, point in enumerate(ASKED.astype(float)):
        squares = [(point - mean) @ inverse @ (point - mean) for mean in means]
        assert found[row] == pytest.approx(np.sqrt(min(squares)), rel=1e-4)


def test_the_covariance_is_that_of_ledoit_and_wolf() -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    for count, size in ((300, 7), (12, 30), (5, 5)):
        values = np.random.default_rng(1).normal(size=(count, size)) @ np.diag(
            np.linspace(0.1, 3, size)
        )
        values -= values.mean(axis=0)
        expected = covariance.ledoit_wolf(values, assume_centered=True)[0]
        np.testing.assert_allclose(scores.shrunk_covariance(values), expected, rtol=1e-9)


def test_neighbours() -> None:
    bank = FEATURES.astype(float)
    mean = bank.mean(axis=0)
    bank = (bank - mean) / np.linalg.norm(bank - mean, axis=1)[:, None]
    found = scores.distance("neighbours", np.zeros((40, 3)), ASKED, ARRAYS["neighbours"])
    for row, point in enumerate(ASKED.astype(float)):
        point = (point - mean) / np.linalg.norm(point - mean)
        away = sorted(np.linalg.norm(other - point) for other in bank)
        assert found[row] == pytest.approx(away[scores.NEIGHBOURS - 1], rel=1e-4)


@pytest.mark.parametrize("count", [300, 9, 2])
def test_neighbours_among_principal_components(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """As scikit-learn finds them, of many images and of fewer than there are features."""
    decomposition = pytest.importorskip("sklearn.decomposition")
    monkeypatch.setattr(scores, "DIMENSIONS", 3)
    features = np.column_stack([FEATURES, 0.1 * FEATURES**2])[:count].astype(np.float64)
    asked = np.column_stack([ASKED, 0.1 * ASKED**2])
    arrays = scores.fit_arrays(features, LABELS[:count], 3)["neighbours"]
    size = min(3, count - (count < 14))
    assert arrays["bank"].shape[0] == count
    pca = decomposition.PCA(size).fit(features)
    bank, points = (
        placed / np.linalg.norm(placed, axis=1)[:, None]
        for placed in (pca.transform(features), pca.transform(asked))
    )
    found = scores.distance("neighbours", np.zeros((40, 3)), asked, arrays)
    for row, point in enumerate(points):
        away = sorted(np.linalg.norm(bank - point, axis=1))
        expected = away[min(scores.NEIGHBOURS, count) - 1]
        assert found[row] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_of_too_many_features_there_is_no_covariance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_WHITENED", 6)
    arrays = scores.fit_arrays(FEATURES, LABELS, 3)
    assert arrays["neighbours"]["directions"].shape == (7, 6)
    assert "mahalanobis" not in arrays


def test_without_features_there_are_the_scores_of_outputs() -> None:
    assert set(scores.fit_arrays(np.zeros((9, 0)), LABELS[:9], 3)) == {
        "softmax",
        "logit",
        "energy",
    }


def test_a_class_without_images_is_nowhere() -> None:
    arrays = scores.fit_arrays(FEATURES, LABELS, 5)["mahalanobis"]
    assert arrays["means"].shape == (5, 7)
    found = scores.distance("mahalanobis", np.zeros((40, 5)), ASKED, arrays)
    three = scores.distance("mahalanobis", np.zeros((40, 3)), ASKED, ARRAYS["mahalanobis"])
    np.testing.assert_allclose(found, three)


def test_a_constant_feature_says_nothing_of_others() -> None:
    features = np.column_stack([FEATURES, np.full(300, 2.0)])
    arrays = scores.fit_arrays(features, LABELS, 3)["mahalanobis"]
    asked = np.column_stack([ASKED, np.full(40, 2.0)])
    assert np.isfinite(scores.distance("mahalanobis", np.zeros((40, 3)), asked, arrays)).all()


# Thresholds


@given(st.integers(1, 400), st.floats(0.005, 0.5), st.integers(0, 2**31))
def test_a_threshold_rejects_no_more_than_asked(count: int, rate: float, seed: int) -> None:
    distances = np.random.default_rng(seed).normal(size=count)
    if count < fewest_images(rate):
        with pytest.raises(ValueError, match=r"needs at least [\d,]+ image"):
            threshold_for(distances, rate)
    else:
        limit = threshold_for(distances, rate)
        assert (distances > limit).mean() <= rate
        assert (distances >= limit).sum() + 1 > rate * (count + 1) - 1e-6


def test_new_images_are_rejected_at_the_rate() -> None:
    """On average over held-out sets: the guarantee of conformal prediction."""
    rng = np.random.default_rng(5)
    shares = [
        (rng.normal(size=2000) > threshold_for(rng.normal(size=199), 0.05)).mean()
        for _ in range(400)
    ]
    assert np.mean(shares) == pytest.approx(0.05, abs=0.003)


def test_many_distances_become_quantiles() -> None:
    values = np.random.default_rng(0).normal(size=5 * KEPT)
    kept = quantiles(values)
    assert len(kept) == KEPT
    assert (kept[0], kept[-1]) == (np.float32(values.min()), np.float32(values.max()))
    assert (np.diff(kept) >= 0).all()
    np.testing.assert_array_equal(quantiles(values[:5]), np.sort(values[:5]).astype(np.float32))


def test_exposure() -> None:
    """A textbook loop over units; and images like those it learnt from are told from the known."""
    rng = np.random.default_rng(3)
    away = (rng.normal(size=(200, 7)) @ MIXING - 8).astype(np.float32)
    arrays = learn_exposure(FEATURES, LABELS, away, 3)
    hidden, decided = (arrays[name].astype(float) for name in ("hidden", "decided"))
    assert hidden.shape == (8, len(decided) - 1) and decided.shape[1] == 4
    found = scores.distance("exposure", np.zeros((40, 3)), ASKED, arrays)
    for row, point in enumerate(ASKED.astype(float)):
        active = [
            max(0.0, sum(point * hidden[:7, unit]) + hidden[7, unit])
            for unit in range(hidden.shape[1])
        ]
        outputs = [sum(active * decided[:-1, k]) + decided[-1, k] for k in range(4)]
        assert found[row] == pytest.approx(outputs[3] - max(outputs[:3]), abs=1e-4)
    near = scores.distance("exposure", np.zeros((300, 3)), FEATURES, arrays)
    far = (rng.normal(size=(100, 7)) @ MIXING - 8).astype(np.float32)
    assert (near < 0).mean() > 0.95
    assert (scores.distance("exposure", np.zeros((100, 3)), far, arrays) > 0).mean() > 0.9


def test_exposure_gives_the_same_numbers_for_any_threads() -> None:
    strange = FEATURES[::-1] * 3
    one, two = (learn_exposure(FEATURES, LABELS, strange, 3, threads=n) for n in (1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


# Surrogates, and the choice


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 2), (9, 1, 3), (5, 8, 1), (28, 28, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_surrogates_are_like_the_images_in_type(shape: tuple[int, ...], dtype: type) -> None:
    rng = np.random.default_rng(0)
    images = (rng.random((12, *shape)) * (200 if dtype is np.uint8 else 1)).astype(dtype)
    made = surrogates(images, np.arange(12) % 2, 9, rng)
    assert set(made) == set(KINDS)
    for some in made.values():
        assert some.shape == (9, *shape) and some.dtype == dtype
        assert some.min() >= 0 and some.max() <= images.max()


def test_surrogates_are_none_of_the_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 12, 12, 1), dtype=np.uint8)
    made = surrogates(images, np.arange(30) % 3, 40, np.random.default_rng(1))
    again = surrogates(images, np.arange(30) % 3, 40, np.random.default_rng(1))
    for name, some in made.items():
        np.testing.assert_array_equal(some, again[name])
        same = (some[:, None] == images[None]).all(axis=(2, 3, 4)).any(axis=1)
        assert same.mean() <= 0.1, name  # squares may stay where they were


def test_the_score_that_tells_surrogates_best_is_chosen() -> None:
    """Features that are far from the training's for all but images of it; outputs that say
    nothing.
    """
    rng = np.random.default_rng(2)
    images = rng.integers(100, 140, (600, 6, 6, 1), dtype=np.uint8)
    labels = np.arange(600) % 2
    images[labels == 1] += 60

    def run(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = some.reshape(len(some), -1).astype(np.float32)
        outputs = np.random.default_rng(len(some)).normal(size=(len(some), 2))
        return outputs.astype(np.float32), np.column_stack([pixels.mean(1), pixels.std(1)])

    choice = choose_rejection(
        0.05, training=(images[:400], labels[:400]), known=run(images[400:]), classes=2, run=run
    )
    assert choice.rejection.score in ("mahalanobis", "neighbours")
    best = choice.mean_auroc(choice.rejection.score)
    assert best > 0.8 > 0.6 > choice.mean_auroc("logit")
    assert best == max(choice.mean_auroc(score) for score in choice.auroc)
    assert choice.images == 200
    assert choice.rejection.problem((2,), 2) is None
    with pytest.raises(ValueError, match="needs at least 999 images"):
        choose_rejection(
            0.001, training=(images, labels), known=run(images[400:]), classes=2, run=run
        )


def test_what_is_learnt_is_judged_by_kinds_that_it_has_not_learnt_from() -> None:
    """A learner that knows by heart what it was shown, and nothing else, is not chosen."""
    rng = np.random.default_rng(4)
    images = rng.integers(0, 120, (500, 8, 8, 1), dtype=np.uint8)
    images[::2, :4] += 120
    labels = np.arange(500) % 2
    shown: list[int] = []

    def run(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = some.reshape(len(some), -1).astype(np.float32)
        return pixels[:, :2], pixels

    def by_heart(features: np.ndarray, of: np.ndarray, strange: np.ndarray) -> dict[str, Any]:
        shown.append(len(strange))
        return {"hidden": rng.normal(size=(65, 4)).astype("f4"),
                "decided": rng.normal(size=(5, 3)).astype("f4")}  # fmt: skip

    choice = choose_rejection(
        0.05,
        training=(images[:400], labels[:400]),
        known=run(images[400:]),
        classes=2,
        run=run,
        learn=by_heart,
    )
    kinds = set(choice.auroc["softmax"])
    assert set(choice.auroc["exposure"]) == kinds and len(shown) == 2
    assert sum(shown) == 200 * len(kinds)
    assert choice.rejection.score != "exposure"
    real = choose_rejection(
        0.05,
        training=(images[:400], labels[:400]),
        known=run(images[400:]),
        classes=2,
        run=run,
        learn=partial(learn_exposure, classes=2),
    )
    assert real.mean_auroc("exposure") > choice.mean_auroc("exposure")


def test_surrogates_of_the_known_kind_are_left_out() -> None:
    """Noise that is its own mirror image, in kind: turned and mirrored it is as it was."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (600, 6, 6, 1), dtype=np.uint8)

    def run(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = some.reshape(len(some), -1).astype(np.float32)
        return pixels[:, :2], np.column_stack([pixels.mean(1), pixels.std(1)])

    choice = choose_rejection(
        0.05,
        training=(images[:400], np.arange(400) % 2),
        known=run(images[400:]),
        classes=2,
        run=run,
    )
    kinds = set(choice.auroc["mahalanobis"])
    assert not kinds & {"turned", "mirrored", "inverted"} and "two blended" in kinds
