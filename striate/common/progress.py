"""How far long work is: a bar or a line in a terminal, else now and then a line."""

from __future__ import annotations

import time
from typing import Any, TextIO, cast

from striate.common.terminal import SafeStream, notes


class Interval:
    """Tells when it is time to show something again.

    Args:
        seconds: from one time to the next.
        first: seconds until the first.
    """

    def __init__(self, seconds: float, first: float = 0.0) -> None:
        self._seconds, self._next = seconds, time.monotonic() + first

    def is_over(self, *, at_once: bool = False) -> bool:
        """Whether it is time, or is to be taken for over; if so, the next one begins."""
        now = time.monotonic()
        if now < self._next and not at_once:
            return False
        self._next = now + self._seconds
        return True


class Counting:
    """Shows on standard error how many are done, of work that takes more than a second.

    In a terminal that is a line that is written over, and is gone when all is done; elsewhere it
    is a line every ten seconds.
    """

    def __init__(self) -> None:
        self._stream = notes()
        self._terminal = self._stream.isatty()
        self._interval = Interval(0.1 if self._terminal else 10.0, first=1.0)

    def __call__(self, done: int, total: int, text: str) -> None:
        """Tell that `done` of `total` are done; `text` says of what."""
        last = done >= total
        if not self._interval.is_over(at_once=last and self._terminal):
            return
        line = f"{text}: {done:,} of {total:,}"
        if self._terminal:
            print("\r\x1b[K" + ("" if last else line), end="", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)


class Bar:
    """A bar in a terminal, below the lines that are printed meanwhile, and gone in the end.

    Args:
        stream: the terminal.
        width: characters of the bar alone.
        counts: whether how many are done and how much time is left stand behind it, which a thread
            keeps up to date. Otherwise words stand there, and `show` alone draws it: a thread
            would take time from the work.
        redirect: whether what others print in the meantime, to either stream, goes above it.
    """

    def __init__(
        self,
        stream: TextIO | SafeStream,
        *,
        width: int,
        counts: bool = False,
        redirect: bool = True,
    ) -> None:
        from rich import progress
        from rich.console import Console

        given = stream if isinstance(stream, SafeStream) else SafeStream(stream)
        words = (progress.TextColumn("{task.fields[words]}"),)
        numbers = (progress.MofNCompleteColumn(), progress.TimeRemainingColumn())
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=width),
            *(numbers if counts else words),
            console=Console(file=cast(TextIO, given), highlight=False),
            auto_refresh=counts,
            redirect_stdout=redirect,
            redirect_stderr=redirect,
            transient=True,
        )
        self._draw = not counts
        self._task: Any = None

    def show(self, what: str, done: int, total: int, words: str = "") -> None:
        """Move it to `done` of `total`, with `what` before it and `words` behind it."""
        if self._task is None:
            self._task = self._bars.add_task(what, total=total, words=words)
            self._bars.start()
        self._bars.update(
            self._task,
            description=what,
            completed=done,
            total=total,
            words=words,
            refresh=self._draw,
        )

    def print(self, line: str) -> None:
        """Print a line above it, which stays."""
        self._bars.console.print(line, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take it away."""
        self._bars.stop()
