"""Keeps decoded images in the user's cache, so that the next run need not decode them.

An entry is one uncompressed .npz, whose checksums reveal damage. Everything here may fail (a full
disk, a read-only home, another process that deletes the entry): then images are just decoded.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from striate.common.cachedir import cache_dir
from striate.data.images import Decoded

# Raise it when decoding or the layout of an entry changes.
_VERSION = 1
# Old entries are deleted when all together are larger.
LIMIT = 4 * 1024**3
_ABANDONED = 24 * 3600.0  # seconds: a temporary file this old has lost its process


@dataclass(frozen=True)
class File:
    """An image file with what tells whether it has changed."""

    path: str
    size: int
    modified: int  # nanoseconds
    changed: int  # nanoseconds; catches a change of permissions too


def key(files: Sequence[File], options: dict[str, Any]) -> str:
    """Return the name of the entry for these files, in this order, and JSON-able options."""
    import PIL

    digest = hashlib.sha256()
    digest.update(json.dumps([_VERSION, PIL.__version__, options], sort_keys=True).encode())
    for file in files:
        numbers = f"\0{file.size}\0{file.modified}\0{file.changed}\0"
        digest.update(os.fsencode(file.path) + numbers.encode())
    return digest.hexdigest()[:40]


def read(name: str) -> Decoded | None:
    """Return the entry, or None if there is none or it is damaged (then it is deleted)."""
    try:
        path = _path(name)
        with open(path, "rb") as file:
            try:
                decoded = _parse(file)
            except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
                decoded = None
    except (OSError, MemoryError):
        return None
    with suppress(OSError):
        if decoded is None:
            path.unlink()
        else:
            os.utime(path)  # the least recently used entries are evicted first
    return decoded


def write(name: str, decoded: Decoded) -> bool:
    """Keep an entry; return whether that worked. Other processes see all of it or nothing."""
    if decoded.images.nbytes > LIMIT // 2:
        return False
    head = json.dumps(
        {
            "bad": decoded.bad,
            "resize": decoded.resize,
            "colour": decoded.colour,
            "notes": decoded.notes,
        }
    )
    try:
        path = _path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        evict(decoded.images.nbytes)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                np.savez(
                    file,
                    head=np.frombuffer(head.encode(), np.uint8),
                    images=decoded.images,
                    kept=decoded.kept,
                )
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError:
        return False
    return True


def evict(coming: int = 0) -> None:
    """Delete the entries longest unused until `coming` more bytes fit within LIMIT."""
    entries = []
    with os.scandir(cache_dir("images")) as found:
        for entry in found:
            with suppress(OSError):
                status = entry.stat()
                if entry.name.endswith(".npz"):
                    entries.append((status.st_mtime, status.st_size, entry.path))
                elif entry.name.endswith(".tmp") and status.st_mtime < time.time() - _ABANDONED:
                    os.unlink(entry.path)
    total = coming + sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= LIMIT:
            break
        with suppress(OSError):
            os.unlink(path)
            total -= size


def _path(name: str) -> Path:
    return cache_dir("images") / f"{name}.npz"


def _parse(file: Any) -> Decoded:
    """Read an entry; an error of one of many kinds if it is not one."""
    with np.load(file, allow_pickle=False) as arrays:
        head = json.loads(bytes(arrays["head"]))
        images, kept = arrays["images"], arrays["kept"]
    height, width = head["resize"]["height"], head["resize"]["width"]
    channels = {"gray": 1, "rgb": 3}[head["colour"]]
    expected = (len(kept), height, width, channels)
    if images.shape != expected or images.dtype != np.uint8 or kept.dtype != np.int64:
        raise ValueError(f"expected uint8 {expected}, got {images.dtype} {images.shape}")
    bad = [(int(index), str(sentence)) for index, sentence in head["bad"]]
    notes = [str(note) for note in head["notes"]]
    return Decoded(images, kept, bad, head["resize"], head["colour"], notes)
