"""Finds the image files that a person names, and tells them from what else lies in folders."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from striate.common.text import counted, listed
from striate.data.dataset import DataError, natural_key
from striate.data.image_files import KINDS

# "s3://" and the like: not one letter only, which is a drive of Windows.
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# Kinds of pictures that are not read here. Other files are taken for notes and the like.
_OTHER_KINDS = (
    " .ai .arw .cr2 .cr3 .cur .dcm .dds .dng .eps .exr .fits .hdr .icns .ico .jxl .jxr .nef .nii "
    ".orf .pcx .pfm .psd .qoi .raf .ras .raw .rw2 .sgi .svg .svgz .tga .wdp .xbm .xcf .xpm "
)
# Folders that systems and network drives put beside people's own, in small letters.
_SYSTEM_FOLDERS = frozenset(
    (
        "__macosx",
        "@eadir",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "lost+found",
        "recycler",
        "system volume information",
        "__pycache__",
    )
)


def is_remote(source: str | os.PathLike[str]) -> bool:
    """Return whether a source is an address, such as "s3://bucket/photos", and not a path."""
    return isinstance(source, str) and ADDRESS.match(source) is not None


def find_images(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the image files for files, folders (at any depth) and patterns such as "*.png".

    The order is that of `paths`, within a folder or a pattern the natural one ("img2" before
    "img10"). A file that is named twice comes once. Folders and patterns give visible files with
    the ending of an image kind; a file named itself is returned whatever its ending. A name that
    is there as it stands is taken so; and of a pattern the folder above it, whatever brackets its
    name has.

    Raises:
        DataError: one of the `paths` names nothing, or a folder without images.
    """
    found: dict[Path, None] = {}
    for given in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        text = os.fspath(given)
        path = Path(text)
        if _there(path) and path.is_dir():
            matches, others = _below(path)
            missing = "the folder holds no images" + unread(others)
        elif _there(path):
            matches, missing = [path], ""
        elif glob.has_magic(text):
            hits = sorted(glob.glob(_pattern(text), recursive=True), key=natural_key)
            matches = [Path(hit) for hit in hits if is_image_name(hit) and Path(hit).is_file()]
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


def is_hidden_folder(name: str) -> bool:
    """Return whether a folder is hidden, or one that a system or a network drive made."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def kind_of_other(name: str) -> str:
    """Return what a file that is no image is counted as: ".psd", "hidden", "without an ending"."""
    if name.startswith("."):
        return "hidden"
    ending = os.path.splitext(name)[1].lower()
    return ending if 1 < len(ending) <= 12 and ending.isprintable() else "without an ending"


def is_other_picture(kind: str) -> bool:
    """Return whether files of such an ending hold pictures, though of a kind that is not read."""
    return f" {kind} " in _OTHER_KINDS


def unread(others: Counter[str]) -> str:
    """Return a clause about files, counted by `kind_of_other`, where no images are: "" without."""
    if not others:
        return ""
    kinds = listed([f"{count:,} {kind}" for kind, count in others.most_common()])
    advice = "; convert them to PNG" if any(map(is_other_picture, others)) else ""
    return f" that can be read, only {counted(others.total(), 'other file')} ({kinds}){advice}"


def _there(path: Path) -> bool:
    """Return whether something has this name; a name that no file can have names nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _pattern(text: str) -> str:
    """Return the pattern with the folders above it, as far as they are there, taken literally."""
    pieces = text.replace("\\", "/").split("/") if os.name == "nt" else text.split("/")
    for count in range(len(pieces) - 1, 0, -1):
        folder = "/".join(pieces[:count])
        if folder and glob.has_magic(folder) and _there(Path(folder)) and Path(folder).is_dir():
            return "/".join([glob.escape(folder), *pieces[count:]])
    return text


def _below(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Return the images at any depth, and how many other files there are by their kind."""
    matches: list[str] = []
    others: Counter[str] = Counter()
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden_folder(name)]
        for name in files:
            path = os.path.join(parent, name)
            if is_image_name(name) and os.path.isfile(path):
                matches.append(path)
            else:
                others[kind_of_other(name)] += 1
    return [Path(path) for path in sorted(matches, key=natural_key)], others
