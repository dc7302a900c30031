"""A folder of class folders as a source of images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from striate.common.text import counted, listed, reason
from striate.data import decoded_cache
from striate.data.dataset import (
    DataError,
    Dataset,
    LoadOptions,
    assemble,
    class_indices,
    natural_key,
)
from striate.data.decode import WantedImages, decode_chunk
from striate.data.image_files import pillow_settings
from striate.data.images import Decoded, decode_images
from striate.data.paths import is_image_name

_TRAIN = ("train", "training")
_TEST = ("test", "testing", "val", "validation", "valid")  # the first that has classes is used
_LAYOUT = "put the images of each class into a folder of its own (CLASS/image.png)"


@dataclass
class Part:
    """The training or the test part: the files of each class, both in natural order."""

    folder: Path
    classes: dict[str, list[decoded_cache.File]] = field(default_factory=dict)
    ignored: int = 0  # files that are hidden or no images
    loose: int = 0  # images that are in no class folder


def load_folder(folder: Path, options: LoadOptions) -> Dataset:
    """Load a folder of class folders, or one with such folders in train/ and test/.

    Image files may lie at any depth below their class's folder. Hidden files and files of other
    kinds are ignored; a note tells how many.

    Raises:
        DataError: no images, one class only, a class without images, classes of the test part
            that differ from those of the training part, or an image that cannot be read.
    """
    parts, notes = find_parts(folder)
    classes = list(parts[0].classes)
    wanted = options.classes
    if len(parts) == 2:
        _check_same(parts[0], parts[1])
    indices = class_indices(classes, wanted, str(folder))
    number = dict(zip(classes, indices, strict=True))
    files: list[decoded_cache.File] = []
    labels: list[int] = []
    ends: list[int] = []
    for part in parts:
        for name, members in part.classes.items():
            files += members
            labels += [number[name]] * len(members)
        ends.append(len(files))
    decoded, cached = _decode(files, options)
    kept_labels = np.array(labels, dtype=np.int64)[decoded.kept]
    slices = np.searchsorted(decoded.kept, [0, *ends])
    pairs = []
    for part, start, stop in zip(parts, slices[:-1], slices[1:], strict=True):
        part_labels = kept_labels[start:stop]
        _check_not_empty(part, number, set(part_labels.tolist()))
        pairs.append((decoded.images[start:stop], part_labels))
    notes += decoded.notes
    ignored = sum(part.ignored for part in parts)
    if ignored:
        notes.append(f"{counted(ignored, 'file')} ignored: hidden, or not of a known image kind")
    loose = sum(part.loose for part in parts)
    if loose:
        notes.append(f"{counted(loose, 'image')} ignored: not in a class folder")
    if decoded.bad:
        bad = [files[index].path for index, _ in decoded.bad]
        notes.append(f"{counted(len(bad), 'bad image')} skipped: {listed(bad)}")
    if cached:
        notes.append("decoded images taken from the cache")
    return assemble(
        pairs,
        classes,
        options,
        name=folder.resolve().name or "images",
        resize=decoded.resize,
        colour=decoded.colour,
        notes=notes,
    )


def find_parts(folder: Path) -> tuple[list[Part], list[str]]:
    """Return the training part and, where there is one, the test part, with notes.

    Raises:
        DataError: the folder holds no images, no class folders, or a class without images.
    """
    notes: list[str] = []
    inner = {path.name.lower(): path for path in _subfolders(folder)}
    for name in _TRAIN:
        # Class folders inside tell a training part from a class that is called "train".
        if name in inner and _subfolders(inner[name]):
            parts = [_scan(inner[name])]
            used = {name}
            for test in _TEST:
                if test in inner and _subfolders(inner[test]):
                    parts.append(_scan(inner[test]))
                    used.add(test)
                    break
            unused = sorted(path.name for key, path in inner.items() if key not in used)
            if unused:
                notes.append(f"not used in {folder}: {listed(unused)}")
            return parts, notes
    return [_scan(folder)], notes


def _scan(folder: Path) -> Part:
    """Find the classes of one part and their files."""
    part = Part(folder)
    images = [_is_image(entry) for entry in _entries(folder) if not entry.is_dir()]
    part.loose = sum(images)
    part.ignored = len(images) - part.loose
    subfolders = _subfolders(folder)
    if not subfolders:
        if part.loose:
            raise DataError(f"{folder}: the images are not in class folders; {_LAYOUT}")
        raise DataError(f"{folder}: the folder holds no images; {_LAYOUT}")
    empty: list[str] = []
    for path in subfolders:
        members: list[decoded_cache.File] = []
        part.ignored += _collect(path, members, set())
        members.sort(key=lambda file: natural_key(file.path))
        part.classes[path.name] = members
        if not members:
            empty.append(path.name)
    if len(empty) == len(part.classes):
        raise DataError(f"{folder}: the folder holds no images; {_LAYOUT}")
    if empty:
        raise DataError(
            f"{folder / empty[0]}: the class folder holds no images; add some or remove it"
        )
    return part


def _collect(folder: Path, members: list[decoded_cache.File], seen: set[tuple[int, int]]) -> int:
    """Add the image files below the folder to `members`; return how many others there are."""
    entries = _entries(folder)
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in seen and identity[1]:  # a link back to where we came from
        return 0
    seen.add(identity)
    ignored = 0
    for entry in entries:
        if entry.is_dir():
            if not entry.name.startswith("."):
                ignored += _collect(Path(entry.path), members, seen)
        elif _is_image(entry):
            try:
                found = entry.stat()
            except OSError:  # a link to nothing: decoding will say so
                members.append(decoded_cache.File(entry.path, 0, 0, 0))
                continue
            members.append(
                decoded_cache.File(entry.path, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            )
        else:
            ignored += 1
    return ignored


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
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))
    ]
    return [folder / name for name in sorted(found, key=natural_key)]


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Return whether the name is that of a visible image; pipes and devices are none."""
    return is_image_name(entry.name) and (entry.is_file() or entry.is_symlink())


