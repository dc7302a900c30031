"""Images in Parquet files as a source, as Hugging Face and others keep them.

A column holds the files of the images (bytes, or a struct of bytes and path), another one their
classes. Pages of Parquet are packed together, so that no image can be read alone: the files are
copied once, still as JPEG or PNG, one behind the other into a file of the cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.common.cache import CacheStore
from striate.common.cachedir import make_private_folder
from striate.common.filelock import file_lock
from striate.common.input_files import check_input
from striate.common.optional import require
from striate.common.text import counted, in_bytes, listed, reason
from striate.data import decoded_cache
from striate.data.class_folders import ClassFolders
from striate.data.dataset import DataError, Dataset, LoadOptions, natural_key, same_text
from striate.data.folders import load_found
from striate.data.row_cache import LIMIT
from striate.data.shard_names import role_of_shard

_IMAGE_NAMES = ("image", "img", "images", "picture", "photo", "image_bytes", "bytes", "jpg", "png")
_LABEL_NAMES = ("label", "labels", "class", "cls", "target", "fine_label", "category", "y")
_AT_ONCE = 64  # rows
_SUFFIX = ".files"


@dataclass(frozen=True)
class _Columns:
    """Which columns hold images and classes; and the names of classes that are numbers."""

    image: str
    is_struct: bool
    label: str
    names: list[str] | None


def load_parquet(source: str, tables: Sequence[str], options: LoadOptions) -> Dataset:
    """Load the images in Parquet files.

    Args:
        source: what the user named.
        tables: the files; those with train, test or validation in their names are such parts.
        options: see there.

    Raises:
        ImportError: pyarrow is not installed.
        DataError: a file is damaged, has no column of images or of classes, or holds more than may
            be kept on disk; or as `striate.data.folders.load_found`.
    """
    require("pyarrow", "parquet", f"to read {source}")
    folder = Path(source) if os.path.exists(source) else Path(os.path.dirname(source) or ".")
    roles = [role_of_shard(table) for table in tables]
    whole = "train" not in roles
    copy = _Copy(tables, LIMIT if options.image_cache is None else options.image_cache, options)
    parts: dict[str, ClassFolders] = {}
    missing = 0
    for table, role in zip(tables, roles, strict=True):
        part = parts.setdefault("train" if whole else role or "train", ClassFolders(folder))
        for row, (offset, length, label) in enumerate(copy.rows(table)):
            if label is None or length < 0:
                missing += 1
                continue
            file = decoded_cache.File(
                f"{table}{os.sep}{row}", length, copy.modified, 0, (copy.path, offset)
            )
            part.classes.setdefault(label, []).append(file)
    if not any(part.classes for part in parts.values()):
        raise DataError(f"{source}: holds no images with a class")
    for part in parts.values():
        part.classes = {n: part.classes[n] for n in sorted(part.classes, key=natural_key)}
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
    roles_in_order: tuple[str, ...] = ("train", "test", "validation")
    ordered = {role: parts[role] for role in roles_in_order if role in parts}
    notes = [f"{counted(missing, 'row')} without an image or a class left out"] * bool(missing)
    name = Path(source).resolve().name if os.path.exists(source) else os.path.basename(source)
    return load_found(
        ordered, notes, options, name=name.removesuffix(".parquet") or "images", folder=folder
    )


class _Copy:
    """The files of all images, one behind the other in a file of the cache.

    Args:
        tables: the Parquet files.
        limit: bytes at most.
        options: `cache` is whether the copy is kept for the next run.

    Attributes:
        path: of the copy.
        modified: of the newest table, nanoseconds.
    """

    def __init__(self, tables: Sequence[str], limit: int, options: LoadOptions) -> None:
        for table in tables:
            check_input(table, "Parquet file", error=DataError)
        found = [(os.path.abspath(table), os.stat(table)) for table in tables]
        self.modified = max(status.st_mtime_ns for _, status in found)
        facts = [(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found]
        key = hashlib.sha256(json.dumps(["parquet 1", facts]).encode()).hexdigest()
        self._index: dict[str, list[tuple[int, int, str | None]]] = {}
        self._limit = limit
        store = CacheStore("images", _SUFFIX, "files 1", limit)
        index = CacheStore("images", ".index", "index 1", 2**28)
        kept = options.cache
        try:
            path = store.path(key)
            make_private_folder(path.parent)
        except OSError:
            kept = False
        if not kept:
            handle, name = tempfile.mkstemp(_SUFFIX, "striate-")
            os.close(handle)
            path = Path(name)
            self._ending = weakref.finalize(self, _remove, name)
            _kept_alive.append(self)  # until the process ends: images are read from there
        self.path = str(path)
        # Of processes that need it at the same time, one makes it.
        with file_lock(path.with_name(f"{path.name}.lock")) if kept else nullcontext():
            if kept and self._known(index.read(key), path):
                with suppress(OSError):
                    os.utime(path)
                return
            self._write(tables, path, store if kept else None, options)
            if kept:
                index.write(key, json.dumps(self._index).encode())

    def rows(self, table: str) -> Iterator[tuple[int, int, str | None]]:
        """Yield offset, length and class of each row of a table; the length is -1 without image."""
        for offset, length, label in self._index[table]:
            yield int(offset), int(length), label

    def _known(self, content: memoryview | None, path: Path) -> bool:
        """Take the index over from an earlier run, if its copy is there."""
        if content is None:
            return False
        try:
            self._index = json.loads(bytes(content))
            length = sum(max(0, row[1]) for rows in self._index.values() for row in rows)
            return path.stat().st_size == length
        except (OSError, ValueError, TypeError, AttributeError):
            return False

    def _write(
        self, tables: Sequence[str], path: Path, store: CacheStore | None, options: LoadOptions
    ) -> None:
        readers = [(table, *_open(table)) for table in tables]
        size = sum(_size(reader, columns.image) for _, reader, columns in readers)
        if size > self._limit:
            raise _too_much(tables[0], in_bytes(size), self._limit)
        with suppress(OSError):
            if store is not None:
                store.evict(size)
        free = shutil.disk_usage(path.parent).free
        if size > free:
            raise DataError(
                f"{tables[0]}: the images of all files take {in_bytes(size)}, and {in_bytes(free)} "
                f"are free in {path.parent}: set STRIATE_CACHE to a folder with room"
            )
        beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        total = sum(reader.metadata.num_rows for _, reader, _ in readers)
        try:
            with open(beside, "xb", opener=_private) as file:
                place = done = 0
                for table, reader, columns in readers:
                    rows = self._index[table] = []
                    for data, label in _rows(table, reader, columns):
                        if data is None:
                            rows.append((0, -1, label))
                            continue
                        file.write(data)
                        rows.append((place, len(data), label))
                        place += len(data)
                        if place > self._limit:
                            raise _too_much(table, f"more than {in_bytes(size)}", self._limit)
                    done += len(rows)
                    if options.progress is not None:
                        options.progress(done, total, "copying images")
            os.replace(beside, path)
        except OSError as error:
            raise DataError(f"{path}: images cannot be kept there ({reason(error)})") from error
        finally:
            with suppress(OSError):
                os.unlink(beside)


_kept_alive: list[_Copy] = []


def _too_much(table: str, size: str, limit: int) -> DataError:
    return DataError(
        f"{table}: the images of all files take {size}, and {in_bytes(limit)} may be kept on disk, "
        "where they are copied to be read one by one: raise --image-cache (image_cache)"
    )


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)


def _open(table: str) -> tuple[Any, _Columns]:
    """Return the reader of a table, and its columns."""
    import pyarrow
    from pyarrow import parquet

    try:
        reader = parquet.ParquetFile(table)
        schema = reader.schema_arrow
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{table}: not a Parquet file, or a truncated or damaged one ({reason(error)})"
        ) from error
    return reader, _columns(table, schema)


def _columns(table: str, schema: Any) -> _Columns:
    """Choose the columns, by the features that Hugging Face notes, their types and names."""
    from pyarrow import types

    def is_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    images = {}
    for field in schema:
        if types.is_struct(field.type):
            inside = {field.type.field(i).name: field.type.field(i).type
                      for i in range(field.type.num_fields)}  # fmt: skip
            if "bytes" in inside and is_bytes(inside["bytes"]):
                images[field.name] = True
        elif is_bytes(field.type):
            images[field.name] = False
    if not images:
        raise DataError(
            f"{table}: has no column of images (bytes, or a struct with bytes), only "
            f"{listed([repr(name) for name in schema.names], 10)}"
        )
    chosen = next((name for name in _IMAGE_NAMES if name in images), next(iter(images)))
    labels = [
        field.name
        for field in schema
        if types.is_integer(field.type)
        or types.is_string(field.type)
        or types.is_large_string(field.type)
        or types.is_dictionary(field.type)
    ]
    features = _features(schema)
    noted = [n for n in labels if features.get(n, {}).get("_type") == "ClassLabel"]
    named = [*noted, *(name for name in _LABEL_NAMES if name in labels)]
    if not named and len(labels) != 1:
        has = (
            f"only {listed([repr(n) for n in labels], 10)}"
            if labels
            else "no whole numbers, no text"
        )
        raise DataError(
            f"{table}: has no column of classes called {listed(list(_LABEL_NAMES), 4)}, {has}; "
            "rename it to label"
        )
    label = named[0] if named else labels[0]
    names = features.get(label, {}).get("names")
    good = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return _Columns(chosen, images[chosen], label, names if good else None)


def _features(schema: Any) -> dict[str, Any]:
    """Return what Hugging Face notes of the columns, {} if it is not there or not as it should."""
    try:
        noted = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(noted, dict):
        return {}
    return {name: value for name, value in noted.items() if isinstance(value, dict)}


def _size(reader: Any, column: str) -> int:
    """Return how many bytes a column has when it is unpacked, about."""
    total = 0
    for number in range(reader.metadata.num_row_groups):
        group = reader.metadata.row_group(number)
        for index in range(group.num_columns):
            found = group.column(index)
            if found.path_in_schema.split(".")[0] == column:
                total += found.total_uncompressed_size
    return int(total)


def _rows(table: str, reader: Any, columns: _Columns) -> Iterator[tuple[bytes | None, str | None]]:
    """Yield the image file and the class of each row, None for what is not there."""
    import pyarrow

    try:
        wanted = [columns.image, columns.label]
        for batch in reader.iter_batches(batch_size=_AT_ONCE, columns=wanted):
            images = batch.column(columns.image).to_pylist()
            labels = batch.column(columns.label).to_pylist()
            for image, label in zip(images, labels, strict=True):
                data = image.get("bytes") if columns.is_struct and image is not None else image
                yield data or None, _class_name(table, label, columns.names)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{table}: a truncated or damaged Parquet file ({reason(error)}); copy it again"
        ) from error


def _class_name(table: str, label: Any, names: list[str] | None) -> str | None:
    if label is None or label == -1 or label == "":  # Hugging Face's mark of what is not told
        return None
    if names is None or isinstance(label, str):
        return same_text(str(label))
    if not 0 <= label < len(names):
        raise DataError(
            f"{table}: has a class number {label}, and names of {counted(len(names), 'class')} only"
        )
    return same_text(names[label])
