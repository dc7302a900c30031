"""Preprocessing: arithmetic, checks, and the way through a file."""

import json

import numpy as np
import pytest

from striate.model.preprocessing import Preprocessing


def test_apply_is_minus_mean_over_std_per_channel():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 2), dtype=np.uint8)
    inputs = Preprocessing(mean=(10, 20), std=(2, 4)).apply(images)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs, (images.astype(float) - [10, 20]) / [2, 4], rtol=1e-6)


def test_identity_only_changes_the_dtype():
    images = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    assert Preprocessing().is_identity
    np.testing.assert_array_equal(Preprocessing().apply(images), images.astype(np.float32))


def test_apply_leaves_its_argument_alone():
    images = np.ones((1, 2, 2, 1), np.float32)
    Preprocessing(mean=(1.0,), std=(2.0,)).apply(images)
    assert (images == 1).all()


def test_channels_must_agree():
    with pytest.raises(ValueError, match=r"preprocessing has 3 channels, the images 1"):
        Preprocessing(mean=(1, 2, 3), std=(1, 1, 1)).apply(np.zeros((1, 2, 2, 1)))


def test_it_survives_json():
    resize = {"height": 28, "width": 30, "mode": "fit"}
    full = Preprocessing(mean=(1.5,), std=(2.0,), resize=resize, colour="gray")
    for preprocessing in (full, Preprocessing()):
        description = json.loads(json.dumps(preprocessing.to_dict()))
        assert Preprocessing.from_dict(description) == preprocessing


@pytest.mark.parametrize(
    ("description", "kind", "message"),
    [
        ([], TypeError, "expected a mapping"),
        ({"means": []}, ValueError, r"unknown entries \['means'\]"),
        ({"mean": [1.0]}, ValueError, "mean has 1 numbers and std 0"),
        ({"mean": 1.0, "std": [1.0]}, TypeError, "mean must be a tuple of numbers"),
        ({"mean": ["a"], "std": [1.0]}, TypeError, "mean must be a number, got 'a'"),
        ({"mean": [True], "std": [1.0]}, TypeError, "mean must be a number, got True"),
        ({"mean": [float("nan")], "std": [1.0]}, ValueError, "mean must be finite"),
        ({"mean": [1.0], "std": [0.0]}, ValueError, "std must be positive"),
        ({"colour": "blue"}, ValueError, 'colour must be "gray", "rgb" or None'),
        ({"resize": [2, 3]}, ValueError, "resize must be"),
        ({"resize": {"height": 2}}, ValueError, "resize must be"),
        ({"resize": {"height": 0, "width": 2}}, ValueError, "resize height must be at least 1"),
        ({"resize": {"height": 1, "width": 2, "mode": 3}}, TypeError, "mode must be text"),
        (
            {"resize": {"height": 4, "width": 5, "cut_from": 6}},
            TypeError,
            "must be \\(height, width",
        ),
        ({"resize": {"height": 4, "width": 5, "cut_from": [3, 5]}}, ValueError, "give 4 to 16"),
        ({"resize": {"height": 4, "width": 5, "cut_from": [4, 21]}}, ValueError, "give 5 to 20"),
    ],
)
def test_descriptions_are_checked(description, kind, message):
    with pytest.raises(kind, match=f"Preprocessing: .*{message}"):
        Preprocessing.from_dict(description)
