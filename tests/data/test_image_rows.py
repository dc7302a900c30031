"""Images that are decoded when they are needed: the same as those that are held, to the bit."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.common.errors import StriateTypeError
from striate.common.rows_on_demand import RowsOnDemand, on_demand
from striate.data import DataError, holding, image_rows, load
from striate.data.dataset import Dataset
from striate.data.image_digests import digests, one_colour
from striate.data.image_rows import ImageReader, ImageRows
from striate.data.row_cache import RowCache

PARTS = ("train_images", "test_images")


@pytest.fixture
def photos(make_folder: Any) -> Path:
    """Two classes of noise, of three sizes, with one image of one colour."""
    folder = make_folder({"cat": 11, "dog": 9}, size=(12, 16))
    rng = np.random.default_rng(5)
    for index, size in enumerate([(9, 20), (30, 14), (12, 12)]):
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "cat" / f"other{index}.jpg")
    Image.new("RGB", (16, 12), (9, 9, 9)).save(folder / "dog" / "flat.png")
    return folder


def same(first: Dataset, second: Dataset) -> None:
    assert first.classes == second.classes
    assert first.resize == second.resize
    assert first.colour == second.colour
    for part in ("train", "test"):
        one, other = first.parts[part], second.parts[part]
        assert one.paths == other.paths
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.images.shape == other.images.shape
        np.testing.assert_array_equal(np.asarray(one.images), np.asarray(other.images))
        np.testing.assert_array_equal(digests(one.images), digests(other.images))
        np.testing.assert_array_equal(one_colour(one.images), one_colour(other.images))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": 8},
        {"size": (8, 10), "mode": "pad", "colour": "gray"},
        {"size": 8, "mode": "stretch"},
        {"size": 8, "cut_from": (10, 12)},
        {"test_fraction": 0.0},
        {"test_fraction": 1.0},
    ],
)
@pytest.mark.parametrize("image_cache", [0, 3000, 10**8])
def test_they_are_those_that_are_held(
    photos: Path, options: dict[str, Any], image_cache: int
) -> None:
    held = load(photos, **options)
    for _ in range(2):  # the second time from what is known of them
        read = load(photos, memory=0, image_cache=image_cache, **options)
        assert on_demand(read.train_images)
        same(held, read)
        same(held, read)  # from the disk, as far as they fit
    assert [note for note in read.notes if "decoded when a batch needs them" in note]
    assert not [note for note in held.notes if "decoded when a batch needs them" in note]


@pytest.mark.parametrize("first", ["gray", "colour"])
@pytest.mark.parametrize("second", ["gray", "colour", "gray stored as colour"])
def test_gray_and_coloured(tmp_path: Path, first: str, second: str) -> None:
    rng = np.random.default_rng(2)
    for index, kind in enumerate([first] + [second] * 7):
        pixels = rng.integers(0, 256, (6, 7, 3), np.uint8)
        if kind != "colour":
            pixels[...] = pixels[..., :1]
        picture = Image.fromarray(pixels)
        name = "ab"[index % 2]
        (tmp_path / name).mkdir(exist_ok=True)
        (picture.convert("L") if kind == "gray" else picture).save(tmp_path / name / f"{index}.png")
    same(load(tmp_path), load(tmp_path, memory=0))
    same(load(tmp_path), load(tmp_path, memory=0))


def test_large_images_whose_size_is_to_be_chosen(tmp_path: Path) -> None:
    for index in range(8):
        (tmp_path / "ab"[index % 2]).mkdir(exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (150, 200 + index % 3, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "ab"[index % 2] / f"{index}.png")
    held = load(tmp_path)
    assert held.train_images.shape[1:] == (96, 128, 3)
    same(held, load(tmp_path, memory=0))
    for side, expected in ((64, (48, 64)), (160, (120, 160)), (4096, (152, 200))):
        held = load(tmp_path, longest_side=side)
        assert held.train_images.shape[1:3] == expected
        same(held, load(tmp_path, longest_side=side, memory=0))


def test_sixteen_bits(tmp_path: Path) -> None:
    for index in range(8):
        (tmp_path / "ab"[index % 2]).mkdir(exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 1000, (6, 7)).astype(np.uint16)
        Image.fromarray(pixels).save(tmp_path / "ab"[index % 2] / f"{index}.png")
    held = load(tmp_path)
    assert held.resize is not None
    assert held.resize["white"] == 1023
    same(held, load(tmp_path, memory=0))


def read(photos: Path, **options: Any) -> ImageRows:
    images: Any = load(photos, memory=0, size=8, test_fraction=0.0, **options).train_images
    assert isinstance(images, ImageRows)
    return images


def test_rows_are_given_as_of_an_array(photos: Path) -> None:
    whole = load(photos, size=8, test_fraction=0.0).train_images
    images = read(photos)
    assert isinstance(images, RowsOnDemand)
    assert (images.shape, images.dtype, images.ndim, images.size, images.nbytes) == (
        whole.shape, whole.dtype, 4, whole.size, whole.nbytes
    )  # fmt: skip
    for rows in (0, -1, slice(2, 5), slice(None, None, 7), slice(4, 4), [3, 3, 1],
                 np.array([5, 2]), np.arange(24) % 3 == 0):  # fmt: skip
        np.testing.assert_array_equal(images[rows], whole[rows])
    np.testing.assert_array_equal(np.stack(list(images)), whole)
    part = images.part(np.array([7, 2, 2]))
    np.testing.assert_array_equal(np.asarray(part, np.float32), whole[[7, 2, 2]])
    both = part.with_rows_of(images.part(np.array([1])))
    assert both is not None
    np.testing.assert_array_equal(both, whole[[7, 2, 2, 1]])
    assert part.with_rows_of(read(photos)) is None
    with pytest.raises(IndexError):
        images[24]
    with pytest.raises(StriateTypeError, match=r"take images\[rows\] first"):
        images[:, 0]


def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    real = image_rows.worker_pool.Crew.decode

    def counted(self: Any, paths: Any, target: Any) -> Any:
        counts.append(len(paths))
        return real(self, paths, target)

    monkeypatch.setattr(image_rows.worker_pool.Crew, "decode", counted)
    return counts


def test_what_fits_is_kept_on_disk(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = decodings(monkeypatch)
    row = 8 * 8 * 3
    for kept in (24, 10, 0):
        images = read(photos, image_cache=kept * row)
        counts.clear()
        for _ in range(2):
            images[np.arange(24)]
        # All are known since the first time, when they were written to the disk, too.
        assert counts == ([24, 24 - kept] if kept < 24 else [])


def test_what_is_damaged_on_disk_is_decoded_again(
    photos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read(photos)[:]
    (file,) = (own_cache / "images").glob("*.rows")
    with open(file, "r+b") as bits:
        bits.seek(5 * 8 * 8 * 3 + 11)
        bits.write(b"\1\2\3")
    counts = decodings(monkeypatch)
    images = read(photos)
    np.testing.assert_array_equal(images[:], expected)
    assert counts == [1]
    np.testing.assert_array_equal(images[:], expected)
    assert counts == [1]


@pytest.mark.parametrize("way", ["changed", "removed", "damaged"])
def test_a_file_that_changes_meanwhile_is_told(photos: Path, way: str) -> None:
    images = read(photos, image_cache=0)
    path = photos / "dog" / "3.png"
    if way == "changed":
        shutil.copy(photos / "dog" / "4.png", path)
    elif way == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:60])
    images[:10]
    told = {"changed": "has changed since", "removed": "no such", "damaged": "truncated"}
    with pytest.raises(DataError, match=rf"dog.3\.png: .*{told[way]}"):
        images[:]


def test_damaged_files_are_found_before(photos: Path) -> None:
    path = photos / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"dog.3\.png: the image is truncated"):
        read(photos)
    for _ in range(2):
        same(
            load(photos, skip_bad=True, size=8),
            load(photos, skip_bad=True, size=8, memory=0),
        )
    assert len(read(photos, skip_bad=True)) == 23
    with pytest.raises(DataError, match=r"dog.3\.png: the image is truncated"):
        read(photos)


def test_held_unless_there_is_no_room(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 24 * 8 * 8 * 3
    assert not on_demand(load(photos, size=8, memory=needed).train_images)
    assert on_demand(load(photos, size=8, memory=needed - 1).train_images)
    monkeypatch.setattr(holding, "available_memory", lambda: 2 * needed)
    assert not on_demand(load(photos, size=8).train_images)
    monkeypatch.setattr(holding, "available_memory", lambda: needed)
    data = load(photos, size=8)
    assert on_demand(data.train_images)
    (note,) = [note for note in data.notes if "decoded when" in note]
    assert "24 images of 8 × 8 pixels take 4.5 KiB decoded, 4.5 KiB of memory are free" in note


def test_without_a_cache_of_the_user(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = load(photos)
    monkeypatch.setenv("STRIATE_CACHE", os.devnull + "/nowhere")
    same(held, load(photos, memory=0))
    same(held, load(photos, memory=0, cache=False))


@pytest.mark.parametrize("memory", [-1, 0.5, True])
def test_wrong_amounts(photos: Path, memory: Any) -> None:
    with pytest.raises(DataError, match="memory must be a number of bytes, 0 or more"):
        load(photos, memory=memory)


def test_worker_processes_read_the_same(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(photos)[:]
    monkeypatch.setattr(image_rows.worker_pool, "crew", lambda paths: (2, True))
    images = read(photos, image_cache=0)
    np.testing.assert_array_equal(images[:], expected)
    assert isinstance(images.reader, ImageReader)
    helpers = images.reader._crew
    assert helpers is not None
    images.reader._ending()
    assert all(p.returncode is not None for p in helpers._helpers._all)  # type: ignore[union-attr]


@settings(max_examples=60)
@given(count=st.integers(1, 40), size=st.integers(1, 9), limit=st.integers(0, 400), data=st.data())
def test_rows_on_disk(
    count: int, size: int, limit: int, data: st.DataObject, tmp_path_factory: Any
) -> None:
    os.environ["STRIATE_CACHE"] = str(tmp_path_factory.mktemp("rows"))
    rows = np.random.default_rng(0).integers(0, 256, (count, size), np.uint8)
    cache = RowCache("some", count, size, limit)
    assert cache.capacity == min(count, limit // size)
    for row in data.draw(st.permutations(range(count))):
        cache.write(row, rows[row])
    wanted = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=20)), np.intp)
    into = np.zeros((len(wanted), size), np.uint8)
    for opened in (cache, RowCache("some", count, size, limit)):
        found = opened.read(wanted, into, digests(rows[:, None]))
        np.testing.assert_array_equal(into[found], rows[wanted[found]])
        kept = opened.read(np.arange(count), np.zeros_like(rows), digests(rows[:, None]))
        assert kept.sum() == cache.capacity
        opened.close()
        assert not opened.read(wanted, into, digests(rows[:, None])).any()
