"""Where striate keeps what it can make again: compiled kernels and decoded images."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from striate.common.errors import StriateValueError

# What the platforms' folders depend on.
_VARIABLES = ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA", "USERPROFILE")


def cache_dir(kind: str) -> Path:
    """Return the folder of this user's cache for one `kind` of thing, such as "images".

    The folder is ``$STRIATE_CACHE/kind`` where that variable is set and not empty; otherwise
    ``striate/kind`` in the platform's folder for caches as the package platformdirs finds it:
    ``$XDG_CACHE_HOME`` (default ``~/.cache``), ``~/Library/Caches`` on macOS, and the local
    application data (``%LOCALAPPDATA%``) on Windows. It is not created here.

    Raises:
        OSError: no home folder can be found. Creating the folder can fail with OSError too (a
            read-only home), so a caller needs one ``except OSError`` to go on without a cache.
    """
    if not kind or kind in (".", "..") or not kind.replace("-", "").replace("_", "").isalnum():
        raise StriateValueError(f"cache_dir: kind must be one plain folder name, not {kind!r}")
    chosen = os.environ.get("STRIATE_CACHE", "")
    if chosen:
        folder = os.path.abspath(os.path.expanduser(chosen))
    else:
        folder = _default_folder(*map(os.environ.get, _VARIABLES))
    return Path(os.path.join(folder, kind))


@functools.lru_cache
def _default_folder(*_variables: str | None) -> str:
    """Return striate's folder, which is looked for once: it is asked for with every kernel."""
    from platformdirs import user_cache_dir

    try:
        folder = user_cache_dir("striate", appauthor=False, opinion=False)
    # No home, or on Windows no such folder.
    except (RuntimeError, ValueError, KeyError) as error:
        raise FileNotFoundError(
            f"no home folder for a cache ({error}): set STRIATE_CACHE to a folder"
        ) from error
    if not os.path.isabs(folder):  # what earlier versions of platformdirs return without a home
        raise FileNotFoundError("no home folder for a cache: set STRIATE_CACHE to a folder")
    return folder
