"""``striate train --from``: a classifier from a network that was trained on other images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.layers import BatchNorm, Conv2D, Dense, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.model import files
from striate.model.preprocessing import Preprocessing
from striate.network import Network, load

Run = Callable[..., Any]
Refused = Callable[..., str]


def photos(folder: Path, each: int = 24, classes: str = "abc", seed: int = 0) -> None:
    """Squares of colours that differ by class, of several sizes."""
    random = np.random.default_rng(seed)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(each):
            height, width = random.integers(30, 50, 2)
            pixels = random.integers(0, 130, (height, width, 3))
            pixels[..., number] += 100
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{index}.png")


@pytest.fixture
def backbone(in_tmp: Path) -> Path:
    """A network of 20×20 images with another number of classes."""
    layers = [
        Conv2D(8, 3), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(12, 3), ReLU(), GlobalAvgPool2D(),
        Dense(7),
    ]  # fmt: skip
    network = Network(layers, (20, 20, 3))
    network.preprocessing = Preprocessing(
        (120.0,) * 3, (60.0,) * 3, {"height": 20, "width": 20, "mode": "crop"}, "rgb"
    )
    network.save("backbone.safetensors")
    photos(Path("photos"))
    return Path("backbone.safetensors")


def test_a_head_and_what_the_file_knows(striate: Run, backbone: Path) -> None:
    outcome = striate("train", "photos", "--from", backbone, "--no-tune", "-o", "m.safetensors")
    assert outcome.code == 0
    words = " ".join(outcome.err.split())
    assert "Features: 12 numbers an image" in words and "20 × 20 pixels, RGB" in words
    assert "Test accuracy: 100.00 %" in outcome.out
    network, known = load("m.safetensors"), files.information("m.safetensors")
    assert network.classes == ["a", "b", "c"] and network.output_shape == (3,)
    np.testing.assert_array_equal(
        network.parameters["conv2d_1/filters"], load(backbone).parameters["conv2d_1/filters"]
    )
    assert known["backbone"] == "backbone.safetensors" and known["tuned"] is None
    assert known["test_accuracy"] == 1.0 and known["epochs"] == 0
    assert striate("evaluate", "m.safetensors", "photos").code == 0
    told = striate("predict", "m.safetensors", "photos/b/3.png")
    assert "photos/b/3.png: b" in told.out
    # The same again is the same file, its features from the cache.
    first = Path("m.safetensors").read_bytes()
    again = striate("train", "photos", "--from", backbone, "--no-tune", "-o", "m.safetensors")
    assert "taken from the cache" in " ".join(again.err.split())
    assert Path("m.safetensors").read_bytes() == first


def test_stages_are_trained_on_where_asked(striate: Run, backbone: Path) -> None:
    outcome = striate(
        "train", "photos", "--from", backbone, "--tune", "--epochs", 2, "--lr", 0.01, "--no-flip",
        "--json", "-o", "m.safetensors",
    )  # fmt: skip
    assert outcome.code == 0
    found = outcome.json
    assert found["epochs"] == 2 and found["tuned"].startswith("from ")
    assert found["mirrored"] is False and found["recipe"]["learning_rate"] == 0.01
    moved = load("m.safetensors").parameters["conv2d_2/filters"]
    assert not np.array_equal(moved, load(backbone).parameters["conv2d_2/filters"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--network", "resnet18"), "--network is for training from scratch"),
        (("--shift", 2, "--rotate", 5), "--shift, --rotate are for training from scratch"),
        (("--resume",), "--resume is for training from scratch"),
        (("--optimizer", "sgd"), "--optimizer is for training from scratch"),
        (("--engine", "numpy"), "needs the compiled engine"),
        (("--size", "24"), "reads images of 20 × 20 pixels"),
        (("--lr", "auto"), "--lr auto"),
    ],
)
def test_what_does_not_go_with_it(
    refused: Refused, backbone: Path, options: tuple[object, ...], words: str
) -> None:
    assert words in refused("train", "photos", "--from", backbone, *options)


def test_what_is_no_backbone(refused: Refused, backbone: Path) -> None:
    assert "did you mean" in refused("train", "photos", "--from", "efficientnet-lite")
    assert "no such" in refused("train", "photos", "--from", "none.safetensors")
    Network([Dense(3)], (5,)).save("vector.safetensors")
    assert "reads images" in refused("train", "photos", "--from", "vector.safetensors")


def test_a_gray_backbone_makes_photographs_gray(striate: Run, backbone: Path) -> None:
    gray = Network([Conv2D(6, 3), ReLU(), GlobalAvgPool2D(), Dense(2)], (16, 16, 1))
    gray.preprocessing = Preprocessing((120.0,), (60.0,))
    gray.save("gray.safetensors")
    outcome = striate("train", "photos", "--from", "gray.safetensors", "--no-tune")
    assert outcome.code == 0 and "gray" in outcome.err
    assert load("photos.safetensors").preprocessing.colour == "gray"


def test_few_photographs_are_told_of_it(striate: Run, backbone: Path, network_file: Path) -> None:
    scratch = ("--network", network_file, "--epochs", 1, "--engine", "numpy")
    quick = ("train", "photos", "--epochs", 1, "--size", "32", "-o", "m.safetensors")
    assert "--from efficientnet-lite0" in striate(*quick).err
    assert "--from" not in striate("train", "photos", *scratch, "--size", "32").err
    assert "--from" not in striate("train", "digits", "--epochs", 1).err


def test_the_columns_of_a_table_are_kept(striate: Run, backbone: Path) -> None:
    rows = [
        f"{path.as_posix()},{path.parent.name}" for path in sorted(Path("photos").rglob("*.png"))
    ]
    Path("table.csv").write_text("\n".join(["picture,kind", *rows]))
    outcome = striate(
        "train", "photos", "--labels", "table.csv", "--path-column", "picture", "--label-column",
        "kind", "--from", backbone, "--no-tune", "-o", "m.safetensors",
    )  # fmt: skip
    assert outcome.code == 0
    columns = files.information("m.safetensors")["label_columns"]
    assert columns["path_column"] == "picture"
