"""Writing files so that other readers see the whole old one or the whole new one, never a part."""

from __future__ import annotations

import errno
import functools
import operator
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from striate.common.partial_files import PartialFiles, is_partial

__all__ = ["Content", "is_partial", "write_all_atomically", "write_atomically"]

Content = Iterable[bytes | memoryview]


def write_atomically(
    path: str | Path, chunks: Content, *, durable: bool = True, private: bool = False
) -> None:
    """Write `chunks` to the file `path`, replacing it in one step once all is written.

    The bytes go to a new file beside it first. If anything fails, that file is removed and what
    was at `path` before stays as it was. A symbolic link is followed, and a file that is replaced
    hands its permissions on.  Only files are replaced: a terminal, a pipe that somebody reads or
    another device without blocks is written to, such as /dev/null and /dev/stdout.

    Args:
        path: the file; its folder must exist.
        chunks: what is written, one after the other.
        durable: wait until all is safely on disk before the file is replaced. Without it, a power
            cut may leave a damaged file, which is enough for what can be made again.
        private: a file that is new can be read by this user only.

    Raises:
        OSError: the folder is missing or may not be written, the disk is full, nobody reads the
            pipe, or `path` is a folder, a socket or a device of blocks.  It names `path`.
    """
    write_all_atomically([(path, chunks)], durable=durable, private=private)


def write_all_atomically(
    files: Sequence[tuple[str | Path, Content]], *, durable: bool = True, private: bool = False
) -> None:
    """Write several files as `write_atomically` does, all of them or none: they get their names
    when the last one is written.

    Raises:
        OSError: as `write_atomically`, naming the file at fault.
    """
    groups: dict[Path, PartialFiles] = {}
    written: list[tuple[str | Path, Path, Path]] = []
    try:
        for path, chunks in files:
            with _named(path):
                if (handle := _stream(path)) is not None:
                    with open(handle, "wb") as stream:
                        stream.writelines(chunks)
                    continue
                target = Path(os.path.realpath(path))
                is_first = target.parent not in groups
                group = groups.setdefault(
                    target.parent, PartialFiles(target.parent, private=private)
                )
                beside, file = group.open()
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                with suppress(FileNotFoundError):
                    os.chmod(beside, stat.S_IMODE(os.stat(target).st_mode))
                # The first of a folder has the lock of the others, and so it stays open, and gets
                # its name last; but on Windows open files cannot get other names.
                if not is_first or os.name == "nt":
                    file.close()
                written.append((path, beside, target))
        for path, beside, target in reversed(written):
            with _named(path):
                os.replace(beside, target)
    finally:  # Ctrl-C too must leave nothing behind
        for group in groups.values():
            group.close()
    if durable:
        for folder in groups:
            _sync_folder(folder)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Give an OSError of the block that names no file, or an unfinished one, the name `path`."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if name is None or is_partial(os.path.basename(os.fsdecode(name))):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def _stream(path: str | Path) -> int | None:
    """Return a handle to write to what is no file and cannot be replaced; None if `path` can.

    Raises:
        OSError: it can be neither replaced nor written to.
    """
    own = _own_handle(path)
    if own is not None:
        return os.dup(own)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder", os.fspath(path))
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        what = "a socket" if stat.S_ISSOCK(mode) else "a device of blocks"
        raise OSError(errno.ENXIO, f"is {what}, not a file", os.fspath(path))
    try:
        # Otherwise a pipe that nobody reads would be waited for, maybe for ever.
        flags = (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
        handle = os.open(path, functools.reduce(operator.or_, flags, os.O_WRONLY))
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(mode):
            raise OSError(errno.ENXIO, "is a pipe that nobody reads", os.fspath(path)) from error
        raise
    if os.name != "nt":  # which has none of these
        os.set_blocking(handle, True)
    return handle


def _own_handle(path: str | Path) -> int | None:
    """Return the open file of this process that a path such as /dev/stdout or /dev/fd/3 means."""
    place = os.path.abspath(path)
    for _ in range(40):
        folder, name = os.path.split(place)
        if name.isdecimal() and (folder == "/dev/fd" or _is_of_handles(folder)):
            return int(name)
        if not os.path.islink(place):
            return None
        place = os.path.normpath(os.path.join(folder, os.readlink(place)))
    return None


def _is_of_handles(folder: str) -> bool:
    """Whether this is the folder in which Linux shows the open files of this process."""
    return folder.startswith(("/proc/", "/dev/")) and os.path.realpath(folder) in (
        f"/proc/{os.getpid()}/fd",
        f"/proc/{os.getpid()}/task/{os.getpid()}/fd",
    )


def _sync_folder(folder: Path) -> None:
    """Ask that the new name itself reaches the disk, where the system can do that for a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
