"""Random streams: the numbers that trainings of all versions have, which must never change."""

from __future__ import annotations

import numpy as np
import pytest

from striate.training.random_streams import Stream, generator, image_keys


def test_each_use_has_its_number() -> None:
    assert dict(Stream.__members__) == {
        "SPLIT": 1, "ORDER": 2, "AUGMENT": 3, "DROPOUT": 4, "FLIP": 5, "MIX": 6,
    }  # fmt: skip


def test_a_generator_is_of_seed_use_and_place() -> None:
    drawn = generator(9, Stream.AUGMENT, 2, 7).integers(0, 2**32, 3)
    np.testing.assert_array_equal(drawn, np.random.default_rng([9, 3, 2, 7]).integers(0, 2**32, 3))


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        (
            (7, Stream.DROPOUT, 3),
            [0xDDC2C556, 0xDF05D128, 0x6A4180A0, 0xCCB6FF4A, 0x64D5A114],
        ),
        (
            (0, Stream.FLIP, 0),
            [0xDCAFD1C4, 0x55159F8E, 0x6B0EA083, 0x512FE50C, 0x0EF42E05],
        ),
    ],
)
def test_keys_are_those_of_split_mix_64(place: tuple[int, Stream, int], keys: list[int]) -> None:
    """Computed with Python's whole numbers by what gives SplitMix64's published ones."""
    found = image_keys(*place, np.array([0, 1, 2, 1000, 2**33 + 5]))
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, np.array(keys, np.uint32))
