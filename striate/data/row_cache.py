"""Decoded images on disk, each at its own place in one file, as many as a limit allows.

A file that is there from an earlier run is used again. Nothing in it is trusted: who reads a row
compares its digest, so that what was never written, or is damaged, counts for nothing.
"""

from __future__ import annotations

import math
import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from striate.common.cache import CacheStore
from striate.common.cachedir import is_own, make_private_folder
from striate.common.fork import renewed_lock
from striate.data.image_digests import Digests, digest
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.joint_findings import least

LIMIT = 4 * 1024**3
"""Bytes of all such files together, unless the user says otherwise."""
_DISK = 2  # of what is free on the disk, one part of so many is used at most

Bytes = npt.NDArray[np.uint8]


def row_cache(key: str, shape: tuple[int, ...], limit: int, exchange: Exchange = ALONE) -> RowCache:
    """Return the file for images of this shape (n, height, width, channels) that `key` names.

    Ranks on one machine share it: the first of them makes it, for as many images as there is room
    for on the disks of all.
    """
    name, count, row_bytes = f"{key} {shape}", shape[0], math.prod(shape[1:])
    rows = least(exchange, _rows_with_room(name, count, row_bytes, limit))
    return exchange.leaders_first(lambda: RowCache(name, count, row_bytes, limit, rows))


def store(limit: int) -> CacheStore:
    """Return where such files are kept; those longest unused are deleted beyond the limit."""
    return CacheStore("images", ".rows", "rows 1", limit)


class RowCache:
    """Rows of bytes on disk. Whatever fails (a full disk, a folder that is not private) is no
    error: then nothing is found, or nothing is kept.

    Where not all rows fit, those that do are spread evenly over all.

    Args:
        key: names the rows.
        count: how many there are.
        row_bytes: of each.
        limit: bytes of all such files at most.
        capacity: how many rows fit; by default as many as the limit allows.

    Attributes:
        capacity: how many rows fit.
    """

    def __init__(
        self, key: str, count: int, row_bytes: int, limit: int, capacity: int | None = None
    ) -> None:
        self._count, self._row_bytes = count, row_bytes
        self._file = -1
        self.capacity = _most_rows(count, row_bytes, limit) if capacity is None else capacity
        self._lock = renewed_lock(self, "_lock")
        if self.capacity:
            try:
                self._open(key, limit)
            except OSError:
                self.close()
                self.capacity = 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            file, self._file = self._file, -1
            with suppress(OSError):
                os.close(file)

    def read(
        self, rows: npt.NDArray[np.intp], into: Bytes, digests: Digests
    ) -> npt.NDArray[np.bool_]:
        """Read those of the rows that are there into their places of `into`, (n, …).

        Args:
            rows: which.
            into: what is filled.
            digests: of all rows: what is there must have the digest of its row.

        Returns:
            Which are filled, (n,).
        """
        found = np.zeros(len(rows), np.bool_)
        if self._file < 0:
            return found
        slots, fits = self._slots(rows)
        flat = into.reshape(len(rows), self._row_bytes)
        for place in np.flatnonzero(fits).tolist():
            view = memoryview(flat[place])
            if self._read_at(int(slots[place]) * self._row_bytes, view):
                found[place] = digest(flat[place]) == digests[rows[place]]
        return found

    def write(self, row: int, pixels: Bytes) -> None:
        """Keep a row, if it is one of those that fit."""
        if self._file < 0:
            return
        slots, fits = self._slots(np.array([row]))
        if fits[0]:
            data = np.ascontiguousarray(pixels).reshape(-1).data
            if not self._write_at(int(slots[0]) * self._row_bytes, data):
                self.close()  # the disk is full, say

    def _slots(
        self, rows: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """The place of each row, and whether it has one."""
        slots = rows * self.capacity // self._count
        return slots, (rows + 1) * self.capacity // self._count > slots

    def _open(self, key: str, limit: int) -> None:
        kept = store(limit)
        path = _path(kept, key, self._count, self._row_bytes, self.capacity)
        make_private_folder(path.parent)
        size = self.capacity * self._row_bytes
        with suppress(FileNotFoundError):
            os.utime(path)  # it is not what was unused for longest
        kept.evict(max(0, size - _size(path)))
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
        status = os.fstat(self._file)
        if not is_own(status):
            raise PermissionError(f"{path} belongs to another user")
        if status.st_size != size:
            os.ftruncate(self._file, size)  # holes cost nothing until they are written

    def _read_at(self, offset: int, into: memoryview) -> bool:
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._file, [into], offset) == len(into)
            with self._lock:
                os.lseek(self._file, offset, os.SEEK_SET)
                data = os.read(self._file, len(into))
            into[: len(data)] = data
            return len(data) == len(into)
        except OSError:
            return False

    def _write_at(self, offset: int, data: memoryview) -> bool:
        try:
            if hasattr(os, "pwrite"):
                return os.pwrite(self._file, data, offset) == len(data)
            with self._lock:
                os.lseek(self._file, offset, os.SEEK_SET)
                return os.write(self._file, data) == len(data)
        except OSError:
            return False


def _most_rows(count: int, row_bytes: int, limit: int) -> int:
    return min(count, limit // max(1, row_bytes))


def _rows_with_room(key: str, count: int, row_bytes: int, limit: int) -> int:
    """How many rows a file gets, by the limit and by what the disk has free."""
    wanted = _most_rows(count, row_bytes, limit)
    if not wanted:
        return 0
    try:
        path = _path(store(limit), key, count, row_bytes, wanted)
        make_private_folder(path.parent)
        there = 0
        if path.exists() and hasattr(os.stat_result, "st_blocks"):
            there = path.stat().st_blocks * 512
        room = (shutil.disk_usage(path.parent).free + there) // _DISK
    except OSError:
        return 0
    return min(wanted, room // row_bytes)


def _path(kept: CacheStore, key: str, count: int, row_bytes: int, capacity: int) -> Path:
    return kept.path(f"{key} {count} {row_bytes} {capacity}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
