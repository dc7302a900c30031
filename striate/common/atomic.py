"""Writing a file so that other readers see the whole old one or the whole new one, never a part."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_atomically(path: str | Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Write `chunks` to the file `path`, replacing it in one step once all is safely on disk.

    The bytes go to a new file beside it first. If anything fails, that file is removed and what
    was at `path` before stays as it was. A symbolic link is followed, and a file that is replaced
    hands its permissions on.

    Raises:
        OSError: the folder is missing or may not be written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    # A name of its own and not one derived from the target's, which may be as long as a name can.
    partial = target.parent / f".striate-{secrets.token_hex(8)}.partial"
    try:
        with open(partial, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(partial, target)
    except BaseException:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            partial.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Ask that the new name itself reaches the disk, where the system can do that for a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
