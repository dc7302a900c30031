"""Shards of a data set: which files a person means, and which part of the data each holds."""

from __future__ import annotations

import glob
import os
import re
from itertools import product
from pathlib import Path

from striate.common.budget import at_most
from striate.common.text import reason
from striate.data.dataset import DataError, natural_key
from striate.data.paths import is_hidden_folder

ENDINGS = (".tar", ".parquet")
MOST_SHARDS = 100_000
# "train", "val" and so on as a word of a name: "train-000", "cats_val_3", "test".
_ROLE = re.compile(
    r"(?:^|[^a-z])(train|training|test|testing|val|valid|validation|dev|eval)(?:[^a-z]|$)"
)
_ROLES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_RANGE = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")


def shards(source: str, endings: tuple[str, ...]) -> list[str]:
    """Return the files of a source, in natural order: a file; a folder of such files; a pattern
    such as "shards-{000..009}.tar" or "shards-*.tar". [] if it names none with these `endings`.

    Raises:
        DataError: of a pattern of numbers, a file is missing.
    """
    path = Path(source)
    if "\0" in source:
        return []
    if path.is_file():
        return [source] if source.lower().endswith(endings) else []
    if path.is_dir():
        return _in_folder(path, endings)
    if _RANGE.search(source):
        return [name for name in _numbered(source) if name.lower().endswith(endings)]
    names = glob.glob(source) if glob.has_magic(source) else []
    return sorted((name for name in names if name.lower().endswith(endings)), key=natural_key)


def role_of_shard(path: str) -> str | None:
    """Return the part that a shard of this name holds: "train", "test", "validation" or None."""
    match = _ROLE.search(os.path.basename(path).lower())
    return None if match is None else _ROLES.get(match[1], "validation")


def _is_shard(entry: os.DirEntry[str], endings: tuple[str, ...]) -> bool:
    name = entry.name.lower()
    return not name.startswith(".") and name.endswith(endings) and entry.is_file()


def _in_folder(folder: Path, endings: tuple[str, ...]) -> list[str]:
    """Return the shards in a folder without folders of images; Hugging Face puts those of a data
    set into a folder called data.
    """
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({reason(error)})") from error
    files = [entry.path for entry in found if _is_shard(entry, endings)]
    folders = [e.name for e in found if e.is_dir() and not is_hidden_folder(e.name)]
    if not files and folders == ["data"]:
        return _in_folder(folder / "data", endings)
    return [] if folders else sorted(files, key=natural_key)


def braced(pattern: str, source: str) -> list[str]:
    """Return the names for which {000..009} stands in a pattern: itself where it has none.

    Args:
        pattern: a path.
        source: what the user named.

    Raises:
        DataError: they are too many.
    """
    pieces = _RANGE.split(pattern)
    ranges = []
    count = 1
    for low, high in zip(pieces[1::3], pieces[2::3], strict=True):
        first, last = int(low), int(high)
        count *= max(0, last - first + 1)
        at_most(count, MOST_SHARDS, "files", source, "name fewer", error=DataError)
        ranges.append([f"{number:0{len(low)}d}" for number in range(first, last + 1)])
    return [
        pieces[0]
        + "".join(number + rest for number, rest in zip(numbers, pieces[3::3], strict=True))
        for numbers in product(*ranges)
    ]


def _numbered(source: str) -> list[str]:
    """Return the names for which {000..009} stands, all of which must be there."""
    found = braced(source, source)
    for name in found:
        if not os.path.isfile(name):
            raise DataError(
                f"{source}: there is no {name}; name the files that are there, from the first to "
                "the last"
            )
    return found
