"""The store of what can be made again: found again, never wrong, never too large."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from striate.common import cache
from striate.common.cache import CacheStore, name_of

STORE = CacheStore("things", ".thing", "things 1", limit=100_000)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    return tmp_path / "things"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_was_written_is_read(folder: Path) -> None:
    assert STORE.read("a") is None
    assert STORE.write("a", b"one ", memoryview(b"two"), b"")
    assert STORE.write("nothing")
    found = STORE.read("a")
    assert found == b"one two"
    assert STORE.read("nothing") == b""
    assert names(folder) == {f"{name_of('a')}.thing", f"{name_of('nothing')}.thing"}
    assert STORE.path("a") == folder / f"{name_of('a')}.thing"


def test_it_is_the_callers_own_copy() -> None:
    STORE.write("a", b"abc")
    found = STORE.read("a")
    assert found is not None
    np.frombuffer(found, np.uint8)[:] = 0
    assert STORE.read("a") == b"abc"


def test_an_entry_is_replaced() -> None:
    STORE.write("a", b"one")
    STORE.write("a", b"two")
    assert STORE.read("a") == b"two"


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "flip", "text", "other", "format"])
def test_what_cannot_be_trusted_counts_for_nothing(damage: str) -> None:
    STORE.write("a", bytes(500))
    path = STORE.path("a")
    content = path.read_bytes()
    if damage == "other":
        STORE.write("b", bytes(500))
        path.write_bytes(STORE.path("b").read_bytes())
    elif damage == "format":
        replace(STORE, format="things 2").write("a", bytes(500))
    else:
        path.write_bytes(
            {
                "cut": content[:-1],
                "longer": content + b"x",
                "empty": b"",
                "flip": content[:300] + b"\1" + content[301:],
                "text": b"not an entry",
            }[damage]
        )
    assert STORE.read("a") is None
    assert STORE.write("a", b"again")
    assert STORE.read("a") == b"again"


def test_long_contents_are_hashed_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seal does not depend on how contents are parted, but on every byte."""
    monkeypatch.setattr(cache, "_PIECE", 100)
    content = np.random.default_rng(0).bytes(1234)
    STORE.write("a", content[:30], content[30:250], content[250:])
    assert STORE.read("a") == content
    pieces = [content[start : start + 100] for start in range(0, 1234, 100)]
    hashes = b"".join(hashlib.sha256(piece).digest() for piece in pieces)
    seal = hashlib.sha256(name_of("a").encode() + hashes).digest()
    path = STORE.path("a")
    assert path.read_bytes() == b"striate things 1\n" + seal + content
    for place in (0, 99, 100, 1199, 1200, 1233):
        damaged = bytearray(path.read_bytes())
        damaged[place - 1234] ^= 1
        path.write_bytes(damaged)
        assert STORE.read("a") is None
        damaged[place - 1234] ^= 1
        path.write_bytes(damaged)
        assert STORE.read("a") == content


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))
    assert not STORE.write("a", b"x")
    assert STORE.read("a") is None


def test_those_longest_unused_are_deleted(folder: Path) -> None:
    for age, key in enumerate(("new", "middle", "old"), 1):
        assert STORE.write(key, bytes(30_000))
        os.utime(STORE.path(key), (time.time() - 100 * age,) * 2)
    (folder / "foreign.json").write_bytes(bytes(50_000))
    assert STORE.read("old") is not None  # which makes it the newest
    assert STORE.write("another", bytes(30_000))
    assert names(folder) == {
        *(STORE.path(key).name for key in ("another", "new", "old")),
        "foreign.json",
    }
    assert not STORE.write("huge", bytes(50_001))
    assert STORE.read("huge") is None


def test_those_unused_for_thirty_days_are_deleted(folder: Path) -> None:
    """They are of earlier versions, say, and would be kept for ever below the limit."""
    for key, days in (("old", 30.1), ("new", 29.9)):
        STORE.write(key, b"1")
        os.utime(STORE.path(key), (time.time() - 24 * 3600 * days,) * 2)
    STORE.evict()
    assert [STORE.read(key) is None for key in ("old", "new")] == [True, False]
    assert not STORE.path("old").exists()


def test_the_limit_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At one write in so many, and never when an entry is read."""
    looks = []
    monkeypatch.setattr(CacheStore, "evict", lambda self, coming=0: looks.append(coming))
    seldom = replace(STORE, every=8)
    for number in range(400):
        seldom.write(str(number), b"x")
        seldom.read(str(number))
        seldom.read(f"no {number}")
    assert 20 <= len(looks) <= 90
    assert set(looks) == {1}


def test_an_entry_in_use_is_seldom_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    marked: list[str] = []
    STORE.write("a", b"x")
    monkeypatch.setattr(os, "utime", lambda path: marked.append(path))
    STORE.read("a")
    assert marked == []
    monkeypatch.setattr(cache, "_RECENT", -1.0)
    STORE.read("a")
    assert marked == [str(STORE.path("a"))]


def test_files_that_were_never_finished_are_removed(folder: Path) -> None:
    folder.mkdir()
    fresh, stale = (folder / f".striate-{name}.partial" for name in "ab")
    for path in (fresh, stale):
        path.write_bytes(b"x")
    os.utime(stale, (time.time() - 100_000,) * 2)
    assert STORE.write("one", b"x")
    assert fresh.exists()
    assert not stale.exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_other_users_cannot_read_it(folder: Path) -> None:
    STORE.write("a", b"x")
    assert STORE.path("a").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_processes_share_the_folder(tmp_path: Path, folder: Path) -> None:
    code = (
        "from striate.common.cache import CacheStore\n"
        "store = CacheStore('things', '.thing', 'things 1', limit=100_000)\n"
        "for turn in range(50):\n"
        "    for key in 'abc':\n"
        "        assert store.write(key, key.encode() * 5000)\n"
        "        assert store.read(key) == key.encode() * 5000\n"
    )
    environment = {**os.environ, "STRIATE_CACHE": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert names(folder) == {STORE.path(key).name for key in "abc"}
