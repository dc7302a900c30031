"""Finds out which columns of a table are which: by what a user says, by names, by content."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from striate.common.text import choices, listed
from striate.data.class_folders import role_of
from striate.data.dataset import DataError
from striate.data.label_options import LabelOptions
from striate.data.label_tables import Cell, LabelTable
from striate.data.paths import is_image_name

# Names of columns, in small letters and without what is no letter or digit; the surest ones first.
_PATHS = (
    *("path", "filepath", "imagepath", "imgpath", "file", "filename", "fname", "imagefile"),
    *("imagefilename", "imagename", "imgname", "image", "img", "images", "picture", "photo"),
    *("imageid", "imgid", "imageindex", "id", "name", "relpath", "relativepath"),
)
CLASS_NAMES = frozenset(
    (
        *(
            "label",
            "labels",
            "class",
            "classes",
            "classname",
            "classid",
            "classlabel",
            "classindex",
        ),
        *("category", "categories", "categoryid", "categoryname", "labelname", "labelid", "tag"),
        *("tags", "target", "targets", "species", "breed", "diagnosis", "findinglabels", "genus"),
        *("findings", "attributes", "keywords", "annotation", "annotations", "groundtruth"),
    )
)
NUMBER_NAMES = frozenset(
    (
        *("age", "count", "number", "angle", "price", "score", "rating", "weight", "height"),
        *("length", "width", "size", "area", "distance", "temperature", "degrees", "value"),
        *("reading", "mass", "volume", "speed", "depth", "boneage", "pawpularity", "quality"),
    )
)
_SPLITS = ("split", "part", "subset", "set", "partition", "usage", "phase", "fold", "dataset")
_FLAGS = {"istrain": "train", "istest": "test", "isvalid": "validation", "isval": "validation"}
YES = frozenset(("1", "1.0", "true", "yes", "y", "t", "x"))
NO = frozenset(("0", "0.0", "false", "no", "n", "f"))
_SAMPLE = 2000  # rows by which a column is judged
_ENOUGH = 0.5  # of them name an image, in a column of images


@dataclass
class FoundColumns:
    """Which columns of a table are which.

    Attributes:
        path, labels, split: their names; of the split "" where there is none.
        notes: sentences about how they were found.
    """

    path: str
    labels: list[str]
    split: str = ""
    notes: list[str] = field(default_factory=list)


def find_columns(
    table: LabelTable, options: LabelOptions, is_image: Callable[[str], bool]
) -> FoundColumns:
    """Return which columns of a table are which.

    Args:
        table: the table.
        options: what the user says.
        is_image: whether a cell names an image that is there.

    Raises:
        DataError: a column that is named is not there, or it is not clear which column is which;
            the sentence has the columns and the option that settles it.
    """
    options = _with_usual(table, options)
    given = [table.find(name, "the label column") for name in options.label_columns]
    split = "" if options.split_column is None else table.find(
        options.split_column, "the split column"
    )  # fmt: skip
    if options.path_column is not None:
        path = table.find(options.path_column, "the path column")
    else:
        path = _path_column(table, {*given, split}, is_image)
    if path in given or path == split or split in given:
        raise DataError(
            f"{table.path}: the columns of paths ({path!r}), labels "
            f"({listed([repr(name) for name in given])}) and parts must be different ones"
        )
    found = FoundColumns(path, given, split)
    if not split:
        found.split = _split_column(table, {*given, path})
    if not given:
        found.labels = _label_columns(table, found, options)
    return found


def _with_usual(table: LabelTable, options: LabelOptions) -> LabelOptions:
    """Return the options with the usual columns, where none are asked for and they are there."""
    there: dict[str, Any] = {}
    for what in ("path_column", "split_column"):
        name = options.usual.get(what)
        if getattr(options, what) is None and isinstance(name, str) and name in table.columns:
            there[what] = name
    names = options.usual.get("label_columns")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        names = []
    if names and not options.label_columns and set(names) <= set(table.columns):
        there["label_columns"] = tuple(names)
    return replace(options, **there)


def plain(name: str) -> str:
    """Return a column's name in small letters, without what is no letter or digit."""
    return re.sub(r"[\W_]+", "", name).lower()


def is_flag(cells: Sequence[Cell]) -> bool:
    """Return whether all cells say yes or no, in one of the ways in which tables do: 1 and 0, true
    and false, x and nothing, or 1 and -1.
    """
    words = {cell.lower() if isinstance(cell, str) else None for cell in cells}
    if words & {"-1", "-1.0"}:
        return words <= {"-1", "-1.0", "1", "1.0"}
    return None not in words and words <= YES | NO | {""} and words != {""}


def number_of(cell: Cell, delimiter: str) -> float | None:
    """Return a cell as a number, None if it is none; with a decimal comma where commas do not part
    the cells.
    """
    if not isinstance(cell, str):
        return None
    if delimiter in (";", "\t", "|") and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    try:
        return float(cell)
    except ValueError:
        return None


def is_missing(cell: Cell) -> bool:
    """Return whether a cell of a number says that there is none."""
    return not cell or (
        isinstance(cell, str) and cell.lower() in ("nan", "na", "n/a", "null", "none", "?", "-")
    )


