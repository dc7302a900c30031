"""Writing a file so that other readers see the whole old one or the whole new one, never a part."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_START, _END = ".striate-", ".partial"


def write_atomically(
    path: str | Path,
    chunks: Iterable[bytes | memoryview],
    *,
    durable: bool = True,
    private: bool = False,
) -> None:
    """Write `chunks` to the file `path`, replacing it in one step once all is written.

    The bytes go to a new file beside it first. If anything fails, that file is removed and what
    was at `path` before stays as it was. A symbolic link is followed, and a file that is replaced
    hands its permissions on.

    Args:
        path: the file; its folder must exist.
        chunks: what is written, one after the other.
        durable: wait until all is safely on disk before the file is replaced. Without it, a power
            cut may leave a damaged file, which is enough for what can be made again.
        private: a file that is new can be read by this user only.

    Raises:
        OSError: the folder is missing or may not be written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    # A name of its own and not one derived from the target's, which may be as long as a name can.
    partial = target.parent / f"{_START}{os.urandom(8).hex()}{_END}"
    try:
        with open(partial, "xb", opener=_open_private if private else None) as file:
            for chunk in chunks:
                file.write(chunk)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(partial, target)
    except BaseException:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            partial.unlink()
        raise
    if durable:
        _sync_folder(target.parent)


def is_partial(name: str) -> bool:
    """Return whether a file of this name is one that `write_atomically` has not finished, or never
    will, its process having been killed.
    """
    return name.startswith(_START) and name.endswith(_END)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Ask that the new name itself reaches the disk, where the system can do that for a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
