"""A file is replaced whole or not at all."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from striate.common.atomic import is_partial, write_atomically


def test_writes_a_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new", [b"one ", b"two"])
    assert (tmp_path / "new").read_bytes() == b"one two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_replaces_an_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a longer old text")
    write_atomically(str(tmp_path / "file"), [b"new"])
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise error

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(error):
        write_atomically(tmp_path / "file", chunks())
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failing_replacement_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        write_atomically(tmp_path / "file", [b"new"])
    assert not list(tmp_path.iterdir())


def test_old_content_is_there_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []

    def chunks() -> Iterator[bytes]:
        yield b"new"
        seen.append(path.read_bytes())
        yield b"er"
        assert [is_partial(entry.name) for entry in sorted(tmp_path.iterdir())] == [True, False]

    write_atomically(path, chunks())
    assert seen == [b"old"]
    assert path.read_bytes() == b"newer"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_permissions_follow_the_umask_or_the_old_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", [b"x"])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write_atomically(tmp_path / "new", [b"y"])
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_private_file_is_for_its_user_only(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new", [b"x"], private=True)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.parametrize("durable", [True, False])
def test_the_disk_is_waited_for_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write_atomically(tmp_path / "new", [b"x"], durable=durable)
    assert (tmp_path / "new").read_bytes() == b"x"
    assert bool(synced) == durable


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder / "real")
    write_atomically(tmp_path / "link", [b"x"])
    assert (tmp_path / "link").is_symlink()
    assert (folder / "real").read_bytes() == b"x"


def test_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), [b"x"])
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "file", [b"x"])