def _path_column(table: LabelTable, others: set[str], is_image: Callable[[str], bool]) -> str:
    candidates = [name for name in table.columns if name not in others]
    named = [name for name in candidates if _share(table, name, _names_an_image) >= _ENOUGH]
    if not named:
        # Such as numbers of images, to which an ending belongs.
        known = [name for name in candidates if plain(name) in _PATHS]
        sure = known or candidates
        named = [name for name in sure if _share(table, name, is_image) >= _ENOUGH]
        if not named and len(known) == 1:
            named = known  # what is missing there is told later
    if len(named) == 1:
        return named[0]
    if not named:
        raise DataError(
            f"{table.path}: none of its columns, {table.names()}, names image files; say which "
            "does, with --path-column (path_column)"
        )
    ranked = sorted(named, key=_rank)
    if _rank(ranked[0]) < min(_rank(ranked[1]), len(_PATHS)):
        return ranked[0]
    raise DataError(
        f"{table.path}: its columns {choices([repr(name) for name in named], 'and')} name image "
        "files: say which it is, with --path-column (path_column)"
    )


def _rank(name: str) -> int:
    return _PATHS.index(plain(name)) if plain(name) in _PATHS else len(_PATHS)


def _share(table: LabelTable, name: str, holds: Callable[[str], bool]) -> float:
    """Return the share of a column's first cells of which something holds."""
    cells = [cell for cell in table.columns[name][:_SAMPLE] if cell]
    return sum(isinstance(cell, str) and holds(cell) for cell in cells) / max(len(cells), 1)


def _names_an_image(cell: str) -> bool:
    return is_image_name(cell.replace("\\", "/"))


def _split_column(table: LabelTable, others: set[str]) -> str:
    """Return the column that tells parts by its name and by its words, "" if there is none."""
    for name in table.columns:
        words = {cell for cell in table.columns[name] if cell}
        if name in others or not words or not all(isinstance(word, str) for word in words):
            continue
        if plain(name) in _SPLITS and all(role_of(str(word)) for word in words):
            return name
        if plain(name) in _FLAGS and is_flag(table.columns[name]):
            return name
    return ""


def roles_of(table: LabelTable, column: str) -> list[str]:
    """Return the part of each row by a column: "train", "test", "validation", or "" for none.

    Raises:
        DataError: a word that names no part.
    """
    cells = table.columns[column]
    if plain(column) in _FLAGS and is_flag(cells):
        role = _FLAGS[plain(column)]
        other = "test" if role == "train" else "train"
        return [role if str(cell).lower() in YES else other for cell in cells]
    known: dict[Cell, str] = {"": ""}
    for row, cell in enumerate(cells):
        if cell not in known:
            role_named = role_of(cell) if isinstance(cell, str) else None
            if role_named is None:
                raise DataError(
                    f"{table.path}: {table.where(row)}: {cell!r} in the column {column!r} is none "
                    "of train, test and validation; correct it, or name another --split-column"
                )
            known[cell] = role_named
    return [known[cell] for cell in cells]


def _label_columns(table: LabelTable, found: FoundColumns, options: LabelOptions) -> list[str]:
    """Return the columns with the labels, where the user names none."""
    rest = [
        name
        for name in table.columns
        if name not in (found.path, found.split) and not _is_row_number(table, name)
    ]
    if not rest:
        raise DataError(
            f"{table.path}: has the columns {table.names()}, and none of labels beside the paths "
            f"({found.path!r})"
        )
    if options.names and options.task != "classes":
        known = {plain(name): name for name in rest}
        wanted = [known.get(plain(name)) for name in options.names]
        if all(wanted):
            return [name for name in wanted if name]
    named = [name for name in rest if plain(name) in CLASS_NAMES]
    if len(named) == 2 and (better := _words_of(table, *named)):
        found.notes.append(f"labels are those of the column {better!r}, of {' and '.join(named)}")
        return [better]
    if len(named) == 1 and not (len(rest) > 1 and _are_flags(table, rest)):
        return named
    if len(rest) == 1 or _are_flags(table, rest):
        return rest
    numeric = all(
        is_missing(cell) or number_of(cell, table.delimiter) is not None
        for name in rest
        for cell in table.columns[name][:_SAMPLE]
    )
    if numeric and not named and options.task in (None, "numbers"):
        return rest
    raise DataError(
        f"{table.path}: has the columns {table.names()}: say which holds the labels, with "
        "--label-column (label_columns)"
    )


def _are_flags(table: LabelTable, names: Sequence[str]) -> bool:
    return all(is_flag(table.columns[name]) for name in names)


def _is_row_number(table: LabelTable, name: str) -> bool:
    """Return whether a column only counts the rows, as pandas writes one without a name."""
    if not re.fullmatch(r"column \d+|unnamed: \d+|index|", name.lower()):
        return False
    cells = table.columns[name]
    return any(cells == [str(start + row) for row in range(len(cells))] for start in (0, 1))


def _words_of(table: LabelTable, first: str, second: str) -> str:
    """Return that of two columns which has words, if each of these goes with one number in the
    other: "" otherwise.
    """
    one, two = table.columns[first], table.columns[second]
    pairs = len(set(zip(one, two, strict=True)))
    if not pairs == len(set(one)) == len(set(two)):
        return ""
    numbers = [
        all(number_of(c, table.delimiter) is not None for c in cells) for cells in (one, two)
    ]
    return {(True, False): second, (False, True): first}.get((numbers[0], numbers[1]), "")
