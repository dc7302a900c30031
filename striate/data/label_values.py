"""Makes arrays of the cells of a table: classes, labels of 0 and 1, or numbers, for each image."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.short_repr import short_repr
from striate.common.text import counted, listed
from striate.data.dataset import DataError, class_indices, natural_key, same_text
from striate.data.label_columns import (
    CLASS_NAMES,
    NO,
    NUMBER_NAMES,
    YES,
    is_flag,
    is_missing,
    number_of,
    plain,
)
from striate.data.label_options import LabelOptions
from striate.data.label_tables import Cell, LabelTable

_MARKS = ("|", ";")  # that part labels, whatever stands between them
_WEAK_MARKS = (",", " ")  # that do where the parts come again in other cells
_PLURAL = frozenset(
    (
        "tags",
        "labels",
        "classes",
        "categories",
        "attributes",
        "keywords",
        "findings",
        "findinglabels",
    )
)
_SEVERAL = 0.1  # of the images have several classes, where that is meant
_EACH = 1.5  # images with each whole number: of fewer these are no classes
_MEASURED = 20  # different ones: more that are written as 3.0 are no classes
MOST_LABELS = 10_000


@short_repr
@dataclass
class ImageLabels:
    """What a table says of images.

    Attributes:
        task: "classes", "labels" or "numbers".
        names: of the classes, the labels or the numbers.
        values: int64 (n,), float32 (n, labels) or float64 (n, numbers); see `Dataset`.
        kept: (images,), whether the table says something of each image: those have `values`.
        notes: sentences about how it was read, and what was left out.
    """

    task: str
    names: list[str]
    values: npt.NDArray[Any]
    kept: npt.NDArray[np.bool_]
    notes: list[str] = field(default_factory=list)


def image_labels(
    table: LabelTable,
    columns: Sequence[str],
    rows: Sequence[Sequence[int]],
    options: LabelOptions,
    called: Callable[[int], str],
) -> ImageLabels:
    """Return what a table says of images.

    Args:
        table: the table.
        columns: those with the labels.
        rows: of each image its rows, one or more.
        options: what the user says.
        called: what an image is called, for messages, by its index in `rows`.

    Raises:
        DataError: the cells do not fit the task, or no task fits them.
    """
    reading = _CellReader(table, list(columns), rows, options, called)
    made = reading.of_several() if len(columns) > 1 else reading.of_one()
    if not made.kept.any():
        raise DataError(
            f"{table.path}: no image has a label in {listed([repr(name) for name in columns])}"
        )
    made.notes = [*reading.notes, *made.notes]
    return made


class _CellReader:
    """The labels of images while they are read."""

    def __init__(
        self,
        table: LabelTable,
        columns: list[str],
        rows: Sequence[Sequence[int]],
        options: LabelOptions,
        called: Callable[[int], str],
    ) -> None:
        self.table, self.columns, self.rows = table, columns, rows
        self.options, self.called = options, called
        self.notes: list[str] = []
        self.used = [row for some in rows for row in some]

    # --- which task it is --------------------------------------------------------------------

    def of_several(self) -> ImageLabels:
        """Of several columns: one for each label, or for each number."""
        cells = [self._cells(name) for name in self.columns]
        flags = all(is_flag(some) for some in cells)
        if self.options.task == "numbers" or (not flags and self._all_numbers(cells)):
            if self.options.task in (None, "numbers"):
                return self._numbers()
            flags = False
        if flags:
            return self._of_flags()
        if self.options.task == "classes":
            raise DataError(
                f"{self.table.path}: an image has one class, and the columns "
                f"{self._named()} are {len(self.columns)}: name one --label-column (label_columns)"
            )
        return self._labels(lambda row: self._parts_of(row, None))

    def of_one(self) -> ImageLabels:
        """Of one column."""
        (name,) = self.columns
        cells = self._cells(name)
        task = self.options.task
        if task == "numbers":
            return self._numbers()
        mark = self._mark(cells)
        lists = any(isinstance(cell, tuple) or _is_written_list(cell) for cell in cells)
        if task == "labels" or (task is None and (mark or lists)):
            if mark in _WEAK_MARKS and self.options.separator is None:
                self.notes.append(f"the labels in {name!r} are parted by {_called(mark)}")
            return self._labels(lambda row: self._parts_of(row, mark))
        if task is None and not self._are_classes(name, cells):
            return self._numbers()
        if self._have_several():
            return self._labels(lambda row: self._parts_of(row, None))
        return self._classes()

    def _are_classes(self, name: str, cells: Sequence[Cell]) -> bool:
        """Return whether the cells of a column are classes rather than numbers.

        Raises:
            DataError: whole numbers that may be either.
        """
        known = [cell for cell in cells if not is_missing(cell)]
        numbers = [number_of(cell, self.table.delimiter) for cell in known]
        if not known or None in numbers:
            return True
        distinct = set(numbers)
        if any(number is None or number % 1 for number in distinct):
            return False
        each = len(numbers) / len(distinct)
        measured = len(distinct) > _MEASURED and any("." in str(cell) for cell in known)
        if plain(name) in NUMBER_NAMES or measured or (each < _EACH and len(distinct) > 2):
            return False
        if len(distinct) <= 2 or ((plain(name) in CLASS_NAMES or name.isdecimal()) and each >= 2):
            return True
        raise DataError(
            f"{self.table.path}: the column {name!r} has {len(distinct):,} different whole "
            "numbers, which may be classes or be counted: say --task classes or --task numbers "
            '(task="classes", "numbers")'
        )

    def _mark(self, cells: Sequence[Cell]) -> str | None:
        """Return what parts the labels in a cell, None if nothing does."""
        if self.options.separator is not None:
            return self.options.separator
        texts = {cell for cell in cells if isinstance(cell, str) and cell}
        for mark in _MARKS:
            if any(mark in text for text in texts):
                return mark
        if self._all_numbers([list(texts)]):
            return None
        for mark in _WEAK_MARKS:
            apart = {part for text in texts for part in _split(text, mark)}
            several = {text for text in texts if mark in text}
            # A part of one cell is all of another; or the parts come again and again.
            alone = any(part in texts for text in several for part in _split(text, mark))
            means = mark == "," and (alone or plain(self.columns[0]) in _PLURAL)
            if several and (means or 2 * len(apart) <= len(texts)):
                return mark
        return None

    def _have_several(self) -> bool:
        """Return whether images have several classes, one in each row, and not by mistake."""
        (name,) = self.columns
        cells = self.table.columns[name]
        several = [
            image
            for image, rows in enumerate(self.rows)
            if len(rows) > 1 and len({cells[row] for row in rows} - {""}) > 1
        ]
        if not several:
            return False
        share = len(several) / len(self.rows)
        if self.options.task is None and share >= _SEVERAL:
            self.notes.append(
                f"{counted(len(several), 'image')} {'has' if len(several) == 1 else 'have'} "
                "several rows with different classes: an image may have any number of labels"
            )
            return True
        of_some = {i: sorted({str(cells[row]) for row in self.rows[i]}) for i in several[:3]}
        examples = "; ".join(f"{self.called(i)}: {' and '.join(c)}" for i, c in of_some.items())
        raise DataError(
            f"{self.table.path}: {counted(len(several), 'image')} "
            f"{'has' if len(several) == 1 else 'have'} rows with different classes ({examples}): "
            'correct them, or say --task labels (task="labels") if an image may have several'
        )

    # --- the arrays ----------------------------------------------------------------------------

    def _classes(self) -> ImageLabels:
        (name,) = self.columns
        cells = self.table.columns[name]
        texts = [next((str(cells[r]) for r in rows if cells[r]), "") for rows in self.rows]
        kept = np.array([bool(text) for text in texts], bool)
        names = sorted({text for text in texts if text}, key=natural_key)
        indices = class_indices(names, self.options.names, str(self.table.path))
        number = dict(zip(names, indices, strict=True))
        values = np.array([number[text] for text in texts if text], np.int64)
        return ImageLabels(
            "classes", list(self.options.names or names), values, kept, self._unlabelled(kept)
        )

    def _of_flags(self) -> ImageLabels:
        """Of columns of yes and no."""
        flags = np.array(
            [
                [self._yes(self.table.columns[name][row]) for name in self.columns]
                for row in self.used
            ]
        )
        ends = np.cumsum([len(rows) for rows in self.rows])
        of_image = np.maximum.reduceat(flags, [0, *ends[:-1]], axis=0)
        kept = np.ones(len(self.rows), bool)
        single = bool((of_image.sum(axis=1) == 1).all())
        task = self.options.task
        if task == "classes" and not single:
            wrong = np.flatnonzero(of_image.sum(axis=1) != 1)
            raise DataError(
                f"{self.table.path}: {counted(len(wrong), 'image')}, the first is "
                f"{self.called(int(wrong[0]))}, {'has' if len(wrong) == 1 else 'have'} "
                f"{int(of_image[wrong[0]].sum())} of the classes {self._named()}, not one"
            )
        if task == "classes" or (task is None and single and len(self.columns) > 1):
            if task is None:
                self.notes.append(
                    f"each image has one of {self._named()}: they are read as classes, not as "
                    "labels of which it may have several (--task labels)"
                )
            indices = class_indices(self.columns, self.options.names, str(self.table.path))
            values = np.array(indices, np.int64)[of_image.argmax(axis=1)]
            return ImageLabels("classes", list(self.options.names or self.columns), values, kept)
        return self._in_order(self.columns, of_image.astype(np.float32), kept)

    def _labels(self, parts_of: Callable[[int], list[str]]) -> ImageLabels:
        """Of names of labels, any number in a row."""
        found = [{part for row in rows for part in parts_of(row)} for rows in self.rows]
        names = sorted(set().union(*found), key=natural_key)
        if len(names) > MOST_LABELS:
            raise DataError(
                f"{self.table.path}: {self._named()} has {len(names):,} different labels, and at "
                f"most {MOST_LABELS:,} are read; is it the right column?"
            )
        place = {name: index for index, name in enumerate(names)}
        values = np.zeros((len(found), len(names)), np.float32)
        for image, some in enumerate(found):
            values[image, [place[name] for name in some]] = 1
        none = int((values.sum(axis=1) == 0).sum())
        if none:
            self.notes.append(f"{counted(none, 'image')} without any label")
        return self._in_order(names, values, np.ones(len(found), bool))

    def _in_order(
        self, names: list[str], values: npt.NDArray[np.float32], kept: npt.NDArray[np.bool_]
    ) -> ImageLabels:
        """Labels in the order of a trained model's, where there is one."""
        wanted = self.options.names
        if wanted is None:
            if not names:
                raise DataError(f"{self.table.path}: no image has a label in {self._named()}")
            return ImageLabels("labels", names, values, kept)
        place = {same_text(name): index for index, name in enumerate(wanted)}
        strange = [name for name in names if same_text(name) not in place]
        if strange:
            raise DataError(
                f"{self.table.path}: has the label {strange[0]!r}, which the model does not know; "
                f"it knows {listed(list(wanted), 10)}"
            )
        ordered = np.zeros((len(values), len(wanted)), np.float32)
        ordered[:, [place[same_text(name)] for name in names]] = values
        return ImageLabels("labels", list(wanted), ordered, kept)

    def _numbers(self) -> ImageLabels:
        """Of numbers; images without one of them are left out, repeated rows must agree."""
        table = self.table
        names = self.options.names
        if names is not None and len(names) != len(self.columns):
            raise DataError(
                f"{table.path}: the model gives {counted(len(names), 'number')}, "
                f"{listed(list(names))}, and {counted(len(self.columns), 'column')} is there for "
                "them: name the columns with --label-column (label_columns), in this order"
            )
        values = np.full((len(self.rows), len(self.columns)), np.nan)
        for column, name in enumerate(self.columns):
            cells = table.columns[name]
            for image, rows in enumerate(self.rows):
                for row in rows:
                    if is_missing(cells[row]):
                        continue
                    number = number_of(cells[row], table.delimiter)
                    if number is None or not np.isfinite(number):
                        raise DataError(
                            f"{table.path}: {table.where(row)}: {cells[row]!r} in the column "
                            f"{name!r} is not a number"
                        )
                    before = values[image, column]
                    if not np.isnan(before) and before != number:
                        raise DataError(
                            f"{table.path}: {self.called(image)} has two numbers in the column "
                            f"{name!r}, {before:g} and {number:g}; correct it"
                        )
                    values[image, column] = number
        kept = ~np.isnan(values).any(axis=1)
        return ImageLabels(
            "numbers", list(names or self.columns), values[kept], kept, self._unlabelled(kept)
        )

    # --- cells ---------------------------------------------------------------------------------

    def _cells(self, name: str) -> list[Cell]:
        cells = self.table.columns[name]
        return [cells[row] for row in self.used]

    def _parts_of(self, row: int, mark: str | None) -> list[str]:
        """Return the labels that a row names, in all columns."""
        parts: list[str] = []
        for name in self.columns:
            cell = self.table.columns[name][row]
            if isinstance(cell, tuple):
                parts += [part for part in cell if part]
            elif _is_written_list(cell):
                parts += _written_list(cell)
            else:
                parts += _split(cell, mark)
        return parts

    def _all_numbers(self, columns: Sequence[Sequence[Cell]]) -> bool:
        """Return whether all cells are numbers, or say that there is none."""
        return all(
            is_missing(cell) or number_of(cell, self.table.delimiter) is not None
            for cells in columns
            for cell in cells
        )

    def _yes(self, cell: Cell) -> bool:
        text = str(cell).lower()
        if text not in YES | NO | {"", "-1", "-1.0"}:
            raise DataError(f"{self.table.path}: {cell!r} is neither yes nor no, 1 nor 0")
        return text in YES

    def _unlabelled(self, kept: npt.NDArray[np.bool_]) -> list[str]:
        left = np.flatnonzero(~kept)
        if not len(left):
            return []
        names = listed([self.called(int(image)) for image in left[:4]], 3)
        return [f"{counted(len(left), 'image')} left out, without a label in the table ({names})"]

    def _named(self) -> str:
        return listed([repr(name) for name in self.columns], 6)


def _split(text: str, mark: str | None) -> list[str]:
    """Return the parts of a cell, without spaces around them and without empty ones."""
    parts = [text] if mark is None else text.split(mark)
    return [part.strip() for part in parts if part.strip()]


def _called(mark: str | None) -> str:
    return {" ": "spaces", ",": "commas"}.get(mark or "", repr(mark))


def _is_written_list(cell: Cell) -> bool:
    """Return whether a cell has brackets around it, as Python and JSON write lists."""
    return isinstance(cell, str) and re.fullmatch(r"\[.*\]|\{.*\}|\(.*\)", cell) is not None


def _written_list(cell: str) -> list[str]:
    """Return what is in a list as Python or JSON writes it."""
    quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", cell)
    parts = [one or other for one, other in quoted] if quoted else cell[1:-1].split(",")
    return [part.strip() for part in parts if part.strip()]
