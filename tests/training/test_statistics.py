"""Channel statistics against NumPy's."""

import numpy as np
import pytest

from striate.training import statistics
from striate.training.statistics import channel_statistics


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 4, 3, 2), (700, 3, 2, 1), (9, 6)])
def test_mean_and_deviation(shape, dtype):
    images = (np.random.default_rng(1).random(shape) * 200).astype(dtype)
    mean, std = channel_statistics(images)
    pixels = images.reshape(-1, shape[-1]).astype(np.float64)
    np.testing.assert_allclose(mean, pixels.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(std, pixels.std(axis=0), rtol=1e-10)


def test_weights_are_repetitions(monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK", 3)
    images = np.random.default_rng(2).random((8, 2, 3, 2))
    weights = np.array([0, 1, 2, 3, 0, 1, 5, 2])
    expected = channel_statistics(np.repeat(images, weights, axis=0))
    np.testing.assert_allclose(channel_statistics(images, None, weights.astype(float)), expected)
    rows = np.array([6, 1, 3])
    np.testing.assert_allclose(channel_statistics(images, rows), channel_statistics(images[rows]))


def test_a_small_spread_far_from_zero():
    images = np.array([1e9, 1e9 + 1, 1e9 + 2]).reshape(3, 1, 1, 1)
    mean, _ = channel_statistics(images)
    assert mean == (1e9 + 1,)


def test_a_constant_channel_has_deviation_one():
    images = np.full((4, 2, 2, 2), 0.1)
    images[..., 1] = np.arange(4)[:, None, None]
    mean, std = channel_statistics(images)
    assert mean[0] == pytest.approx(0.1)
    assert std[0] == 1.0
    assert std[1] == pytest.approx(np.arange(4).std())
