"""What the folders in a folder of images are: classes, or the parts of a data set."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from striate.common.text import counted, listed, reason
from striate.data import decoded_cache
from striate.data.dataset import DataError, natural_key, same_text
from striate.data.paths import (
    is_hidden_folder,
    is_image_name,
    is_other_picture,
    kind_of_other,
    unread,
)

_LAYOUT = "put the images of each class into a folder of its own (CLASS/image.png)"

# "train", "Training", "train_set", "trainset", "test-images", "val2017" ...
_PART_NAME = re.compile(
    r"(train|training|test|testing|val|valid|validation|dev|eval|evaluation)"
    r"[ _.-]*(set|data|images|imgs|split|folder|dir)?[ _.-]*[0-9]*",
    re.IGNORECASE,
)
_ROLES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_PLAIN = ("train", "training", "test", "testing", "val", "validation", "valid")


@dataclass
class ClassFolders:
    """The class folders of one part and the files in them.

    Attributes:
        folder: in which they are.
        classes: the files of each class; both in natural order.
        others: how many files are no images, by `kind_of_other`.
        pictures: how many of them are pictures of kinds that are not read, by class and kind.
        loose: how many images are in no class folder.
        branched: of the folders that hold several folders with images, and none beside these:
            the class folder, the folder, and the names of those in it.
    """

    folder: Path
    classes: dict[str, list[decoded_cache.File]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    pictures: Counter[tuple[str, str]] = field(default_factory=Counter)
    loose: int = 0
    branched: list[tuple[Path, str, list[str]]] = field(default_factory=list)


def find_parts(folder: Path, *, nested: bool = False) -> tuple[dict[str, ClassFolders], list[str]]:
    """Return the class folders of the parts "train", "test" and "validation", with notes.

    A folder without such parts is all "train". Where there are no test images, those of the folder
    for validation are it.

    Args:
        folder: what a person named.
        nested: whether a class folder may hold nothing but several further folders.

    Raises:
        DataError: the folder holds no images, no class folders, or a class without images; what
            seem to be the classes are parts of a data set, or folders above the classes.
    """
    inner = _subfolders(folder)
    found: dict[str, Path] = {}
    # The usual names go first, of several for validation "val".
    for path in sorted(inner, key=lambda path: _rank(path.name)):
        role = role_of(path.name)
        # Class folders inside tell a part from a class that is called "train".
        if role is not None and role not in found and _subfolders(path):
            found[role] = path
    if "train" not in found:
        whole = _scan(folder)
        check_classes(whole, nested)
        return {"train": whole}, []
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    roles: tuple[str, ...] = ("train", "test", "validation")
    parts = {role: _scan(found[role]) for role in roles if role in found}
    for part in parts.values():
        check_nested(part, nested)
    unused = [path.name for path in inner if path not in found.values()]
    notes = [f"not used in {folder}: {listed(unused)}"] if unused else []
    return parts, notes


def role_of(name: str) -> str | None:
    """Return which part a folder of this name holds: "train", "test" or "validation", or None."""
    match = _PART_NAME.fullmatch(name.strip())
    return None if match is None else _ROLES.get(match[1].lower(), "validation")


def ignored(parts: list[ClassFolders]) -> list[str]:
    """Return sentences about the files in folders that are not used."""
    notes = []
    others = sum((part.others for part in parts), Counter[str]())
    pictures = sum((part.pictures for part in parts), Counter[tuple[str, str]]())
    for kind in dict.fromkeys(kind for _, kind in pictures):
        of_each = {name: count for (name, other), count in pictures.items() if other == kind}
        classes = listed([f"{name} {count:,}" for name, count in of_each.items()], 10)
        notes.append(
            f"{counted(sum(of_each.values()), 'picture')} left out, as {kind} is not read "
            f"({classes}): convert them to PNG"
        )
        del others[kind]
    if others:
        kinds = listed([f"{count:,} {kind}" for kind, count in others.most_common()])
        notes.append(f"{counted(others.total(), 'file')} ignored: {kinds}")
    loose = sum(part.loose for part in parts)
    if loose:
        notes.append(f"{counted(loose, 'image')} ignored: not in a class folder")
    return notes


def _rank(name: str) -> tuple[int, tuple[list[tuple[int, int, str]], str]]:
    plain = name.lower()
    return (_PLAIN.index(plain) if plain in _PLAIN else len(_PLAIN)), natural_key(name)


def check_classes(whole: ClassFolders, nested: bool) -> None:
    """Raise if the folders of a folder without parts do not look like classes."""
    roles = {role_of(name) for name in whole.classes}
    if len(roles) > 1 and None not in roles:
        raise DataError(
            f"{whole.folder}: its folders {listed(list(whole.classes))} are parts of a data set, "
            "not classes; in each of them put the images of each class into a folder of its own "
            "(train/CLASS/image.png)"
        )
    check_nested(whole, nested)


def check_nested(part: ClassFolders, nested: bool) -> None:
    """Raise if a class folder holds several folders and no image, as one above classes does."""
    if part.branched and not nested:
        top, place, names = part.branched[0]
        raise DataError(
            f"{place}: holds the folders {listed(names)} and no images of its own, so these may be "
            f"the classes; give {place}, or --nested (nested=True) if all that is below {top} is "
            "of one class"
        )


def branches(paths: list[str]) -> tuple[list[str], str]:
    """Return the folders in which all of the files lie, where they first part; and their folder.

    There are none if a file lies beside such folders, or all in one.
    """
    folders = {os.path.dirname(path) for path in paths}
    place = os.path.commonpath(folders) if folders else ""
    if place in folders:
        return [], place
    start = len(place.rstrip(os.sep)) + 1
    names = {path[start:].split(os.sep, 1)[0] for path in folders}
    return sorted(names, key=natural_key), place


def _scan(folder: Path) -> ClassFolders:
    """Find the classes of one part and their files."""
    part = ClassFolders(folder)
    for entry in _entries(folder):
        if not entry.is_dir():
            if _is_image(entry):
                part.loose += 1
            else:
                part.others[kind_of_other(entry.name)] += 1
    subfolders = _subfolders(folder)
    if not subfolders:
        if part.loose:
            raise DataError(f"{folder}: the images are not in class folders; {_LAYOUT}")
        raise DataError(f"{folder}: the folder holds no images{unread(part.others)}; {_LAYOUT}")
    empty: list[tuple[Path, Counter[str]]] = []
    for path in subfolders:
        # Two folders whose names differ in how accents are written are one class.
        members = part.classes.setdefault(same_text(path.name), [])
        before, others = len(members), Counter[str]()
        _collect(path, members, others, set())
        part.others += others
        for kind, count in others.items():
            if is_other_picture(kind):
                part.pictures[same_text(path.name), kind] += count
        names, place = branches([file.path for file in members[before:]])
        if len(names) > 1:
            part.branched.append((path, place, names))
        if len(members) == before:
            empty.append((path, others))
        members.sort(key=lambda file: natural_key(file.path))
    if not any(part.classes.values()):
        raise DataError(f"{folder}: the folder holds no images{unread(part.others)}; {_LAYOUT}")
    if empty:
        path, others = empty[0]
        raise DataError(
            f"{path}: the class folder holds no images{unread(others)}; add some or remove it"
        )
    return part


def _collect(
    folder: Path,
    members: list[decoded_cache.File],
    others: Counter[str],
    seen: set[tuple[int, int]],
) -> None:
    """Add the image files below the folder to `members`, and count the others by their kind."""
    entries = _entries(folder)
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in seen and identity[1]:  # a link back to where we came from
        return
    seen.add(identity)
    for entry in entries:
        if entry.is_dir():
            if not is_hidden_folder(entry.name):
                _collect(Path(entry.path), members, others, seen)
        elif _is_image(entry):
            try:
                found = entry.stat()
            except OSError:  # a link to nothing: decoding will say so
                members.append(decoded_cache.File(entry.path, 0, 0, 0))
                continue
            if stat.S_ISREG(found.st_mode):
                members.append(
                    decoded_cache.File(
                        entry.path, found.st_size, found.st_mtime_ns, found.st_ctime_ns
                    )
                )
        else:
            others[kind_of_other(entry.name)] += 1


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({reason(error)})") from error


def _subfolders(folder: Path) -> list[Path]:
    """Return the visible folders in a folder, in natural order."""
    found = [
        entry.name
        for entry in _entries(folder)
        if entry.is_dir() and not is_hidden_folder(entry.name)
    ]
    return [folder / name for name in sorted(found, key=natural_key)]


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Return whether the name is that of a visible image; pipes and devices are none."""
    return is_image_name(entry.name) and (entry.is_file() or entry.is_symlink())
