"""The cache folder is used only where nobody else can have written to it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from striate.common import cachedir
from striate.common.cache import CacheStore
from striate.common.cachedir import is_private, make_private_folder
from striate.nest import tuned
from striate.nest.schedule import Schedule

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX")
STORE = CacheStore("things", ".thing", "things 1", limit=100_000)


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    cachedir._tell.cache_clear()
    return tmp_path / "cache"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_and_entries_are_for_this_user_only(base: Path) -> None:
    before = os.umask(0)  # nothing is left to chance
    try:
        assert STORE.write("a", b"abc")
    finally:
        os.umask(before)
    assert (mode(base), mode(base / "things")) == (0o700, 0o700)
    assert mode(STORE.path("a")) == 0o600
    assert STORE.read("a") == b"abc"


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702, 0o1777])
@pytest.mark.parametrize("inner", [False, True])
def test_a_folder_that_others_may_write_to_is_not_used(base: Path, bits: int, inner: bool) -> None:
    assert STORE.write("a", b"abc")
    open_folder = base / "things" if inner else base
    open_folder.chmod(bits)
    with pytest.warns(RuntimeWarning, match=r"others may write to it.*chmod go-w") as told:
        assert STORE.read("a") is None
    assert len(str(told[0].message)) < 500
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is told once
        assert not STORE.write("b", b"abc")
        assert STORE.read("a") is None
    open_folder.chmod(0o755)
    assert STORE.read("a") == b"abc"


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_user_is_not_used(base: Path) -> None:
    assert STORE.write("a", b"abc")
    assert STORE.write("b", b"abc")
    os.chown(STORE.path("a"), 12345, -1)
    assert STORE.read("a") is None
    assert STORE.read("b") == b"abc"
    os.chown(base, 12345, -1)
    with pytest.warns(RuntimeWarning, match=r"belongs to another user.*STRIATE_CACHE"):
        assert STORE.read("b") is None
    assert not is_private(base / "things")


def test_the_platforms_folder_is_closed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions made it with the user's mask, which may be open to a group."""
    monkeypatch.delenv("STRIATE_CACHE")
    monkeypatch.setattr(cachedir, "_default_folder", lambda *_: str(tmp_path / "platform"))
    folder = tmp_path / "platform" / "things"
    folder.mkdir(parents=True)
    folder.chmod(0o775)
    folder.parent.chmod(0o775)
    assert STORE.write("a", b"abc")
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


def test_tuned_schedules_obey_it_too(base: Path) -> None:
    schedule = Schedule("x", 8)
    tuned.keep({"nest": schedule}, {}, "machine")
    tuned.forget()
    assert tuned.schedule_for("nest", "machine") == schedule
    (base / "kernels").chmod(0o777)
    tuned.forget()
    with pytest.warns(RuntimeWarning, match="others may write"):
        assert tuned.schedule_for("nest", "machine") is None
    with pytest.raises(OSError, match="others"):
        tuned.keep({"other": schedule}, {}, "machine")
    tuned.forget()


def test_what_does_not_exist_holds_nothing_foreign(base: Path) -> None:
    assert is_private(base / "things")
    make_private_folder(base / "things")
    assert is_private(base / "things")
