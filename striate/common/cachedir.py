"""Where striate keeps what it can make again: compiled kernels and decoded images."""

from __future__ import annotations

import functools
import os
import stat
from contextlib import suppress
from pathlib import Path

from striate.common.errors import StriateValueError
from striate.common.text import cut
from striate.common.warn import warn_user

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


def make_private_folder(folder: Path | str) -> None:
    """Create a folder of the cache, and the one that it lies in, for this user only.

    A folder of the platform's that others may write to, as an earlier version made it, is closed to
    them; `STRIATE_CACHE` is left as its owner wants it.

    Raises:
        OSError: it cannot be created, or others may write to it: see `is_private`.
    """
    folder = os.fspath(folder)
    above = os.path.dirname(folder)
    os.makedirs(os.path.dirname(above), exist_ok=True)
    for part in (above, folder):
        with suppress(FileExistsError):
            os.mkdir(part, 0o700)
        if _is_posix() and not os.environ.get("STRIATE_CACHE") and _others_write(os.stat(part)):
            os.chmod(part, 0o700)
    if not is_private(folder):
        raise PermissionError(f"{folder} could be written to by others")


def is_private(folder: Path | str) -> bool:
    """Return whether nobody but this user can have put something into a folder of the cache.

    Compiled code is read from there and run. So the folder and the one that it lies in must be this
    user's, and writable by nobody else (mode 0700, say); a warning tells once where they are not.
    What does not exist holds nothing.
    """
    folder = os.fspath(folder)
    for part in (os.path.dirname(folder), folder):
        try:
            status = os.stat(part)
        except FileNotFoundError:
            continue
        if _is_posix() and (not is_own(status) or _others_write(status)):
            _tell(part, is_own(status))
            return False
    return True


def is_own(status: os.stat_result) -> bool:
    """Return whether a file or folder belongs to this user."""
    return not _is_posix() or status.st_uid == os.geteuid()


def _is_posix() -> bool:
    return os.name == "posix"


def _others_write(status: os.stat_result) -> bool:
    return bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


@functools.cache
def _tell(folder: str, own: bool) -> None:
    """Say once that a folder is not used."""
    why = "others may write to it" if own else "it belongs to another user"
    cure = f"run chmod go-w {folder!r}" if own else "set STRIATE_CACHE to a folder of yours"
    warn_user(
        f"striate does not use the cache folder {cut(folder, 200)}, since {why}, and compiled code "
        f"is run from there: {cut(cure, 200)}",
        RuntimeWarning,
    )


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
