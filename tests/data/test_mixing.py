"""Mixup and cutmix against loops written as the papers have them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.augment import Augment
from striate.data.mixing import Mixing, draw_mixing
from striate.optim.losses import SoftmaxCrossEntropy


def pictures(count: int, dtype: Any = np.uint8, height: int = 6, width: int = 9) -> np.ndarray:
    rng = np.random.default_rng(count)
    return rng.integers(0, 256, (count, height, width, 3)).astype(dtype)


def textbook(images: np.ndarray, mixing: Mixing) -> np.ndarray:
    """In float64, pixel by pixel."""
    mixed = np.empty(images.shape)
    for n, (partner, share) in enumerate(zip(mixing.partners, mixing.shares, strict=True)):
        box = None
        if mixing.pasted is not None and mixing.boxes is not None and mixing.pasted[n]:
            box = mixing.boxes[n]
        for y in range(images.shape[1]):
            for x in range(images.shape[2]):
                own, other = images[n, y, x].astype(float), images[partner, y, x].astype(float)
                if box is None:
                    mixed[n, y, x] = share * own + (1 - share) * other
                else:
                    inside = box[0] <= y < box[2] and box[1] <= x < box[3]
                    mixed[n, y, x] = other if inside else own
    return mixed


@settings(max_examples=80)
@given(
    count=st.integers(2, 12),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    mixup=st.sampled_from([0.0, 0.2, 1.0, 30.0]),
    cutmix=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([np.uint8, np.float32, np.float64]),
)
def test_images_and_shares(
    count: int, height: int, width: int, mixup: float, cutmix: float, seed: int, dtype: Any
) -> None:
    if not mixup and not cutmix:
        mixup = 1.0
    images = pictures(count, dtype, height, width)
    before = images.copy()
    mixing = draw_mixing(mixup, cutmix, count, height, width, np.random.default_rng(seed))
    assert sorted(mixing.partners.tolist()) == list(range(count))
    assert ((mixing.shares >= 0) & (mixing.shares <= 1)).all()
    mixed = mixing.images(images)
    assert mixed.dtype == dtype
    expected = textbook(images, mixing)
    np.testing.assert_allclose(mixed, expected, atol=0.5 + 1e-3 if dtype == np.uint8 else 1e-3)
    np.testing.assert_array_equal(images, before)
    if mixing.boxes is not None and mixing.pasted is not None:
        for n in np.flatnonzero(mixing.pasted):
            top, left, bottom, right = mixing.boxes[n]
            area = max(0, bottom - top) * max(0, right - left)
            assert mixing.shares[n] == pytest.approx(1 - area / (height * width))
        assert mixup or mixing.pasted.all()


def test_shares_are_those_of_the_beta_distribution() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for alpha in (0.2, 1.0, 4.0):
        shares = draw_mixing(alpha, 0, 4000, 8, 8, rng).shares
        assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    both = draw_mixing(0.2, 1.0, 4000, 64, 64, rng)
    assert both.pasted is not None
    assert abs(both.pasted.mean() - 0.5) < 0.04


def test_rectangles_are_those_of_the_paper() -> None:
    """r_w = W √(1 - λ), r_h = H √(1 - λ), about a centre anywhere, cut at the edges."""
    height, width, count = 40, 60, 3000
    mixing = draw_mixing(0, 1.0, count, height, width, np.random.default_rng(1))
    again = np.random.default_rng(1)
    again.permutation(count)
    shares = again.beta(1.0, 1.0, count)
    rows, columns = again.integers(0, height, count), again.integers(0, width, count)
    assert mixing.boxes is not None
    for n, (top, left, bottom, right) in enumerate(mixing.boxes.tolist()):
        half = math.sqrt(1 - shares[n]) / 2
        down, across = int(height * half), int(width * half)
        assert (top, bottom) == (max(rows[n] - down, 0), min(rows[n] + down, height))
        assert (left, right) == (max(columns[n] - across, 0), min(columns[n] + across, width))


@settings(max_examples=60)
@given(
    count=st.integers(2, 9),
    weighted=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 999),
)
def test_the_loss_is_that_of_both_images(
    count: int, weighted: bool, smoothing: float, seed: int
) -> None:
    """Σ λ w_i l(x̃, y_i) + (1 - λ) w_j l(x̃, y_j), as the papers sum it."""
    rng = np.random.default_rng(seed)
    loss = SoftmaxCrossEntropy(smoothing)
    targets = loss.targets(rng.integers(0, 4, count), 4)
    weights = rng.random(count) * (rng.random(count) < 0.8) if weighted else np.ones(count)
    mixing = draw_mixing(1.0, 0.0, count, 5, 5, rng)
    mixed, total = mixing.targets(targets, weights)
    np.testing.assert_allclose(mixed.sum(axis=1), 1, rtol=1e-6)
    outputs = rng.standard_normal((count, 4))
    expected = 0.0
    for i, (j, share) in enumerate(zip(mixing.partners, mixing.shares, strict=True)):
        expected += share * weights[i] * loss.per_image(outputs[i : i + 1], targets[i : i + 1])[0]
        expected += (
            (1 - share) * weights[j] * loss.per_image(outputs[i : i + 1], targets[j : j + 1])[0]
        )
    assert total @ loss.per_image(outputs, mixed) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="mixup and cutmix mix the targets, too"):
        Augment(mixup=0.2)(pictures(4), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"cutmix must be of 0\.\.\.100, got -1"):
        Augment(cutmix=-1)
    assert Augment(mixup=0.2).draw_mixing(1, 4, 4, np.random.default_rng(0)) is None
    assert Augment(flip=True).draw_mixing(4, 4, 4, np.random.default_rng(0)) is None
