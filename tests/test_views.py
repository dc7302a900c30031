"""Outputs averaged over views of an image."""

from __future__ import annotations

import re

import numpy as np
import pytest

from striate.engines.views import VIEWS, views_of
from striate.layers import Conv2D, Dense, Flatten
from striate.network import Network


@pytest.fixture
def network() -> Network:
    made = Network([Conv2D(3, 2), Flatten(), Dense(4)], input_shape=(5, 7, 2))
    made.initialise(1)
    return made


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (9, 5, 7, 2), np.uint8)


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_mirrored_is_the_mean_of_two(network: Network, images: np.ndarray, engine: str) -> None:
    both = [network.predict_logits(each, engine=engine) for each in (images, images[:, :, ::-1])]
    assert not np.allclose(*both)
    found = network.predict_logits(images, engine=engine, views="mirrored", batch_size=4)
    np.testing.assert_allclose(found, np.mean(both, axis=0), rtol=1e-5, atol=1e-4)
    turned = network.predict_logits(images[:, :, ::-1], engine=engine, views="mirrored")
    np.testing.assert_allclose(found, turned, rtol=1e-5, atol=1e-4)


def test_moved_weighs_those_in_place_as_much_as_the_others(
    network: Network, images: np.ndarray
) -> None:
    rows, columns = np.arange(5), np.arange(7)
    expected = np.zeros((9, 4))
    for step, weight in ((0, 0.25), (-1, 0.125), (1, 0.125)):
        moved = images[:, np.clip(rows + step, 0, 4)][:, :, np.clip(columns + step, 0, 6)]
        for each in (moved, moved[:, :, ::-1]):
            expected += weight * network.predict_logits(each)
    found = network.predict_logits(images, views="moved", batch_size=4)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("views", VIEWS)
def test_weights_sum_to_one_and_views_keep_their_shape(views: str, images: np.ndarray) -> None:
    found = [*views_of(images, views)]
    assert sum(weight for weight, _ in found) == 1
    assert {view.shape for _, view in found} == {images.shape}
    assert {view.dtype for _, view in found} == {images.dtype}
    assert len(found) == {"plain": 1, "mirrored": 2, "moved": 6}[views]


def test_probabilities_classes_and_figures_follow(network: Network, images: np.ndarray) -> None:
    logits = network.predict_logits(images, views="moved")
    np.testing.assert_array_equal(network.predict(images, views="moved"), logits.argmax(axis=1))
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict_proba(images, views="moved"), expected, 1e-5, 1e-9)
    assert network.evaluate(images, logits.argmax(axis=1), views="moved").accuracy == 1


def test_unknown_views_are_refused(network: Network, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be one of plain, mirrored, moved, got 'turned'"):
        network.predict_logits(images, views="turned")
    flat = Network([Dense(2)], input_shape=(6,))
    sentence = "needs images (height, width, channels), but the network reads (6,)"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        flat.predict_logits(np.zeros((1, 6), np.float32), views="mirrored")
