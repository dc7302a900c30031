"""Keeping on disk what can be made again, such as compiled kernels and decoded images.

An entry is a file named by the hash of its key. It begins with a line that names its format and
with a seal, a hash of the key and of all that follows: a damaged, truncated or foreign file does
not match and counts for nothing. Files are written beside and renamed, so processes may share the
folder; and whatever fails (no home folder, a full disk, another process that deletes an entry) is
no error: then nothing is found, or nothing is kept. A folder that others may write to is not used,
nor an entry that is another user's.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.common.atomic import write_atomically
from striate.common.cachedir import cache_dir, is_own, is_private, make_private_folder

_swept: set[str] = set()  # folders whose limits this process has enforced
Part = bytes | memoryview  # a memoryview of bytes, in one dimension

_SEAL = hashlib.sha256().digest_size
_PIECE = 1 << 24  # bytes: longer contents are hashed by pieces, on all cores
_FORGOTTEN = 30 * 24 * 3600.0  # seconds: an entry unused for so long will not be used again
_RECENT = 60.0  # seconds: an entry used again within this time is not marked as used again


def name_of(key: str) -> str:
    """Return a name, of 64 hexadecimal digits, that no other key has."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class CacheStore:
    """The entries of one kind, in a folder of the user's cache.

    Attributes:
        kind: the folder below the cache, such as "kernels".
        suffix: the ending of the entries' file names; other files in the folder are left alone.
        format: names the layout of the contents; raise its number when that changes.
        limit: bytes of all entries together; those longest unused are deleted when there are more.
        every: the limit is enforced at the first write of a process and then at one of so many. To
            list a folder of many small entries takes longer than to write one; until the next time
            the limit may be exceeded.
    """

    kind: str
    suffix: str
    format: str
    limit: int
    every: int = 1

    def path(self, key: str) -> Path:
        """Return the file of an entry, be it there or not; OSError without a home folder."""
        return Path(self._path(name_of(key)))

    def read(self, key: str) -> memoryview | None:
        """Return what is kept under `key`, None if there is nothing that can be trusted.

        The bytes are the caller's own and may be written to.
        """
        name, start = name_of(key), self._start
        try:
            path = self._path(name)
            if not is_private(os.path.dirname(path)):
                return None
            with open(path, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if not is_own(status):
                    return None
                whole = np.empty(status.st_size, np.uint8).data
                done = 0
                while done < len(whole) and (count := file.readinto(whole[done:])):
                    done += count
        except (OSError, MemoryError):
            return None
        content = whole[len(start) + _SEAL :]
        if done < len(whole) or whole[: len(start) + _SEAL] != start + _seal(name, [content]):
            return None
        if time.time() - status.st_mtime > _RECENT:
            with suppress(OSError):
                os.utime(path)
        return content

    def write(self, key: str, *parts: Part) -> bool:
        """Keep `parts`, joined, under `key`; return whether that worked.

        Nothing is kept that alone would take half of the limit.
        """
        size = sum(len(part) for part in parts)
        if size > self.limit // 2:
            return False
        name = name_of(key)
        try:
            path = self._path(name)
            make_private_folder(os.path.dirname(path))
            # Names are hashes, and so this is one of so many of them, in whatever process.
            if int(name[:8], 16) % self.every == 0 or os.path.dirname(path) not in _swept:
                _swept.add(os.path.dirname(path))
                self.evict(size)
            seal = _seal(name, parts)
            write_atomically(path, [self._start, seal, *parts], durable=False, private=True)
        except OSError:
            return False
        return True

    def evict(self, coming: int = 0) -> None:
        """Delete the entries longest unused until `coming` more bytes fit within the limit, and
        those unused for `_FORGOTTEN`: what earlier versions made, say.

        Raises:
            OSError: the folder cannot be listed.
        """
        entries = []
        with os.scandir(cache_dir(self.kind)) as found:
            for entry in found:
                with suppress(OSError):
                    status = entry.stat()
                    if entry.name.endswith(self.suffix):
                        if status.st_mtime < time.time() - _FORGOTTEN:
                            os.unlink(entry.path)
                        else:
                            entries.append((status.st_mtime, status.st_size, entry.path))
        total = coming + sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                break
            with suppress(OSError):
                os.unlink(path)
                total -= size

    def _path(self, name: str) -> str:
        return os.path.join(cache_dir(self.kind), f"{name}{self.suffix}")

    @property
    def _start(self) -> bytes:
        return f"striate {self.format}\n".encode()


def _seal(name: str, parts: Sequence[Part]) -> bytes:
    """Return the hash of a name and of contents, which does not depend on how they are parted."""
    if sum(map(len, parts)) > _PIECE:
        from concurrent.futures import ThreadPoolExecutor

        pieces = list(_pieces(parts))
        try:
            with ThreadPoolExecutor() as threads:
                parts = list(threads.map(_hash, pieces))
        except RuntimeError:  # the system refuses threads
            parts = list(map(_hash, pieces))
    return _hash([name.encode(), *parts])


def _pieces(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yield the contents in pieces of _PIECE bytes, the last of what is left."""
    piece: list[Part] = []
    room = _PIECE
    for part in parts:
        rest = memoryview(part)
        while len(rest):
            piece.append(rest[:room])
            rest, room = rest[room:], room - len(piece[-1])
            if not room:
                yield piece
                piece, room = [], _PIECE
    if piece:
        yield piece


def _hash(parts: Sequence[Part]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()
