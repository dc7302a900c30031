"""A progress bar for work that goes file by file and prints a line for each."""

from __future__ import annotations

import sys
from types import TracebackType

import click

from striate.cli.output import one_line
from striate.common.progress import Bar, Counting
from striate.common.terminal import notes


class FileBar:
    """A bar below the lines that are printed; without a terminal now and then a line instead.

    Use it as a context, and call `advance` after each of the `total` files.
    """

    def __init__(self, total: int, what: str, *, quiet: bool = False) -> None:
        self._total, self._what, self._done = total, what, 0
        self._bar: Bar | None = None
        self._lines: Counting | None = None
        if quiet or total < 2:
            return
        stream = notes()
        if stream.isatty():
            # Lines for standard output must not go to standard error, where the bar is.
            self._bar = Bar(stream, width=30, counts=True, redirect=False)
        else:
            self._lines = Counting()

    def __enter__(self) -> FileBar:
        if self._bar is not None:
            self._bar.show(self._what, 0, self._total)
        return self

    def advance(self) -> None:
        """One more file is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.show(self._what, self._done, self._total)
        if self._lines is not None:
            self._lines(self._done, self._total, self._what)

    def print(self, text: str) -> None:
        """Print a line to standard output, above the bar where both are on one terminal."""
        if self._bar is not None and sys.stdout.isatty():
            self._bar.print(one_line(text))
        else:
            click.echo(one_line(text))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
