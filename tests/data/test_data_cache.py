"""The decoded copy: found again, never wrong, never in the way."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from PIL import Image

from striate.common import cache as common_cache
from striate.common.cachedir import cache_dir
from striate.data import DataError, decoded_cache, file_decoding, load
from striate.data.images import Decoded

Count = list[int]


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Count:
    """How many files each call of `decode_images` was given."""
    calls: Count = []
    real = file_decoding.decode_images

    def counted(paths: list[str], **options: Any) -> Decoded:
        calls.append(len(paths))
        return real(paths, **options)

    monkeypatch.setattr(file_decoding, "decode_images", counted)
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
    file = decoded_cache.File("a.png", 10, 20, 30)
    keys = [
        decoded_cache.key([file], {"size": None}),
        decoded_cache.key([file], {"size": [4, 4]}),
        decoded_cache.key([file, file], {"size": None}),
        decoded_cache.key([], {"size": None}),
    ]
    for name, value in (("path", "b.png"), ("size", 11), ("modified", 21), ("changed", 31)):
        keys.append(decoded_cache.key([replace(file, **{name: value})], {"size": None}))
    assert len(set(keys)) == len(keys)
    assert keys[0] == decoded_cache.key([file], {"size": None})


def test_the_key_depends_on_what_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    file = decoded_cache.File("a.png", 10, 20, 30)
    keys = [decoded_cache.key([file], {})]
    monkeypatch.setattr(decoded_cache, "_VERSION", decoded_cache._VERSION + 1)
    keys.append(decoded_cache.key([file], {}))
    monkeypatch.setattr("PIL.__version__", "1.0")
    keys.append(decoded_cache.key([file], {}))
    assert len(set(keys)) == 3


def test_the_cache_takes_4_gib() -> None:
    assert decoded_cache.STORE.limit == 2**32


def test_an_entry_is_read_as_it_was_written() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    resize = {"height": 5, "width": 7, "mode": "pad", "white": 1023}
    bad = [(1, "b.png: damaged"), (3, "größer")]
    made = Decoded(images, np.array([0, 2, 4]), bad, resize, "rgb", ["one", "two"])
    assert decoded_cache.write("some", made)
    found = decoded_cache.read("some")
    assert found is not None
    assert np.array_equal(found.images, images)
    assert (found.kept.tolist(), found.kept.dtype) == ([0, 2, 4], np.int64)
    assert (found.bad, found.resize, found.colour, found.notes) == (
        *(bad, resize, "rgb", ["one", "two"]),
    )


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


def head_of(content: memoryview) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(bytes(content[8 : 8 + int.from_bytes(content[:8], "little")]))
    return head


def content_of(head: object, *arrays: np.ndarray) -> list[bytes]:
    text = json.dumps(head).encode()
    return [len(text).to_bytes(8, "little"), text, *(array.tobytes() for array in arrays)]


@pytest.mark.parametrize(
    ("change", "arrays"),
    [
        ({}, []),
        ({}, [np.zeros((11, 6, 9, 3), np.uint8)]),
        ({}, [np.arange(11), np.zeros((10, 6, 9, 3), np.uint8)]),
        ({}, [np.arange(11), np.zeros((11, 6, 9, 3), np.float32)]),
        ({}, [np.arange(11), np.zeros((11, 6, 9, 1), np.uint8)]),
        ({"shape": (11, 6, 9, 1)}, [np.arange(11), np.zeros((11, 6, 9, 1), np.uint8)]),
        ({"shape": (11, 9, 6, 3)}, [np.arange(11), np.zeros((11, 9, 6, 3), np.uint8)]),
        ({"shape": (-1, 6, 9, 3)}, [np.arange(11), np.zeros((11, 6, 9, 3), np.uint8)]),
        ({"shape": "11"}, [np.arange(11), np.zeros((11, 6, 9, 3), np.uint8)]),
        ({"colour": "green"}, [np.arange(11), np.zeros((11, 6, 9, 3), np.uint8)]),
        ({"notes": None}, [np.arange(11), np.zeros((11, 6, 9, 3), np.uint8)]),
    ],
)
def test_a_foreign_entry_is_rebuilt(
    photos: Path,
    decodings: Count,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    arrays: list[np.ndarray],
) -> None:
    keys = keep_keys(monkeypatch)
    first = load(photos)
    (entry,) = entries(own_cache)
    content = decoded_cache.STORE.read(keys[0])
    assert content is not None
    foreign = content_of({**head_of(content), **change}, *arrays)
    entry.write_bytes(b"".join(foreign))
    assert decoded_cache.read(keys[0]) is None
    assert decoded_cache.STORE.write(keys[0], *foreign)  # whole, but not what is wanted
    assert decoded_cache.read(keys[0]) is None
    assert same(load(photos), first)
    assert decodings == [11, 11]
    assert same(load(photos), first)
    assert decodings == [11, 11]


def keep_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that are asked for from now on."""
    keys: list[str] = []
    real = decoded_cache.key

    def kept(*arguments: Any) -> str:
        keys.append(real(*arguments))
        return keys[-1]

    monkeypatch.setattr(decoded_cache, "key", kept)
    return keys


