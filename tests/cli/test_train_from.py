"""``striate train --from``: a network from one that was trained on other images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import load_data
from striate.cli.from_backbone import advice
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
        (("--base-batch-size", "256"), "--base-batch-size is for training from scratch"),
        (("--warmup-epochs", "2"), "--warmup-epochs is for training from scratch"),
        (("--no-tune", "--epochs", 2, "--share", 0.5), "--epochs, --share say how stages"),
        (("--share", 1.5), "'1.5' is not a number above 0 and at most 1"),
        (("--share", 0), "above 0 and at most 1"),
    ],
)
def test_what_does_not_go_with_it(
    refused: Refused, backbone: Path, options: tuple[object, ...], words: str
) -> None:
    assert words in refused("train", "photos", "--from", backbone, *options)


def test_without_a_backbone_nothing_is_trained_on(refused: Refused, backbone: Path) -> None:
    assert "name one with --from" in refused("train", "photos", "--tune")
    assert "name one with --from" in refused("train", "photos", "--share", 0.5)


def test_all_layers_where_asked(striate: Run, backbone: Path) -> None:
    outcome = striate(
        "train", "photos", "--from", backbone, "--tune", "--share", 1, "--epochs", 2, "--lr", 0.01,
        "--json", "-o", "m.safetensors",
    )  # fmt: skip
    assert outcome.code == 0 and outcome.json["tuned"] == "all of its layers"
    assert outcome.json["recipe"]["share"] == 1
    assert outcome.json["recipe"]["label_smoothing"] == 0.1
    moved = load("m.safetensors").parameters["conv2d_1/filters"]
    assert not np.array_equal(moved, load(backbone).parameters["conv2d_1/filters"])


def test_a_training_that_diverges(striate: Run, refused: Refused, backbone: Path) -> None:
    arguments = ("train", "photos", "--from", backbone, "--lr", "1e30", "-o", "m.safetensors")
    outcome = striate(*arguments)
    told = " ".join(outcome.err.split())  # lines are broken anywhere
    assert outcome.code == 0 and "diverged at a learning rate of 1e+30" in told
    assert "use a lower --lr" in refused(*arguments, "--tune")


def colours(each: int = 40) -> list[tuple[str, list[str], float]]:
    """Photographs of any colours, and a rare one that nothing tells: file, labels, brightness."""
    random = np.random.default_rng(3)
    Path("scenes").mkdir()
    rows = []
    for index in range(3 * each):
        has = random.random(3) < (0.5, 0.4, 0.3)
        pixels = random.integers(0, 100, (24, 24, 3))
        pixels += 90 * has + int(random.integers(0, 40))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(f"scenes/{index}.png")
        names = [name for name, there in zip("rgb", has, strict=True) if there]
        if index % 20 == 7:
            names.append("odd")
        rows.append((f"{index}.png", names, pixels.mean() / 1000 + 50))
    return rows


def test_labels(striate: Run, backbone: Path) -> None:
    rows = [f"{file},{';'.join(names)}" for file, names, _ in colours()]
    Path("tags.csv").write_text("\n".join(["file,tags", *rows]))
    arguments = ("train", "scenes", "--labels", "tags.csv", "--from", backbone, "-o", "m")
    outcome = striate(*arguments, "--no-tune")
    assert outcome.code == 0, outcome.err
    words = " ".join(outcome.err.split())
    assert "A linear head on them" in words and ": mean average precision" in words
    assert "chosen by 96 images that were not trained on; of 1 label it stays 0.5" in words
    assert "Test on 24 images: mean average precision" in outcome.out
    network, known = load("m"), files.information("m")
    assert network.classes == ["b", "g", "odd", "r"] and network.answers.kind == "labels"
    assert network.answers.thresholds[2] == 0.5 and network.answers.thresholds[0] != 0.5
    assert known["task"] == "labels" and known["labels"] == 4 and known["backbone"]
    assert known["held_out_mean_average_precision"] > 0.7
    assert known["test_mean_average_precision"] > 0.7
    assert "labels" in striate("evaluate", "m", "scenes", "--labels", "tags.csv", "--json").json
    # Where a label counts more, it is more probable.
    plain = network.predict_logits(first_images())
    assert striate(*arguments, "--no-tune", "--class-weight", "odd=9", "--json").code == 0
    assert files.information("m")["recipe"]["class_weight"] == ["odd=9"]
    assert load("m").predict_logits(first_images())[:, 2].mean() > plain[:, 2].mean() + 0.5
    # All were trained on, and none is left to choose thresholds by.
    outcome = striate(*arguments, "--tune", "--epochs", 2, "--class-weight", "balanced")
    assert outcome.code == 0 and "Thresholds of the labels stay 0.5" in outcome.err
    assert load("m").answers.thresholds == ()


def first_images() -> np.ndarray:
    paths = [f"scenes/{index}.png" for index in range(30)]
    return np.stack([np.asarray(Image.open(path))[2:22, 2:22] for path in paths])


def test_thresholds_are_chosen_by_images_for_validation(striate: Run, backbone: Path) -> None:
    parts = ["train", "train", "val", "test"]
    rows = [
        f"{file},{';'.join(names)},{parts[index % 4]}"
        for index, (file, names, _) in enumerate(colours())
    ]
    Path("tags.csv").write_text("\n".join(["file,tags,split", *rows]))
    outcome = striate(
        "train", "scenes", "--labels", "tags.csv", "--from", backbone, "--no-tune", "-o", "m"
    )
    assert outcome.code == 0 and "chosen by 30 images that" in " ".join(outcome.err.split())


def test_numbers(striate: Run, refused: Refused, backbone: Path) -> None:
    scenes = colours()
    Path("n.csv").write_text("\n".join(["file,bar", *(f"{f},{n:.5f}" for f, _, n in scenes)]))
    arguments = ("train", "scenes", "--labels", "n.csv", "--from", backbone, "-o", "m")
    outcome = striate(*arguments, "--epochs", 3)
    assert outcome.code == 0, outcome.err
    words = " ".join(outcome.err.split())
    assert "A linear head on them" in words and "R² 0.9" in words
    assert "bar: mean error" in outcome.out and "(R² 0.9" in outcome.out
    network, known = load("m"), files.information("m")
    assert network.answers.names == ("bar",) and network.classes is None
    assert known["held_out_r2"] > 0.9 and known["test_r2"] > 0.9 and known["numbers"] == 1
    found = network.predict(first_images())[:, 0]
    truth = np.array([number for _, _, number in scenes[:30]])
    assert np.abs(found - truth).mean() < 0.02  # of 50.05 to 50.2, and smaller pictures
    assert striate("predict", "m", "scenes/3.png").out.startswith("scenes/3.png: bar 50.")
    assert "not for numbers" in refused(*arguments, "--class-weight", "balanced")
    assert "not for numbers" in refused(*arguments, "--label-smoothing", 0.1)


def test_what_is_for_classes_only(refused: Refused, backbone: Path) -> None:
    rows = [f"{file},{';'.join(names)}" for file, names, _ in colours(10)]
    Path("tags.csv").write_text("\n".join(["file,tags", *rows]))
    arguments = ("train", "scenes", "--labels", "tags.csv", "--from", backbone)
    assert "--reject is for classes" in refused(*arguments, "--reject", 0.1)
    assert "--calibrate is for classes" in refused(*arguments, "--calibrate", 0.1)


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
    rows = [f"{path.as_posix()},{index}.5" for index, path in enumerate(Path("photos").rglob("*"))
            if path.suffix]  # fmt: skip
    Path("n.csv").write_text("\n".join(["file,length", *rows]))
    numbers = load_data("photos", labels="n.csv", size=(32, 32))
    assert numbers.task == "numbers" and "--from efficientnet-lite0" in str(advice(numbers, None))
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
