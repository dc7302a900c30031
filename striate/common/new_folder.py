"""Folders that are made with all their files, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from striate.common.atomic import write_all_atomically
from striate.common.errors import StriateValueError


def check_new_folder(where: Path) -> None:
    """Refuse a folder that cannot be made, before any work is done.

    Raises:
        ValueError: there is something of its name, or no folder to make it in.
    """
    if where.exists() or where.is_symlink():
        raise StriateValueError(f"{where} exists; give the name of a folder that does not")
    if not where.absolute().parent.is_dir():
        raise StriateValueError(f"{where}: there is no folder {where.absolute().parent}")


def write_new_folder(where: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with some files, by their names in it.

    Raises:
        OSError: it cannot be made, or a file not be written; then there is no folder.
    """
    where.mkdir()
    try:
        write_all_atomically([(where / name, [content]) for name, content in files.items()])
    except BaseException:
        shutil.rmtree(where, ignore_errors=True)
        raise
