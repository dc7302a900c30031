"""Folders of class folders: what is found, how it is labelled, what is refused."""

from __future__ import annotations

import os
import shutil
import tarfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data import DataError, class_folders, load


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
    assert data.notes == [
        "5 training images and 3 test images of 4 × 6 pixels, gray, in 2 classes: a (4), b (4)",
        "all 8 images are of one colour each: there is nothing to see",
    ]
    assert [os.path.relpath(path, tmp_path) for path in data.test_paths or []] == [
        os.path.join("test", *names)
        for names in (("a", "img0.png"), ("b", "img0.png"), ("b", "img1.png"))
    ]
    assert data.train_paths is not None
    assert [Path(path).parent.name for path in data.train_paths] == ["a", "a", "a", "b", "b"]
    assert data.folder == str(tmp_path)


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
    assert data.validation_images is not None
    assert values(data.validation_images) == [5, 6]
    assert data.validation_labels is not None
    assert data.validation_labels.tolist() == [0, 1]
    assert list(data.parts) == ["train", "test", "validation"]
    told = f"not used: {tmp_path / 'val'}, which --patience would watch"
    assert told not in data.notes
    data = load(tmp_path, validation=False)
    assert data.validation_images is None
    assert told in data.notes
    # Of a trained model nothing is watched.
    assert told not in load(tmp_path, validation=False, classes=["a", "b"]).notes


def test_the_usual_names_of_parts_go_first(tmp_path: Path) -> None:
    for value, name in enumerate(("dev", "train_set", "Train", "val", "Test10", "Test9", "other")):
        painted(tmp_path, name, {"a": [value] * 2, "b": [value] * 2})
    data = load(tmp_path)
    assert (set(values(data.train_images)), set(values(data.test_images))) == ({2}, {5})
    assert data.validation_images is not None
    assert set(values(data.validation_images)) == {3}
    assert f"not used in {tmp_path}: Test10, dev, other, train_set" in data.notes


def test_a_test_folder_without_classes_is_not_used(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2, 3], "b": [3, 4, 5]})
    paint(tmp_path / "test" / "unknown.png", 9)
    data = load(tmp_path)
    assert data.split
    assert 9 not in values(data.test_images) + values(data.train_images)
    assert f"not used in {tmp_path}: test" in data.notes


def test_a_class_called_train(tmp_path: Path) -> None:
    for kind, value in (("train", 1), ("bus", 2), ("test", 3)):
        for index in range(3):
            paint(tmp_path / kind / f"{index}.png", value)
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["bus", "test", "train"]
    assert values(data.train_images) == [2] * 3 + [3] * 3 + [1] * 3
    shutil.rmtree(tmp_path / "bus")
    refused(tmp_path, "its folders test, train are parts of a data set, not classes")
    # Of two names for one part it cannot be the parts that are meant.
    shutil.move(tmp_path / "test", tmp_path / "training")
    assert load(tmp_path, test_fraction=0).classes == ["train", "training"]


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
    assert data.notes == [
        "21 training images and 6 test images of 6 × 9 pixels, RGB, in 3 classes, split with seed "
        "0: a (20), b (5), c (2)"
    ]
    assert not any("split" in note for note in everything.notes)


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
        assert data.notes[0].endswith("of 6 × 9 pixels, RGB, in 2 classes: a (3), b (1)")


def test_of_many_classes_ten_are_counted(tmp_path: Path) -> None:
    painted(tmp_path, "", {f"c{index}": [index] * 2 for index in range(12)})
    note = load(tmp_path).notes[0]
    assert note.endswith("c8 (2), c9 (2) and 2 more")


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
    assert "5 files ignored: 2 hidden, 1 .md, 1 .txt, 1 .db" in {
        note.replace("1 .txt, 1 .md", "1 .md, 1 .txt") for note in data.notes
    } | {note.replace("1 .db, 1 .txt", "1 .txt, 1 .db") for note in data.notes}
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


