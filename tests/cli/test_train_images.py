"""``striate train`` on folders of images: what it takes from them, and what it says of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data.record import ImageRecord
from striate.model import files
from striate.network import load

Run = Callable[..., Any]
Refused = Callable[..., str]

NUMPY = ("--engine", "numpy", "--epochs", 1)


@pytest.fixture
def small(network_file: Path) -> tuple[object, ...]:
    return (*NUMPY, "--network", network_file)


def noise(folder: Path, count: int, size: tuple[int, ...] = (6, 7), seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        pixels = rng.integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


def test_classes_counts_and_the_baseline_are_told(
    striate: Run, in_tmp: Path, small: tuple[object, ...]
) -> None:
    noise(Path("pets/cat"), 30)
    noise(Path("pets/dog"), 10, seed=1)
    outcome = striate("train", "pets", *small)
    assert "in 2 classes, split with seed 0: cat (30), dog (10)" in outcome.err
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("Test accuracy")]
    assert line.endswith(" on 8 images; always the most frequent class: 75.00 %")
    assert files.information("pets.safetensors")["test_baseline"] == 0.75


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_how_images_become_one_size(
    striate: Run, in_tmp: Path, small: tuple[object, ...], fit: str
) -> None:
    noise(Path("strips/a"), 5, size=(8, 80))
    noise(Path("strips/b"), 5, size=(8, 80), seed=1)
    outcome = striate("train", "strips", *small, "--fit", fit, "--size", "16")
    assert outcome.code == 0
    words = {
        "crop": "the centre is cut out, 10 % of each image: 10 images lost more than half",
        "pad": "black is added where the aspect differs",
        "stretch": "the aspect is not kept",
    }
    assert words[fit] in outcome.err
    network = load("strips.safetensors")
    assert network.preprocessing.resize == {"height": 16, "width": 16, "mode": fit}
    tested = striate("evaluate", "strips.safetensors", "strips", *NUMPY[:2], "--json").json
    assert tested["changes"] == {"new": 0, "changed": 0, "missing": 0, "relabelled": 0}
    assert tested["accuracy"] == files.information("strips.safetensors")["test_accuracy"]


def test_images_of_few_bits_are_read_alike_later(
    striate: Run, in_tmp: Path, small: tuple[object, ...]
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Path("deep", name).mkdir(parents=True)
        for index in range(5):
            pixels = rng.integers(0, 1024, (6, 7), dtype=np.uint16)
            Image.fromarray(pixels).save(Path("deep", name, f"{index}.png"))
    outcome = striate("train", "deep", *small)
    assert "10 images of 16 bits use only values up to 10" in outcome.err
    assert ": 1023 is taken for white" in outcome.err
    tested = striate("evaluate", "deep.safetensors", "deep", *NUMPY[:2], "--json").json
    assert tested["changes"] == {"new": 0, "changed": 0, "missing": 0, "relabelled": 0}


def test_a_folder_for_validation_is_watched(
    striate: Run, in_tmp: Path, small: tuple[object, ...]
) -> None:
    for seed, part in enumerate(("train", "valid", "test")):
        for name in ("a", "b"):
            noise(Path("set", part, name), 6, seed=2 * seed + (name == "b"))
    outcome = striate("train", "set", *small)
    assert "not used: set/valid, which --patience would watch" in outcome.err.replace("\\", "/")
    assert "validation" not in files.information("set.safetensors")["images"]["parts"]
    outcome = striate("train", "set", *small, "--patience", 2)
    kept = files.information("set.safetensors")
    assert kept["train_images"] == 12  # none of these was set aside
    assert all(value is not None for value in kept["history"]["val_loss"])
    record = ImageRecord.from_notes(kept["images"])
    assert record is not None
    assert len(record.parts["validation"].digests) == 12
    # Its images are not unseen any more.
    shutil.move("set/valid", "other")
    tested = striate(
        "evaluate", "set.safetensors", "other", *NUMPY[:2], "--json", "--part", "train"
    )
    assert tested.json["images"] == 12
    assert "--patience" not in striate("train", "set", *small, "--validation", 0.2).err


def test_folders_above_the_classes_are_refused(
    striate: Run, refused: Refused, in_tmp: Path, small: tuple[object, ...]
) -> None:
    noise(Path("high/Dataset/cat"), 5)
    noise(Path("high/Dataset/dog"), 5, seed=1)
    noise(Path("high/Examples"), 5, seed=2)
    assert "holds the folders cat, dog and no images of its own" in refused("train", "high")
    outcome = striate("train", "high", *small, "--nested")
    assert outcome.code == 0
    assert striate("evaluate", "high.safetensors", "high", *NUMPY[:2]).code == 0


def test_a_source_with_a_long_name(striate: Run, in_tmp: Path, small: tuple[object, ...]) -> None:
    for name in ("n" * 250, "é" * 125, "目" * 83):
        try:
            noise(Path(name, "a"), 5)
        except OSError:
            pytest.skip("no such names here")
        noise(Path(name, "b"), 5, seed=1)
        assert striate("train", name, *small).code == 0
        (model,) = Path().glob("*.safetensors")
        assert len(model.name.encode()) <= 255
        assert name.startswith(model.stem)
        model.unlink()


def test_a_limit_of_pixels(refused: Refused, in_tmp: Path, small: tuple[object, ...]) -> None:
    noise(Path("pets/cat"), 5)
    noise(Path("pets/dog"), 5, seed=1)
    assert "more than 41 pixels (6 × 7)" in refused("train", "pets", *small, "--max-pixels", 41)


def test_images_that_changed_are_told_when_a_training_is_resumed(
    striate: Run, in_tmp: Path, small: tuple[object, ...]
) -> None:
    noise(Path("pets/cat"), 6)
    noise(Path("pets/dog"), 6, seed=1)
    assert striate("train", "pets", *small).code == 0
    assert "compared with" not in striate("train", "pets", *small, "--resume").err
    Path("pets/cat/3.png").unlink()
    noise(Path("pets/dog"), 7, seed=1)
    outcome = striate("train", "pets", *small, "--resume")
    (line,) = [line for line in outcome.err.splitlines() if "compared with" in line]
    assert line.endswith("1 new (pets/dog/6.png), 1 missing (cat/3.png)")
