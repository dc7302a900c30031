"""One at a time: a lock among processes and threads, by a file."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock that the file `path` stands for, which is created if it is not there and stays.

    It ends with the process that holds it, however that ends. Where the file system knows no locks,
    nothing is locked.

    Raises:
        OSError: the file cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):
            _lock(handle)
        yield
    finally:
        os.close(handle)  # which lets it go


@contextmanager
def lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock that the file `path` stands for, unless somebody holds it: then yield False.

    The file is there only as long as the lock is held, or until the next one has held it if a
    process was killed. Where the file system knows no locks, True.

    Raises:
        OSError: the file cannot be made.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if try_lock(handle) is False:
                yield False
                return
            if not _is(path, handle):
                continue  # whoever held it has removed the file meanwhile: that lock is nobody's
            try:
                yield True
            finally:
                with suppress(OSError):  # Windows removes no open files
                    os.unlink(path)
            return
        finally:
            os.close(handle)


def try_lock(handle: int) -> bool | None:
    """Whether the lock of an open file could be had; None where there are no locks."""
    try:
        _lock(handle, wait=False)
    except ImportError:
        return None
    except OSError as error:
        return False if error.errno in _HELD else None
    return True


def _is(path: Path, handle: int) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        return False


_HELD = (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR)

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, *, wait: bool = True) -> None:
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:

    def _lock(handle: int, *, wait: bool = True) -> None:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
