"""Printing: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


def error_line(message: str) -> None:
    """Print the error with which the command ends, on one line of standard error."""
    click.echo(f"striate: {one_line(message)}", err=True)


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
    """Turn an OSError in the block into the error that the file `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(
            f"{path}: cannot be written ({error.strerror or error})"
        ) from error


def json_line(result: dict[str, Any]) -> None:
    """Print `result` as one line of JSON, the last on standard output."""
    click.echo(json.dumps(_finite(result), ensure_ascii=True, allow_nan=False))


def one_line(text: str) -> str:
    """Return `text` on one line, without control characters."""
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)


def table(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return `rows` in aligned columns, the first `left` columns aligned left, others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


class LoadingProgress:
    """Shows how far reading images is: a bar on a terminal, else now and then a line."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + 1.0  # what is over in a second needs no progress

    def __call__(self, done: int, total: int, text: str) -> None:
        """Tell that `done` of `total` are done."""
        now = time.monotonic()
        last = done >= total
        if now < self._next and not (last and self._terminal):
            return
        line = f"{text}: {done:,} of {total:,}"
        if self._terminal:
            self._next = now + 0.1
            click.echo("\r\x1b[K" + ("" if last else line), nl=False, err=True)
        else:
            self._next = now + 10.0
            click.echo(line, err=True)


def percent(share: float) -> str:
    """Return 0.98571 as "98.57 %"."""
    return f"{100 * share:.2f} %"


def size(shape: Sequence[int]) -> str:
    """Return (28, 28, 1) as "28×28×1"."""
    return "×".join(map(str, shape))


def count(number: int, one: str, many: str | None = None) -> str:
    """Return "1 image" or "1,437 images"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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
