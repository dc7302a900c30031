"""Channel statistics against NumPy's."""

import warnings

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


@pytest.mark.parametrize(
    ("sizes", "faint"),
    [
        # Less than a millionth, and than a millionth of the largest,
        ((1.0, 0.98e-6), True),
        ((1.0, 1.02e-6), False),
        ((0.5, 0.98e-6), False),
        ((0.5, 0.48e-6), True),
        ((9.0, 0.98e-6), True),
        ((9.0, 1.02e-6), False),
        # or than float32 can divide by.
        ((1e-25, 0.98e-30), True),
        ((1e-25, 1.02e-30), False),
    ],
)
def test_from_which_spread_on_a_channel_counts(sizes, faint):
    images = np.resize([-1.0, 1.0], (4, 2, 3, 1)) * np.array(sizes)
    images -= images.mean(axis=(0, 1, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, std = channel_statistics(images)
    assert std[1] == pytest.approx(max(1.0, sizes[0]) if faint else sizes[1])
    assert [str(warning.message) for warning in caught] == faint * [
        f"1 channel of 2 (the first is number 1) varies by {sizes[1]:.2g} at most, where others "
        f"vary by {sizes[0]:.2g}: too little to learn from; scale it up if it matters"
    ]


def test_several_faint_channels_are_told_with_the_first():
    images = np.resize([-1.0, 1.0], (4, 2, 3, 1)) * (1.0, 1e-8, 4.0, 2e-8)
    with pytest.warns(
        UserWarning, match=r"^2 channels of 4 \(the first is number 1\) vary by 2e-08"
    ):
        _, std = channel_statistics(images)
    assert std == pytest.approx((1.0, 2.5, 4.0, 2.5)), "the median of the others"


@pytest.mark.parametrize(("spread", "constant"), [(0.9e-4, True), (1.1e-4, False)])
def test_what_varies_by_rounding_alone_is_constant(spread, constant):
    images = 1000 + np.resize([-1.0, 1.0], (4, 2, 3, 1)) * spread
    assert channel_statistics(images)[1] == pytest.approx((1.0 if constant else spread,), rel=1e-3)
