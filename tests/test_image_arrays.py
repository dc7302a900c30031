"""From which numbers on images are taken to be on another scale than those of the training."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

from striate.layers import Dense, Flatten
from striate.model.image_arrays import check_images, warn_of_channels_first, warn_of_other_scale
from striate.model.preprocessing import Preprocessing
from striate.network import Network


def warned(images: Any, mean: Any = (0.0,), std: Any = (1.0,)) -> str | None:
    """The warning that a network that was trained on such images gives, if it gives one."""
    network = Network([Flatten(), Dense(2)], images.shape[1:])
    network.preprocessing = Preprocessing(mean, std)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_scale(network, images)
    return str(caught[0].message) if caught else None


def plus_and_minus(size: float, count: int = 1, shape: tuple[int, ...] = (4, 6, 1)) -> Any:
    """Images whose pixels are as often this as its negative: so far away, and so spread."""
    signs = np.resize([1.0, -1.0], (count, *shape))
    if shape[-1] > 1:
        signs = np.broadcast_to(np.resize([1.0, -1.0], shape[0])[:, None, None], signs.shape)
    return size * signs


@pytest.mark.parametrize(
    ("size", "count", "told"),
    [
        # One image, or a few, may be ten deviations away, and three hundredths wide;
        (9.9, 1, False),
        (10.1, 1, True),
        (9.9, 7, False),
        (10.1, 7, True),
        (0.031, 1, False),
        (0.029, 1, True),
        (0.031, 7, False),
        # of eight on hardly so much.
        (5.9, 8, False),
        (6.1, 8, True),
        (0.101, 8, False),
        (0.099, 8, True),
        (6.1, 40, True),
    ],
)
def test_how_far_and_how_dull_images_may_be(size: float, count: int, told: bool) -> None:
    assert (warned(plus_and_minus(size, count)) is not None) == told
    # So it is on any scale.
    again = warned(100 + 7 * plus_and_minus(size, count), (100.0,), (7.0,))
    assert (again is not None) == told


def test_the_warning_tells_both_scales() -> None:
    images = np.concatenate([plus_and_minus(30.0)] * 2, axis=-1) + 1
    assert warned(images, (1.0, 2.0), (1.0, 1.5)) == (
        "the images hold numbers from -29 to 31, but the network was trained on images with a mean "
        "of 1.5 and a deviation of 1.25 (its preprocessing): give images on that scale, or the "
        "answers mean nothing"
    )


def test_rows_of_features_may_be_alike() -> None:
    rows = 0.01 * np.resize([1.0, -1.0], (5, 7))
    assert warned(rows, (0.0,) * 7, (1.0,) * 7) is None


@pytest.mark.parametrize(
    ("values", "std", "told"),
    [
        # From 0 to 1 with fractions, where half of the pixels of training were above 8.
        ((0.0, 0.5, 1.0), 2.01, True),
        ((0.0, 0.5, 1.0), 1.99, False),
        ((0.0, 0.0, 1.0), 2.01, False),
        ((-0.01, 0.5, 1.0), 2.01, False),
        ((0.0, 0.5, 1.01), 2.01, False),
    ],
)
def test_fractions_for_larger_numbers(values: tuple[float, ...], std: float, told: bool) -> None:
    images = np.resize(values, (2, 3, 5, 1))
    assert (warned(images, (4.0,), (std,)) is not None) == told


@pytest.mark.parametrize(
    ("far", "channels", "told"),
    [(1, 2, False), (2, 2, True), (1, 3, False), (2, 3, True), (2, 4, False), (3, 4, True)],
)
def test_more_than_half_of_the_channels_must_be_far(far: int, channels: int, told: bool) -> None:
    images = plus_and_minus(1.0, shape=(4, 6, channels)).copy()
    images[..., :far] *= 11
    given = (0.0,) * channels, (1.0,) * channels
    assert (warned(images, *given) is not None) == told


def test_of_what_is_not_known_nothing_is_said() -> None:
    far = plus_and_minus(99.0)
    assert warned(far, (), ()) is None
    assert warned(far[:0]) is None
    for value in (np.nan, np.inf, -np.inf):
        spoiled = far.copy()
        spoiled[0, 0, 0] = value
        assert warned(spoiled) is None
    assert warned(np.full((1, 4, 6, 1), 99.0)) is None, "all black may be"


def test_channels_first_are_told_with_their_sizes() -> None:
    with pytest.warns(UserWarning, match=re.escape(
        "images of shape (3, 32, 48) are 3 pixels high and have 48 channels; if they are "
        "channels-first, give np.moveaxis(images, 1, -1)"
    )):  # fmt: skip
        warn_of_channels_first((3, 32, 48), "images")


@pytest.mark.parametrize(
    ("shape", "network", "advice"),
    [
        ((6, 5, 2), (6, 5, 2), "; for a single image add the batch axis: images[None]"),
        ((6, 5), (6, 5, 1), "; for a single image add the batch axis: images[None]"),
        ((9, 2, 6, 5), (6, 5, 2), "; channels come last here: np.moveaxis(images, 1, -1)"),
        ((2, 6, 5), (6, 5, 2), "; channels come last here: np.moveaxis(images, 0, -1)[None]"),
        ((6, 5), (6, 5, 2), ""),
        ((9, 2, 5, 6), (6, 5, 2), ""),
        ((2, 5, 6), (6, 5, 2), ""),
    ],
)
def test_advice_for_another_shape(
    shape: tuple[int, ...], network: tuple[int, ...], advice: str
) -> None:
    told = f"the network reads images of shape (n, {', '.join(map(str, network))}), got {shape}"
    with pytest.raises(ValueError, match=f"^{re.escape(told + advice)}$"):
        check_images(np.zeros(shape), network)


def test_only_gray_images_may_come_without_channels() -> None:
    assert check_images(np.zeros((3, 6, 5)), (6, 5, 1)).shape == (3, 6, 5, 1)
    assert check_images(np.zeros((3, 6, 5, 1)), (6, 5, 1)).shape == (3, 6, 5, 1)
    assert check_images(np.zeros((0, 6, 5, 2)), (6, 5, 2)).shape == (0, 6, 5, 2)
