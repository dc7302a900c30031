"""Ridge regression on features, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from striate.transfer.number_head import fit_number_head


def measured(
    images: int, features: int, numbers: int, noise: float = 0.3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Features, and numbers that a few of them tell, of mean 0 and deviation 1."""
    random = np.random.default_rng(seed)
    mixing = random.normal(0, 1, (features, features)) / np.sqrt(features)
    x = (3 + random.normal(0, 2, (images, features)) @ mixing).astype(np.float32)
    y = x[:, :4] @ random.normal(0, 1, (4, numbers)) + random.normal(0, noise, (images, numbers))
    return x, (y - y.mean(axis=0)) / y.std(axis=0)


@pytest.mark.parametrize(
    ("images", "features", "numbers"), [(60, 7, 1), (41, 90, 3), (33, 32, 2), (12, 13, 1)]
)
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_scikit_learns_minimum(
    images: int, features: int, numbers: int, views: int, weighted: bool
) -> None:
    x, y = measured(images, features, numbers)
    other = x + np.random.default_rng(1).normal(0, 0.5, x.shape).astype(np.float32)
    seen = [x, other][:views]
    weights = np.random.default_rng(2).uniform(0.2, 3, images) if weighted else np.ones(images)
    head = fit_number_head(seen, y, weights=weights if weighted else None)
    stacked = np.concatenate(seen).astype(np.float64)
    scale = np.sqrt(np.square(stacked - stacked.mean(axis=0)).mean())
    peer = Ridge(alpha=head.penalty * views * weights.sum(), solver="svd")
    peer.fit(stacked / scale, np.tile(y, (views, 1)), sample_weight=np.tile(weights, views))
    expected = peer.predict(x.astype(np.float64) / scale).reshape(images, numbers)
    np.testing.assert_allclose(x @ head.weights + head.bias, expected, atol=1e-7)


def test_outputs_of_held_out_images_are_those_of_scikit_learn() -> None:
    """For each fold a model of the others; which images are together is seen by the outputs."""
    x, y = measured(25, 6, 2)
    head = fit_number_head([x], y, seed=3)
    scale = np.sqrt(np.square(x - x.mean(axis=0, dtype=np.float64)).mean())
    scaled = x.astype(np.float64) / scale
    rng = np.random.default_rng(3)
    order = rng.permutation(25)
    folds = np.empty(25, int)
    folds[order] = np.arange(25) % 5
    for fold in range(5):
        kept = folds != fold
        peer = Ridge(alpha=head.penalty * 20, solver="svd").fit(scaled[kept], y[kept])
        np.testing.assert_allclose(head.held_out[~kept], peer.predict(scaled[~kept]), atol=1e-8)
    assert head.loss == pytest.approx(np.square(head.held_out - y).mean())


def test_the_penalty_follows_the_noise() -> None:
    random = np.random.default_rng(2)
    x = random.normal(0, 1, (100, 200)).astype(np.float32)
    chance = fit_number_head([x], random.normal(0, 1, (100, 1)))
    assert chance.penalty > 100 and chance.loss == pytest.approx(1, abs=0.1)
    clean = fit_number_head(*([part] for part in measured(300, 8, 1, noise=0)[:1]),
                            measured(300, 8, 1, noise=0)[1])  # fmt: skip
    assert clean.penalty < 1e-3 and clean.loss < 1e-4


def test_numbers_told_by_what_varies_little() -> None:
    """The first directions say nothing of them, which must not end the search."""
    random = np.random.default_rng(6)
    x = random.normal(0, 1, (40, 12)) * np.r_[np.full(8, 30.0), np.full(4, 1.0)]
    y = x[:, 8:] @ random.normal(0, 1, (4, 1))
    head = fit_number_head([x.astype(np.float32)], (y - y.mean()) / y.std())
    assert head.loss < 0.05


def test_the_same_seed_gives_the_same_and_constant_features_are_no_trouble() -> None:
    x, y = measured(40, 6, 2)
    x[:, 2] = 7
    first, again = (fit_number_head([x], y, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.weights, again.weights)
    flat = fit_number_head([np.ones((9, 3), np.float32)], y[:9])
    assert not flat.weights.any() and np.isfinite(flat.loss)
