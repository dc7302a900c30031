"""RandAugment's operations: against loops and formulas written apart, and torchvision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from striate.data.augment import Augment
from striate.data.randaugment import MOST, OPERATIONS, apply_operations, draw_operations
from tests.data.torchvision_peer import torchvision

NAMES = [name for name, _, _ in OPERATIONS]
FILL = np.array([7, 80, 200], np.uint8)


def pictures(count: int = 2, height: int = 14, width: int = 19, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(channels)
    return rng.integers(20, 220, (count, height, width, channels), np.uint8)


def changed(images: np.ndarray, name: str, magnitude: int, *, back: bool = False) -> np.ndarray:
    number = (NAMES.index(name) + 1) * (-1 if back else 1)
    chosen = np.full((len(images), 1), number, np.int8)
    return apply_operations(images, chosen, magnitude, FILL[: images.shape[3]])


def nearest(image: np.ndarray, source: Any) -> np.ndarray:
    """Each pixel from the place that `source` tells for its centre; outside is the fill."""
    result = np.empty_like(image)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            across, down = source(x + 0.5, y + 0.5)
            column, row = math.floor(across), math.floor(down)
            inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
            result[y, x] = image[row, column] if inside else FILL[: image.shape[2]]
    return result


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("magnitude", [0, 7, 30])
def test_where_pixels_come_from(channels: int, back: bool, magnitude: int) -> None:
    images = pictures(channels=channels)
    sign = -1 if back else 1
    strength = magnitude / MOST
    shear = sign * 0.3 * strength
    across = sign * int(150 / 331 * 19 * strength)
    down = sign * int(150 / 331 * 14 * strength)
    ways = {
        "shear x": lambda x, y: (x + shear * y, y),
        "shear y": lambda x, y: (x, y + shear * x),
        "translate x": lambda x, y: (x - across, y),
        "translate y": lambda x, y: (x, y - down),
    }
    for name, way in ways.items():
        found = changed(images, name, magnitude, back=back)
        expected = np.stack([nearest(image, way) for image in images])
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_values() -> None:
    images = pictures()
    floats = images.astype(float)
    gray = np.asarray(Image.fromarray(images[0]).convert("L"), float)
    for sign in (1, -1):
        factor = 1 + sign * 0.9 * 10 / 30
        back = sign < 0
        np.testing.assert_allclose(
            changed(images, "brightness", 10, back=back), np.clip(floats * factor, 0, 255), atol=1
        )
        found = changed(images, "colour", 10, back=back)[0]
        expected = gray[..., None] + factor * (floats[0] - gray[..., None])
        np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=1.01)
        found = changed(images, "contrast", 10, back=back)[0]
        mean = int(gray.mean() + 0.5)
        expected = mean + factor * (floats[0] - mean)
        np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=1.01)
    found = changed(images, "posterize", 30)
    np.testing.assert_array_equal(found, images & 0xF0)
    np.testing.assert_array_equal(changed(images, "posterize", 0), images)
    found = changed(images, "solarize", 15)
    np.testing.assert_array_equal(found, np.where(images < 127.5, images, 255 - images))
    np.testing.assert_array_equal(changed(images, "solarize", 30), 255 - images)
    np.testing.assert_array_equal(changed(images, "identity", 30), images)
    for name, rule in (("auto contrast", ImageOps.autocontrast), ("equalize", ImageOps.equalize)):
        expected = np.stack([np.asarray(rule(Image.fromarray(image))) for image in images])
        np.testing.assert_array_equal(changed(images, name, 3), expected)
    low, high = images[0, ..., 1].min(), images[0, ..., 1].max()
    stretched = (floats[0, ..., 1] - low) * 255 / (high - low)
    np.testing.assert_allclose(changed(images, "auto contrast", 1)[0, ..., 1], stretched, atol=1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("magnitude", [0, 1, 9, 17, 30])
@pytest.mark.parametrize("channels", [1, 3])
def test_as_torchvision(name: str, back: bool, magnitude: int, channels: int) -> None:
    module = torchvision("transforms.autoaugment")
    functional = torchvision("transforms.functional")
    images = pictures(1, 20, 26, channels)
    picture = Image.fromarray(images[0] if channels == 3 else images[0, ..., 0])
    theirs = {
        "identity": "Identity", "shear x": "ShearX", "shear y": "ShearY",
        "translate x": "TranslateX", "translate y": "TranslateY", "rotate": "Rotate",
        "brightness": "Brightness", "colour": "Color", "contrast": "Contrast",
        "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize",
        "auto contrast": "AutoContrast", "equalize": "Equalize",
    }[name]  # fmt: skip
    space = module.RandAugment()._augmentation_space(31, (20, 26))
    magnitudes, signed = space[theirs]
    value = float(magnitudes[magnitude].item()) if magnitudes.ndim > 0 else 0.0
    assert OPERATIONS[NAMES.index(name)][2] == signed
    if signed and back:
        value = -value
    fill = [float(number) for number in FILL[:channels]]
    expected = module._apply_op(picture, theirs, value, functional.InterpolationMode.NEAREST, fill)
    found = changed(images, name, magnitude, back=back)[0]
    np.testing.assert_array_equal(found, np.asarray(expected).reshape(found.shape))


def test_operations_are_drawn_evenly() -> None:
    drawn = draw_operations(2, 7000, np.random.default_rng(0))
    assert drawn.shape == (7000, 2)
    counts = np.bincount(np.abs(drawn).reshape(-1), minlength=15)
    assert counts[0] == 0
    assert (np.abs(counts[1:] - 1000) < 150).all()
    assert abs((drawn < 0).mean() - 0.5) < 0.02


def test_in_augment() -> None:
    images = pictures(30)
    augment = Augment(randaugment=2, magnitude=20, fill=(7.0, 80.0, 200.0))
    found = augment(images, np.random.default_rng(1))
    draw = augment.draw(30, 14, 19, np.random.default_rng(1))
    assert draw.operations is not None
    np.testing.assert_array_equal(found, apply_operations(images, draw.operations, 20, FILL))
    gray = Augment(randaugment=2)(images[..., :1], np.random.default_rng(1))
    assert gray.shape == (30, 14, 19, 1)
    for wrong in (images.astype(np.float32), images[..., :2]):
        with pytest.raises(ValueError, match="randaugment needs uint8 images of 1 or 3 channels"):
            Augment(randaugment=1)(wrong, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"magnitude must be of 0\.\.\.30, got 31"):
        Augment(randaugment=1, magnitude=31)
    with pytest.raises(ValueError, match=r"randaugment must be of 0\.\.\.14, got -1"):
        Augment(randaugment=-1)
    with pytest.raises(TypeError, match="randaugment must be a whole number"):
        Augment(randaugment=1.5)  # type: ignore[arg-type]
