"""The decoded copy: found again, never wrong, never in the way."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data import DataError, cache, folders, load
from striate.data.images import Decoded

Count = list[int]


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Count:
    """How many files each call of `decode_images` was given."""
    calls: Count = []
    real = folders.decode_images

    def counted(paths: list[str], **options: Any) -> Decoded:
        calls.append(len(paths))
        return real(paths, **options)

    monkeypatch.setattr(folders, "decode_images", counted)
    return calls


@pytest.fixture
def photos(make_folder: Any) -> Path:
    folder: Path = make_folder({"cat": 6, "dog": 5})
    return folder


def entries(own_cache: Path) -> list[Path]:
    folder = own_cache / "images"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def same(one: Any, other: Any) -> bool:
    arrays = ("train_images", "train_labels", "test_images", "test_labels")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays) and (
        (one.classes, one.resize, one.colour) == (other.classes, other.resize, other.colour)
    )


def test_the_second_time_nothing_is_decoded(
    photos: Path, decodings: Count, own_cache: Path
) -> None:
    first, second = load(photos), load(photos)
    assert decodings == [11]
    assert same(first, second)
    assert "decoded images taken from the cache" in second.notes
    assert set(second.notes) - set(first.notes) == {"decoded images taken from the cache"}
    assert len(entries(own_cache)) == 1
    second.train_images[:] = 0  # it is the user's own copy
    assert same(load(photos), first)


def test_split_and_seed_use_the_same_copy(photos: Path, decodings: Count) -> None:
    one, other = load(photos, seed=1), load(photos, seed=2, test_fraction=0.5)
    assert decodings == [11]
    assert not same(one, other)


def test_without_cache(photos: Path, decodings: Count, own_cache: Path) -> None:
    load(photos, cache=False)
    load(photos, cache=False)
    assert decodings == [11, 11]
    assert entries(own_cache) == []


@pytest.mark.parametrize(
    "options", [{"size": 4}, {"colour": "gray"}, {"mode": "stretch"}, {"max_pixels": 1000}]
)
def test_other_options_are_another_entry(
    photos: Path, decodings: Count, options: dict[str, Any]
) -> None:
    load(photos)
    load(photos, **options)
    assert decodings == [11, 11]


def test_the_key_depends_on_everything() -> None:
    file = cache.File("a.png", 10, 20, 30)
    keys = [
        cache.key([file], {"size": None}),
        cache.key([file], {"size": [4, 4]}),
        cache.key([file, file], {"size": None}),
        cache.key([], {"size": None}),
    ]
    for name, value in (("path", "b.png"), ("size", 11), ("modified", 21), ("changed", 31)):
        keys.append(cache.key([replace(file, **{name: value})], {"size": None}))
    assert len(set(keys)) == len(keys)
    assert keys[0] == cache.key([file], {"size": None})


def repaint(path: Path) -> None:
    Image.fromarray(np.full((6, 9, 3), (1, 2, 3), np.uint8)).save(path)


def test_a_changed_file_is_noticed(photos: Path, decodings: Count) -> None:
    load(photos)
    path = photos / "cat" / "3.png"
    before = path.stat()
    repaint(path)
    data = load(photos, test_fraction=0)
    assert decodings == [11, 11]
    assert (data.train_images[3] == (1, 2, 3)).all()
    # With the old size the time alone tells.
    content = path.read_bytes()
    path.write_bytes(content + b"0" * (before.st_size - len(content)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    load(photos)
    assert decodings == [11, 11, 11]


@pytest.mark.parametrize("change", ["add", "remove", "rename"])
def test_other_files_are_noticed(photos: Path, decodings: Count, change: str) -> None:
    load(photos)
    if change == "add":
        repaint(photos / "cat" / "new.png")
    elif change == "remove":
        (photos / "cat" / "0.png").unlink()
    else:
        (photos / "cat" / "0.png").rename(photos / "cat" / "x.png")
    load(photos)
    assert len(decodings) == 2


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "cut":
        data = data[: len(data) // 2]
    elif how == "empty":
        data = bytearray()
    elif how == "pixel":
        data[len(data) // 2] ^= 1
    elif how == "text":
        data = bytearray(b"not an entry")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["cut", "empty", "pixel", "text"])
def test_a_damaged_entry_is_rebuilt(
    photos: Path, decodings: Count, own_cache: Path, how: str
) -> None:
    first = load(photos)
    (entry,) = entries(own_cache)
    damage(entry, how)
    assert same(load(photos), first)
    assert decodings == [11, 11]
    assert same(load(photos), first)
    assert decodings == [11, 11]


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"images": np.zeros((11, 6, 9, 3), np.uint8)},
        {"images": np.zeros((10, 6, 9, 3), np.uint8), "kept": np.arange(11)},
        {"images": np.zeros((11, 6, 9, 3), np.float32), "kept": np.arange(11)},
        {"images": np.zeros((11, 6, 9, 1), np.uint8), "kept": np.arange(11)},
    ],
)
def test_a_foreign_entry_is_rebuilt(
    photos: Path, decodings: Count, own_cache: Path, arrays: dict[str, np.ndarray]
) -> None:
    first = load(photos)
    (entry,) = entries(own_cache)
    with np.load(entry) as file:
        head = file["head"]
    with entry.open("wb") as file:
        np.savez(file, head=head, **arrays)
    assert same(load(photos), first)
    assert decodings == [11, 11]


def test_a_pickle_in_an_entry_is_not_loaded(photos: Path, own_cache: Path) -> None:
    first = load(photos)
    (entry,) = entries(own_cache)
    with entry.open("wb") as file:
        np.savez(file, head=np.array([{}], dtype=object))
    assert same(load(photos), first)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_cache_that_cannot_be_written_is_no_error(
    photos: Path, decodings: Count, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A file where a folder should be: it fails for the administrator as well.
    (tmp_path / "file").write_text("")
    for place in (str(tmp_path / "file"), "/proc/none"):
        monkeypatch.setenv("STRIATE_CACHE", place)
        load(photos)
    assert decodings == [11, 11]


def test_no_home_is_no_error(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("no home")

    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert len(load(photos).train_images)


def test_a_full_disk_leaves_nothing_behind(
    photos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, **_: Any) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "savez", full)
    load(photos)
    assert entries(own_cache) == []


def test_an_interrupt_leaves_nothing_behind(
    photos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: Any, **_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(photos)
    assert entries(own_cache) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_other_users_cannot_read_it(photos: Path, own_cache: Path) -> None:
    load(photos)
    (entry,) = entries(own_cache)
    assert entry.stat().st_mode & 0o077 == 0
    assert entry.parent.stat().st_mode & 0o077 == 0


def decoded(count: int) -> Decoded:
    images = np.zeros((count, 10, 10, 1), np.uint8)
    resize = {"height": 10, "width": 10, "mode": "crop"}
    return Decoded(images, np.arange(count), [], resize, "gray")


def test_the_longest_unused_are_evicted(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 10_000)
    for age, name in enumerate(("new", "middle", "old")):
        assert cache.write(name, decoded(20))
        stamp = time.time() - 100 * (age + 1)
        os.utime(own_cache / "images" / f"{name}.npz", (stamp, stamp))
    assert cache.read("old") is not None  # which makes it the newest
    assert cache.write("another", decoded(20))
    assert [path.stem for path in entries(own_cache)] == ["another", "new", "old"]
    assert not cache.write("huge", decoded(60))
    assert len(entries(own_cache)) == 3


def test_abandoned_temporary_files_are_removed(own_cache: Path) -> None:
    (own_cache / "images").mkdir(parents=True)
    fresh, stale = (own_cache / "images" / name for name in (".a.tmp", ".b.tmp"))
    for path in (fresh, stale):
        path.write_bytes(b"x")
    os.utime(stale, (time.time() - 100_000,) * 2)
    assert cache.write("one", decoded(2))
    assert fresh.exists()
    assert not stale.exists()


def spoil(path: Path) -> bytes:
    good = path.read_bytes()
    path.write_bytes(good[:70])
    return good


def test_bad_images_are_remembered_but_looked_at_again(photos: Path, decodings: Count) -> None:
    path = photos / "dog" / "2.png"
    good = spoil(path)
    first = load(photos, skip_bad=True)
    assert len(first.train_images) + len(first.test_images) == 10
    second = load(photos, skip_bad=True)
    assert same(first, second)
    assert decodings == [11]
    assert any("1 bad image skipped" in note and "2.png" in note for note in second.notes)
    with pytest.raises(DataError, match=r"2\.png: the image is truncated"):
        load(photos)
    path.write_bytes(good)
    third = load(photos, skip_bad=True)
    assert len(third.train_images) + len(third.test_images) == 11


def test_a_passing_failure_is_not_kept(photos: Path, own_cache: Path) -> None:
    # A network drive that was away: nothing in the file's times tells.
    from striate.data import decode

    real = decode._decode_into

    def away(chunk: Any, index: int, path: str, target: Any) -> None:
        if path.endswith(("dog/2.png", "dog\\2.png")):
            raise OSError(5, "Input/output error")
        real(chunk, index, path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_decode_into", away)
        part = load(photos, skip_bad=True)
    assert len(part.train_images) + len(part.test_images) == 10
    assert len(entries(own_cache)) == 1
    whole = load(photos, skip_bad=True)
    assert len(whole.train_images) + len(whole.test_images) == 11
