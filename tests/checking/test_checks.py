"""One fault at a time in sets that have none: it is found, and nothing else is."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate import data
from striate.checking import KINDS, Checked, check
from striate.common.errors import StriateValueError
from striate.data.dataset import Dataset
from tests.checking.made_sets import NAMES, as_dataset, images_and_labels, write_folder

QUICK = tuple(kind for kind in KINDS if kind != "label")


def looked_at(dataset: Dataset, kinds: tuple[str, ...] = QUICK) -> Checked:
    return check(dataset, kinds=kinds)


def loaded(folder: Path, **options: object) -> Dataset:
    return data.load(folder, skip_bad=True, test_fraction=0.0, cache=False, **options)  # type: ignore[arg-type]


def rows_of(found: Checked, kind: str) -> list[int]:
    return sorted(
        row for finding in found.findings if finding.kind == kind for row in finding.images
    )


def kinds_of(found: Checked) -> set[str]:
    return {finding.kind for finding in found.findings}


@pytest.fixture(scope="module")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing wrong; tests copy it."""
    folder = tmp_path_factory.mktemp("made") / "clothes"
    return write_folder(folder, 20, parts=("train", "test"))


@pytest.fixture
def folder(clothes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clothes, tmp_path / "clothes"))


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    return images_and_labels(200, seed=2)


def test_nothing_is_wrong_with_the_folder(folder: Path) -> None:
    found = looked_at(loaded(folder))
    assert found.findings == []
    assert all(outcome.made for outcome in found.outcomes)


@pytest.mark.parametrize("colour", [False, True])
def test_nothing_is_wrong_with_the_arrays(colour: bool) -> None:
    images, labels = images_and_labels(200, seed=4, colour=colour)
    found = looked_at(as_dataset(images, labels, 200))
    assert found.findings == []
    assert not found.outcomes[0].made and "no image files" in found.outcomes[0].sentence


# Damaged files


def test_files_that_cannot_be_read(folder: Path) -> None:
    good = (folder / "train/bag/bag1.png").read_bytes()
    (folder / "train/bag/bag1.png").write_bytes(good[: len(good) // 2])
    (folder / "test/shoe/shoe0.png").write_bytes(b"")
    (folder / "train/shirt/shirt3.png").write_bytes(b"<html>not found</html>")
    found = looked_at(loaded(folder))
    assert kinds_of(found) == {"damaged"}
    assert sorted(file for finding in found.findings for file in finding.files) == [
        "test/shoe/shoe0.png", "train/bag/bag1.png", "train/shirt/shirt3.png",
    ]  # fmt: skip
    assert found.outcomes[0].sentence == "3 of 200 files cannot be read."


def test_an_image_whose_lower_part_is_lost(folder: Path) -> None:
    path = folder / "train/bag/bag1.png"
    pixels = np.array(Image.open(path))
    pixels[33:] = 128
    Image.fromarray(pixels).save(path)
    found = looked_at(loaded(folder), ("damaged",))
    (finding,) = found.findings
    assert found.images.path_of(finding.images[0]) == "train/bag/bag1.png"
    assert "the lower 31% are gray" in finding.sentence


# One colour


def test_images_of_one_colour(folder: Path) -> None:
    Image.new("RGB", (48, 48), (200, 30, 30)).save(folder / "train/bag/bag1.png")
    Image.new("RGB", (48, 48), (0, 0, 0)).save(folder / "test/dress/dress2.png")
    Image.new("RGB", (48, 48), (0, 0, 0)).save(folder / "test/dress/dress3.png")
    file = io.BytesIO()
    Image.new("RGB", (48, 48), (90, 90, 120)).save(file, "jpeg", quality=30)
    (folder / "test/shirt/shirt2.png").write_bytes(file.getvalue())
    found = looked_at(loaded(folder))
    assert kinds_of(found) == {"one-colour"}
    assert [found.images.path_of(row) for row in rows_of(found, "one-colour")] == [
        "train/bag/bag1.png", "test/dress/dress2.png", "test/dress/dress3.png",
        "test/shirt/shirt2.png",
    ]  # fmt: skip


# Leaks


def test_copies_in_the_other_part(folder: Path) -> None:
    original = Image.open(folder / "train/bag/bag1.png").convert("RGB")
    original.save(folder / "test/bag/again.png")
    original.resize((30, 30)).save(folder / "test/bag/smaller.png")
    other = Image.open(folder / "train/shoe/shoe1.png").convert("RGB")
    other.save(folder / "test/shirt/again.jpg", quality=60)
    other.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "test/shoe/mirrored.png")
    found = looked_at(loaded(folder), ("leak", "duplicate"))
    names = [{found.images.path_of(row) for row in finding.images} for finding in found.findings]
    assert names == [
        {"train/shoe/shoe1.png", "test/shirt/again.jpg", "test/shoe/mirrored.png"},
        {"train/bag/bag1.png", "test/bag/again.png", "test/bag/smaller.png"},
    ]
    assert kinds_of(found) == {"leak"}


def test_a_copy_in_another_aspect(folder: Path) -> None:
    """It is cut elsewhere, and the whole picture is the same."""
    rng = np.random.default_rng(1)
    place = np.linspace(0, 1, 120)
    scene = sum(
        40 * np.sin(2 * np.pi * (a * place[:, None] + b * place[None, :]) + c)
        for a, b, c in rng.uniform(0.5, 3, (4, 3))
    )
    scene = np.repeat((128 + scene).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    Image.fromarray(scene).resize((160, 90)).save(folder / "train/bag/wide.png")
    Image.fromarray(scene).resize((60, 60)).save(folder / "test/bag/square.png")
    found = looked_at(loaded(folder), ("leak", "duplicate"))
    (finding,) = found.findings
    assert [found.images.path_of(row) for row in finding.images] == [
        "train/bag/wide.png", "test/bag/square.png",
    ]  # fmt: skip


# Odd images


@pytest.mark.parametrize("what", ["noise", "inverted", "letters"])
def test_odd_images(arrays: tuple[np.ndarray, np.ndarray], what: str) -> None:
    images, labels = arrays[0].copy(), arrays[1]
    rng = np.random.default_rng(0)
    rows = [17, 400, 801]
    for row in rows:
        if what == "noise":
            images[row] = rng.integers(0, 256, images[row].shape)
        elif what == "inverted":
            images[row] = 255 - images[row]
        else:
            images[row] = 0
            images[row, row % 5 :: 6, :, 0] = images[row, :, row % 7 :: 9, 0] = 230
    found = looked_at(as_dataset(images, labels))
    assert rows_of(found, "odd") == rows
    assert kinds_of(found) == {"odd"}


def test_few_images_have_no_odd_ones() -> None:
    images, labels = images_and_labels(4)
    (outcome,) = looked_at(as_dataset(images, labels), ("odd",)).outcomes
    assert not outcome.made


# Shortcuts


def saved_again(folder: Path, name: str, change: Callable[[Image.Image, Path], None]) -> None:
    for path in sorted(folder.glob(f"*/{name}/*.png")):
        picture = Image.open(path).convert("RGB")
        path.unlink()
        change(picture, path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda picture, path: picture.resize((64, 40)).save(path), "height and width"),
        (lambda picture, path: picture.save(path.with_suffix(".bmp")), "format of the files"),
        (lambda picture, path: picture.convert("L").save(path), "format of the files"),
        (
            lambda picture, path: Image.fromarray(
                np.where(np.asarray(picture) < 100, 230, np.asarray(picture)).astype(np.uint8)
            ).save(path),
            "colours of the borders",
        ),
    ],
    ids=["size", "format", "gray", "background"],
)
def test_a_class_told_by_something_else(
    folder: Path, change: Callable[[Image.Image, Path], None], says: str
) -> None:
    saved_again(folder, "shoe", change)
    found = looked_at(loaded(folder), ("shortcut",))
    assert any(says in finding.sentence for finding in found.findings), found.findings
    assert all("'shoe'" in finding.sentence for finding in found.findings)


