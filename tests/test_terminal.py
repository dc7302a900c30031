"""Notes that cannot be written end nothing."""

import io
import sys

import pytest

from striate.common.progress import Bar, Counting, Interval
from striate.common.terminal import PLAIN, SafeStream, notes


class Broken(io.StringIO):
    """A pipe whose reader has gone, a full disk, a closed stream."""

    def __init__(self, error: Exception, *, terminal: bool = False, after: int = 0) -> None:
        super().__init__()
        self.error, self.terminal, self.after = error, terminal, after

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        if self.after:
            self.after -= 1
            return super().write(text)
        raise self.error


ERRORS = [
    BrokenPipeError(32, "Broken pipe"),
    OSError(28, "No space left on device"),
    OSError(5, "Input/output error"),
    OSError(9, "Bad file descriptor"),
    ValueError("I/O operation on closed file"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_lost_stream(error: Exception) -> None:
    stream = SafeStream(Broken(error, after=1))
    assert stream.write("one") == 3 and not stream.lost and stream.failure is None
    assert stream.write("two\n") == 4 and stream.lost
    assert stream.failure is error
    stream.write("three")
    stream.flush()
    assert stream.failure is error
    assert not stream.isatty()


def test_what_is_held_back_may_fail_when_it_is_flushed() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    stream = SafeStream(Full())
    stream.write("x")
    assert stream.failure is None
    stream.flush()
    assert isinstance(stream.failure, OSError) and stream.lost


def test_no_stream_at_all() -> None:
    stream = SafeStream(None)
    stream.flush()
    assert stream.lost and stream.failure is None and not stream.isatty()
    stream.write("x")
    assert isinstance(stream.failure, OSError)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_all_that_tells_how_far_work_is(
    monkeypatch: pytest.MonkeyPatch, error: Exception, terminal: bool, after: int
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Broken(error, terminal=terminal, after=after))
    monkeypatch.setattr(Interval, "is_over", lambda self, at_once=False: True)
    counting = Counting()
    for done in range(3):
        counting(done, 3, "reading")
    for counts in (False, True):
        bar = Bar(sys.stderr, width=20, counts=counts)
        bar.show("filtering", 0, 3)
        bar.print("a line")
        bar.show("filtering", 2, 3)
        bar.close()


def test_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from striate.layers import Dense, Flatten
    from striate.network import Network

    images, labels = np.zeros((20, 2, 2, 1), np.uint8), np.arange(20) % 2
    for terminal in (False, True):
        network = Network([Flatten(), Dense(2)], input_shape=(2, 2, 1))
        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm")
            patch.setattr(sys, "stderr", Broken(ERRORS[0], terminal=terminal, after=1))
            history = network.fit(images, labels, epochs=3, engine="numpy")
        assert len(history) == 3


def bytes_stream(encoding: str) -> tuple[SafeStream, io.BytesIO]:
    raw = io.BytesIO()
    return SafeStream(io.TextIOWrapper(raw, encoding=encoding, write_through=True)), raw


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("cp1252", "─" * 5 + " 3 × 3 → 1 … 中", "----- 3 × 3 -> 1 … \\u4e2d"),
        ("ascii", "3 × 3 − 2 ≤ π…", "3 x 3 - 2 <= pi..."),
        ("utf-8", "─→×", "─→×"),
        ("latin-1", "∂L/∂F", "dL/dF"),
        ("cp1252", "a\udcffb", "a\\udcffb"),
    ],
)
def test_streams_that_know_few_characters(encoding: str, text: str, written: str) -> None:
    stream, raw = bytes_stream(encoding)
    stream.write(text)
    assert raw.getvalue().decode(encoding) == written
    assert text.encode(encoding, PLAIN).decode(encoding) == written


def test_notes_go_to_standard_error_as_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    print("a note", file=notes())
    assert capsys.readouterr().err == "a note\n"
