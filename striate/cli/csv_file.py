"""Writes tables of results as CSV files, which spreadsheets and pandas read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from striate.cli.output import writing
from striate.common.atomic import write_atomically


def check_csv(path: str | None, option: str) -> None:
    """Raise if no table could be written as `path`, before any work is done.

    Args:
        path: the file, or None.
        option: the option that names it.
    """
    if path is None:
        return
    if Path(path).is_dir():
        raise click.ClickException(f"{option} {path} is a folder; give the name of a file in it")
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise click.ClickException(f"{option} {path}: the folder {folder} does not exist")


def write_csv(path: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to the file `path`, in one step: UTF-8, commas, one line for its head.

    Names of files that are not UTF-8 keep their bytes.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    with writing(path):
        write_atomically(path, [text.getvalue().encode("utf-8", "surrogateescape")])