def test_a_link_to_nothing_is_one_bad_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    link(tmp_path / "a" / "gone.png", tmp_path / "nowhere.png")
    entries = class_folders._entries
    monkeypatch.setattr(
        class_folders,
        "_entries",  # it is found first
        lambda folder: sorted(entries(folder), key=lambda entry: entry.name != "gone.png"),
    )
    data = load(tmp_path, skip_bad=True, test_fraction=0)
    assert values(data.train_images) == [1, 2, 3, 4]
    assert f"1 bad image skipped: {tmp_path / 'a' / 'gone.png'}" in data.notes


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
    assert data.notes[0].endswith("in 4 classes: ant (1), bee (0), cat (0), dog (2)")
    # Of a name that the model has twice the first one counts.
    twice = load(tmp_path, classes=["dog", "ant", "ant", "dog"], test_fraction=1)
    assert twice.test_labels.tolist() == [1, 0, 0]
    shutil.rmtree(tmp_path / "ant")
    assert load(tmp_path, classes=["ant", "dog"], test_fraction=1).test_labels.tolist() == [1, 1]
    with pytest.raises(DataError) as caught:
        load(tmp_path, classes=["ant", *map(str, range(11))])
    assert str(caught.value) == (
        f"{tmp_path} has a class 'dog' that the model does not know; it knows ant, 0, 1, 2, 3, 4, "
        "5, 6, 7, 8 and 2 more: give images of these classes only, or a model trained on the "
        "others, too"
    )


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
    refused(
        tmp_path,
        r"b: the class folder holds no images that can be read, only 1 other file \(1 .txt\); "
        "add some or remove it",
    )


def test_classes_that_differ(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    painted(tmp_path, "test", {"a": [7, 8], "B": [9, 10, 11], "c": []})
    paint(tmp_path / "test" / "c" / "1.png", 12)
    data = load(tmp_path)
    assert data.classes == ["a", "b", "c"]
    assert values(data.test_images) == [7, 8, 12]
    assert data.test_labels.tolist() == [0, 0, 2]
    left = f"{tmp_path / 'test' / 'B'}: 3 images left out, as the training images have no class 'B'"
    assert left in data.notes
    assert "no test images of 'b'" in data.notes


def test_a_test_part_of_unknown_classes_is_not_used(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, "test", {"unknown": [7, 8]})
    data = load(tmp_path)
    assert data.split
    assert sorted(values(data.train_images) + values(data.test_images)) == [1, 2, 3, 4]
    told = (
        f"{tmp_path / 'test'}: not used, as none of its folders (unknown) is a class of the "
        "training images; the test images are "
    )
    assert told + "drawn from the training images" in data.notes
    painted(tmp_path, "valid", {"a": [5], "b": [6]})
    data = load(tmp_path)
    assert not data.split
    assert values(data.test_images) == [5, 6]
    assert told + f"those of {tmp_path / 'valid'}" in data.notes
    assert data.validation_images is None


def test_a_validation_part_that_does_not_fit_is_told(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, "test", {"a": [5], "b": [6]})
    painted(tmp_path, "valid", {"a": [7], "x": [8]})
    data = load(tmp_path)
    assert data.validation_images is not None
    assert values(data.validation_images) == [7]
    assert "no validation images of 'b'" in data.notes
    assert (
        f"{tmp_path / 'valid' / 'x'}: 1 image left out, as the training images have no class 'x'"
    ) in data.notes
    shutil.rmtree(tmp_path / "valid" / "a")
    data = load(tmp_path)
    assert data.validation_images is None
    assert values(data.test_images) == [5, 6]
    assert (
        f"{tmp_path / 'valid'}: not used, as none of its folders (x) is a class of the training "
        "images"
    ) in data.notes


def test_one_part_only(tmp_path: Path) -> None:
    painted(tmp_path, "train", {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, "test", {"b": [5], "x": [6]})
    (tmp_path / "train" / "a" / "img0.png").write_bytes(b"")  # which need not be read
    data = load(tmp_path, only="test")
    assert (values(data.test_images), data.test_labels.tolist()) == ([5], [1])
    assert (len(data.train_images), data.train_paths, data.split) == (0, [], False)
    data = load(tmp_path, only="test", classes=["x", "b", "a"])
    assert (values(data.test_images), data.test_labels.tolist()) == ([5, 6], [1, 0])
    data = load(tmp_path, only="train", skip_bad=True)
    assert (values(data.train_images), len(data.test_images)) == ([2, 3, 4], 0)
    data = load(tmp_path, classes=["x", "b", "a"], skip_bad=True)
    assert data.train_labels.tolist() == [2, 1, 1]
    assert data.test_labels.tolist() == [1, 0]
    painted(tmp_path / "whole", "", {"a": [1, 2], "b": [3, 4]})
    assert load(tmp_path / "whole", only="test", test_fraction=1).test_labels.tolist() == [
        0,
        0,
        1,
        1,
    ]


# What the folders are


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test"),
        ("Train", "Test", "val"),
        ("train_set", "test_set"),
        ("training-images", "validation"),
        ("trainset", "testset"),
        ("train2017", "val2017"),
    ],
)
def test_parts_without_class_folders_are_no_classes(tmp_path: Path, names: Sequence[str]) -> None:
    for value, name in enumerate(names):
        for index in range(3):
            paint(tmp_path / name / f"cat.{index}.png", value)
    paint(tmp_path / "__MACOSX" / "x.png", 1)
    refused(tmp_path, r"its folders .* are parts of a data set, not classes; .*train/CLASS/image")