def test_a_pickle_in_an_entry_is_not_loaded(
    photos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = keep_keys(monkeypatch)
    first = load(photos)
    (entry,) = entries(own_cache)
    with entry.open("wb") as file:
        np.savez(file, head=np.array([{}], dtype=object))
    assert same(load(photos), first)
    assert decoded_cache.STORE.write(keys[0], pickle.dumps({}))
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
    def nowhere(*_: object, **__: object) -> str:
        raise RuntimeError("no home")

    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(photos))  # no folder is known for this one
    monkeypatch.setattr(platformdirs, "user_cache_dir", nowhere)
    with pytest.raises(OSError, match="no home folder"):
        cache_dir("images")
    assert len(load(photos).train_images)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let every file be written in part only."""
    real = common_cache.write_atomically

    def write(path: str, chunks: Any, **options: bool) -> None:
        def some() -> Iterator[bytes]:
            yield b"half of it"
            raise error

        real(path, some(), **options)

    monkeypatch.setattr(common_cache, "write_atomically", write)


def test_a_full_disk_leaves_nothing_behind(
    photos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, OSError(28, "No space left on device"))
    load(photos)
    assert entries(own_cache) == []


def test_an_interrupt_leaves_nothing_behind(
    photos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
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
    monkeypatch.setattr(decoded_cache, "STORE", replace(decoded_cache.STORE, limit=8_000))
    path = decoded_cache.STORE.path
    for age, name in enumerate(("new", "middle", "old")):
        assert decoded_cache.write(name, decoded(20))
        stamp = time.time() - 100 * (age + 1)
        os.utime(path(name), (stamp, stamp))
    assert decoded_cache.read("old") is not None  # which makes it the newest
    assert decoded_cache.write("another", decoded(20))
    assert set(entries(own_cache)) == {path(name) for name in ("another", "new", "old")}
    assert not decoded_cache.write("huge", decoded(60))
    assert len(entries(own_cache)) == 3


def test_abandoned_temporary_files_are_removed(own_cache: Path) -> None:
    (own_cache / "images").mkdir(parents=True)
    names = (".striate-a.partial", ".striate-b.partial")
    fresh, stale = (own_cache / "images" / name for name in names)
    for path in (fresh, stale):
        path.write_bytes(b"x")
    os.utime(stale, (time.time() - 100_000,) * 2)
    assert decoded_cache.write("one", decoded(2))
    assert fresh.exists()
    assert not stale.exists()


def test_no_images_at_all_are_an_entry_too(own_cache: Path) -> None:
    bad = [(0, "a.png: damaged")]
    assert decoded_cache.write("none", replace(decoded(0), bad=bad, notes=["\udc80"]))
    found = decoded_cache.read("none")
    assert found is not None
    assert found.images.shape == (0, 10, 10, 1)
    assert (found.bad, found.notes) == (bad, ["\udc80"])


def spoil(path: Path) -> bytes:
    good = path.read_bytes()
    path.write_bytes(good[:70])
    return good


def test_bad_images_are_remembered_but_looked_at_again(photos: Path, decodings: Count) -> None:
    path = photos / "dog" / "2.png"
    spoil(photos / "dog" / "4.png")
    good = spoil(path)
    first = load(photos, skip_bad=True)
    assert len(first.train_images) + len(first.test_images) == 9
    second = load(photos, skip_bad=True)
    assert same(first, second)
    assert decodings == [11]
    bad = [photos / "dog" / name for name in ("2.png", "4.png")]
    assert f"2 bad images skipped: {bad[0]}, {bad[1]}" in second.notes
    with pytest.raises(DataError, match=r"2\.png: the image is truncated"):
        load(photos)
    path.write_bytes(good)
    third = load(photos, skip_bad=True)  # one of the two is good again
    assert len(third.train_images) + len(third.test_images) == 10


def test_a_passing_failure_is_not_kept(photos: Path, own_cache: Path) -> None:
    # A network drive that was away: nothing in the file's times tells.
    from striate.data import decode

    real = decode._decode_into

    away = {photos / "dog" / "2.png", photos / "dog" / "4.png"}

    def decoded_if_there(chunk: Any, index: int, path: str, target: Any) -> None:
        if Path(path) in away:
            raise OSError(5, "Input/output error")
        real(chunk, index, path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_decode_into", decoded_if_there)
        for count in (9, 10, 11):  # they come back one by one
            data = load(photos, skip_bad=True)
            assert len(data.train_images) + len(data.test_images) == count
            assert len(entries(own_cache)) == 1
            if away:
                away.pop()
