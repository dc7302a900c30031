"""Folders of class folders: what is found, how it is labelled, what is refused."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data import DataError, load


def paint(path: Path, value: int | tuple[int, int, int], size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "L" if isinstance(value, int) else "RGB"
    Image.new(mode, size, value).save(path)


def painted(folder: Path, part: str, classes: dict[str, list[int]]) -> Path:
    """A folder in which each image has one value, which tells where it came from."""
    for name, values in classes.items():
        for index, value in enumerate(values):
            paint(folder / part / name / f"img{index}.png", value)
    return folder


def values(images: np.ndarray) -> list[int]:
    assert (images == images[:, :1, :1]).all()
    return [int(value) for value in images[:, 0, 0, 0]]


def test_train_and_test(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"b": [1, 2], "a": [3, 4, 5]})
    painted(tmp_path, "test", {"a": [6], "b": [7, 8]})
    data = load(tmp_path)
    assert data.classes == ["a", "b"]
    assert values(data.train_images) == [3, 4, 5, 1, 2]
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1]
    assert values(data.test_images) == [6, 7, 8]
    assert data.test_labels.tolist() == [0, 1, 1]
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert not data.split
    assert data.name == tmp_path.name
    assert data.notes == ["5 training images and 3 test images of 4 × 6 pixels, gray, in 2 classes"]


@pytest.mark.parametrize("name", ["test", "Test", "testing", "val", "validation", "valid"])
def test_names_of_the_test_part(tmp_path: Path, name: str) -> None:
    painted(tmp_path, "Train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, name, {"a": [5], "b": [6]})
    assert values(load(tmp_path).test_images) == [5, 6]


def test_test_goes_before_val(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, "val", {"a": [5], "b": [6]})
    painted(tmp_path, "test", {"a": [7], "b": [8]})
    data = load(tmp_path)
    assert values(data.test_images) == [7, 8]
    assert any("not used" in note and "val" in note for note in data.notes)


def test_a_test_folder_without_classes_is_not_used(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2, 3], "b": [3, 4, 5]})
    paint(tmp_path / "test" / "unknown.png", 9)
    data = load(tmp_path)
    assert data.split
    assert 9 not in values(data.test_images) + values(data.train_images)
    assert any("not used" in note and "test" in note for note in data.notes)


def test_a_class_called_train(tmp_path: Path) -> None:
    for kind, value in (("train", 1), ("bus", 2), ("test", 3)):
        for index in range(3):
            paint(tmp_path / kind / f"{index}.png", value)
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["bus", "test", "train"]
    assert values(data.train_images) == [2] * 3 + [3] * 3 + [1] * 3


def test_split_without_a_test_part(make_folder: Any) -> None:
    folder = make_folder({"a": 20, "b": 5, "c": 2})
    data = load(folder)
    assert data.split
    assert np.bincount(data.test_labels).tolist() == [4, 1, 1]
    assert np.bincount(data.train_labels).tolist() == [16, 4, 1]
    everything = load(folder, test_fraction=0)
    parts = np.concatenate([data.train_images, data.test_images])
    labels = np.concatenate([data.train_labels, data.test_labels])
    key = [(int(label), image.tobytes()) for label, image in zip(labels, parts, strict=True)]
    whole = zip(everything.train_labels, everything.train_images, strict=True)
    assert sorted(key) == sorted((int(label), image.tobytes()) for label, image in whole)
    assert "split with seed 0" in data.notes[0]


def test_split_follows_the_seed(make_folder: Any) -> None:
    folder = make_folder({"a": 20, "b": 20})
    first, again, other = load(folder), load(folder), load(folder, seed=1)
    assert np.array_equal(first.test_images, again.test_images)
    assert not np.array_equal(first.test_images, other.test_images)


def test_everything_in_one_part(make_folder: Any) -> None:
    folder = make_folder({"a": 3, "b": 1})
    for fraction, train, test in ((0, 4, 0), (1, 0, 4)):
        data = load(folder, test_fraction=fraction)
        assert data.train_images.shape == (train, 6, 9, 3)
        assert data.test_images.shape == (test, 6, 9, 3)
        assert (len(data.train_labels), len(data.test_labels)) == (train, test)


def test_natural_order(tmp_path: Path) -> None:
    for name in ("10", "9", "2", "a10", "a9", "B"):
        for index in (10, 9, 0):
            paint(tmp_path / name / f"x{index}.png", index)
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["2", "9", "10", "B", "a9", "a10"]
    assert values(data.train_images) == [0, 9, 10] * 6


def test_files_at_any_depth_and_of_any_ending(tmp_path: Path) -> None:
    paint(tmp_path / "a" / "deep" / "er" / "1.PNG", 1)
    paint(tmp_path / "a" / "2.Bmp", 2)
    paint(tmp_path / "a" / "3.gif", 3)
    paint(tmp_path / "a" / "4.TIFF", 4)
    paint(tmp_path / "b" / "5.jpeg", 5)
    paint(tmp_path / "b" / "6.webp", 6)
    data = load(tmp_path, test_fraction=0)
    assert np.bincount(data.train_labels).tolist() == [4, 2]
    assert set(values(data.train_images)) == {1, 2, 3, 4, 5, 6}


def test_what_is_ignored_is_counted(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    for name in ("a/notes.txt", "a/.hidden.png", "b/Thumbs.db", "README.md", ".DS_Store"):
        (tmp_path / name).write_text("no image")
    paint(tmp_path / "loose.png", 9)
    for name in (".git", "__MACOSX"):
        paint(tmp_path / name / "x.png", 9)
    paint(tmp_path / "a" / ".thumbs" / "x.png", 9)
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["a", "b"]
    assert values(data.train_images) == [1, 2, 3, 4]
    assert "5 files ignored: hidden, or not of a known image kind" in data.notes
    assert "1 image ignored: not in a class folder" in data.notes


def test_colour_and_size_are_shown(tmp_path: Path) -> None:
    for index in range(3):
        paint(tmp_path / "a" / f"{index}.png", (200, 10, 10), size=(20, 10))
        paint(tmp_path / "b" / f"{index}.png", 7, size=(20, 11))
    data = load(tmp_path)
    assert data.colour == "rgb"
    assert "RGB" in data.notes[0]
    assert data.resize == {"height": 10, "width": 20, "mode": "crop"}
    assert "3 images of 6 resized to 10 × 20 pixels" in data.notes[1]
    gray = load(tmp_path, colour="gray", size=(8, 16))
    assert (gray.colour, gray.train_images.shape[1:]) == ("gray", (8, 16, 1))


def test_both_parts_decide_colour_and_size(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, "test", {"a": [5], "b": [6]})
    paint(tmp_path / "test" / "b" / "colour.png", (1, 2, 3))
    data = load(tmp_path)
    assert data.train_images.shape[3] == data.test_images.shape[3] == 3


def link(place: Path, target: Path) -> None:
    try:
        place.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links")


def test_links(tmp_path: Path) -> None:
    painted(tmp_path / "real", "", {"a": [1, 2], "b": [3, 4]})
    (tmp_path / "data").mkdir()
    link(tmp_path / "data" / "x", tmp_path / "real" / "a")
    link(tmp_path / "data" / "y", tmp_path / "real" / "b")
    link(tmp_path / "real" / "a" / "loop", tmp_path / "real" / "a")
    data = load(tmp_path / "data", test_fraction=0)
    assert data.classes == ["x", "y"]
    assert values(data.train_images) == [1, 2, 3, 4]
    link(tmp_path / "real" / "b" / "gone.png", tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png: there is no such image"):
        load(tmp_path / "data")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert len(load(tmp_path, test_fraction=0).train_images) == 4


# For the evaluation of a trained model


def test_labels_by_the_classes_of_a_model(tmp_path: Path) -> None:
    painted(tmp_path, "", {"dog": [1, 2], "ant": [3]})
    data = load(tmp_path, classes=["ant", "bee", "cat", "dog"], test_fraction=1)
    assert data.classes == ["ant", "bee", "cat", "dog"]
    assert data.test_labels.tolist() == [0, 3, 3]
    assert values(data.test_images) == [3, 1, 2]
    shutil.rmtree(tmp_path / "ant")
    assert load(tmp_path, classes=["ant", "dog"], test_fraction=1).test_labels.tolist() == [1, 1]
    with pytest.raises(DataError, match="class 'dog' that the model does not know; it knows ant"):
        load(tmp_path, classes=["ant", "bee"])


# Errors


def refused(folder: Path, text: str, **options: Any) -> None:
    with pytest.raises(DataError, match=text) as caught:
        load(folder, **options)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_empty_folder(tmp_path: Path) -> None:
    refused(tmp_path, f"{tmp_path}: the folder holds no images; put the images of each class")
    (tmp_path / "a").mkdir()
    refused(tmp_path, "the folder holds no images")
    (tmp_path / "train" / "a").mkdir(parents=True)
    refused(tmp_path, "train: the folder holds no images")


def test_images_without_class_folders(tmp_path: Path) -> None:
    paint(tmp_path / "1.png", 1)
    refused(tmp_path, "the images are not in class folders")


def test_one_class_only(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2]})
    refused(tmp_path, r"holds one class only \('a'\): a classifier needs two or more")


def test_class_without_images(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "c": [3, 4]})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.txt").write_text("")
    refused(tmp_path, "b: the class folder holds no images; add some or remove it")


@pytest.mark.parametrize(
    ("train", "test", "text"),
    [
        (["a", "b"], ["a", "b", "c"], r"c: class 'c' is not in .*train, which has a, b"),
        (["a", "b", "c"], ["a", "b"], r"c: class 'c' is not in .*test, which has a, b"),
        (["a", "b"], ["a", "B"], r"B: class 'B' is not in .*train"),
    ],
)
def test_classes_that_differ(tmp_path: Path, train: list[str], test: list[str], text: str) -> None:
    painted(tmp_path, "train", {name: [1, 2] for name in train})
    painted(tmp_path, "test", {name: [1, 2] for name in test})
    refused(tmp_path, text)


def test_a_class_that_cannot_be_split(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3]})
    refused(tmp_path, "class 'b' has one image only and cannot be split")


def broken(folder: Path) -> Path:
    painted(folder, "", {"a": [1, 2, 3, 4], "b": [5, 6, 7]})
    for name in ("a/img3.png", "b/img1.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
    return folder


def test_a_truncated_image_is_named_or_skipped(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    refused(folder, r"a.img3\.png: .*skip bad images \(--skip-bad, skip_bad=True\)")
    data = load(folder, skip_bad=True, test_fraction=0)
    assert values(data.train_images) == [1, 2, 3, 5, 7]
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1]
    (note,) = [note for note in data.notes if "bad image" in note]
    assert note.startswith("2 bad images skipped: ")
    assert "img3.png" in note
    assert "img1.png" in note


def test_skipping_keeps_the_parts_apart(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2, 3], "b": [4, 5]})
    painted(tmp_path, "test", {"a": [6, 7], "b": [8]})
    for name in ("train/a/img1.png", "test/a/img0.png"):
        (tmp_path / name).write_bytes(b"")
    data = load(tmp_path, skip_bad=True)
    assert (values(data.train_images), data.train_labels.tolist()) == ([1, 3, 4, 5], [0, 0, 1, 1])
    assert (values(data.test_images), data.test_labels.tolist()) == ([7, 8], [0, 1])


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_of_bad_images_only(tmp_path: Path, part: str) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, "test", {"a": [5], "b": [6]})
    for path in (tmp_path / part / "b").iterdir():
        path.write_bytes(b"")
    refused(tmp_path, rf"{part}.b: none of the images of this class can be read", skip_bad=True)


def test_a_giant_image(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    paint(tmp_path / "b" / "giant.png", 5, size=(300, 200))
    refused(tmp_path, r"giant\.png: the image has more than 50,000 pixels", max_pixels=50_000)
    data = load(tmp_path, max_pixels=50_000, skip_bad=True)
    assert any("giant.png" in note for note in data.notes)


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    real = os.scandir

    def scandir(path: Any) -> Any:  # the administrator, who may run this, may read all
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    refused(tmp_path, r"b: the folder cannot be read \(Permission denied\)")


# Real data


def test_part_of_cifar10(cifar10_archive: Path, tmp_path: Path) -> None:
    counts: dict[str, int] = {}
    with tarfile.open(cifar10_archive) as archive:
        for member in archive:
            folder = member.name.rsplit("/", 1)[0]
            counts[folder] = counts.get(folder, 0) + member.isfile()
            if member.isfile() and counts[folder] <= 12:
                archive.extract(member, tmp_path, filter="data")
            if len(counts) == 3 and counts[folder] == 12:
                break
    data = load(tmp_path, test_fraction=0.25)
    assert data.classes == ["airplane", "automobile"]
    assert data.train_images.shape == (18, 32, 32, 3)
    assert data.colour == "rgb"
    assert 60 < data.train_images.mean() < 200
