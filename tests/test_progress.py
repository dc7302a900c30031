"""Bars and lines that show how far work is."""

import io
import sys

import pytest

from striate.common import progress
from striate.common.progress import Bar, Counting, Interval


class Clock:
    """A clock that stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_interval(clock: Clock) -> None:
    interval = Interval(2.0, first=1.0)
    assert not interval.is_over()
    clock.now += 1
    assert interval.is_over() and not interval.is_over()
    clock.now += 1
    assert interval.is_over(at_once=True)
    clock.now += 1.5  # the next one began then
    assert not interval.is_over()
    clock.now += 0.5
    assert interval.is_over()
    assert Interval(5.0).is_over()


def test_in_a_terminal_a_line_is_written_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    counting = Counting()
    counting(1, 2000, "reading")  # what is over in a second needs no line
    clock.now += 1
    counting(1000, 2000, "reading")
    counting(1001, 2000, "reading")  # too soon
    clock.now += 0.2
    counting(1500, 2000, "reading")
    counting(2000, 2000, "reading")  # the end is never too soon
    lines = ["", "reading: 1,000 of 2,000", "reading: 1,500 of 2,000", ""]
    assert terminal.getvalue() == "\r\x1b[K".join(lines)


def test_elsewhere_a_line_now_and_then(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    counting = Counting()
    for done in range(1, 26):
        clock.now += 1
        counting(done, 25, "reading")
    assert stream.getvalue() == "".join(f"reading: {n} of 25\n" for n in (1, 11, 21))


@pytest.mark.parametrize("counts", [False, True])
def test_a_bar(counts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    bar = Bar(terminal, width=20, counts=counts, redirect=False)
    bar.print("before")  # may come first
    bar.show("filtering", 0, 3, "some words")
    bar.show("filtering", 2, 3, "others")
    bar.print("[bold]a line[/bold]")
    bar.close()
    text = terminal.getvalue()
    assert "filtering" in text and "before\n" in text
    assert "[bold]a line[/bold]\n" in text  # as it stands
    assert ("others" in text) is not counts
    assert ("2/3" in text) is counts
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is shown again


def test_a_bar_that_was_never_shown_can_be_closed() -> None:
    terminal = Terminal()
    Bar(terminal, width=20).close()
    assert "\x1b" not in terminal.getvalue()
