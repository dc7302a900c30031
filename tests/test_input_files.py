"""The door for files that a user names."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from striate.common.errors import StriateValueError
from striate.common.input_files import check_input, open_input, read_bytes, read_text


class OwnError(StriateValueError):
    """As the readers have them."""


def refused(path: str | os.PathLike[str], **options: object) -> str:
    with pytest.raises(OwnError) as caught:
        read_text(path, "network file", error=OwnError, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert len(message) <= 500 and "Errno" not in message and "\n" not in message
    return message


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\nf\xc3\xbcnf")
    assert read_text(path) == "one\ntwo\nthree\nfünf"
    assert read_bytes(path)[:3] == b"\xef\xbb\xbf"
    with open_input(path) as file:
        assert file.read(4)[3:] == b"o"


def test_pipes_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe, not a network file; write what comes" in refused(tmp_path / "pipe")
    read_end, write_end = os.pipe()
    assert "is a pipe" in refused(f"/dev/fd/{read_end}")
    os.close(read_end)
    os.close(write_end)


def test_other_things_than_files(tmp_path: Path) -> None:
    assert "is a folder, not a network file" in refused(tmp_path)
    for device in ("/dev/zero", "/dev/null"):
        assert "is a device" in refused(device)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert "is a socket" in refused(tmp_path / "s")


def test_what_the_system_says_becomes_a_sentence(tmp_path: Path) -> None:
    assert refused(tmp_path / "none").endswith("none: there is no such network file")
    (tmp_path / "file").write_text("")
    assert "a part of this path is a file" in refused(tmp_path / "file" / "x")
    assert "is too long for the name of a file" in refused(tmp_path / ("n" * 256))
    assert "is too long" in refused("/".join(["n" * 200] * 40))
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert "lead in a circle" in refused(tmp_path / "circle")
    assert "its name is none of a file" in refused("a\0b")
    assert '"": there is no such' in refused("")


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    (tmp_path / "mine").chmod(0)
    assert "Permission denied; make it readable" in refused(tmp_path / "mine")


def test_a_file_behind_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link") == "x"
    with open(tmp_path / "file", "rb") as file:  # as "< file" and /dev/stdin
        assert read_text(f"/dev/fd/{file.fileno()}") == "x"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_refused_with_the_fix(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a").write_text("[1, 2]", encoding=encoding)
    assert "looks like UTF-16 or UTF-32; save it again as UTF-8" in refused(tmp_path / "a")


def test_latin_1_is_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ok\nfünf", encoding="latin-1")
    assert "line 2 has the byte 0xfc; save it again as UTF-8" in refused(tmp_path / "a")


def test_size_limits(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12345")
    assert read_text(tmp_path / "a", most=5) == "12345"
    assert "has 5 B, and at most 4 B are read" in refused(tmp_path / "a", most=4)
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(2**43)  # takes no room on disk
    assert "too large for a network file: it has" in refused(tmp_path / "huge")
    assert "needs 8192.0 GiB of memory" in refused(tmp_path / "huge", most=None)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux")
def test_files_that_are_longer_than_they_say() -> None:
    assert stat.S_ISREG(os.stat("/proc/self/maps").st_mode)
    assert "too large" in refused("/proc/self/maps", most=10)


def test_errors_of_libraries_about_the_content_pass(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(OSError, match="truncated"), open_input(tmp_path / "a"):
        raise OSError("truncated")
    with pytest.raises(OwnError, match="cannot be read: Input/output error"):  # noqa: SIM117
        with open_input(tmp_path / "a", error=OwnError):
            raise OSError(5, "Input/output error")
    check_input(tmp_path / "a")
