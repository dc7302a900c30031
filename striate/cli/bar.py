"""A progress bar for commands that work file by file and print a line for each."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import click

from striate.cli.output import LoadingProgress, one_line


class FileBar:
    """A progress bar below the printed lines; without a terminal, a line now and then instead.

    It is a context manager; `advance` is called after each file.

    Args:
        total: how many files there are.
        what: the work, such as "filtering".
        quiet: whether to show nothing.
    """

    def __init__(self, total: int, what: str, *, quiet: bool = False) -> None:
        self._total, self._what, self._done = total, what, 0
        self._bars: Any = None
        self._lines: LoadingProgress | None = None
        if quiet or total < 2:
            return
        if not sys.stderr.isatty():
            self._lines = LoadingProgress()
            return
        from rich import progress
        from rich.console import Console

        self._bars = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=30),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=Console(file=sys.stderr, highlight=False),
            # Otherwise lines for standard output would go to standard error, where the bar is.
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )

    def __enter__(self) -> FileBar:
        if self._bars is not None:
            self._bars.start()
            self._task = self._bars.add_task(self._what, total=self._total)
        return self

    def advance(self) -> None:
        """Count one more file as done."""
        self._done += 1
        if self._bars is not None:
            self._bars.advance(self._task)
        if self._lines is not None:
            self._lines(self._done, self._total, self._what)

    def print(self, text: str) -> None:
        """Print a line to standard output, above the bar where both are on one terminal."""
        if self._bars is not None and sys.stdout.isatty():
            self._bars.console.print(one_line(text), markup=False, soft_wrap=True)
        else:
            click.echo(one_line(text))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
