"""``striate train`` on images that are decoded when needed, and inside other files."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.cli.options import byte_count
from striate.model import files

Run = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def photos(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(in_tmp / "cache"))
    rng = np.random.default_rng(0)
    for index in range(60):
        folder = in_tmp / "photos" / ["cat", "dog"][index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 200, (20, 26, 3), np.uint8)
        pixels[:, :9, index % 2] += 50
        Image.fromarray(pixels).save(folder / f"{index}.jpg", quality=95)
    return in_tmp / "photos"


CHANGES = ("--flip", "--mixup", 0.2, "--cutmix", 1, "--randaugment", 1, "--magnitude", 5,
           "--resized-crop", 0.3, "--hue", 0.1, "--patience", 2)  # fmt: skip


@pytest.mark.parametrize("changes", [(), CHANGES], ids=["plain", "changed"])
def test_the_same_file_byte_for_byte(striate: Run, photos: Path, changes: Any) -> None:
    common = ("--epochs", 2, "--size", "16x20", *changes)
    assert striate("train", "photos", *common, "-o", "held.safetensors").code == 0
    told = "60 images of 16 × 20 pixels take 56.2 KiB decoded, more than the 0 B that may hold them"
    for cache in ("4GB", "20KB", "0"):
        outcome = striate(
            "train", "photos", *common, "-o", "read.safetensors", "--memory", "0", "--image-cache",
            cache,
        )  # fmt: skip
        assert outcome.code == 0
        assert told in " ".join(outcome.err.split())
        assert Path("held.safetensors").read_bytes() == Path("read.safetensors").read_bytes()
    with tarfile.open("photos.tar", "w") as tar:
        tar.add("photos", ".")
    for memory in ("1GB", "0"):
        outcome = striate(
            "train", "photos.tar", *common, "-o", "read.safetensors", "--memory", memory
        )
        assert outcome.code == 0
        assert Path("held.safetensors").read_bytes() == Path("read.safetensors").read_bytes()
    tested = striate("evaluate", "held.safetensors", "photos.tar", "--json").json
    assert tested["images"] == 12
    assert tested["changes"] == {"new": 0, "changed": 0, "missing": 0, "relabelled": 0}
    assert tested["accuracy"] == files.information("held.safetensors")["test_accuracy"]


def test_images_that_change_between_two_runs(striate: Run, refused: Refused, photos: Path) -> None:
    path = photos / "cat" / "8.jpg"
    common = ("--epochs", 2, "--size", "16x20", "--memory", "0", "--image-cache", "0")
    assert striate("train", "photos", *common, "--engine", "numpy").code == 0
    content = path.read_bytes()
    shutil.copy(photos / "cat" / "10.jpg", path)
    assert striate("train", "photos", *common, "--engine", "numpy").code == 0
    path.write_bytes(content[:200])
    assert "8.jpg: the image is truncated" in refused("train", "photos", *common)
    assert striate("train", "photos", *common, "--engine", "numpy", "--skip-bad").code == 0


def test_sizes_in_bytes(refused: Refused) -> None:
    for text, count in (("0", 0), ("12", 12), ("2GB", 2**31), ("1.5 GiB", 3 * 2**29),
                        ("3k", 3072), ("1MB", 2**20), ("2t", 2**41)):  # fmt: skip
        assert byte_count(text) == count
    assert "is not a size such as 2GB" in refused("train", "digits", "--memory", "much")
    assert "is not a size such as 2GB" in refused("train", "digits", "--image-cache", "-1")


def test_wrong_changes_are_told(refused: Refused) -> None:
    assert "hue needs images of 3 channels" in refused("train", "digits", "--hue", "0.1")