def test_all_classes_told_by_their_size(folder: Path) -> None:
    for number, name in enumerate(NAMES):
        saved_again(
            folder,
            name,
            lambda picture, path, n=number: picture.resize((40 + 5 * n, 48)).save(path),
        )
    found = looked_at(loaded(folder), ("shortcut",))
    assert any(
        finding.sentence.startswith("the classes are told by the height and width")
        for finding in found.findings
    )


def test_sizes_that_tell_nothing(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in NAMES:
        saved_again(
            folder, name,
            lambda picture, path: picture.resize(
                tuple(rng.integers(40, 70, 2).tolist())
            ).save(path.with_suffix([".png", ".jpg", ".bmp"][int(rng.integers(3))])),
        )  # fmt: skip
    assert looked_at(loaded(folder), ("shortcut",)).findings == []


# Values


def test_ranges_that_are_not_used(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = arrays
    (finding,) = looked_at(as_dataset(images // 4, labels), ("range",)).findings
    assert "all images use only 0 to" in finding.sentence
    (finding,) = looked_at(as_dataset(images // 32 * 32, labels), ("range",)).findings
    assert "8 different values of 256" in finding.sentence
    binary = as_dataset(np.where(images > 100, 255, 0).astype(np.uint8), labels)
    assert looked_at(binary, ("range",)).findings == []


def test_single_images_of_a_small_range(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = arrays[0].copy(), arrays[1]
    images[[3, 500]] = images[[3, 500]] // 100
    found = looked_at(as_dataset(images, labels), ("range",))
    assert rows_of(found, "range") == [3, 500]


def test_channels_that_say_nothing() -> None:
    images, labels = images_and_labels(20, colour=True)
    gray = np.repeat(images[..., :1], 3, axis=3)
    (finding,) = looked_at(as_dataset(gray, labels), ("range",)).findings
    assert "the three channels are equal" in finding.sentence
    images[..., 2] = 7
    (finding,) = looked_at(as_dataset(images, labels), ("range",)).findings
    assert "channel 2 is 7 in all images" in finding.sentence


def test_real_numbers_of_any_range(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    """An .npz may hold standardised values: nothing is white, and all checks are made."""
    images, labels = arrays
    real = ((images - 80.0) / 60.0).astype(np.float32)
    dataset = as_dataset(real, labels, 100)
    dataset = Dataset(**{**vars(dataset), "resize": None})
    assert looked_at(dataset).findings == []
    real[-1] = real[5]
    found = looked_at(dataset)
    assert [finding.images for finding in found.findings] == [(5, len(images) - 1)]


# All of it


def test_kinds_and_empty_sets(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = arrays
    with pytest.raises(StriateValueError, match="no kind of findings 'lable'"):
        check(as_dataset(images, labels), kinds=["lable"])
    with pytest.raises(StriateValueError, match="has no images"):
        check(as_dataset(images[:0], labels[:0]))


def test_progress_is_told(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    told: list[tuple[int, int, str]] = []
    check(as_dataset(*arrays), kinds=QUICK, progress=lambda *about: told.append(about))
    assert {text for *_, text in told} >= {"hashing images", "comparing images"}
    assert all(0 <= done <= total for done, total, _ in told)
