"""Rotation, zoom, contrast and saturation, against textbook loops written apart from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from striate.data import Augment
from striate.data.augment import Draw


def pictures(dtype: Any = np.uint8, channels: int = 3, n: int = 4) -> np.ndarray:
    """Of unequal height and width."""
    return np.random.default_rng(1).integers(0, 256, (n, 5, 8, channels)).astype(dtype)


def value_at(image: np.ndarray, row: int, column: int, fill: Any) -> np.ndarray:
    """A pixel that may lie outside of the image."""
    height, width, _ = image.shape
    if not isinstance(fill, str):
        inside = 0 <= row < height and 0 <= column < width
        return image[row, column].astype(float) if inside else np.asarray(fill, float)
    if fill == "edge":
        return image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)].astype(float)

    def mirrored(at: int, length: int) -> int:
        period = 2 * (length - 1)
        at %= period
        return min(at, period - at)

    return image[mirrored(row, height), mirrored(column, width)].astype(float)


def turned(image: np.ndarray, degrees: float, zoom: float, fill: Any) -> np.ndarray:
    """By the textbook: each point is looked for in the image and mixed of its four neighbours."""
    height, width, channels = image.shape
    result = np.zeros(image.shape)
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    angle = math.radians(degrees)
    for y in range(height):
        for x in range(width):
            # Up and right of the middle, as in mathematics, then turned back by the angle.
            right, up = (x - middle_x) / zoom, (middle_y - y) / zoom
            from_right = right * math.cos(angle) + up * math.sin(angle)
            from_up = -right * math.sin(angle) + up * math.cos(angle)
            at_y, at_x = middle_y - from_up, middle_x + from_right
            top, left = math.floor(at_y), math.floor(at_x)
            down, over = at_y - top, at_x - left
            for dy, weight_y in ((0, 1 - down), (1, down)):
                for dx, weight_x in ((0, 1 - over), (1, over)):
                    value = value_at(image, top + dy, left + dx, fill)
                    result[y, x] += weight_y * weight_x * value[:channels]
    return result


def drawn(**values: list[float]) -> Draw:
    return Draw(**{name: np.array(value) for name, value in values.items()})


@pytest.mark.parametrize("fill", [0.0, (10.0, 20.0, 30.0), "edge", "reflect", "mean"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_turning_and_zooming_is_that_of_the_textbook(dtype: Any, fill: Any) -> None:
    images = pictures(dtype)
    angles, zooms = [0.0, 33.0, -77.0, 180.0], [1.3, 1.0, 0.7, 1.01]
    result = Augment(rotate=180, zoom=0.5, fill=fill).apply(
        images, drawn(angles=angles, zooms=zooms)
    )
    assert result.dtype == images.dtype
    colour = fill
    if fill == "mean":
        colour = images.mean(axis=(0, 1, 2))
        colour = np.rint(colour) if dtype == np.uint8 else colour
    elif fill == 0.0:
        colour = (0.0,) * 3
    for image, made, angle, zoom in zip(images, result, angles, zooms, strict=True):
        expected = turned(image, angle, zoom, colour)
        # Of bytes a half may be rounded either way.
        limit = 0.5001 if dtype == np.uint8 else 1e-4 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(made.astype(float), expected, rtol=0, atol=limit)


@pytest.mark.parametrize("fill", [(9.0, 8.0, 7.0), "edge", "reflect"])
@pytest.mark.parametrize("size", [(1, 6), (6, 1), (2, 3)])
def test_points_far_outside_of_small_images(size: tuple[int, int], fill: Any) -> None:
    images = np.random.default_rng(2).random((3, *size, 3))
    if fill == "reflect" and 1 in size:
        images = np.repeat(images, 2, axis=1 if size[0] == 1 else 2)  # else there is no mirror
    angles, zooms = [10.0, 90.0, -140.0], [0.25, 0.3, 4.0]
    result = Augment(rotate=180, zoom=3, fill=fill).apply(images, drawn(angles=angles, zooms=zooms))
    for image, made, angle, zoom in zip(images, result, angles, zooms, strict=True):
        np.testing.assert_allclose(made, turned(image, angle, zoom, fill), rtol=0, atol=1e-9)


def test_a_single_row_has_no_mirror() -> None:
    images = np.random.default_rng(2).random((1, 1, 5, 1))
    result = Augment(rotate=180, fill="reflect").apply(images, drawn(angles=[180.0], zooms=[1.0]))
    np.testing.assert_allclose(result, images[:, :, ::-1], atol=1e-9)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_a_quarter_turn_is_anticlockwise(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 6, channels), dtype=np.uint8)
    result = Augment(rotate=90).apply(images, drawn(angles=[90.0, -90.0], zooms=[1.0, 1.0]))
    np.testing.assert_array_equal(result[0], np.rot90(images[0]))
    np.testing.assert_array_equal(result[1], np.rot90(images[1], -1))


def test_nothing_is_turned_by_nothing() -> None:
    images = pictures()
    nothing = drawn(angles=[0.0] * 4, zooms=[1.0] * 4)
    np.testing.assert_array_equal(Augment(rotate=9).apply(images, nothing), images)


def test_zooming_enlarges_the_middle() -> None:
    image = np.zeros((1, 9, 9, 1), np.uint8)
    image[0, 3:6, 3:6] = 100
    larger, smaller = (
        Augment(zoom=1.0).apply(image, drawn(angles=[0.0], zooms=[factor])) for factor in (2.0, 0.5)
    )
    assert larger.sum() > 3 * image.sum()
    assert smaller.sum() < image.sum() / 3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_contrast_and_saturation_are_those_of_the_textbook(dtype: Any) -> None:
    images = pictures(dtype)
    contrasts, saturations = [0.2, 1.0, 1.5, 0.0], [1.0, 0.3, 1.4, 0.5]
    result = Augment(contrast=0.9, saturation=0.9).apply(
        images, drawn(contrasts=contrasts, saturations=saturations)
    )
    assert result.dtype == images.dtype
    for image, made, contrast, saturation in zip(
        images.astype(float), result, contrasts, saturations, strict=True
    ):
        mean = image.mean()
        expected = mean + (image - mean) * contrast
        if dtype == np.uint8:
            expected = np.clip(np.rint(expected), 0, 255)
        red, green, blue = np.moveaxis(expected, -1, 0)
        gray = (0.299 * red + 0.587 * green + 0.114 * blue)[..., None]
        expected = gray + (expected - gray) * saturation
        if dtype == np.uint8:
            expected = np.clip(expected, 0, 255)
        limit = 1.01 if dtype == np.uint8 else 1e-3  # a half may be rounded either way
        np.testing.assert_allclose(made.astype(float), expected, rtol=0, atol=limit)


def test_no_saturation_is_gray_and_no_contrast_is_flat() -> None:
    images = pictures(np.float64)
    gray = Augment(saturation=1).apply(images, drawn(saturations=[0.0] * 4))
    np.testing.assert_allclose(gray, np.repeat(gray[..., :1], 3, axis=-1), atol=1e-9)
    flat = Augment(contrast=1).apply(images, drawn(contrasts=[0.0] * 4))
    assert np.ptp(flat, axis=(1, 2, 3)).max() < 1e-9


def test_what_is_drawn_lies_where_it_should() -> None:
    augment = Augment(rotate=30, zoom=0.25, contrast=0.4, saturation=0.3)
    draw = augment.draw(4000, 8, 8, np.random.default_rng(0))
    assert draw.angles is not None and draw.zooms is not None
    assert draw.contrasts is not None and draw.saturations is not None
    for values, least, most in (
        (draw.angles, -30, 30),
        (np.log(draw.zooms), -math.log(1.25), math.log(1.25)),
        (draw.contrasts, 0.6, 1.4),
        (draw.saturations, 0.7, 1.3),
    ):
        assert least <= values.min() < least + 0.01 * (most - least)
        assert most - 0.01 * (most - least) < values.max() <= most
        # A uniform number's mean is that of its ends.
        assert abs(values.mean() - (least + most) / 2) < 0.02 * (most - least)


def test_options_that_are_off_draw_nothing() -> None:
    plain = Augment(shift=2, flip=True).draw(9, 8, 8, np.random.default_rng(0))
    again = Augment(shift=2, flip=True, rotate=0).draw(9, 8, 8, np.random.default_rng(0))
    assert plain.angles is None and plain.contrasts is None and plain.saturations is None
    np.testing.assert_array_equal(plain.shifts, again.shifts)


def test_new_pixels_keep_the_fill_under_contrast() -> None:
    images = np.full((3, 9, 9, 1), 100, np.uint8)
    augment = Augment(contrast=0.9, rotate=45, fill=7)
    result = augment(images, np.random.default_rng(0))
    assert (result[:, 0, 0] == 7).any()
    assert set(np.unique(result[:, 3:6, 3:6])) == {100}


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_saturation_is_for_colours(channels: int) -> None:
    with pytest.raises(ValueError, match=f"needs images of 3 channels .* got {channels}"):
        Augment(saturation=0.5)(pictures(channels=channels), np.random.default_rng(0))


def test_a_large_batch_gets_what_a_small_one_gets() -> None:
    images = pictures(n=6)
    augment = Augment(contrast=0.5, saturation=0.5, rotate=40, zoom=0.5, fill="edge")
    draw = augment.draw(6, 5, 8, np.random.default_rng(0))
    whole = augment.apply(images, draw)
    names = ("contrasts", "saturations", "angles", "zooms")
    for index in range(6):
        part = Draw(**{name: getattr(draw, name)[index : index + 1] for name in names})
        np.testing.assert_array_equal(
            augment.apply(images[index : index + 1], part)[0], whole[index]
        )
