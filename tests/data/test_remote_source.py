"""Data by an address: a store in memory, and a server of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import striate
from striate.cli.app import run
from striate.data import remote_source
from striate.data.dataset import DataError
from striate.data.paths import is_remote
from striate.data.remote_source import fetched

fsspec = pytest.importorskip("fsspec")


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A store in memory, and a cache of its own."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    found = fsspec.filesystem("memory")
    found.store.clear()
    yield found
    found.store.clear()


def fill(store: Any, root: str, count: int = 6) -> None:
    for name in ("cat", "dog"):
        for number in range(count):
            store.pipe_file(f"{root}/{name}/{number}.png", png(hash((name, number)) % 1000))


def names_below(folder: str) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ("s3://bucket/photos", True), ("https://host/a.tar", True), ("memory://a", True),
        ("C://photos", False), ("c:/photos", False), ("photos", False), ("./a://b", False),
        (Path("s3:/bucket"), False), ("", False),
    ],
)  # fmt: skip
def test_what_is_an_address(source: Any, remote: bool) -> None:
    assert is_remote(source) is remote


def test_a_folder_is_loaded_as_on_disk(store: Any, tmp_path: Path) -> None:
    fill(store, "/bucket/photos")
    store.pipe_file("/bucket/photos/.git/config", b"x")
    store.get("/bucket/photos", str(tmp_path / "photos"), recursive=True)
    found = striate.load_data("memory://bucket/photos")
    expected = striate.load_data(tmp_path / "photos")
    assert list(found.classes) == ["cat", "dog"]
    np.testing.assert_array_equal(found.train_images, expected.train_images)
    np.testing.assert_array_equal(found.test_labels, expected.test_labels)
    assert not any(".git" in name for name in names_below(fetched("memory://bucket/photos")))


def test_only_what_has_changed_is_copied_again(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, "/bucket/photos")
    asked: list[str] = []
    get = type(store).get_file

    def noted(self: Any, rpath: str, lpath: str, **options: Any) -> Any:
        asked.append(rpath)
        return get(self, rpath, lpath, **options)

    monkeypatch.setattr(type(store), "get_file", noted)
    folder = fetched("memory://bucket/photos")
    assert len(asked) == 12
    assert fetched("memory://bucket/photos/") == folder and len(asked) == 12
    # Another picture of the same size in bytes, one that is gone, and one that is new.
    before = store.cat_file("/bucket/photos/cat/0.png")
    store.pipe_file("/bucket/photos/cat/0.png", before[::-1])
    store.rm_file("/bucket/photos/dog/5.png")
    store.pipe_file("/bucket/photos/dog/7.png", png(7))
    fetched("memory://bucket/photos")
    assert sorted(asked[12:]) == ["/bucket/photos/cat/0.png", "/bucket/photos/dog/7.png"]
    assert Path(folder, "cat/0.png").read_bytes() == before[::-1]
    assert not Path(folder, "dog/5.png").exists()
    # A copy that somebody has changed is none.
    Path(folder, "cat/1.png").write_bytes(b"mine")
    fetched("memory://bucket/photos")
    assert asked[14:] == ["/bucket/photos/cat/1.png"]


def test_files_and_patterns(store: Any) -> None:
    for number in range(12):
        store.pipe_file(f"/b/train-{number:03d}.tar", bytes([number]))
    store.pipe_file("/b/other.tar", b"other")
    one = fetched("memory://b/train-004.tar")
    assert names_below(str(Path(one).parent)) == ["train-004.tar"]
    pattern = fetched("memory://b/train-{003..005}.tar")
    assert pattern == str(Path(one).with_name("train-{003..005}.tar"))
    assert names_below(str(Path(one).parent)) == [f"train-00{n}.tar" for n in (3, 4, 5)]
    fetched("memory://b/train-01*.tar")
    assert "train-011.tar" in names_below(str(Path(one).parent))
    with pytest.raises(DataError, match=r"train-\{010\.\.013\}\.tar: cannot be fetched"):
        fetched("memory://b/train-{010..013}.tar")


def test_what_is_told_meanwhile(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_source, "_BYTES", 1 << 20)
    for number in range(5):
        store.pipe_file(f"/b/{number}.bin", bytes((number + 1) << 20))
    told: list[tuple[int, int]] = []
    fetched("memory://b", lambda done, total, text: told.append((done, total)))
    assert told[-1] == (15, 15) and told == sorted(told)


def test_nothing_is_half_copied(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, "/b/photos")
    get, count = type(store).get_file, 0

    def breaks(self: Any, rpath: str, lpath: str, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == 5:
            Path(lpath).write_bytes(b"half")
            raise ConnectionResetError("the line was cut")
        return get(self, rpath, lpath, **options)

    monkeypatch.setattr(remote_source, "_FILES", 2)
    monkeypatch.setattr(type(store), "get_file", breaks)
    with pytest.raises(DataError, match=r"memory://b/photos: cannot be fetched \(.*line was cut"):
        fetched("memory://b/photos")
    (root,) = (Path(os.environ["STRIATE_CACHE"]) / "remote").glob("memory-*[0-9a-f]")
    copies = [root / "b/photos" / name for name in names_below(str(root / "b/photos"))]
    assert len(copies) == 4 and all(one.read_bytes()[:4] == b"\x89PNG" for one in copies)
    # What a killed process has left is cleared by the next one, which goes on.
    (root / f"{remote_source._PART}old").mkdir()
    fetched("memory://b/photos")
    assert count == 13 and sorted(p.name for p in root.iterdir()) == ["b"]


def test_a_whole_store(store: Any) -> None:
    """What is in it is copied, and cleared away, whatever it is called; the lock stays."""
    store.pipe_file("/a/0.bin", b"0")
    store.pipe_file("/lock", b"a file")
    copies = fetched("memory://")
    assert names_below(copies) == ["a/0.bin", "lock"]
    store.rm("/a", recursive=True)
    lock = Path(f"{copies}.lock")
    before = lock.stat().st_ino
    assert names_below(fetched("memory://")) == ["lock"]
    assert (lock.stat().st_ino, lock.stat().st_size) == (before, 0)


def test_what_is_wrong_is_said(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="memory://b/none: there is nothing of this name"):
        fetched("memory://b/none")
    with pytest.raises(DataError, match='"foo" is no kind of store that fsspec knows'):
        fetched("foo://b")
    with pytest.raises(DataError, match="is several addresses in one"):
        fetched("zip://a::memory://b.zip")
    with pytest.raises(DataError, match=r"b/\.\./a: has a name in it that no file can have"):
        remote_source._copy(tmp_path, "b/../a")
    store.pipe_file("/b/a.tar", bytes(1 << 20))
    monkeypatch.setattr(remote_source.shutil, "disk_usage", lambda _: type("U", (), {"free": 5}))
    with pytest.raises(DataError, match=r"1\.0 MiB are to be copied .* 5 B are free; make room"):
        fetched("memory://b/a.tar")
    assert run(["train", "memory://b/none"]) == 2
    assert "memory://b/none: there is nothing of this name" in capsys.readouterr().err


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.common.optional.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"s3://b needs .* pip install 'striate\[remote\]'"):
        striate.load_data("s3://b")


def test_file_addresses_are_paths(tmp_path: Path) -> None:
    assert fetched(f"file://{tmp_path}/photos") == f"{tmp_path}/photos"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    served = tmp_path / "served"
    served.mkdir()
    numbers = np.random.default_rng(0).random((20, 6, 5, 1)).astype(np.float32)
    np.savez(served / "some.npz", X=numbers, y=np.arange(20) % 2)
    handler = partial(_Quiet, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/some.npz"
        data = striate.load_data(address, test_fraction=0)
        again = fetched(address + "?token=secret")
        with pytest.raises(DataError, match=r"there is nothing of this name|cannot be fetched"):
            fetched(address.replace("some", "none"))
        server.shutdown()
    assert sorted(np.unique(data.train_labels)) == [0, 1]
    assert len(data.train_images) == 20
    assert Path(again).name == "some.npz"
