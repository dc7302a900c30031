"""Reads tables of labels, as people's programs write them: CSV in its many forms, and Parquet.

Every cell becomes text without spaces around it, or a tuple of texts where Parquet has a list.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from striate.common.budget import need
from striate.common.input_files import check_input, read_bytes
from striate.common.optional import require
from striate.common.short_repr import short_repr
from striate.common.text import counted, in_bytes, listed, reason
from striate.data.dataset import DataError, same_text
from striate.data.paths import is_image_name

Cell = str | tuple[str, ...]

MOST_BYTES = 2**30
"""Of a text file with labels: some ten million rows."""
MOST_COLUMNS = 20_000
ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq")
_PARQUET = (".parquet", ".pq")
# What may part the cells of a line: where several do, the one that gives the most columns.
_DELIMITERS = ",;\t|"
_SAMPLE = 50  # lines by which it is chosen
# What a row of a table needs in memory, about, beside its text.
_PER_CELL = 100


@short_repr
@dataclass(eq=False)
class LabelTable:
    """A table of texts.

    Attributes:
        path: its file.
        columns: the cells of each column, by its name, all as many; in the file's order.
        first_line: the line of the file on which the first row stands; 0 where rows are numbered.
        delimiter: what parts the cells; "" of Parquet.
        notes: sentences about how it was read.
    """

    path: Path
    columns: dict[str, list[Cell]]
    first_line: int = 0
    delimiter: str = ""
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def find(self, name: str, option: str) -> str:
        """Return the column of a name that a user gives, in any case of letters, or by its number
        from 1.

        Raises:
            DataError: there is none, or there are several.
        """
        if name in self.columns:
            return name
        same = [own for own in self.columns if own.casefold() == name.strip().casefold()]
        if len(same) == 1:
            return same[0]
        if not same and name.isascii() and name.isdecimal() and 1 <= int(name) <= len(self.columns):
            return list(self.columns)[int(name) - 1]
        raise DataError(f"{self.path}: {option} {name!r} is none of its columns, {self.names()}")

    def names(self) -> str:
        """Return the names of the columns, for messages."""
        return listed([repr(name) for name in self.columns], 12)

    def where(self, row: int) -> str:
        """Return where a row stands, for messages."""
        return f"line {self.first_line + row}" if self.first_line else f"row {row + 1}"


def read_table(path: Path) -> LabelTable:
    """Return the table in a file.

    Text may be UTF-8, UTF-16, or what Windows wrote before these; its cells are parted by commas,
    semicolons, tabs or bars, or where none of these does, by spaces. A first row without any name
    of an image file names the columns; without such a row they are called "1", "2", ….

    Raises:
        DataError: it cannot be read, is no table, has rows of different lengths or no rows.
    """
    if path.suffix.lower() in _PARQUET:
        return _read_parquet(path)
    text, notes = _text(path)
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    start, forced = 0, ""
    if match := re.fullmatch(r"\s*sep=(.)\s*", first, re.IGNORECASE):  # for Excel
        start, forced = lines.index(first) + 1, match[1]
    body = "\n".join(lines[start:])
    delimiter = forced or _delimiter(body)
    rows = list(_rows(body, delimiter, path, start))
    if not rows:
        raise DataError(f"{path}: holds no labels, it is empty")
    width = max(len(row) for _, row in rows[:_SAMPLE])
    if width < 2:
        raise DataError(
            f"{path}: has one column only, {rows[0][1][0]!r}; a table of labels needs a column of "
            "image files and one of their labels"
        )
    head, rows = _head(rows)
    if not rows:
        raise DataError(f"{path}: holds no labels, only the row {listed(head, 10)}")
    width = len(head)
    if width > MOST_COLUMNS:
        raise DataError(f"{path}: has {width:,} columns, and at most {MOST_COLUMNS:,} are read")
    for line, row in rows:
        if len(row) > width and any(row[width:]):
            raise DataError(
                f"{path}: line {line} has {counted(len(row), 'cell')}, but there are {width} "
                "columns: a cell that holds the delimiter must stand in quotes"
            )
        if len(row) < width:
            row += [""] * (width - len(row))
    columns: dict[str, list[Cell]] = {
        name: [row[index] for _, row in rows] for index, name in enumerate(_unique(head))
    }
    return LabelTable(path, columns, rows[0][0], delimiter, notes)


def _text(path: Path) -> tuple[str, list[str]]:
    """Return the file's text, and what to say of its encoding."""
    content = read_bytes(path, "table of labels", most=MOST_BYTES, error=DataError)
    need(
        6 * len(content),
        f"{path}: to read this table of {in_bytes(len(content))}",
        "split it",
        error=DataError,
    )
    notes = []
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
        notes.append(f"{path.name} is not UTF-8: read as Windows writes Western European text")
    if "\0" in text:
        raise DataError(
            f"{path}: is not a table of text; give a CSV or Parquet file ({', '.join(ENDINGS)})"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def _delimiter(text: str) -> str:
    """Return what parts the cells, by the first lines: what gives most columns, in all lines."""
    sample = [line for line in text[: 1 << 20].split("\n", _SAMPLE * 2) if line.strip()][:_SAMPLE]
    best = (1, " ")
    for mark in _DELIMITERS:
        widths: set[int] = set()
        with contextlib.suppress(csv.Error):  # it is told when all rows are read
            for row in csv.reader(sample, delimiter=mark):
                widths |= {len(row)} if row else set()
        # A mark that is in some lines only is part of the names there.
        if widths and min(widths) > best[0]:
            best = (min(widths), mark)
    return best[1]


def _rows(text: str, delimiter: str, path: Path, before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the number of its line."""
    if delimiter == " ":
        for number, line in enumerate(text.split("\n"), start=before + 1):
            if cells := line.split():
                yield number, cells
        return
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    end = before
    try:
        for row in reader:
            # A quoted cell may have several lines: what is told is the first of the row.
            first, end = end + 1, before + reader.line_num
            cells = [same_text(cell.strip()) for cell in row]
            if any(cells):
                yield first, cells
    except csv.Error as error:
        raise DataError(f"{path}: line {before + reader.line_num}: {reason(error)}") from error


def _head(
    rows: list[tuple[int, list[str]]],
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns and the rows below them."""
    first = rows[0][1]
    numbers = [_is_number(cell) for cell in first]
    # A row of data names an image; or has a number below which there is a number, too.
    if any(is_image_name(_slashes(cell)) for cell in first) or all(numbers):
        return [str(number) for number in range(1, len(first) + 1)], rows
    return first, rows[1:]


def _unique(names: Sequence[str]) -> list[str]:
    """Return names of which none is empty or twice there."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        own = name or f"column {number}"
        while own in found:
            own += "'"
        found[own] = None
    return list(found)


def _slashes(cell: str) -> str:
    return cell.replace("\\", "/")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path) -> LabelTable:
    check_input(path, "table of labels", error=DataError)
    require("pyarrow", "parquet", f"{path}: a Parquet file")
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            shape = file.metadata.num_rows * file.metadata.num_columns
            need(
                shape * _PER_CELL,
                f"{path}: to read this table of {file.metadata.num_rows:,} rows",
                "split it",
                error=DataError,
            )
            wanted = [column.name for column in file.schema_arrow if not _holds_bytes(column.type)]
            table = file.read(columns=wanted)
    except (arrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: is damaged or no Parquet file ({reason(error)})") from error
    if table.num_columns > MOST_COLUMNS:
        raise DataError(
            f"{path}: has {table.num_columns:,} columns, and at most {MOST_COLUMNS:,} are read"
        )
    if not table.num_rows or table.num_columns < 2:
        raise DataError(
            f"{path}: holds no labels: it has {counted(table.num_rows, 'row')} and "
            f"{counted(table.num_columns, 'column')}"
        )
    names = _unique(table.column_names)
    columns: dict[str, list[Cell]] = {
        name: [_cell(value) for value in column.to_pylist()]
        for name, column in zip(names, table.columns, strict=True)
    }
    return LabelTable(path, columns)


def _holds_bytes(kind: Any) -> bool:
    """Return whether cells of such a column are bytes, of images perhaps, or have parts."""
    kinds: Any = import_module("pyarrow.types")
    of_bytes = kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_struct(kind)
    return bool(of_bytes or kinds.is_map(kind))


def _cell(value: Any) -> Cell:
    """Return a value of Parquet as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list | tuple):
        return tuple(str(_cell(part)) for part in value if part is not None)
    if isinstance(value, float):
        return "" if value != value else repr(value)
    return same_text(str(value).strip())


def is_text_table(name: str | os.PathLike[str]) -> bool:
    """Return whether a file's name ends like that of a table of text."""
    return Path(name).suffix.lower() in (".csv", ".tsv")
