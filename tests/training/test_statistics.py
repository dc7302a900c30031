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


@pytest.mark.parametrize("size", [0.01, 1.0, 60.0])
def test_a_constant_channel_gets_a_usual_deviation_of_at_least_one(size):
    images = np.full((4, 2, 2, 4), 0.1)
    images[..., 1:] = size * np.arange(4)[:, None, None, None] * (1.0, 2.0, 1e3)
    mean, std = channel_statistics(images)
    usual = size * np.arange(4).std() * 2
    assert mean[0] == pytest.approx(0.1)
    assert std[0] == pytest.approx(max(1.0, usual))
    assert std[2] == pytest.approx(usual)
    assert channel_statistics(images[..., :1])[1] == (1.0,)


@pytest.mark.parametrize("size", [1e-100, 1e-30, 1e-12, 1e-8])
def test_a_channel_of_next_to_no_spread_is_taken_as_constant_and_said(size):
    images = np.random.default_rng(4).random((50, 3))
    images[:, 1] *= size
    with pytest.warns(UserWarning, match=r"1 channel of 3 \(the first is number 1\) varies by"):
        _, std = channel_statistics(images)
    assert std[1] == 1.0
    assert std[0] == pytest.approx(images[:, 0].std())


@pytest.mark.filterwarnings("error")
def test_small_units_are_no_noise():
    values = np.random.default_rng(5).random((50, 2))
    for scale in ((1e-12, 3e-12), (1e9, 1e-3), (1e-5, 1.0), (1e-28, 1e-29)):
        _, std = channel_statistics(values * scale)
        np.testing.assert_allclose(std, values.std(axis=0) * scale, rtol=1e-6)
