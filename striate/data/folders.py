"""A folder of class folders as a source of images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from striate.common.text import counted, listed
from striate.data import decoded_cache
from striate.data.class_folders import ClassFolders, find_parts, ignored
from striate.data.dataset import (
    DataError,
    Dataset,
    LoadOptions,
    assemble,
    class_indices,
    same_text,
)
from striate.data.file_decoding import decode_files
from striate.data.image_files import KINDS, lacking
from striate.data.part import Part
from striate.data.rows import run_of_rows
from striate.data.tar_files import is_tar


def load_folder(folder: Path, options: LoadOptions) -> Dataset:
    """Load a folder of class folders, or one with such folders in train/ and test/ and valid/.

    Image files may lie at any depth below their class's folder. Hidden files and files of other
    kinds are ignored; a note tells how many.

    Raises:
        DataError: no images, one class only, a class without images, folders that do not look
            like classes, or an image that cannot be read.
    """
    found, notes = find_parts(folder, nested=options.nested or options.classes is not None)
    name = folder.resolve().name or "images"
    return load_found(found, notes, options, name=name, folder=folder)


def load_found(
    found: dict[str, ClassFolders],
    notes: Sequence[str],
    options: LoadOptions,
    *,
    name: str,
    folder: Path,
) -> Dataset:
    """Load the images that were found, be it in folders or inside other files.

    Args:
        found: the classes of each part, "train" and perhaps "test" and "validation".
        notes: sentences about how they were found.
        options: see there.
        name: of the source.
        folder: in which the files are, or what holds them.

    Raises:
        DataError: as `load_folder`.
    """
    notes = list(notes)
    whole = len(found) == 1
    classes = list(found["train"].classes)
    if "validation" in found and not options.validation and options.classes is None:
        notes.append(f"not used: {found['validation'].folder}, which --patience would watch")
    found = _asked_for(found, options)
    for role in ("test", "validation"):
        if role in found and not whole:
            notes += _fit_classes(found, role, options.classes or classes, training=classes)
    if options.classes is not None:
        classes = list(dict.fromkeys(name for part in found.values() for name in part.classes))
    indices = class_indices(classes, options.classes, str(folder))
    number = dict(zip(classes, indices, strict=True))
    notes += _without_reader(found, options.skip_bad, folder)
    files: list[decoded_cache.File] = []
    labels: list[int] = []
    ends: list[int] = []
    for part in found.values():
        for label, members in part.classes.items():
            files += members
            labels += [number[label]] * len(members)
        ends.append(len(files))
    decoded, cached, held = decode_files(files, options, name)
    notes += [held] * bool(held)
    kept_labels = np.array(labels, dtype=np.int64)[decoded.kept]
    paths = [files[index].path for index in decoded.kept.tolist()]
    slices = np.searchsorted(decoded.kept, [0, *ends]).tolist()
    parts: dict[str, Part] = {}
    for (role, part), start, stop in zip(found.items(), slices[:-1], slices[1:], strict=True):
        part_labels = kept_labels[start:stop]
        _check_not_empty(part, number, set(part_labels.tolist()))
        images = run_of_rows(decoded.images, start, stop)
        parts[role] = Part(images, part_labels, paths[start:stop])
    if options.only is not None and not whole:
        nothing = Part(run_of_rows(decoded.images, 0, 0), kept_labels[:0], [])
        parts = {role: parts.get(role, nothing) for role in ("train", "test")}
    notes += [*decoded.notes, *ignored(list(found.values()))]
    bad = [(files[index].path, sentence) for index, sentence in decoded.bad]
    if bad:
        names = [path for path, _ in bad]
        notes.append(f"{counted(len(bad), 'bad image')} skipped: {listed(names)}")
    if cached:
        notes.append("decoded images taken from the cache")
    return assemble(
        list(parts.values()),
        classes,
        options,
        name=name,
        resize=decoded.resize,
        colour=decoded.colour,
        notes=notes,
        folder=str(folder),
        bad_files=bad,
        shard_places=_shard_places(files),
    )


def _shard_places(files: Sequence[decoded_cache.File]) -> dict[str, tuple[str, int]] | None:
    """Return where images lie in tar files, by their paths; None if they do not."""
    places = {file.path: file.inside for file in files if file.inside is not None}
    return places if places and all(is_tar(shard) for shard, _ in places.values()) else None


def _asked_for(found: dict[str, ClassFolders], options: LoadOptions) -> dict[str, ClassFolders]:
    """Return the parts that the options ask for."""
    if options.only in found:
        return {options.only: found[options.only]}
    return {
        role: part for role, part in found.items() if options.validation or role != "validation"
    }


def _fit_classes(
    found: dict[str, ClassFolders], role: str, known: Sequence[str], training: Sequence[str]
) -> list[str]:
    """Leave classes that are not known out of a part, and a part without others out of `found`.

    Args:
        found: the parts, which are changed.
        role: the part, not "train".
        known: the classes that the network will know.
        training: the classes of the training part.

    Returns:
        Sentences about what is left out or missing.
    """
    part = found[role]
    names = {same_text(name) for name in known}
    strange = [name for name in part.classes if same_text(name) not in names]
    notes = []
    if len(strange) == len(part.classes):
        if list(found) == [role]:
            return []  # `class_indices` says so
        del found[role]
        instead = ""
        if role == "test" and "validation" in found:
            found["test"] = found.pop("validation")
            instead = f"; the test images are those of {found['test'].folder}"
        elif role == "test":
            instead = "; the test images are drawn from the training images"
        notes.append(
            f"{part.folder}: not used, as none of its folders ({listed(strange)}) is a class of "
            f"the training images{instead}"
        )
        return notes
    for name in strange:
        count = len(part.classes.pop(name))
        notes.append(
            f"{part.folder / name}: {counted(count, 'image')} left out, as the training images "
            f"have no class {name!r}"
        )
    missing = [name for name in training if name not in part.classes]
    if missing:
        kind = "test" if role == "test" else "validation"
        notes.append(f"no {kind} images of {listed([repr(name) for name in missing], 10)}")
    return notes


def _without_reader(found: dict[str, ClassFolders], skip_bad: bool, folder: Path) -> list[str]:
    """Leave files out for which a package is missing, where bad images are to be skipped.

    Returns:
        Sentences about them.

    Raises:
        DataError: there are some, and they are not to be skipped.
    """
    members = [
        (part, name, os.path.splitext(file.path)[1].lower())
        for part in found.values()
        for name, files in part.classes.items()
        for file in files
    ]
    notes = []
    # Images inside other files may have no ending.
    for ending in sorted({ending for _, _, ending in members} & KINDS.keys()):
        advice = lacking(KINDS[ending])
        if not advice:
            continue
        counts = Counter(name for _, name, other in members if other == ending)
        of_each = listed([f"{name} {count:,}" for name, count in counts.items()], 10)
        told = f"{counted(counts.total(), 'picture')} {ending} ({of_each})"
        if not skip_bad:
            raise DataError(
                f"{folder}: {told} cannot be read here; {advice}, or leave them out (--skip-bad, "
                "skip_bad=True)"
            )
        notes.append(f"{told} left out, as they cannot be read here: {advice}")
        for part in found.values():
            for name, files in part.classes.items():
                part.classes[name] = [
                    file for file in files if not file.path.lower().endswith(ending)
                ]
    return notes


def _check_not_empty(part: ClassFolders, number: dict[str, int], present: set[int]) -> None:
    for name in part.classes:
        if number[name] not in present:
            raise DataError(
                f"{part.folder / name}: none of the images of this class can be read; "
                "add good ones or remove the folder"
            )
