"""A folder of images with a table of their labels as a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate.common.text import counted, listed
from striate.data.class_folders import role_of
from striate.data.dataset import DataError, Dataset, LoadOptions, assemble
from striate.data.file_decoding import decode_files
from striate.data.label_columns import FoundColumns, find_columns, roles_of
from striate.data.label_options import LabelOptions
from striate.data.label_paths import MISSING, SEVERAL, ImageFiles
from striate.data.label_tables import LabelTable, read_table
from striate.data.label_values import ImageLabels, image_labels
from striate.data.part import Part
from striate.data.rows import run_of_rows

_ROLES = ("train", "test", "validation")


def load_labelled(folder: Path, given: LabelOptions, options: LoadOptions) -> Dataset:
    """Load the images below a folder with what a table says of them.

    Args:
        folder: the images lie in it, at any depth.
        given: the table, and how to read it.
        options: as for any source.

    Raises:
        DataError: the table cannot be read, it is not clear what its columns are, none of the
            images that it names is there, or an image cannot be read.
    """
    table = read_table(Path(given.table))
    images = ImageFiles(folder, table.path.absolute())
    if not images.files:
        raise DataError(f"{folder}: holds no images for {table.path}")
    columns = find_columns(table, given, images.is_there)
    notes = [*table.notes, *columns.notes]
    rows, told = _rows_of_images(table, columns, images)
    notes += told
    # In the order of the table: what it was sorted by, the split shuffles.
    chosen = list(rows)
    roles = _roles(table, columns, rows, images, given, notes)
    found = image_labels(
        table, columns.labels, list(rows.values()), given, lambda index: images.names[chosen[index]]
    )
    notes += found.notes
    notes.append(_told(table, columns, found))
    return _decoded(folder, images, chosen, roles, found, options, notes, columns)


def _rows_of_images(
    table: LabelTable, columns: FoundColumns, images: ImageFiles
) -> tuple[dict[int, list[int]], list[str]]:
    """Return the rows of each image that the table names, and sentences about the others."""
    rows: dict[int, list[int]] = defaultdict(list)
    missing: list[str] = []
    paths = table.columns[columns.path]
    for row, cell in enumerate(paths):
        index = images.find(cell) if isinstance(cell, str) else MISSING
        if index == SEVERAL:
            which = listed(list(images.ends_so(str(cell))), 3)
            raise DataError(
                f"{table.path}: {table.where(row)}: {cell!r} may be several images ({which}): "
                "write their folders into the table, too"
            )
        if index == MISSING:
            missing.append(str(cell))
        else:
            rows[index].append(row)
    if not rows:
        raise DataError(
            f"{table.path}: none of the {counted(len(paths), 'image')} in its column "
            f"{columns.path!r}, such as {str(paths[0])!r}, is below {images.folder}; name the "
            "folder in which they are, or another --path-column (path_column)"
        )
    notes = []
    if missing:
        different = list(dict.fromkeys(missing))
        notes.append(
            f"{counted(len(missing), 'row')} left out, whose images are not there "
            f"({listed(different, 3)})"
        )
    without = [name for index, name in enumerate(images.names) if index not in rows]
    if without:
        notes.append(
            f"{counted(len(without), 'image')} not used, without a row in {table.path.name} "
            f"({listed(without, 3)})"
        )
    repeated = [index for index, some in rows.items() if len(some) > 1]
    if repeated:
        notes.append(
            f"{counted(len(repeated), 'image')} in several rows of the table, "
            f"{sum(len(rows[index]) for index in repeated):,} in all "
            f"({listed([images.names[index] for index in repeated[:4]], 3)})"
        )
    return dict(rows), notes


def _roles(
    table: LabelTable,
    columns: FoundColumns,
    rows: dict[int, list[int]],
    images: ImageFiles,
    given: LabelOptions,
    notes: list[str],
) -> list[str] | None:
    """Return the part of each image: by the column for that, else by the folders that are called
    so; None where there are no parts.
    """
    if columns.split:
        of_row = roles_of(table, columns.split)
        found = []
        for index, some in rows.items():
            roles = {of_row[row] for row in some} - {""}
            if len(roles) > 1:
                raise DataError(
                    f"{table.path}: {images.names[index]} is in several parts, "
                    f"{' and '.join(sorted(roles))}, by the column {columns.split!r}"
                )
            found.append(next(iter(roles), ""))
        if "train" not in found and given.names is None:
            raise DataError(
                f"{table.path}: no image is for training by the column {columns.split!r}"
            )
        if (left := found.count("")) and set(found) != {""}:
            notes.append(f"{counted(left, 'image')} left out, in no part by {columns.split!r}")
        return found
    first = [images.names[index].split("/")[0] for index in rows]
    by_folder = {name: role_of(name) for name in set(first)}
    parts = {by_folder[name] for name in first}
    if None in parts or "train" not in parts or len(parts) < 2:
        return None
    notes.append(f"parts by the folders {listed(sorted(by_folder))}")
    return [by_folder[name] or "" for name in first]


def _told(table: LabelTable, columns: FoundColumns, found: ImageLabels) -> str:
    """Return what was read from which column, in a sentence."""
    kinds = {"classes": "the class", "labels": "the labels", "numbers": "the numbers"}
    which = listed([repr(name) for name in columns.labels], 4)
    split = f", the part by {columns.split!r}" if columns.split else ""
    return f"{table.path.name}: images by {columns.path!r}, {kinds[found.task]} by {which}{split}"


def _decoded(
    folder: Path,
    images: ImageFiles,
    chosen: Sequence[int],
    roles: Sequence[str] | None,
    found: ImageLabels,
    options: LoadOptions,
    notes: list[str],
    columns: FoundColumns,
) -> Dataset:
    """Decode the images that have labels, part by part."""
    labelled = np.flatnonzero(found.kept)
    place = np.full(len(chosen), -1)
    place[labelled] = np.arange(len(labelled))
    members: dict[str, list[int]] = defaultdict(list)
    for index in labelled.tolist():
        members["train" if roles is None else roles[index]].append(index)
    if "test" not in members and "validation" in members:
        members["test"] = members.pop("validation")
    wanted = [
        role for role in _ROLES if role in members and (role != "validation" or options.validation)
    ]
    if "validation" in members and "validation" not in wanted and options.classes is None:
        count = counted(len(members["validation"]), "validation image")
        notes.append(f"not used: {count}, which --patience would watch")
    if options.only in wanted and len(wanted) > 1:
        wanted = [options.only]
    order = [index for role in wanted for index in members[role]]
    if not order:
        raise DataError(f"{folder}: no image has a label in the table")
    files = [images.files[chosen[index]] for index in order]
    name = folder.resolve().name or "images"
    decoded, cached, held = decode_files(files, options, name)
    notes += [held] * bool(held)
    values = found.values[place[order]][decoded.kept]
    paths = [files[at].path for at in decoded.kept.tolist()]
    ends = np.cumsum([0, *(len(members[role]) for role in wanted)])
    slices = np.searchsorted(decoded.kept, ends).tolist()
    parts = {
        role: Part(run_of_rows(decoded.images, start, stop), values[start:stop], paths[start:stop])
        for role, start, stop in zip(wanted, slices[:-1], slices[1:], strict=True)
    }
    if len(members) > 1 and len(parts) == 1 and options.only is not None:
        nothing = Part(run_of_rows(decoded.images, 0, 0), values[:0], [])
        parts = {role: parts.get(role, nothing) for role in ("train", "test")}
    if "train" not in parts and len(parts) == 1:  # of a split column that has tests only
        parts = {"train": Part(run_of_rows(decoded.images, 0, 0), values[:0], []), **parts}
    notes += decoded.notes
    bad = [(files[index].path, sentence) for index, sentence in decoded.bad]
    if bad:
        skipped = listed([path for path, _ in bad])
        notes.append(f"{counted(len(bad), 'bad image')} skipped: {skipped}")
    if cached:
        notes.append("decoded images taken from the cache")
    made = assemble(
        list(parts.values()),
        found.names,
        replace(options, classes=None),
        name=name,
        resize=decoded.resize,
        colour=decoded.colour,
        notes=notes,
        folder=str(folder),
        task=found.task,
        bad_files=bad,
    )
    return replace(
        made,
        label_columns={
            "path_column": columns.path,
            "label_columns": columns.labels,
            "split_column": columns.split or None,
        },
    )
