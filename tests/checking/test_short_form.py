"""What is looked for before a training: leaks, images of one colour, shortcuts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate import data
from striate.checking import short_form
from striate.checking.short_form import short_check
from striate.checking.shortcuts import _nearest
from tests.checking.made_sets import as_dataset, images_and_labels, write_folder


def test_nothing_is_wrong() -> None:
    images, labels = images_and_labels(40, seed=2, colour=True)
    record = short_check(as_dataset(images, labels, 60))
    assert [(entry.kind, entry.found, entry.looked, entry.every) for entry in record.entries] == [
        ("copy", 0, 60, 60), ("leak", 0, 60, 60), ("one-colour", 0, 200, 200),
        ("shortcut", 0, 200, 200),
    ]  # fmt: skip
    assert record.sentences == []


def test_copies_leaks_and_one_colour() -> None:
    images, labels = images_and_labels(40, seed=2, colour=True)
    images[-3:] = images[:3]  # to the last bit, which is noted where images are loaded
    images[-8:-4] = (images[10:14, :, ::-1].astype(int) + 1).clip(0, 255)
    images[30] = 9
    record = short_check(as_dataset(images, labels, 60))
    counts = {entry.kind: entry.found for entry in record.entries}
    assert counts == {"copy": 3, "leak": 4, "one-colour": 1, "shortcut": 0}
    assert record.sentences == [
        "4 of the 60 test images show nearly what a training image shows (test image 52 is train "
        "image 10 mirrored)",
        "1 image is of one colour (train image 30)",
    ]


def test_of_many_images_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """But copies to the last bit are found among all."""
    images, labels = images_and_labels(40, seed=2, colour=True)
    images[140::2] = images[0:60:2]
    monkeypatch.setattr(short_form, "MOST_PAIRS", 140 * 20)
    monkeypatch.setattr(short_form, "MOST_HEADERS", 20)
    monkeypatch.setattr(short_form, "MOST_BORDERS", 50)
    record = short_check(as_dataset(images, labels, 60))
    numbers = {entry.kind: (entry.found, entry.looked, entry.every) for entry in record.entries}
    assert numbers["copy"] == (30, 60, 60)
    assert numbers["leak"] == (0, 20, 60)
    assert numbers["shortcut"] == (0, 50, 200)
    leaks = (images[1:61:3].astype(int) + 1).clip(0, 255)  # where every third one is looked at
    images[140::3] = leaks
    found = short_check(as_dataset(images, labels, 60)).of("leak")
    assert found is not None and (found.found, found.looked) == (20, 20)
    assert found.sentence.startswith("20 of the 20 test images looked at, of 60 show nearly")


def test_too_many_values_and_no_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = images_and_labels(40, seed=2)
    assert short_check(as_dataset(images, labels)).of("leak") is None
    monkeypatch.setattr(short_form, "MOST_VALUES", 1000)
    record = short_check(as_dataset(images, labels, 60))
    assert [entry.kind for entry in record.entries] == ["shortcut"]


def test_labels_that_are_no_classes() -> None:
    images, labels = images_and_labels(20, seed=2)
    dataset = as_dataset(images, labels, 30)
    several = np.eye(5, dtype=np.float32)
    dataset = replace(
        dataset, train_labels=several[dataset.train_labels],
        test_labels=several[dataset.test_labels], task="labels",
    )  # fmt: skip
    assert [entry.kind for entry in short_check(dataset).entries] == ["copy", "leak"]


def test_a_class_that_is_another_format(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clothes", 20)
    for path in (folder / "shoe").iterdir():
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    record = short_check(data.load(folder, cache=False))
    found = record.of("shortcut")
    assert found is not None and found.found >= 1
    assert "'shoe' is told by the format of the files" in found.sentence


def test_the_nearest_rows() -> None:
    from scipy.spatial import cKDTree

    table = np.random.default_rng(0).normal(size=(1100, 3))
    _, theirs = cKDTree(table).query(table, 6)
    np.testing.assert_array_equal(np.sort(_nearest(table, 5)), np.sort(theirs[:, 1:]))
