"""Printing: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from striate.common.errors import MOST_CHARACTERS
from striate.common.text import cut_in_the_middle, reason


def error_line(message: str) -> None:
    """Print the error with which the command ends, on one line of standard error, shortened if
    what it repeats is long.
    """
    click.echo(cut_in_the_middle(f"striate: {one_line(message)}", MOST_CHARACTERS), err=True)


def note(message: str, *, quiet: bool = False) -> None:
    """Print `message` to standard error, unless `quiet`."""
    if not quiet:
        click.echo(message, err=True)


def paragraph(message: str, *, quiet: bool = False) -> None:
    """Print a long `message` to standard error, wrapped to the terminal, unless `quiet`."""
    if not quiet:
        width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        click.echo(click.wrap_text(message, width, subsequent_indent="    "), err=True)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn an OSError in the block into the error that the file which it names, or else the file
    `path`, cannot be written.
    """
    try:
        yield
    except OSError as error:
        name = path if error.filename is None else os.fsdecode(error.filename)
        raise click.ClickException(f"{name}: cannot be written ({reason(error)})") from error


def json_line(result: dict[str, Any]) -> None:
    """Print `result` as one line of JSON, the last on standard output."""
    click.echo(json.dumps(_finite(result), ensure_ascii=True, allow_nan=False))


def one_line(text: str) -> str:
    """Return `text` on one line, without control characters."""
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)


def _finite(value: Any) -> Any:
    """Return `value` with NumPy's scalars as Python's, and null for what JSON cannot hold."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