@pytest.mark.parametrize(
    "train", ["train_set", "Training", "trainset", "train-images", "train2017"]
)
@pytest.mark.parametrize(
    "test", ["test_set", "testset", "Testing", "test_images", "val2017", "dev"]
)
def test_parts_of_other_names(tmp_path: Path, train: str, test: str) -> None:
    painted(tmp_path, train, {"a": [1, 2], "b": [3, 4]})
    painted(tmp_path, test, {"a": [5], "b": [6]})
    data = load(tmp_path)
    assert (data.classes, data.split) == (["a", "b"], False)
    assert values(data.test_images) == [5, 6]


def test_names_that_only_look_like_parts(tmp_path: Path) -> None:
    for value, name in enumerate(("trainer", "tests of men", "train")):
        painted(tmp_path, "", {name: [value, value]})
    assert load(tmp_path, test_fraction=0).classes == ["tests of men", "train", "trainer"]


def test_a_folder_one_level_too_high(tmp_path: Path) -> None:
    painted(tmp_path / "Dataset", "", {"cat": [1, 2], "dog": [3, 4]})
    painted(tmp_path, "", {"Examples": [5, 6]})
    painted(tmp_path / "Dataset", "", {"dog10": [8], "dog9": [9]})
    place = tmp_path / "Dataset"
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{place}: holds the folders cat, dog, dog9, dog10 and no images of its own, so these may "
        f"be the classes; give {place}, or --nested (nested=True) if all that is below {place} is "
        "of one class"
    )
    assert load(tmp_path, nested=True, test_fraction=0).classes == ["Dataset", "Examples"]
    # A model that was trained so knows these classes.
    assert len(load(tmp_path, classes=["Dataset", "Examples"]).classes) == 2
    paint(tmp_path / "Dataset" / "one.png", 7)
    assert len(load(tmp_path, test_fraction=0).train_images) == 9


def test_class_folders_below_a_single_folder(tmp_path: Path) -> None:
    painted(tmp_path / "outer" / "inner", "", {"cat": [1, 2], "dog": [3, 4]})
    refused(tmp_path, rf"{tmp_path / 'outer' / 'inner'}: holds the folders cat, dog")
    (tmp_path / "train" / "x" / "y").mkdir(parents=True)
    shutil.move(tmp_path / "outer", tmp_path / "train" / "images")
    shutil.rmtree(tmp_path / "train" / "x")
    refused(tmp_path, "inner: holds the folders cat, dog and no images of its own")


