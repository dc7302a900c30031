"""Reads arrays with channels and filters, and names of their numbers, from the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from striate.common.errors import StriateValueError

if TYPE_CHECKING:
    from striate.common.arrays import Array

HOW = 'Rows end at ";", channels at "|", filters at "||"; or a file with these numbers.'


def read_planes(typed: str | None, name: str) -> Array | None:
    """An array (rows, columns, planes) such as "1 2; 3 4 | 5 6; 7 8", which has two.

    It may be the name of a .txt or .csv file, where a new line ends a row and an empty line a
    plane, or of a .npy file of two or three axes.
    """
    if typed is None:
        return None
    import numpy as np

    array = _read(typed, name, 3)
    if isinstance(array, list):
        array = np.stack([plane for group in array for plane in group], axis=-1)
    return array


def read_filters(typed: str | None, name: str, channels: int | None) -> Array | None:
    """Filters (rows, columns, channels, filters): "1 2 | 3 4 || 5 6 | 7 8" are two of two channels.

    Without "||" the planes are one filter, or, where the number of channels is known, as many as
    there are channels make a filter. A .npy file has two axes or four.
    """
    if typed is None:
        return None
    import numpy as np

    array = _read(typed, name, 4)
    if not isinstance(array, list):
        return array
    if len(array) == 1 and channels and len(array[0]) % channels == 0:
        planes = array[0]
        array = [planes[i : i + channels] for i in range(0, len(planes), channels)]
    counts = [len(group) for group in array]
    if len(set(counts)) > 1:
        raise StriateValueError(
            f"{name}: every filter must have as many channels as the first, {counts[0]}; got "
            f"{', '.join(map(str, counts))}"
        )
    return np.stack([np.stack(group, axis=-1) for group in array], axis=-1)


def read_names(typed: str | None) -> tuple[str, ...]:
    """Names of numbers, such as "O_11, F^1,2_11 O_1,12": a comma before a digit is part of one."""
    return tuple(name for name in re.split(r",?\s+|,(?!\d)", typed or "") if name)


def _read(typed: str, name: str, axes: int) -> list[list[Array]] | Array:
    """The planes of each filter, or the array of a .npy file."""
    from striate.common.array_files import read_npy
    from striate.common.input_files import read_text
    from striate.kernels.typed_numbers import LARGEST_TEXT, parse

    suffix = Path(typed).suffix.lower() if len(typed) < 1000 else ""
    if suffix == ".npy":
        array = read_npy(Path(typed), name, most=2**24)
        if array.ndim not in (2, axes):
            raise StriateValueError(f"{typed}: {name} has 2 or {axes} axes, got {array.ndim}")
        return array.reshape(array.shape + (1,) * (axes - array.ndim))
    if suffix in (".txt", ".csv"):
        text = read_text(Path(typed), name, most=LARGEST_TEXT)
        text = "\n".join(line.partition("#")[0].rstrip() for line in text.splitlines())
        typed = re.sub(r"\n\s*\|", " |", re.sub(r"\|\s*\n+", "|", text.strip("\n")))
        typed = re.sub(r"\n{2,}", "|", typed)
    groups = []
    for group in typed.split("||"):
        planes = []
        for plane in group.split("|"):
            found = parse(plane, name)
            planes.append(found.reshape(1, -1) if found.ndim == 1 else found)
        shapes = [plane.shape for plane in planes]
        if len(set(shapes)) > 1:
            raise StriateValueError(
                f"{name}: every channel must be {shapes[0][0]}×{shapes[0][1]} as the first; got "
                + ", ".join(f"{rows}×{columns}" for rows, columns in shapes)
            )
        groups.append(planes)
    sizes = {planes[0].shape for planes in groups}
    if len(sizes) > 1:
        raise click.BadParameter(f"{name}: all filters must have the same size")
    return groups
