"""Data on other machines: copied to the user's cache, and read from there like any other.

An address such as ``s3://bucket/photos`` or ``https://host/shards/train-{000..009}.tar`` is read by
the package fsspec, which knows many kinds of stores and where their keys are. Training reads each
image once an epoch in random order, which is no way to read a store far away; so what an address
names is copied once, with its folders: ``remote/s3-d1f2…/bucket/photos/…``.

A copy is taken for what is there now if it has its size and its time of change. That time is not
the store's own, which not every store tells, but made of all that the store tells of a version (an
ETag, a time, a generation): so a change is seen, and no list of versions is needed, which could be
wrong about the copies.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from striate.common.budget import at_most
from striate.common.cachedir import cache_dir, make_private_folder
from striate.common.errors import StriateImportError
from striate.common.filelock import file_lock
from striate.common.optional import require
from striate.common.text import cut, in_bytes, reason
from striate.data.dataset import DataError, OnProgress
from striate.data.paths import ADDRESS, is_hidden_folder
from striate.data.shard_names import braced

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

_MAGIC = re.compile(r"[*?\[]")
MOST_FILES = 10_000_000
# Files that are asked for at once, and so many bytes of them: stores far away are slow to begin.
_FILES, _BYTES = 64, 2**28
# What stores tell of a file's version, by the names that fsspec's kinds of them use.
_VERSION = (
    "ETag", "etag", "e_tag", "md5Hash", "Content-MD5", "Digest", "crc32c", "checksum", "generation",
    "version_id", "VersionId", "sha", "mtime", "modified", "LastModified", "last_modified",
    "Last-Modified", "updated", "created",
)  # fmt: skip
_PART = ".striate-fetching-"


@dataclass(frozen=True)
class _RemoteFile:
    """A file of a store.

    Attributes:
        path: as the store names it.
        copy: where its copy is.
        size: bytes; None where the store does not tell.
        time: of change of a copy of this version, seconds; None where it tells of no version.
    """

    path: str
    copy: Path
    size: int | None
    time: int | None

    def is_copied(self) -> bool:
        """Whether the copy is of this version."""
        try:
            status = os.lstat(self.copy)
        except OSError:
            return False
        return (
            self.time is not None and status.st_size == self.size and status.st_mtime == self.time
        )


def fetched(source: str, progress: OnProgress | None = None) -> str:
    """Copy what an address names, as far as that has not been done, and return the copy's path.

    Args:
        source: a file; a folder, of which all files are copied but hidden ones; or a pattern of
            files, as in `striate.data.shard_names.shards`. "file://" is a path, and not copied.
        progress: called with (MiB done, MiB in all, text) meanwhile.

    Returns:
        the path; of a pattern, the pattern of the copies.

    Raises:
        DataError: there is nothing, or it cannot be read or kept, as the sentence says.
        ImportError: fsspec, or what it needs for this kind of store, is not installed.
    """
    store, path = _opened(source)
    if "file" in _protocols(store):
        return path
    try:
        root = _root(store)
        # Beside the folder, in which everything but copies is cleared away.
        with file_lock(root.with_name(f"{root.name}.lock")):
            for left in root.glob(f"{_PART}*"):  # by processes that were killed
                shutil.rmtree(left, ignore_errors=True)
            files, is_folder = _listed(source, store, path, root)
            if not files:
                raise DataError(f"{source}: there is nothing of this name")
            _fetch(source, store, [one for one in files if not one.is_copied()], root, progress)
            if is_folder:
                _clear(_copy(root, path), {one.copy for one in files})
    except (DataError, ImportError):
        raise
    except Exception as error:  # each kind of store has errors of its own
        raise DataError(
            f"{source}: cannot be fetched ({cut(reason(error) or type(error).__name__, 300)})"
        ) from error
    return os.fspath(_copy(root, path))


def _opened(source: str) -> tuple[AbstractFileSystem, str]:
    """The store of an address, and the path in it."""
    require("fsspec", "remote", source)
    from fsspec.core import url_to_fs

    if "::" in source:
        raise DataError(f"{source}: is several addresses in one; fetch the file, and name it")
    try:
        store, path = url_to_fs(source)
    except ImportError as error:
        raise StriateImportError(f"{source}: {reason(error)}") from error
    except ValueError as error:
        kind = source.partition("://")[0]
        raise DataError(
            f'{source}: "{kind}" is no kind of store that fsspec knows; it is s3, gs, https and so '
            "on, or a path without ://"
        ) from error
    return store, path


def _protocols(store: AbstractFileSystem) -> tuple[str, ...]:
    given = store.protocol
    return (given,) if isinstance(given, str) else tuple(given)


def _root(store: AbstractFileSystem) -> Path:
    """The folder of all copies from a store: its kind, and what tells it from others of that kind.

    Raises:
        OSError: it cannot be made.
    """
    which = hashlib.sha256(store.to_json().encode()).hexdigest()[:12]
    folder = cache_dir("remote")
    make_private_folder(folder)
    root = folder / f"{_protocols(store)[0]}-{which}"
    root.mkdir(exist_ok=True)
    return root


def _copy(root: Path, path: str) -> Path:
    """Where the copy of a path is.

    Raises:
        DataError: the path leads out of the folder of copies.
    """
    if ADDRESS.match(path):  # those of http are whole addresses
        parts = urlsplit(path)
        path = f"{parts.netloc}/{parts.path}"
    names = [name for name in path.split("/") if name]
    if any(name in (".", "..") or "\0" in name or os.sep in name for name in names):
        raise DataError(f"{path}: has a name in it that no file can have")
    return root.joinpath(*names)


def _listed(
    source: str, store: AbstractFileSystem, path: str, root: Path
) -> tuple[list[_RemoteFile], bool]:
    """The files that an address names, and whether it names a folder."""
    names = braced(path, source)
    if names != [path]:
        found = {name: store.info(name) for name in names}
    elif _MAGIC.search(path) and not store.exists(path):
        found = store.glob(path, detail=True)
    elif store.isfile(path):
        found = {path: store.info(path)}
    else:
        return _in_folder(source, store, path, root), True
    files = [_file(root, name, told) for name, told in found.items() if told["type"] == "file"]
    return files, False


def _in_folder(source: str, store: AbstractFileSystem, path: str, root: Path) -> list[_RemoteFile]:
    files = []
    within = len(path.rstrip("/")) + 1
    for name, told in store.find(path, detail=True).items():
        if told["type"] == "file" and not any(map(is_hidden_folder, name[within:].split("/"))):
            files.append(_file(root, name, told))
            at_most(len(files), MOST_FILES, "files", source, "name fewer", error=DataError)
    return files


def _file(root: Path, path: str, told: dict[str, Any]) -> _RemoteFile:
    """A file, of which the store tells something."""
    version = "".join(f"{name}={told[name]}\n" for name in _VERSION if told.get(name) is not None)
    time = None
    if version:
        digest = hashlib.sha256(version.encode()).digest()
        time = 2 * (int.from_bytes(digest[:4], "little") >> 3)  # even: as all file systems keep it
    return _RemoteFile(path, _copy(root, path), told.get("size"), time)


def _fetch(
    source: str,
    store: AbstractFileSystem,
    files: Sequence[_RemoteFile],
    root: Path,
    progress: OnProgress | None,
) -> None:
    """Copy files, several at once; each gets its name when it is whole.

    Raises:
        DataError: the disk has not room for all.
    """
    from fsspec.callbacks import Callback

    if not files:
        return
    total = sum(one.size or 0 for one in files)
    if total > (free := shutil.disk_usage(root).free):
        raise DataError(
            f"{source}: {in_bytes(total)} are to be copied to {root}, where {in_bytes(free)} are "
            "free; make room, or let STRIATE_CACHE name a folder on a larger disk"
        )

    class Told(Callback):  # type: ignore[misc]  # fsspec has no types
        """Counts the bytes of all files."""

        done = 0

        def branched(self, *_: Any, **__: Any) -> Callback:
            return _Bytes(self.more)

        def more(self, count: int) -> None:
            self.done += count
            if progress is not None:
                progress(self.done >> 20, max(total, self.done) >> 20, "fetching, MiB")

    class _Bytes(Callback):  # type: ignore[misc]
        """Counts the bytes of one file."""

        def __init__(self, more: Any) -> None:
            super().__init__()
            self._more = more

        def relative_update(self, inc: int = 1) -> None:
            self._more(inc)

    callback = Told()
    with tempfile.TemporaryDirectory(prefix=_PART, dir=root) as folder:
        for batch in _batches(files):
            parts = [os.path.join(folder, str(number)) for number in range(len(batch))]
            store.get([one.path for one in batch], parts, callback=callback)
            for one, part in zip(batch, parts, strict=True):
                if one.time is not None:
                    os.utime(part, (one.time, one.time))
                one.copy.parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, one.copy)


def _batches(files: Sequence[_RemoteFile]) -> Iterator[list[_RemoteFile]]:
    batch: list[_RemoteFile] = []
    for one in files:
        batch.append(one)
        if len(batch) == _FILES or sum(each.size or 0 for each in batch) > _BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _clear(folder: Path, kept: set[Path]) -> None:
    """Remove copies of what is not there any more."""
    for above, folders, names in os.walk(folder, topdown=False):
        for name in names:
            if (path := Path(above, name)) not in kept:
                path.unlink()
        for name in folders:
            path = Path(above, name)
            if not any(path.iterdir()):
                path.rmdir()