def _check_same(train: Part, test: Part) -> None:
    for one, other in ((test, train), (train, test)):
        for name in one.classes:
            if name not in other.classes:
                raise DataError(
                    f"{one.folder / name}: class {name!r} is not in {other.folder}, which has "
                    f"{listed(list(other.classes), 10)}; both parts need the same classes"
                )


def _check_not_empty(part: Part, number: dict[str, int], present: set[int]) -> None:
    for name in part.classes:
        if number[name] not in present:
            raise DataError(
                f"{part.folder / name}: none of the images of this class can be read; "
                "add good ones or remove the folder"
            )


def _decode(files: Sequence[decoded_cache.File], options: LoadOptions) -> tuple[Decoded, bool]:
    """Decode the files or take them from the cache; return also whether it was the cache."""
    paths = [file.path for file in files]
    kinds = ("size", "colour", "mode", "max_pixels")
    key = decoded_cache.key(files, {kind: getattr(options, kind) for kind in kinds})
    found = decoded_cache.read(key) if options.cache else None
    if found is not None and _still_bad(paths, found, options):
        return found, True
    decoded = decode_images(
        paths,
        size=options.size,
        colour=options.colour,
        mode=options.mode,
        skip_bad=options.skip_bad,
        max_pixels=options.max_pixels,
        progress=options.progress,
    )
    if options.cache:
        decoded_cache.write(key, decoded)
    return decoded, False


def _still_bad(paths: Sequence[str], found: Decoded, options: LoadOptions) -> bool:
    """Return whether the files that an entry of the cache is without are still unreadable.

    They might have been so for a passing reason, such as a network drive that was away.

    Raises:
        DataError: they are, and bad images are not to be skipped.
    """
    if not found.bad:
        return True
    target = WantedImages(8, 8, 3, max_pixels=options.max_pixels)
    with pillow_settings(options.max_pixels):
        chunk = decode_chunk([paths[index] for index, _ in found.bad], target)
    if len(chunk.errors) < len(found.bad):
        return False
    if not options.skip_bad:
        raise DataError(chunk.errors[0][1])
    return True
