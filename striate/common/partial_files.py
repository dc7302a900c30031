"""Files that are being written and have not got their names yet, and clearing those of the dead.

A process that is killed while it writes leaves such a file behind. The next one that writes to the
same folder clears it. That it may do so it learns from a lock (`flock`), which the system gives
back when the writer ends, however it ends: a file whose writer lives is never touched. Files that
are written together are one group: the first one of it has the lock, and gets its name last.

Locks are not seen by other machines on every shared folder. So a name begins with what tells one
running system from another, and what another one has left must also be a day old, by the clock of
the folder itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import stat
import sys
import time
from collections import defaultdict
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path

from striate.common.filelock import try_lock

_START, _END = ".striate-", ".partial"
_LOCKS = sys.platform != "win32"  # where others could not read what is locked
_ABANDONED = 24 * 3600.0  # seconds
# A folder is looked through again only after so many times as long as that takes.
_SHARE = 50.0
_look_again: dict[str, float] = {}


class PartialFiles:
    """The new files of one group, all in the folder where they will stand.

    Args:
        folder: that folder.
        private: whether they can be read by this user only.
    """

    def __init__(self, folder: Path, *, private: bool = False) -> None:
        self._folder, self._private = folder, private
        self._files: list[tuple[Path, BufferedWriter]] = []
        self._tag = ""

    def open(self) -> tuple[Path, BufferedWriter]:
        """A new file, to be written to and, but for the first one, closed.

        What dead processes have left in the folder is cleared.

        Raises:
            OSError: the folder is missing or may not be written to.
        """
        if self._files:
            return self._make()
        while True:
            # Names of their own and not derived from the targets', which may be as long as a name
            # can be.
            self._tag = f"{_system()}-{os.urandom(8).hex()}"
            path, file = self._make()
            if _lock(file):
                _clear(self._folder, os.fstat(file.fileno()).st_mtime)
                return path, file
            self.close()  # one who clears was there in the moment before

    def close(self) -> None:
        """Remove the files that are still there, and give the lock back."""
        for path, file in reversed(self._files):
            with suppress(OSError):
                path.unlink()
            with suppress(OSError):  # what could not be written is tried again
                file.close()
        self._files.clear()

    def _make(self) -> tuple[Path, BufferedWriter]:
        path = self._folder / f"{_START}{self._tag}-{len(self._files)}{_END}"
        opener = _open_private if self._private else None
        file = open(path, "xb", opener=opener)  # noqa: SIM115 - `close` does
        self._files.append((path, file))
        return path, file


def is_partial(name: str) -> bool:
    """Return whether a file of this name is one that is not finished, or never will be, its
    process having been killed.
    """
    return name.startswith(_START) and name.endswith(_END)


def _clear(folder: Path, now: float) -> None:
    """Remove what dead processes have left in a folder; `now` is the time of its own clock."""
    key, begin = os.fspath(folder), time.monotonic()
    if begin < _look_again.get(key, 0.0):
        return
    with suppress(OSError):
        groups: dict[str, list[str]] = defaultdict(list)
        for name in filter(is_partial, os.listdir(folder)):
            group, _, number = name.removesuffix(_END).rpartition("-")
            # The names of earlier versions had no numbers.
            groups[group if number.isdecimal() and len(number) < 16 else name].append(name)
        for group, names in groups.items():
            _clear_group(folder, group, names, now)
    if len(_look_again) > 1000:
        _look_again.clear()
    _look_again[key] = time.monotonic() + _SHARE * (time.monotonic() - begin)


def _clear_group(folder: Path, group: str, names: list[str], now: float) -> None:
    first = f"{group}-0{_END}"
    own = group.startswith(f"{_START}{_system()}-")
    try:
        status = [os.lstat(folder / name) for name in names]
        if not all(stat.S_ISREG(each.st_mode) for each in status):
            return
        newest = max(each.st_mtime for each in status)
        if not own and now - newest < _ABANDONED:
            return
        with open(folder / (first if first in names else names[0]), "rb") as file:
            # Without locks only age tells.
            held = try_lock(file.fileno()) if _LOCKS else None
            if held or (held is None and now - newest >= _ABANDONED):
                # The first one last: while it is there, it speaks for the others.
                for name in sorted(names, key=lambda name: name == first):
                    os.unlink(folder / name)
    except OSError:
        return


def _lock(file: BufferedWriter) -> bool:
    """Lock a new file; whether it is locked, or cannot be, and is still in its folder."""
    if not _LOCKS:
        return True
    return try_lock(file.fileno()) is not False and os.fstat(file.fileno()).st_nlink > 0


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@functools.cache
def _system() -> str:
    """What tells this running system from others that may share a folder: eight digits."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            name = file.read()
    except (OSError, ValueError):
        name = platform.node()
    return hashlib.sha256(name.encode()).hexdigest()[:8]
