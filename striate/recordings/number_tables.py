"""Columns of numbers in text files: CSV, TSV, or one number a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from striate.common.arrays import Array
from striate.common.input_files import read_text
from striate.recordings.recording import Recording, RecordingError, check_finite

_COMMENT = "#"


def read_table(path: Path) -> Recording:
    """Return the numbers in a text file.

    Numbers are parted by commas, semicolons, tabs or spaces; where semicolons or tabs part them,
    a decimal comma is understood. One row or one column gives a signal (samples,), otherwise each
    column is a channel. A first row without any number names the columns; empty lines and lines
    that begin with # are passed over.

    Raises:
        RecordingError: it cannot be opened, is not text, has no numbers, rows of different lengths,
            or a cell that is not a number; the sentence names the line.
    """
    text = read_text(path, "file", most=None, error=RecordingError)
    lines = [
        (number, line.strip(" \r"))
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith(_COMMENT)
    ]
    if not lines:
        raise RecordingError(f"{path}: holds no numbers")
    # From a row of numbers, for a name may hold a space.
    delimiter = _delimiter(lines[min(1, len(lines) - 1)][1])
    first = lines[0][1]
    names = _cells(first, delimiter)
    header = not any(_is_number(name, delimiter) for name in names)
    if header:
        lines = lines[1:]
        if not lines:
            raise RecordingError(f"{path}: holds no numbers, only the row {', '.join(names)}")
    values = _parse_at_once(lines, delimiter)
    if values is None:
        values = _parse_cell_by_cell(lines, delimiter, path)
    if header and values.shape[1] == 1:
        names = [first.strip('"')]
    if header and len(names) != values.shape[1]:
        raise RecordingError(
            f"{path}: the first row names {len(names)} columns, but the next has {values.shape[1]}"
        )
    if values.shape[1] == 1:
        values = values[:, 0]
    elif values.shape[0] == 1 and not header:
        values = values[0]
    check_finite(values, str(path))
    return Recording(values, path.name, columns=tuple(names) if header else ())


def encode_table(values: Array, columns: tuple[str, ...], delimiter: str) -> bytes:
    """Return rows of numbers, each with as many digits as give the same number back."""
    if values.ndim > 2:
        raise RecordingError(
            f"a text file takes one or two dimensions, not {values.shape}; write .npy instead"
        )
    file = io.StringIO()
    if columns:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerow(columns)
    for row in _rows(values):
        file.write(delimiter.join(row) + "\n")
    return file.getvalue().encode("utf-8")


def _rows(values: Array) -> Iterator[list[str]]:
    """The rows as text; in chunks, for str() of many NumPy numbers takes much memory."""
    for start in range(0, len(values), 65536):
        part = values[start : start + 65536]
        if part.dtype == np.float64 or part.dtype.kind in "iu":
            part = part.tolist()  # Python's numbers are written faster
        for row in part:
            yield [str(row)] if values.ndim == 1 else [str(cell) for cell in row]


def _delimiter(line: str) -> str:
    """What separates the cells of a line."""
    return next((mark for mark in ("\t", ";", ",") if mark in line), " ")


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, without the spaces around them."""
    if delimiter == " ":
        return line.split()
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells  # a last comma closes the row


def _is_number(cell: str, delimiter: str) -> bool:
    try:
        float(_with_decimal_point(cell, delimiter))
    except ValueError:
        return False
    return True


def _with_decimal_point(cell: str, delimiter: str) -> str:
    """A number with a decimal point for a decimal comma, where commas do not separate cells."""
    return cell.replace(",", ".") if delimiter in "\t;" and cell.count(",") == 1 else cell


def _parse_at_once(lines: list[tuple[int, str]], delimiter: str) -> Array | None:
    """All numbers at once by NumPy, or None if something is unusual."""
    try:
        return np.loadtxt(
            [line for _, line in lines],
            delimiter=None if delimiter == " " else delimiter,
            comments=None,
            ndmin=2,
        )
    except ValueError:
        return None


def _parse_cell_by_cell(lines: list[tuple[int, str]], delimiter: str, path: Path) -> Array:
    """The numbers one by one, so that an error can tell where it is."""
    rows: list[list[float]] = []
    for number, line in lines:
        cells = _cells(line, delimiter)
        row: list[float] = []
        for column, cell in enumerate(cells, start=1):
            try:
                row.append(float(_with_decimal_point(cell, delimiter)))
            except ValueError:
                what = f"{cell!r} is not a number" if cell else "is empty"
                raise RecordingError(f"{path}: line {number}, column {column}: {what}") from None
        if rows and len(row) != len(rows[0]):
            raise RecordingError(
                f"{path}: line {number} has {len(row)} numbers, but the first row has "
                f"{len(rows[0])}"
            )
        rows.append(row)
    return np.array(rows)
