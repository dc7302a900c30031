"""Finds the image files that a person names."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from striate.data.dataset import DataError, natural_key
from striate.data.image_files import KINDS


def find_images(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the image files for files, folders (at any depth) and patterns such as "*.png".

    The order is that of `paths`, within a folder or a pattern the natural one ("img2" before
    "img10"). A file that is named twice comes once. Folders and patterns give visible files with
    the ending of an image kind; a file named itself is returned whatever its ending.

    Raises:
        DataError: one of the `paths` names nothing, or a folder without images.
    """
    found: dict[Path, None] = {}
    for given in paths:
        text = os.fspath(given)
        path = Path(text)
        if os.path.isdir(path):  # unlike Path.is_dir(), it takes names of any length
            matches = _below(path)
            missing = "the folder holds no images"
        elif os.path.exists(path):
            matches, missing = [path], ""
        elif glob.has_magic(text):
            hits = sorted(glob.glob(text, recursive=True), key=natural_key)
            matches = [Path(hit) for hit in hits if is_image_name(hit) and os.path.isfile(hit)]
            missing = "no image matches this pattern"
        else:
            matches, missing = [], "no such file or folder"
        if not matches:
            raise DataError(f"{text}: {missing}")
        found.update(dict.fromkeys(matches))
    if not found:
        raise DataError("no images are named")
    return list(found)


def is_image_name(path: str) -> bool:
    """Return whether a path ends like a visible file of a known image kind."""
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in KINDS


def _below(folder: Path) -> list[Path]:
    matches: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [os.path.join(parent, name) for name in files if is_image_name(name)]
        matches += [path for path in paths if os.path.isfile(path)]
    return [Path(path) for path in sorted(matches, key=natural_key)]
