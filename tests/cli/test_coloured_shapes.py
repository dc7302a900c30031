"""The coloured shapes: bytes, balance, and that they need more than a weighted sum."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import data
from striate.data.coloured_shapes import CLASSES, coloured_shapes

KNOWN = "98d23d512967c75d"
"""Of all bytes, on every machine."""


def _digest() -> str:
    return hashlib.sha256(coloured_shapes()[0].tobytes()).hexdigest()[:16]


def test_the_bytes_are_the_same_everywhere() -> None:
    assert _digest() == KNOWN


def test_vectors_of_numpy_change_no_byte() -> None:
    older = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR AVX2 FMA3"
    code = "import hashlib; from striate.data.coloured_shapes import coloured_shapes as c\n"
    code += "print(hashlib.sha256(c()[0].tobytes()).hexdigest()[:16])"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": older},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == KNOWN


def test_all_classes_and_all_images_differ() -> None:
    images, labels = coloured_shapes(30, seed=5)
    assert images.shape == (300, 32, 32, 3)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [30] * len(CLASSES)
    assert len(np.unique(images.reshape(300, -1), axis=0)) == 300
    assert images.min() == 0
    assert images.max() == 255
    assert not np.array_equal(images, coloured_shapes(30, seed=6)[0])


def test_colours_tell_nothing() -> None:
    """The mean colour of a class lies where that of all images lies."""
    images, labels = coloured_shapes()
    colours = images.mean((1, 2))
    spread = colours.std(0) / np.sqrt((labels == 0).sum())
    for label in range(len(CLASSES)):
        assert (abs(colours[labels == label].mean(0) - colours.mean(0)) < 4 * spread).all()


def test_as_a_source() -> None:
    found = data.load("shapes")
    assert found.classes == list(CLASSES)
    assert (len(found.train_images), len(found.test_images)) == (3200, 800)
    assert found.colour == "rgb"
    assert found.resize == {"height": 32, "width": 32, "mode": "crop"}
    gray = data.load("shapes", size=16, colour="gray", test_fraction=0)
    assert gray.train_images.shape == (4000, 16, 16, 1)
    some = data.load("shapes", classes=["moon", *(set(CLASSES) - {"moon"}), "sun"])
    moons = coloured_shapes()[1] == CLASSES.index("moon")
    assert (some.train_labels == 0).sum() + (some.test_labels == 0).sum() == moons.sum()


def test_a_folder_of_that_name_is_named_with_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    with pytest.raises(data.DataError, match="shapes"):
        data.load("./shapes")
    assert len(data.load("shapes").classes) == 10


def test_a_linear_model_fails() -> None:
    """Ridge regression on all pixels, solved exactly, hardly beats chance on images unseen."""
    images, labels = coloured_shapes()
    x = images.reshape(len(images), -1).astype(np.float64) / 255 - 0.5
    train, test = slice(0, 3200), slice(3200, None)
    kernel = x @ x[train].T
    targets = np.eye(10)[labels] - 0.1
    dual = np.linalg.solve(kernel[train] + 300 * np.eye(3200), targets[train])
    right = (kernel[test] @ dual).argmax(1) == labels[test]
    assert right.mean() < 0.2


def test_train_evaluate_and_the_name_in_the_file(striate: Callable[..., Any], in_tmp: Path) -> None:
    Path("n.toml").write_text(
        '[[layers]]\nlayer = "AvgPool2D"\nsize = 8\n[[layers]]\nlayer = "Flatten"\n'
        '[[layers]]\nlayer = "Dense"\nunits = "classes"\n'
    )
    done = striate("train", "shapes", "--network", "n.toml", "--epochs", 1, "--engine", "numpy")
    assert done.code == 0, done.err
    told = striate("evaluate", "shapes.safetensors", "shapes", "--engine", "numpy", "--json").json
    assert told["images"] == 800
