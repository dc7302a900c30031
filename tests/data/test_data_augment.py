"""Augmentation: geometry on asymmetric images, statistics, determinism, validation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data import Augment


def numbered(n: int = 64, height: int = 5, width: int = 7, channels: int = 3) -> np.ndarray:
    """Images in which every pixel of every channel is different and none is 0."""
    pixels = np.arange(1, 1 + height * width * channels).reshape(1, height, width, channels)
    return np.repeat(pixels, n, axis=0).astype(np.float32)


def shifted(image: np.ndarray, down: int, right: int, mode: str, **options: Any) -> np.ndarray:
    """The image moved by whole pixels, by padding far and cutting."""
    height, width, _ = image.shape
    far = 4
    padded = np.pad(image, ((far, far), (far, far), (0, 0)), mode=mode, **options)  # type: ignore[call-overload]
    return padded[far - down : far - down + height, far - right : far - right + width]


@pytest.mark.parametrize("name", ["shift", "crop"])
@pytest.mark.parametrize(
    ("fill", "mode", "options"),
    [
        (0.0, "constant", {"constant_values": 0}),
        (9.0, "constant", {"constant_values": 9}),
        ("edge", "edge", {}),
        ("reflect", "reflect", {}),
    ],
)
def test_moves_by_every_offset_up_to_the_distance(
    name: str, fill: float | str, mode: str, options: dict[str, int]
) -> None:
    images = numbered(600)
    augment = Augment(**{name: 2, "fill" if name == "shift" else "padding": fill})
    moved = augment(images, np.random.default_rng(0))
    offsets = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    expected = np.stack([shifted(images[0], y, x, mode, **options) for y, x in offsets])
    same = (moved[:, None] == expected[None]).all(axis=(2, 3, 4))
    assert (same.sum(axis=1) == 1).all()
    counts = same.sum(axis=0)
    # 600 images in 25 places: 24 on average, with a standard deviation of 4.8.
    assert counts.min() > 5
    assert counts.max() < 50


def test_fill_per_channel() -> None:
    moved = Augment(shift=2, fill=(1000, 2000, 3000))(numbered(200), np.random.default_rng(0))
    for channel, value in enumerate((1000, 2000, 3000)):
        new = moved[..., channel] >= 1000
        assert new.any()
        assert (moved[..., channel][new] == value).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_flip_mirrors_left_and_right_half_of_the_time(channels: int, dtype: type) -> None:
    images = numbered(400, channels=channels).astype(dtype)
    flipped = Augment(flip=True)(images, np.random.default_rng(3))
    kept = (flipped == images).all(axis=(1, 2, 3))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


def test_alternate_flips_mirror_each_image_in_every_second_epoch() -> None:
    images, keys = numbered(6), np.array([0, 1, 7, 4, 2**32 - 1, 2], np.uint32)
    augment, rng = Augment(flip="alternate"), np.random.default_rng(0)
    for epoch in range(4):
        flipped = augment(images, rng, epoch=epoch, keys=keys)
        for image, before, key in zip(flipped, images, keys.tolist(), strict=True):
            mirrored = (key + epoch) % 2 == 1
            np.testing.assert_array_equal(image, before[:, ::-1] if mirrored else before)
    assert not augment.changes_nothing
    with pytest.raises(ValueError, match="needs the epoch and a key of each image"):
        augment(images, rng)


def test_what_was_drawn_can_be_applied_again() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 6, 8, 3), dtype=np.uint8)
    augment = Augment(shift=2, crop=1, flip=True, cutout=3, brightness=0.4, fill="edge")
    draw = augment.draw(9, 6, 8, np.random.default_rng(5))
    expected = augment(images, np.random.default_rng(5))
    np.testing.assert_array_equal(augment.apply(images, draw), expected)
    assert (expected != images).any(axis=(1, 2, 3)).all()
    nothing = Augment().draw(9, 6, 8, np.random.default_rng(5))
    assert Augment().apply(images, nothing) is images


def test_cutout_overwrites_one_square_whose_centre_is_anywhere() -> None:
    images = numbered(2000, height=9, width=11)
    cut = Augment(cutout=4, cutout_fill=0)(images, np.random.default_rng(1))
    changed = cut != images
    assert (cut[changed] == 0).all()
    assert (changed == changed[..., :1]).all()
    area = changed[..., 0].sum(axis=(1, 2))
    assert area.max() == 16
    assert area.min() == 4  # centred on the first pixel: rows and columns -2...1
    rows, columns = changed[..., 0].any(axis=2).sum(axis=1), changed[..., 0].any(axis=1).sum(axis=1)
    assert (area == rows * columns).all()
    # Every pixel is hit, those in the middle by 16 of 99 centres.
    share = changed[..., 0].mean(axis=0)
    assert share.min() > 0.02
    assert abs(share[4, 5] - 16 / 99) < 0.04


def test_cutout_larger_than_the_image_takes_all() -> None:
    images = numbered(8)
    cut = Augment(cutout=40, cutout_fill=7)(images, np.random.default_rng(0))
    assert (cut == 7).all()


def test_cutout_by_the_mean_of_each_channel() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    images[..., 1] //= 2
    cut = Augment(cutout=40)(images, rng)
    expected = np.rint(images.astype(np.float64).mean(axis=(0, 1, 2)))
    assert (cut == expected).all()


def test_fills_for_bytes_are_rounded_and_clipped() -> None:
    images = np.full((4, 1, 1, 2), 99, np.uint8)
    images[1:] = 100
    cut = Augment(cutout=1)(images, np.random.default_rng(0))
    assert (cut == 100).all()  # the mean is 99.75
    cut = Augment(cutout=1, cutout_fill=(-5, 300))(images, np.random.default_rng(0))
    assert (cut == (0, 255)).all()


def test_mean_does_not_overflow() -> None:
    images = np.full((3000, 4, 4, 1), 255, np.uint8)
    assert (Augment(cutout=2)(images, np.random.default_rng(0)) == 255).all()


def test_brightness_of_bytes_is_rounded_and_clipped() -> None:
    images = np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), (300, 1, 1, 1))
    bright = Augment(brightness=0.3)(images, np.random.default_rng(0))
    assert bright.dtype == np.uint8
    factors = bright[:, 6, 4, 0] / 100.0  # the pixel with the value 100
    assert factors.min() < 0.75
    assert factors.max() > 1.25
    assert abs(factors.mean() - 1) < 0.04
    exact = np.arange(256).reshape(1, 16, 16) * factors[:, None, None]
    # The factor is known to 1/200, which is 1.3 at most.
    assert (np.abs(bright[..., 0] - np.clip(exact, 0, 255)) < 2).all()
    # With a factor above 1 the brightest pixel is clipped and has not wrapped around.
    assert (bright[factors > 1.01, 15, 15, 0] == 255).all()


def test_brightness_of_bytes_is_rounded_to_the_nearest() -> None:
    images = np.full((4000, 1, 1, 1), 1, np.uint8)
    bright = Augment(brightness=1.0)(images, np.random.default_rng(0))
    # The factor is uniform in 0...2: a quarter rounds to 0, half to 1, a quarter to 2.
    shares = np.bincount(bright.ravel(), minlength=3) / 4000
    assert np.allclose(shares, [0.25, 0.5, 0.25], atol=0.03)


def test_brightness_of_floats_is_not_clipped() -> None:
    images = np.full((100, 2, 2, 1), 300.0, np.float32)
    bright = Augment(brightness=0.5)(images, np.random.default_rng(0))
    assert bright.max() > 400
    assert (bright == bright[:, :1, :1]).all()


def test_new_pixels_keep_the_fill_under_brightness() -> None:
    images = np.full((100, 6, 6, 1), 100, np.uint8)
    out = Augment(shift=3, fill=7, brightness=0.5)(images, np.random.default_rng(0))
    assert set(np.unique(out[out < 50])) == {7}


WHOLE = st.integers(0, 3)


@settings(deadline=None, max_examples=60)
@given(
    shift=WHOLE,
    crop=WHOLE,
    cutout=st.integers(0, 9),
    flip=st.booleans(),
    brightness=st.sampled_from([0.0, 0.3, 1.0]),
    fill=st.sampled_from([0.0, 300.0, "edge", "reflect", "mean"]),
    dtype=st.sampled_from([np.uint8, np.float16, np.float32, np.float64]),
    shape=st.tuples(st.integers(0, 5), st.integers(4, 9), st.integers(4, 9), st.integers(1, 5)),
    seed=st.integers(0, 2**32),
)
def test_shape_type_input_and_determinism(
    shift: int,
    crop: int,
    cutout: int,
    flip: bool,
    brightness: float,
    fill: Any,
    dtype: Any,
    shape: tuple[int, ...],
    seed: int,
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)
    before = images.copy()
    augment = Augment(
        shift=shift, crop=crop, cutout=cutout, flip=flip, brightness=brightness, fill=fill,
        padding=fill,
    )  # fmt: skip
    first = augment(images, np.random.default_rng(seed))
    second = augment(images, np.random.default_rng(seed))
    assert first.shape == images.shape
    assert first.dtype == images.dtype
    assert first.flags.c_contiguous
    assert np.array_equal(first, second)
    assert np.array_equal(images, before)
    assert Augment(**json.loads(json.dumps(augment.to_dict()))) == augment
    if augment.changes_nothing:
        assert first is images
    elif len(images):
        assert not np.shares_memory(first, images)


def test_images_differ_within_a_batch_and_between_batches() -> None:
    images = np.tile(np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)), (32, 1, 1, 1))
    rng = np.random.default_rng(0)
    augment = Augment(shift=2, flip=True, cutout=3, brightness=0.2)
    first, second = augment(images.astype(np.uint8), rng), augment(images.astype(np.uint8), rng)
    assert len(np.unique(first.reshape(32, -1), axis=0)) > 28
    assert not np.array_equal(first, second)


def test_read_only_and_strided_input() -> None:
    images = numbered(16).astype(np.uint8)[:, :, ::-1]
    images.flags.writeable = False
    for augment in (Augment(flip=True), Augment(cutout=2), Augment(shift=1), Augment(brightness=1)):
        out = augment(images, np.random.default_rng(0))
        out[0] = 0
    assert images.min() > 0


def test_changes_nothing() -> None:
    assert Augment().changes_nothing
    assert Augment(fill="edge", cutout_fill=3).changes_nothing
    for options in (
        {"shift": 1},
        {"flip": True},
        {"flip": "alternate"},
        {"crop": 1},
        {"cutout": 1},
        {"brightness": 0.1},
        {"contrast": 0.1},
        {"saturation": 0.1},
        {"rotate": 5},
        {"zoom": 0.1},
    ):
        assert not Augment(**options).changes_nothing


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"shift": -1}, ValueError, "shift must be 0 or more pixels, got -1"),
        ({"crop": 1.5}, TypeError, "crop must be a whole number, got 1.5"),
        ({"cutout": True}, TypeError, "cutout must be a whole number, got True"),
        ({"flip": 1}, TypeError, 'flip must be True, False or "alternate", got 1'),
        ({"flip": "often"}, ValueError, "\"alternate\", got 'often'"),
        ({"flip": "all"}, ValueError, "\"alternate\", got 'all'"),
        ({"brightness": 1.1}, ValueError, "brightness must be of 0...1, got 1.1"),
        ({"brightness": float("nan")}, ValueError, "brightness must be finite"),
        ({"brightness": "0.1"}, TypeError, "brightness must be a number"),
        ({"rotate": 181}, ValueError, "rotate must be of 0...180, got 181.0"),
        ({"rotate": -1}, ValueError, "rotate must be of 0...180, got -1"),
        ({"zoom": 4}, ValueError, "zoom must be of 0...3, got 4"),
        ({"contrast": 1.5}, ValueError, "contrast must be of 0...1, got 1.5"),
        ({"saturation": float("inf")}, ValueError, "saturation must be finite, got inf"),
        ({"saturation": 1.001}, ValueError, "saturation must be of 0...1, got 1.001"),
        ({"zoom": True}, TypeError, "zoom must be a number"),
        ({"fill": "mirror"}, ValueError, '"mean", "edge", "reflect" or numbers, got \'mirror\''),
        ({"cutout_fill": "edge"}, ValueError, 'cutout_fill must be "mean" or numbers'),
        ({"padding": ()}, ValueError, "padding must have a number for each channel"),
        ({"fill": (1, "a")}, TypeError, "fill must be a number, got 'a'"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text.replace("(", r"\(")):
        Augment(**options)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    most = Augment(brightness=1, contrast=1, saturation=1, rotate=180, zoom=3)
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 6, 3), dtype=np.uint8)
    assert most(images, np.random.default_rng(0)).shape == images.shape
    assert Augment(shift=3, crop=3)(images, np.random.default_rng(0)).shape == images.shape


def test_the_attributes_and_what_they_are_by_default() -> None:
    expected = {
        "shift": 0, "flip": False, "crop": 0, "cutout": 0, "brightness": 0.0, "fill": 0.0,
        "padding": 0.0, "cutout_fill": "mean", "rotate": 0.0, "zoom": 0.0, "contrast": 0.0,
        "saturation": 0.0, "hue": 0.0, "resized_crop": 0.0, "randaugment": 0, "magnitude": 9,
        "mixup": 0.0, "cutmix": 0.0,
    }  # fmt: skip
    assert Augment().to_dict() == expected


def test_numbers_of_numpy_become_those_of_python() -> None:
    augment = Augment(shift=np.int64(2), flip=np.True_, zoom=np.float32(0.5), fill=np.array([1, 2]))  # type: ignore[arg-type]
    text = json.dumps(augment.to_dict())
    assert Augment(**json.loads(text)) == Augment(shift=2, flip=True, zoom=0.5, fill=(1.0, 2.0))


def test_the_mean_is_that_of_the_images_as_they_come() -> None:
    images = np.random.default_rng(0).integers(0, 100, (40, 8, 9, 3), dtype=np.uint8)
    images[..., 1] += 100
    augment = Augment(brightness=1.0, rotate=45, fill="mean", cutout=40)
    cut = augment(images, np.random.default_rng(0))
    assert (cut == np.rint(images.mean(axis=(0, 1, 2)))).all()


def test_wrong_images() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"shape \(n, height, width, channels\), got \(3, 4, 5\)"):
        Augment(flip=True)(np.zeros((3, 4, 5), np.uint8), rng)
    for dtype in ("int64", "bool", "int8"):
        with pytest.raises(TypeError, match=f"must be uint8 or floating, got {dtype}$"):
            Augment(flip=True)(np.zeros((3, 4, 5, 1), dtype), rng)
    with pytest.raises(ValueError, match=r"crop=4 moves images of 4 × 8 pixels.*below 4"):
        Augment(crop=4)(np.zeros((3, 4, 8, 1), np.uint8), rng)
    for shift in (4, 5):
        with pytest.raises(ValueError, match=rf"shift={shift} moves images of 8 × 4 .*below 4$"):
            Augment(shift=shift)(np.zeros((3, 8, 4, 1), np.uint8), rng)
    with pytest.raises(
        ValueError, match=r"fill \(1.0, 2.0\) is for 2 channels, the images have 3$"
    ):
        Augment(shift=1, fill=(1, 2))(np.zeros((3, 4, 8, 3), np.uint8), rng)
