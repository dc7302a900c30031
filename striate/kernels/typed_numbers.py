"""Kernels that a person types or keeps in a file."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np

from striate.common.array_files import read_npy
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.input_files import read_text
from striate.kernels.kernel import LARGEST

SUFFIXES = (".txt", ".csv", ".npy")
LARGEST_TEXT = 2**26
"""Bytes of a text file that are read at most."""

EXAMPLE = '"0 -1 0; -1 5 -1; 0 -1 0"'
_DECIMAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"({_DECIMAL})(?:/({_DECIMAL}))?", re.ASCII)


def parse(text: str, what: str = "the kernel") -> Array:
    """Return the kernel that is typed in `text`: "0 -1 0; -1 5 -1; 0 -1 0", "1/9, 1/9, 1/9".

    Rows end at ";" or a new line, numbers at spaces or commas; a number may be a fraction. One
    row gives an array of shape (n,), more rows one of shape (rows, columns); float64. Errors
    call it `what`.

    Raises:
        ValueError: there are no numbers, something is not a number, or rows differ in length.
    """
    return _numbers(re.split(r"[;\n]", text), what)


def read(path: str | os.PathLike[str]) -> Array:
    """Return the kernel in a file as a float64 array of shape (n,) or (rows, columns).

    * ``.txt``: as `parse` takes it; what follows a "#" on a line is skipped.
    * ``.csv``: a row a line, columns parted by commas, semicolons, tabs or spaces.
    * ``.npy``: NumPy's format, with 1 or 2 dimensions of real numbers. Nothing is unpickled.

    Raises:
        ValueError: the file cannot be read, holds no kernel or is too large, or its name has
            another ending.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise StriateValueError(f"{path}: a kernel file ends in {', '.join(SUFFIXES)}")
    if suffix == ".npy":
        return _read_npy(path)
    text = read_text(path, "kernel file", most=LARGEST_TEXT)
    lines = [line.partition("#")[0] for line in text.splitlines()]
    if suffix == ".txt":
        return _numbers([row for line in lines for row in line.split(";")], str(path))
    for number, line in enumerate(lines, 1):
        if "," in line and ";" in line:
            # With a decimal comma each number would silently become two.
            raise StriateValueError(
                f'{path}: line {number} has both "," and ";"; '
                "write decimal points and one kind of separator"
            )
    return _numbers([line.replace(";", ",") for line in lines], str(path))


def looks_typed(text: str) -> bool:
    """Return whether `text` is made of digits and signs only, so that it is no name."""
    return re.fullmatch(r"[\d\s.,;/+\-−eE]+", text) is not None and any(
        character.isdigit() for character in text
    )


def _numbers(rows: list[str], where: str) -> Array:
    """Return the array of the numbers in `rows`; empty rows are skipped."""
    values = [
        [_number(word, where) for word in re.split(r"\s*,\s*|\s+", row.strip())]
        for row in rows
        if row.strip()
    ]
    if not values:
        raise StriateValueError(f"{where}: has no numbers; write rows such as {EXAMPLE}")
    lengths = [len(row) for row in values]
    if len(set(lengths)) > 1:
        odd = next(index for index, length in enumerate(lengths) if length != lengths[0])
        raise StriateValueError(
            f"{where}: every row must have as many numbers as the first, {lengths[0]}; "
            f"row {odd + 1} has {lengths[odd]}"
        )
    return np.array(values[0] if len(values) == 1 else values, np.float64)


def _number(word: str, where: str) -> float:
    if not word:
        raise StriateValueError(f"{where}: a number is missing beside a comma; write 0 for nothing")
    # Text copied from an article has the typographic minus sign.
    match = _NUMBER.fullmatch(word.replace("−", "-"))
    if match is None:
        raise StriateValueError(
            f"{where}: {word[:40]!r} is not a number; write rows such as {EXAMPLE}"
        )
    above, below = float(match[1]), float(match[2] or 1)
    if below == 0:
        raise StriateValueError(f"{where}: {word!r} divides by zero")
    value = above / below
    if not math.isfinite(value):
        raise StriateValueError(f"{where}: {word[:40]!r} is too large for a number")
    return value


def _read_npy(path: Path) -> Array:
    array = read_npy(path, "kernel file", most=LARGEST)
    if array.dtype.kind not in "biuf":
        raise StriateValueError(f"{path}: a kernel holds real numbers, got {array.dtype}")
    if array.ndim not in (1, 2) or not array.size:
        raise StriateValueError(
            f"{path}: a kernel has 1 or 2 dimensions and 1 to {LARGEST} numbers, "
            f"got shape {array.shape}"
        )
    return np.array(array, np.float64)
