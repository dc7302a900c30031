"""Parts of photographs and turned hues: against formulas written apart, colorsys, torchvision."""

from __future__ import annotations

import colorsys
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data.augment import Augment
from striate.data.photo_changes import ASPECTS, cut_and_resize, draw_parts, turn_hues
from tests.data.torchvision_peer import torchvision


def pictures(count: int = 3, height: int = 12, width: int = 17, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height)
    return rng.integers(0, 256, (count, height, width, channels), np.uint8)


@settings(max_examples=100)
@given(
    least=st.floats(0.01, 0.99),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    seed=st.integers(0, 99),
)
def test_parts_lie_in_the_image(least: float, height: int, width: int, seed: int) -> None:
    parts = draw_parts(least, 50, height, width, np.random.default_rng(seed))
    top, left, down, across = parts.T
    assert (top >= 0).all() and (left >= 0).all() and (down >= 1).all() and (across >= 1).all()
    assert (top + down <= height).all() and (left + across <= width).all()
    if 3 / 4 <= width / height <= 4 / 3 and min(height, width) > 30:
        # Rounded sides change area and aspect by about a pixel's share.
        slack = 2 / min(height, width) / math.sqrt(least)
        assert (down * across >= least * height * width * (1 - slack)).all()
        aspects = across / down
        assert (aspects >= ASPECTS[0] * (1 - slack)).all()
        assert (aspects <= ASPECTS[1] * (1 + slack)).all()


def test_areas_aspects_and_places_are_uniform() -> None:
    stats = pytest.importorskip("scipy.stats")
    parts = draw_parts(0.1, 5000, 1000, 1000, np.random.default_rng(0))
    top, left, down, across = parts.T.astype(float)
    small = down * across < 0.5e6  # larger ones do not all fit, and are drawn again
    areas = (down * across)[small] / 1e6
    assert stats.kstest(areas, stats.uniform(0.1, 0.4).cdf).pvalue > 1e-3
    aspects = np.log(across / down)[small]
    low, high = map(math.log, ASPECTS)
    assert stats.kstest(aspects, stats.uniform(low, high - low).cdf).pvalue > 1e-3
    for place, side in ((top, down), (left, across)):
        assert stats.kstest((place / (1000 - side + 1))[small], "uniform").pvalue > 1e-3


def test_an_image_in_which_no_part_fits_gives_its_middle() -> None:
    parts = draw_parts(0.99, 20, 10, 200, np.random.default_rng(0))
    assert np.unique(parts, axis=0).tolist() == [[0, 93, 10, 13]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_part_is_resized_as_pillow_does(channels: int) -> None:
    images = pictures(channels=channels)
    parts = np.array([[0, 0, 12, 17], [2, 3, 5, 6], [11, 16, 1, 1]])
    changed = cut_and_resize(images, parts)
    np.testing.assert_array_equal(changed[0], images[0])
    assert (changed[2] == images[2, 11, 16]).all()
    for channel in range(channels):
        plane = Image.fromarray(images[1, 2:7, 3:9, channel])
        expected = np.asarray(plane.resize((17, 12), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(changed[1, ..., channel], expected)
    floats = cut_and_resize(images.astype(np.float32), parts)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, changed, atol=1.01)  # which is rounded twice


def textbook_bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarged linearly, in float64: pixel centres at halves, edges repeated."""
    result = np.empty((height, width, image.shape[2]))
    for y in range(height):
        for x in range(width):
            row = (y + 0.5) * image.shape[0] / height - 0.5
            column = (x + 0.5) * image.shape[1] / width - 0.5
            total, weight = np.zeros(image.shape[2]), 0.0
            for r in range(image.shape[0]):
                for c in range(image.shape[1]):
                    share = max(0.0, 1 - abs(row - r)) * max(0.0, 1 - abs(column - c))
                    total += share * image[r, c]
                    weight += share
            result[y, x] = total / weight
    return result


def test_a_part_that_is_enlarged_is_interpolated_linearly() -> None:
    images = pictures(1)
    changed = cut_and_resize(images, np.array([[4, 5, 6, 7]]))
    expected = textbook_bilinear(images[0, 4:10, 5:12].astype(float), 12, 17)
    np.testing.assert_allclose(changed[0], expected, atol=1.01)  # Pillow rounds twice


@settings(max_examples=60)
@given(
    turn=st.floats(-0.5, 0.5),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.uint8, np.float32, np.float64]),
)
def test_hues_are_turned_as_colorsys_does(turn: float, seed: int, dtype: Any) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (1, 3, 4, 3)).astype(dtype)
    image[0, 0, 0] = 77  # gray
    changed = turn_hues(image, np.array([turn]))
    assert changed.dtype == dtype
    for pixel, after in zip(image.reshape(-1, 3), changed.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(float(number) / 255 for number in pixel))
        expected = np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)) * 255
        np.testing.assert_allclose(after, expected, atol=0.51 if dtype == np.uint8 else 2e-3)


def test_no_turn_and_a_whole_turn_change_nothing() -> None:
    images = pictures(2)
    np.testing.assert_array_equal(turn_hues(images, np.array([0.0, 0.0])), images)
    np.testing.assert_allclose(
        turn_hues(images, np.array([0.5, -0.5]))[0].astype(int),
        turn_hues(images, np.array([-0.5, 0.5]))[0],
        atol=1,
    )


def test_hues_as_torchvision() -> None:
    torch = pytest.importorskip("torch")
    functional = torchvision("transforms.functional")
    images = pictures(3)
    for turn in (-0.4, -0.1, 0.03, 0.5):
        changed = turn_hues(images, np.full(3, turn)).astype(int)
        tensor = torch.from_numpy(images.transpose(0, 3, 1, 2) / np.float32(255))
        expected = functional.adjust_hue(tensor, turn).numpy().transpose(0, 2, 3, 1) * 255
        np.testing.assert_allclose(changed, expected, atol=0.6)


def test_in_augment() -> None:
    images = pictures(40)
    augment = Augment(hue=0.2, resized_crop=0.2)
    changed = augment(images, np.random.default_rng(3))
    draw = augment.draw(40, 12, 17, np.random.default_rng(3))
    assert draw.hues is not None and draw.parts is not None
    assert np.abs(draw.hues).max() <= 0.2
    expected = cut_and_resize(turn_hues(images, draw.hues), draw.parts)
    np.testing.assert_array_equal(changed, expected)
    # What there was before is drawn as before.
    old = Augment(flip=True, shift=2).draw(40, 12, 17, np.random.default_rng(4))
    new = Augment(flip=True, shift=2, hue=0.3, resized_crop=0.5, randaugment=1).draw(
        40, 12, 17, np.random.default_rng(4)
    )
    np.testing.assert_array_equal(old.shifts, new.shifts)
    np.testing.assert_array_equal(old.mirrored, new.mirrored)
    with pytest.raises(ValueError, match="hue needs images of 3 channels"):
        Augment(hue=0.1)(images[..., :1], np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"hue must be of 0\.\.\.0\.5"):
        Augment(hue=0.6)
    with pytest.raises(ValueError, match=r"resized_crop must be of 0\.\.\.1"):
        Augment(resized_crop=1.5)
