"""A file is replaced whole or not at all."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BufferedWriter
from pathlib import Path

import pytest

from striate.common import partial_files
from striate.common.atomic import is_partial, write_all_atomically, write_atomically


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


# Several files


def test_several_files_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")
    (tmp_path / "sub").mkdir()

    def fails() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    files = [(tmp_path / "a", [b"1"]), (tmp_path / "b", [b"2"]), (tmp_path / "sub" / "c", [b"3"])]
    with pytest.raises(OSError, match="No space left") as caught:
        write_all_atomically([*files, (tmp_path / "d", fails())])
    assert caught.value.filename == str(tmp_path / "d")
    assert sorted(os.listdir(tmp_path)) == ["b", "sub"]
    assert (tmp_path / "b").read_bytes() == b"old"
    write_all_atomically(files)
    assert [path.read_bytes() for path, _ in files] == [b"1", b"2", b"3"]
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "sub"]
    assert os.listdir(tmp_path / "sub") == ["c"]


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        write_all_atomically([(tmp_path / str(n), [b"x"]) for n in range(100)], durable=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(os.listdir(tmp_path)) == 100


# What killed processes leave

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


def start_writing(folder: Path, names: str = "abc") -> subprocess.Popen[str]:
    """A process that is in the middle of writing some files."""
    code = (
        "import sys, time\n"
        "from striate.common.atomic import write_all_atomically\n"
        "def content():\n"
        "    yield b'x' * 100000\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        f"files = [(sys.argv[1] + '/' + name, [b'whole']) for name in {names!r}]\n"
        "write_all_atomically([*files, (sys.argv[1] + '/last', content())])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def partials(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if is_partial(name))


@posix
@pytest.mark.parametrize("names", ["", "abc"])
def test_what_a_killed_process_left_is_cleared_by_the_next_one_that_writes(
    tmp_path: Path, names: str
) -> None:
    process = start_writing(tmp_path, names)
    before = partials(tmp_path)
    assert len(before) == len(names) + 1
    write_atomically(tmp_path / "mine", [b"x"])
    assert partials(tmp_path) == before  # it lives
    process.kill()
    process.communicate()
    partial_files._look_again.clear()
    write_atomically(tmp_path / "mine", [b"x"])
    assert os.listdir(tmp_path) == ["mine"]


def leave(folder: Path, name: str, age: float) -> Path:
    path = folder / name
    path.write_bytes(b"half")
    os.utime(path, (path.stat().st_mtime - age,) * 2)
    return path


@posix
def test_what_another_machine_may_still_write_is_left_for_a_day(tmp_path: Path) -> None:
    """A lock of another machine is not seen on every shared folder; nor had old names any."""
    young = [
        leave(tmp_path, ".striate-0123abcd-00112233-0.partial", 3600),
        leave(tmp_path, ".striate-00112233aabbccdd.partial", 3600),
    ]
    old = [
        leave(tmp_path, ".striate-0123abcd-99112233-0.partial", 90000),
        leave(tmp_path, ".striate-99112233aabbccdd.partial", 90000),
    ]
    write_atomically(tmp_path / "mine", [b"x"])
    assert all(path.exists() for path in young)
    assert not any(path.exists() for path in old)


@posix
def test_only_its_own_are_cleared(tmp_path: Path) -> None:
    others = [
        leave(tmp_path, name, 90000)
        for name in (".striate-notes", "striate-a.partial", "x.partial", ".hidden")
    ]
    (tmp_path / ".striate-folder-0.partial").mkdir()
    (tmp_path / ".striate-link-0.partial").symlink_to(others[0])
    write_atomically(tmp_path / "mine", [b"x"])
    assert len(os.listdir(tmp_path)) == 7


@posix
def test_one_who_clears_may_come_between_making_and_locking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = partial_files._lock
    calls: list[bool] = []

    def late(file: BufferedWriter) -> bool:
        if not calls:
            os.unlink(file.name)
        calls.append(real(file))
        return calls[-1]

    monkeypatch.setattr(partial_files, "_lock", late)
    write_atomically(tmp_path / "mine", [b"x"])
    assert calls == [False, True]
    assert os.listdir(tmp_path) == ["mine"]


@posix
def test_without_locks_only_age_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = f".striate-{partial_files._system()}"
    young = leave(tmp_path, f"{own}-00-0.partial", 60)
    old = leave(tmp_path, f"{own}-11-0.partial", 90000)
    monkeypatch.setattr(partial_files, "try_lock", lambda handle: None)
    write_atomically(tmp_path / "mine", [b"x"])
    assert young.exists() and not old.exists()


# What is no file


@posix
def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    before = os.stat("/dev/null")
    write_atomically("/dev/null", [b"x"])
    after = os.stat("/dev/null")
    assert (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)
    assert stat.S_ISCHR(after.st_mode)
    (tmp_path / "link").symlink_to("/dev/null")
    write_atomically(tmp_path / "link", [b"x"])
    assert os.listdir(tmp_path) == ["link"]


@posix
def test_a_pipe_is_written_to_where_somebody_reads(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="is a pipe that nobody reads") as caught:
        write_atomically(pipe, [b"x"])
    assert caught.value.filename == str(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    for _ in range(500):
        with contextlib.suppress(OSError):
            write_atomically(pipe, [b"one ", b"two"])
            break
        time.sleep(0.01)
    assert reader.communicate(timeout=10)[0] == b"one two"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@posix
def test_an_open_file_of_the_process_is_written_to(tmp_path: Path) -> None:
    """What /dev/stdout leads to is not replaced: what comes afterwards goes there too."""
    code = (
        "from striate.common.atomic import write_atomically\n"
        "print('before', flush=True)\n"
        "write_atomically('/dev/stdout', [b'between\\n'])\n"
        "print('after', flush=True)\n"
    )
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\nbetween\nafter\n"


@posix
def test_sockets_and_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        with pytest.raises(OSError, match="is a socket") as caught:
            write_atomically("socket", [b"x"])
    assert caught.value.filename == "socket"
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_atomically(tmp_path, [b"x"])
    assert os.listdir(tmp_path) == ["socket"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_atomically("/dev/full", [b"x"])

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/file'"):
        write_atomically(tmp_path / "file", [b"x"])
    assert os.listdir(tmp_path) == []
