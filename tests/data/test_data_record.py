"""The record of a training's images: the same are found again, whatever became of them."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest

from striate.data import Dataset
from striate.data.image_digests import digests, one_colour
from striate.data.part import Part
from striate.data.record import NEW, ImageRecord, relative_names
from striate.data.suspicions import suspicions

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 5, 1), dtype=np.uint8)
LABELS = np.arange(12) % 3


def dataset(named: bool = False, **changes: Any) -> Dataset:
    """Nine training and three test images, which come from files where they are `named`."""
    values: dict[str, Any] = {
        "train_images": IMAGES[:9],
        "train_labels": LABELS[:9],
        "test_images": IMAGES[9:],
        "test_labels": LABELS[9:],
        "classes": ["a", "b", "c"],
        "name": "set",
    }
    if named:
        values["train_paths"] = [f"there/set/train/{row}.png" for row in range(9)]
        values["test_paths"] = [f"there/set/test/{row}.png" for row in range(9, 12)]
        values["folder"] = "there/set"
    return Dataset(**(values | changes))


def kept(record: ImageRecord) -> ImageRecord:
    """The record as a model file gives it back."""
    found = ImageRecord.from_notes(json.loads(json.dumps(record.to_notes())))
    assert found is not None
    return found


def compare(record: ImageRecord, *parts: Part, **options: Any) -> Any:
    return record.compare(*parts, **({"source": "set", "folder": None} | options))


@pytest.mark.parametrize("named", [False, True])
def test_a_record_survives_its_notes(named: bool) -> None:
    made = ImageRecord.of(dataset(named))
    again = kept(made)
    assert again.source == "set"
    assert list(again.parts) == ["train", "test"]
    for name, part in made.parts.items():
        assert np.array_equal(again.parts[name].digests, part.digests)
        assert np.array_equal(again.parts[name].labels, part.labels)
        assert again.parts[name].names == part.names
    if named:
        assert again.parts["test"].names == ["test/9.png", "test/10.png", "test/11.png"]


def test_records_of_the_first_version_are_read_for_ever() -> None:
    notes = {
        "version": 1,
        "source": "set",
        "parts": {
            "train": {
                "images": 2,
                "digests": "AQAAAP7///8=",
                "classes": base64.b64encode(zlib.compress(b"\2\0\0\0\0\1\0\0")).decode(),
                "names": base64.b64encode(zlib.compress(b"a/1.png\0b/2.png")).decode(),
            },
            "test": {"images": 0, "digests": "", "classes": "eJwDAAAAAAE=", "names": None},
        },
    }
    record = ImageRecord.from_notes(notes)
    assert record is not None
    train, test = record.parts["train"], record.parts["test"]
    assert (train.digests.tolist(), train.labels.tolist()) == ([1, 2**32 - 2], [2, 256])
    assert train.names == ["a/1.png", "b/2.png"]
    assert (test.digests.tolist(), test.labels.tolist(), test.names) == ([], [], None)
    again = record.to_notes()
    assert (again["version"], again["source"]) == (1, "set")
    assert again["parts"]["train"]["digests"] == notes["parts"]["train"]["digests"]
    assert again["parts"]["train"]["images"] == 2


def test_a_part_without_images_has_no_names() -> None:
    made = dataset(named=True, test_images=IMAGES[:0], test_labels=LABELS[:0], test_paths=[])
    assert kept(ImageRecord.of(made)).parts["test"].names == []


def test_a_part_for_validation_is_recorded() -> None:
    made = dataset(validation_images=IMAGES[:2] ^ 1, validation_labels=LABELS[:2])
    found = compare(kept(ImageRecord.of(made)), Part(IMAGES[:2] ^ 1, LABELS[:2]))
    assert found.rows("validation").tolist() == [0, 1]


@pytest.mark.parametrize(
    "change", ["version", "digests", "classes", "names", "bomb", "odd", "none"]
)
def test_notes_that_make_no_sense_are_no_record(change: str) -> None:
    notes = ImageRecord.of(dataset(named=True)).to_notes()
    part = notes["parts"]["train"]
    if change == "version":
        notes["version"] = 2
    elif change == "digests":
        part["digests"] = part["digests"][:-8]
    elif change == "classes":
        part["classes"] = "!"
    elif change == "names":
        part["names"] = base64.b64encode(zlib.compress(b"one\0two")).decode()
    elif change == "bomb":
        part["names"] = base64.b64encode(zlib.compress(bytes(10**6))).decode()
    elif change == "odd":
        notes["parts"] = [1, 2]
    assert ImageRecord.from_notes(None if change == "none" else notes) is None


def test_the_same_images_in_any_order() -> None:
    record = kept(ImageRecord.of(dataset()))
    order = RNG.permutation(12)
    found = compare(record, Part(IMAGES[order], LABELS[order]))
    assert sorted(order[found.rows("test")].tolist()) == [9, 10, 11]
    assert sorted(order[found.rows("train")].tolist()) == list(range(9))
    assert found.counts() == {"new": 0, "changed": 0, "missing": 0, "relabelled": 0}
    assert found.sentence() == ""
    assert found.related


def test_several_parts_at_once() -> None:
    made = dataset(named=True)
    found = compare(ImageRecord.of(made), *made.parts.values(), folder=made.folder)
    assert found.parts.tolist() == [0] * 9 + [1] * 3
    assert found.paths == [*made.train_paths, *made.test_paths]
    assert found.sentence() == ""


def test_new_and_missing_images() -> None:
    record = kept(ImageRecord.of(dataset()))
    images = np.concatenate([IMAGES[2:], IMAGES[:1] ^ 1])
    found = compare(record, Part(images, LABELS[[*range(2, 12), 0]]))
    assert found.new.tolist() == [10]
    assert found.parts.tolist() == [0] * 7 + [1] * 3 + [NEW]
    assert found.counts() == {"new": 1, "changed": 0, "missing": 2, "relabelled": 0}
    assert found.sentence() == "images compared with those of the training: 1 new, 2 missing"
    # Only those in question can be missing.
    found = compare(record, Part(IMAGES[9:11], LABELS[9:11]), among=("test",))
    assert found.counts()["missing"] == 1
    assert found.recorded == 3


def test_other_images_are_not_related() -> None:
    found = compare(ImageRecord.of(dataset()), Part(IMAGES ^ 1, LABELS))
    assert not found.related
    assert len(found.new) == 12


def test_images_of_another_class() -> None:
    labels = LABELS.copy()
    labels[[0, 3, 10]] = (labels[[0, 3, 10]] + 1) % 3
    found = compare(ImageRecord.of(dataset()), Part(IMAGES, labels))
    assert found.relabelled == [0, 3, 10]
    assert found.rows("test").tolist() == [9, 10, 11]
    assert "3 in another class" in found.sentence()


def test_files_that_changed_moved_and_came() -> None:
    record = kept(ImageRecord.of(dataset(named=True)))
    images = np.concatenate([IMAGES, IMAGES[:1] ^ 2])
    images[[4, 9]] ^= 1
    paths = [f"else/set/{'train' if row < 9 else 'test'}/{row}.png" for row in range(13)]
    paths[6] = "else/set/train/renamed.png"
    found = compare(
        record, Part(images, np.append(LABELS, 0), paths), folder="else/set", source="set"
    )
    assert found.changed == [4, 9]
    assert found.rows("train").tolist() == list(range(9))
    assert found.rows("test").tolist() == [9, 10, 11]
    assert found.sentence() == (
        "images compared with those of the training: 1 new (else/set/test/12.png), "
        "2 changed (else/set/train/4.png, else/set/test/9.png)"
    )
    found = compare(record, Part(images[1:9], LABELS[1:9], paths[1:9]), folder="else/set")
    assert found.missing == ["train/0.png", "test/9.png", "test/10.png", "test/11.png"]
    assert "4 missing (train/0.png, test/9.png, test/10.png and 1 more)" in found.sentence()
    found = compare(record, Part(IMAGES[:9], LABELS[:9]))
    assert found.sentence().endswith(": 3 missing (test/9.png, test/10.png, test/11.png)")


def test_the_same_names_in_another_folder_are_other_images() -> None:
    record = ImageRecord.of(dataset(named=True))
    paths = [f"new/train/{row}.png" for row in range(9)]
    part = Part(IMAGES[:9] ^ 1, LABELS[:9], paths)
    assert compare(record, part, folder="new", source="new").new.tolist() == list(range(9))
    # In one of the same name they are taken for the same images, changed.
    found = compare(record, part, folder="new", source="set")
    assert found.changed == found.rows("train").tolist() == list(range(9))
    # And where at least half of them are the same images.
    for count, same, changed in ((9, 5, [5, 6, 7, 8]), (8, 4, [4, 5, 6, 7]), (9, 4, [])):
        images = IMAGES[:count] ^ 1
        images[:same] ^= 1
        part = Part(images, LABELS[:count], paths[:count])
        assert compare(record, part, folder="new", source="new").changed == changed


def test_duplicates_are_told_apart_by_their_class() -> None:
    # The same pixels in both parts, with different classes.
    images = IMAGES.copy()
    images[9] = images[0]
    made = dataset(train_images=images[:9], test_images=images[9:], test_labels=np.array([1, 1, 2]))
    labels = np.concatenate([made.train_labels, made.test_labels])
    order = np.arange(12)[::-1]
    found = compare(ImageRecord.of(made), Part(images[order], labels[order]))
    assert order[found.rows("test")].tolist() == [11, 10, 9]
    assert found.relabelled == []


def test_one_more_copy_of_a_training_image_is_not_new() -> None:
    images = np.concatenate([IMAGES, IMAGES[:1], IMAGES[9:10]])
    found = compare(ImageRecord.of(dataset()), Part(images, LABELS[[*range(12), 0, 9]]))
    assert found.parts[12] == 0
    assert found.parts[13] == NEW  # of a test image one may be tested twice
    made = dataset(validation_images=IMAGES[:2] ^ 1, validation_labels=LABELS[:2])
    found = compare(ImageRecord.of(made), Part(IMAGES[[0, 0]] ^ 1, LABELS[[0, 0]]))
    assert found.parts.tolist() == [2, 0]


def test_names_are_below_the_folder() -> None:
    assert relative_names(["a/b/c/d.png", "a/b/e.png"], "a/b") == ["c/d.png", "e.png"]
    assert relative_names(None, "a") is None
    assert relative_names(["a"], None) is None


# Digests and what is odd


def test_digests_tell_images_apart() -> None:
    assert digests(IMAGES).tolist() == [zlib.crc32(image.tobytes()) for image in IMAGES]
    assert digests(IMAGES[::-1, :, ::-1][..., ::-1]).dtype == np.uint32
    changed = IMAGES.copy()
    changed[:, 3, 4] ^= 128
    assert not set(digests(changed).tolist()) & set(digests(IMAGES).tolist())
    real = IMAGES.astype(np.float32)
    assert digests(real).tolist() == [zlib.crc32(image.tobytes()) for image in real]
    assert digests(IMAGES[:0]).shape == (0,)
    wide = np.repeat(IMAGES, 2, axis=2)[:, :, ::2]  # not in one piece
    assert digests(wide).tolist() == digests(IMAGES).tolist()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (5, 1, 1), (20, 30, 3), (8, 8, 1)])
def test_one_colour(shape: tuple[int, int, int]) -> None:
    images = np.repeat(RNG.integers(0, 256, (40, 1, 1, shape[2]), dtype=np.uint8), shape[0], 1)
    images = np.repeat(images, shape[1], 2)
    assert one_colour(images).all()
    if shape[:2] != (1, 1):
        for row in range(0, 40, 2):
            place = RNG.integers(0, np.prod(shape))
            images[row].reshape(-1)[place] ^= 1
        assert one_colour(images).tolist() == [bool(row % 2) for row in range(40)]


def test_nothing_is_odd_about_usual_images() -> None:
    made = dataset()
    assert suspicions(made.parts, made.classes) == []
    empty = dataset(test_images=IMAGES[:0], test_labels=LABELS[:0])
    assert suspicions(empty.parts, empty.classes) == []


def test_validation_images_that_are_training_images() -> None:
    made = dataset(validation_images=IMAGES[3:5], validation_labels=LABELS[3:5])
    assert suspicions(made.parts, made.classes) == [
        "2 of the 2 validation images are among the training images, too: what is measured on them "
        "says nothing about new images"
    ]


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        ([2], ""),
        ([1], ", 1 of them with another class"),
        ([0, 2], ""),
        ([0, 1], ", 1 of them with another class"),
    ],
)
def test_a_test_image_that_is_a_training_image(classes: list[int], labels: str) -> None:
    # Once or twice among the training images, of these classes; and in the test part of class 2.
    images, train_labels = IMAGES.copy(), LABELS[:9].copy()
    places = [5, 7][: len(classes)]
    images[places], train_labels[places] = IMAGES[11], classes
    made = dataset(
        named=True, train_images=images[:9], train_labels=train_labels, test_images=images[9:]
    )
    (note,) = suspicions(made.parts, made.classes)
    assert note.startswith(
        "1 of the 3 test images is among the training images, too (there/set/test/11.png is "
        f"there/set/train/5.png){labels}: what is measured"
    )


def test_only_classes_of_which_all_images_are_of_one_colour_are_told() -> None:
    images = IMAGES.copy()
    images[[0, 3, 6, 9, 1]] = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    made = dataset(train_images=images[:9], test_images=images[9:], classes=["a", "b", "c", "d"])
    assert suspicions(made.parts, made.classes) == [
        "all images of 'a' are of one colour each: there is nothing to see in them"
    ]
    made.test_images[0] = IMAGES[9]
    assert suspicions(made.parts, made.classes) == []


def test_rows_of_a_part_have_their_labels_and_files() -> None:
    part = dataset(named=True).parts["test"]
    rows = part.rows(np.array([2, 0]))
    assert np.array_equal(rows.images, IMAGES[[11, 9]])
    assert rows.labels.tolist() == [2, 0]
    assert rows.paths == ["there/set/test/11.png", "there/set/test/9.png"]
    assert Part(IMAGES, LABELS).rows(np.array([1])).paths is None


def test_images_with_labels_are_compared_as_objects() -> None:
    made, other = dataset(), dataset()
    assert made == made and made != other  # and not number by number
    assert made.parts["train"] != made.parts["train"]
    assert len({made, other}) == 2


def test_equal_digests_are_not_equal_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "striate.data.suspicions.digests", lambda images: np.zeros(len(images), np.uint32)
    )
    made = dataset()
    assert suspicions(made.parts, made.classes) == []
