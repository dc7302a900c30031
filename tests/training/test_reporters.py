"""What training tells: lines, a bar, a function."""

import io
import sys
from dataclasses import replace

import pytest

from striate.common.terminal import SafeStream
from striate.training.history import Epoch, History
from striate.training.loop import fit
from striate.training.reporters import (
    EpochBar,
    Lines,
    Progress,
    Silent,
    about,
    clock,
    describe,
    ending,
    make_reporter,
)


def train(make_network, problem, progress, **options):
    return fit(
        make_network(), *problem(40), epochs=2, batch_size=16, engine="numpy", progress=progress,
        **options,
    )  # fmt: skip


def test_without_a_terminal_one_plain_line_per_epoch(make_network, problem, capsys):
    train(make_network, problem, True, validation_fraction=0.25)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    for index, line in enumerate(lines):
        assert line.startswith(f"epoch {index + 1}/2  loss ")
        for word in ("accuracy", "val loss", "val accuracy", "images/s"):
            assert word in line
    assert "\x1b" not in err


def test_progress_false_is_silent(make_network, problem, capsys):
    train(make_network, problem, False)
    assert capsys.readouterr() == ("", "")


def test_a_function_is_called_each_step(make_network, problem, capsys):
    seen = []
    train(make_network, problem, seen.append)
    assert [(p.epoch, p.step) for p in seen] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert {(p.epochs, p.steps) for p in seen} == {(2, 3)}
    assert all(p.loss > 0 and p.images_per_second > 0 for p in seen)
    assert seen[-1].seconds_left == 0.0
    assert seen[0].seconds_left > 0.0
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_a_bar_and_lines_that_stay(make_network, problem, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    train(make_network, problem, True, validation_fraction=0.25)
    text = terminal.getvalue()
    assert "\x1b[" in text  # the bar is drawn over
    assert "left" in text
    for epoch in (1, 2):
        assert text.count(f"epoch {epoch}/2  loss") == 1


def test_which_reporter(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(make_reporter(True), Lines)
    assert isinstance(make_reporter(False), Silent)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(make_reporter(True), EpochBar)
    monkeypatch.setattr(sys, "stderr", None)  # as without a console
    assert isinstance(make_reporter(True), Silent)


def row(**options):
    values = {
        "epoch": 3, "loss": 0.5, "accuracy": 0.875, "val_loss": None, "val_accuracy": None,
        "learning_rate": 0.1, "images": 1000, "seconds": 2.04, "images_per_second": 12345.6,
    }  # fmt: skip
    return Epoch(**(values | options))


def test_lines():
    assert describe(row(), 10) == (
        "epoch  3/10  loss 0.5000  accuracy  87.50%  12,346 images/s  2.0 s"
    )
    assert describe(row(accuracy=None, val_loss=0.25), 10) == (
        "epoch  3/10  loss 0.5000  val loss 0.2500  12,346 images/s  2.0 s"
    )


def test_endings():
    assert ending(History([row()])) == []
    assert ending(History([row()], stopped_early=True, best_epoch=1)) == [
        "stopped early after epoch 1: no further improvement",
        "the weights are those of epoch 1, the best on validation",
    ]
    assert len(ending(History([row()], interrupted=True))) == 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3725, "1:02:05")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def long_training(reporter, clock, seconds, epochs=10, steps=100):
    """Steps that take so many seconds each, up to the end of the second epoch."""
    for epoch in (1, 2):
        for step in range(1, steps + 1):
            clock.now += seconds
            if reporter.wants_steps:
                reporter.step(
                    Progress(epoch, epochs, step, steps, 0.5, None, images_per_second=1.0,
                             seconds_left=0.0)
                )  # fmt: skip
        reporter.epoch(row(epoch=epoch, seconds=steps * seconds), epochs)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.01, []),
        (0.05, []),
        (0.5, ["training will take about 8 minutes", "about 8 minutes left"]),
        (10.0, ["training will take about 2.8 hours", "about 2.5 hours left"]),
    ],
)
def test_how_long_it_takes_is_told_once_before_and_once_after_an_epoch(monkeypatch, seconds, told):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("striate.training.reporters.time", clock)
    stream = io.StringIO()
    reporter = Lines(SafeStream(stream))
    long_training(reporter, clock, seconds)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if "about" in line] == told
    if told:
        assert [line[:5] for line in lines] == ["train", "epoch", "about", "epoch"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(61, "61 seconds"), (89, "89 seconds"), (120, "2 minutes"), (5000, "83 minutes"),
     (9000, "2.5 hours")],
)  # fmt: skip
def test_times_as_people_say_them(seconds, text):
    assert about(seconds) == text


def test_endings_by_others():
    lines = ending(History([row()], stopped_early=True, stopped_by="on_epoch"))
    assert lines == ["stopped early after epoch 1: on_epoch asked for it"]
    lines = ending(History([row()], interrupted=True, stopped_by="SIGTERM"))
    assert lines[0] == "stopped by SIGTERM in epoch 1: training stopped after this step"


@pytest.mark.parametrize(
    ("accuracy", "validated", "told"),
    [(1.0, 0.7, True), (0.91, 0.75, True), (0.99, 0.9, False), (0.8, 0.3, False),
     (1.0, None, False), (None, None, False)],
)  # fmt: skip
def test_learning_by_heart_is_told(accuracy, validated, told):
    last = replace(row(), accuracy=accuracy, val_accuracy=validated)
    lines = ending(History([replace(last, accuracy=0.1), last]))
    assert len(lines) == told
    if told:
        assert f"accuracy {100 * accuracy:.1f} % on them" in lines[0]
        assert f"{100 * validated:.1f} % on validation images" in lines[0]


def test_by_heart_is_judged_where_the_weights_are_from():
    good, bad = row(epoch=1, val_accuracy=0.8), row(epoch=2, accuracy=1.0, val_accuracy=0.8)
    assert "by heart" not in " ".join(ending(History([good, bad], best_epoch=1)))
    assert "by heart" in " ".join(ending(History([good, bad], best_epoch=2)))