def test_system_folders_are_no_classes(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    for name in ("@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information", ".Trash-0"):
        (tmp_path / name).mkdir()
        paint(tmp_path / "a" / name / "thumb.png", 9)
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["a", "b"]
    assert values(data.train_images) == [1, 2, 3, 4]


def test_accents_however_they_are_written(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    painted(tmp_path, "train", {composed: [1, 2], "thé": [3, 4]})
    painted(tmp_path, "test", {apart: [5], "thé": [6]})
    if len({entry.name for entry in (tmp_path / "test").iterdir()} & {apart}) == 0:
        pytest.skip("this file system has one form only")
    data = load(tmp_path)
    assert data.classes == [composed, "thé"]
    assert data.test_labels.tolist() == [0, 1]
    # One class in both forms, and a model whose classes are in the other one.
    painted(tmp_path, "train", {apart: [7, 8]})
    data = load(tmp_path)
    assert data.classes == [composed, "thé"]
    assert sorted(values(data.train_images[data.train_labels == 0])) == [1, 2, 7, 8]
    assert load(tmp_path, classes=["thé", apart], only="test").test_labels.tolist() == [1, 0]


def test_other_kinds_of_pictures_are_named_by_class(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    for name in ("a/x.psd", "a/y.PSD", "b/z.psd", "b/w.dng", "b/notes.txt"):
        (tmp_path / name).write_bytes(b"8BPS")
    # In both parts together, and of ten classes.
    for role in ("train", "test"):
        painted(tmp_path / "parts", role, {f"c{index}": [index] * 2 for index in range(12)})
        for index in range(12):
            (tmp_path / "parts" / role / f"c{index}" / "x.psd").write_bytes(b"8BPS")
    notes = load(tmp_path / "parts").notes
    of_each = ", ".join(f"c{index} 2" for index in range(10))
    told = f"24 pictures left out, as .psd is not read ({of_each} and 2 more): convert them to PNG"
    assert told in notes
    shutil.rmtree(tmp_path / "parts")
    notes = load(tmp_path).notes
    assert "3 pictures left out, as .psd is not read (a 2, b 1): convert them to PNG" in notes
    assert "1 picture left out, as .dng is not read (b 1): convert them to PNG" in notes
    assert "1 file ignored: 1 .txt" in notes
    for path in (tmp_path / "a").glob("*.png"):
        path.unlink()
    refused(
        tmp_path,
        r"a: the class folder holds no images that can be read, only 2 other files "
        r"\(2 .psd\); convert them to PNG",
    )


def test_heic_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.data.image_files.find_spec", lambda name: None)
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    for name in ("a/x.heic", "a/y.HEIC", "b/z.heic"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for name in ("a/first.bmp", "b/later.webp"):  # endings before and after
        paint(tmp_path / name, 5)
    (tmp_path / "b" / "w.hif").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: 3 pictures .heic (a 2, b 1) cannot be read here; pip install pillow-heif, or "
        "leave them out (--skip-bad, skip_bad=True)"
    )
    data = load(tmp_path, skip_bad=True, test_fraction=0)
    assert values(data.train_images) == [5, 1, 2, 3, 4, 5]
    left = " left out, as they cannot be read here: pip install pillow-heif"
    assert {f"3 pictures .heic (a 2, b 1){left}", f"1 picture .hif (b 1){left}"} < set(data.notes)
    assert not any("bad image" in note for note in data.notes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_link_to_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3, 4]})
    os.mkfifo(tmp_path / "pipe")
    link(tmp_path / "a" / "linked.png", tmp_path / "pipe")
    assert len(load(tmp_path, test_fraction=0).train_images) == 4


def test_the_same_image_in_both_parts(make_folder: Any, tmp_path: Path) -> None:
    make_folder({"a": 4, "b": 4}, name="set/train")
    make_folder({"a": 3, "b": 3}, name="set/test", seed=1)
    folder = tmp_path / "set"
    assert not any("among the training images" in note for note in load(folder).notes)
    shutil.copy(folder / "train" / "a" / "2.png", folder / "test" / "a" / "copy.png")
    shutil.copy(folder / "train" / "a" / "3.png", folder / "test" / "b" / "wrong.png")
    (note,) = [note for note in load(folder).notes if "among the training images" in note]
    assert note.startswith("2 of the 8 test images are among the training images, too (")
    assert os.path.join("test", "a", "copy.png") in note
    assert "1 of them with another class" in note


def test_a_class_of_one_colour(make_folder: Any) -> None:
    folder = make_folder({"a": 4, "b": 4})
    for index in range(4):
        paint(folder / "b" / f"{index}.png", index, size=(9, 6))
    notes = load(folder).notes
    assert "all images of 'b' are of one colour each: there is nothing to see in them" in notes
    paint(folder / "b" / "last.png", 1, size=(9, 6))
    Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9)).save(folder / "b" / "last.png")
    assert not any("one colour" in note for note in load(folder).notes)


def test_a_class_that_cannot_be_split(tmp_path: Path) -> None:
    painted(tmp_path, "", {"a": [1, 2], "b": [3], "c": [4]})
    refused(
        tmp_path,
        "^class 'b' has one image only and cannot be split into a training and a test part: give "
        "it two or more, or give a test part of your own$",
    )


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
    bad = [folder / "a" / "img3.png", folder / "b" / "img1.png"]
    assert note == f"2 bad images skipped: {bad[0]}, {bad[1]}"


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
    told = "none of the images of this class can be read; add good ones or remove the folder"
    refused(tmp_path, f"^{tmp_path / part / 'b'}: {told}$", skip_bad=True)


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
