"""``striate verify``: a model is trained once more, and its bits are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.cli.app import run
from striate.model import files
from striate.network import load

Run = Callable[..., Any]
Refused = Callable[..., str]
TRAIN = ("--epochs", 2, "--seed", 7, "--portable", "--no-check", "--quiet", "--size", "9x12")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of two classes, of several sizes."""
    root = tmp_path_factory.mktemp("verify") / "images"
    random = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 60)):
        (root / name).mkdir(parents=True)
        for number in range(24):
            size = (14 + number % 3, 18, 3)
            pixels = random.integers(level - 50, level + 50, size).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def trained(folder: Path, network_file: Path) -> Path:
    path = folder.parent / "m.safetensors"
    own = ("--network", network_file, "--flip", "--shift", 1, "--class-weight", "dark=2")
    arguments = ("train", folder, *TRAIN, *own, "-o", path)
    assert run([str(argument) for argument in arguments]) == 0
    return path


def test_the_same_course_gives_the_same_bits(striate: Run, folder: Path, trained: Path) -> None:
    outcome = striate("verify", trained, folder, "--threads", 1)
    assert outcome.code == 0 and outcome.out.startswith("Same bits: the weights are those in")
    assert "trained with --portable: all processors that round" in outcome.err
    result = striate("verify", trained, folder, "--json", "--quiet").json
    assert result["same"] is True and result["digest_there"] == result["digest_here"]
    assert result["differing"] == [] and result["images"] == "same" and result["portable"] is True


def test_changed_weights_are_found(striate: Run, folder: Path, trained: Path, in_tmp: Path) -> None:
    network, notes = load(trained), files.information(trained)
    weights = network.parameters["dense_1/weights"]
    weights.reshape(-1)[3] += np.float32(1e-4)
    files.save(network, "other.safetensors", notes)
    outcome = striate("verify", "other.safetensors", folder)
    assert outcome.code == 1
    assert "Other bits in 1 array: the first is dense_1/weights, 1 of" in outcome.out
    assert "of another training, or were changed" in outcome.out
    assert "by up to 0.0001" in outcome.out


def test_another_seed_is_found(striate: Run, folder: Path, trained: Path, in_tmp: Path) -> None:
    network, notes = load(trained), files.information(trained)
    notes["course"]["options"]["seed"] = 8
    notes["recipe"]["seed"] = 8
    notes.pop("images")  # which another seed splits otherwise
    files.save(network, "other.safetensors", notes)
    outcome = striate("verify", "other.safetensors", folder, "--json")
    assert outcome.code == 1 and len(outcome.json["differing"]) == 4


def test_other_images_are_found(
    striate: Run, folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    changed = tmp_path / "images"
    shutil.copytree(folder, changed)
    assert striate("verify", trained, changed).code == 0
    pixels = np.asarray(Image.open(changed / "dark" / "3.png")).copy()
    pixels[:9] += 9
    Image.fromarray(pixels).save(changed / "dark" / "3.png")

    def trains(*given: object, **more: object) -> None:
        raise AssertionError

    monkeypatch.setattr("striate.cli.verify.fit_network", trains)
    outcome = striate("verify", trained, changed)
    assert outcome.code == 1
    assert "Other images, so nothing was trained" in outcome.out and "1 changed" in outcome.out


def test_what_holds_without_portable(striate: Run, folder: Path, in_tmp: Path) -> None:
    plain = [option for option in TRAIN if option != "--portable"]
    plain += ["--network-width", 0.25]  # of the network that striate chooses
    assert striate("train", folder, *plain, "-o", "m.safetensors").code == 0
    outcome = striate("verify", "m.safetensors", folder)
    assert outcome.code == 0
    assert (
        "without --portable: the same seed gives the same bits on processors whose" in outcome.err
    )
    notes = files.information("m.safetensors")
    notes["computed_by"]["vector_bytes"] = 8
    network = load("m.safetensors")
    network.parameters["dense_1/bias"][0] += 1
    files.save(network, "other.safetensors", notes)
    outcome = striate("verify", "other.safetensors", folder)
    assert outcome.code == 1 and "vector_bytes 8 there" in outcome.err
    assert "which is no wonder" in outcome.out


def test_validation_and_calibration_are_part_of_the_course(
    striate: Run, folder: Path, network_file: Path, in_tmp: Path
) -> None:
    options = ("--network", network_file, "--validation", 0.2, "--patience", 1, "--calibrate", 0.55)
    options = (*options, "--epochs", 30, "--lr", 0.1, "--schedule", "constant")
    outcome = striate("train", folder, *TRAIN, *options, "-o", "m.safetensors", "--json")
    assert outcome.code == 0 and outcome.json["stopped_early"]
    assert striate("verify", "m.safetensors", folder).code == 0


def test_what_is_refused(refused: Refused, folder: Path, trained: Path, in_tmp: Path) -> None:
    network, notes = load(trained), files.information(trained)
    files.save(network, "old.safetensors", {k: v for k, v in notes.items() if k != "course"})
    assert "does not say with which options" in refused("verify", "old.safetensors", folder)
    files.save(network, "cut.safetensors", {**notes, "interrupted": True})
    assert "stopped before its end" in refused("verify", "cut.safetensors", folder)
    files.save(network, "bad.safetensors", {**notes, "course": {"version": 1}})
    assert "are damaged" in refused("verify", "bad.safetensors", folder)
    files.save(network, "bad.safetensors", {**notes, "recipe": None})
    assert "are damaged" in refused("verify", "bad.safetensors", folder)
    assert "nowhere" in refused("verify", trained, "nowhere")
