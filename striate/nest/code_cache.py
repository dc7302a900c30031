"""Machine code on disk, so that a second run compiles nothing.

An entry is a file named by the hash of everything that the code depends on.  It begins with a
hash of what follows: a damaged, truncated or foreign file does not match and is ignored, then
rebuilt.  Files are written beside and renamed, so two processes may share the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from striate.common.cachedir import cache_dir

_MAGIC = b"striate kernel 1\n"


def name(key: str) -> str:
    """A short name that no other key has."""
    return hashlib.sha256(key.encode()).hexdigest()


def _path(key: str) -> Path:
    return cache_dir("kernels") / f"{name(key)}.o"


def _seal(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + code).digest()


def read(key: str) -> bytes | None:
    """The code kept under `key`; None if there is none that can be trusted."""
    try:
        content = _path(key).read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + 32
    code = content[head:]
    if content[:head] != _MAGIC + _seal(key, code):
        return None
    return code


def write(key: str, code: bytes) -> None:
    """Keep `code` under `key`.  A folder that cannot be written is no error: nothing is kept."""
    temporary = None
    try:
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + _seal(key, code) + code)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
