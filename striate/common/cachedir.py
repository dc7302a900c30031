"""Where striate keeps what it can make again: compiled kernels and decoded images."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir(kind: str) -> Path:
    """Return the folder of this user's cache for one `kind` of thing, such as "images".

    The folder is ``$STRIATE_CACHE/kind`` where that variable is set and not empty; otherwise
    ``$XDG_CACHE_HOME/striate/kind`` (default ``~/.cache``), ``~/Library/Caches/striate/kind`` on
    macOS and ``%LOCALAPPDATA%\\striate\\kind`` on Windows. It is not created here.

    Raises:
        OSError: no home folder can be found. Creating the folder can fail with OSError too (a
            read-only home), so a caller needs one ``except OSError`` to go on without a cache.
    """
    if not kind or kind in (".", "..") or not kind.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"cache_dir: kind must be one plain folder name, not {kind!r}")
    chosen = os.environ.get("STRIATE_CACHE", "")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen))) / kind
    return _default_base() / "striate" / kind


def _default_base() -> Path:
    """Return the platform's folder for caches of the present user."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", "")
        return Path(local) if local else _home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches"
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification asks that a relative path be ignored.
    return Path(given) if os.path.isabs(given) else _home() / ".cache"


def _home() -> Path:
    try:
        home = Path.home()
    except RuntimeError as error:
        raise FileNotFoundError(f"no home folder for a cache: {error}") from error
    if not home.is_absolute():
        raise FileNotFoundError("no home folder for a cache: set STRIATE_CACHE to a folder")
    return home
