"""What training tells: lines, a bar, a function."""

import io
import sys
from dataclasses import replace

import pytest

from striate.common.progress import Interval
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
    assert describe(row(val_loss=0.25, val_accuracy=1.0, epoch=10), 10) == (
        "epoch 10/10  loss 0.5000  accuracy  87.50%  val loss 0.2500  val accuracy 100.00%  "
        "12,346 images/s  2.0 s"
    )


def test_endings():
    assert ending(History([row()])) == []
    assert ending(History([row()], stopped_early=True, best_epoch=1)) == [
        "stopped early after epoch 1: no further improvement",
        "the weights are those of epoch 1, the best on validation",
    ]
    assert ending(History([row()], interrupted=True)) == [
        "interrupted in epoch 1: training stopped after this step",
        "the weights are kept as they are",
    ]
    assert ending(History([row(), row()], interrupted=True, stopped_by="SIGINT", best_epoch=2)) == [
        "interrupted in epoch 2: training stopped after this step",
        "the weights are those of epoch 2, the best on validation",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (754, "12:34"), (3599.4, "59:59"),
     (3600, "1:00:00"), (3725, "1:02:05")],
)  # fmt: skip
def test_clock(seconds, text):
    assert clock(seconds) == text


class Clock:
    """Stands still unless it is moved."""

    now = 0.0

    def monotonic(self):
        return self.now

    perf_counter = monotonic


def at(epoch, epochs, step, steps):
    return Progress(epoch, epochs, step, steps, 0.5, None, images_per_second=1.0, seconds_left=0.0)


@pytest.mark.parametrize(("step", "told"), [(3, True), (4, False)])
def test_from_a_minute_on_it_is_told_how_long_it_takes(monkeypatch, step, told):
    """By two seconds of steps after the first one: half a second each, and 120 or 119 to come."""
    clock, stream = Clock(), io.StringIO()
    monkeypatch.setattr("striate.training.reporters.time", clock)
    reporter = Lines(SafeStream(stream))
    wants = []
    clock.now = 100.0  # the first step compiles
    for _ in range(5):
        wants.append(reporter.wants_steps)
        clock.now += 0.5
    assert wants == [False, False, False, False, True]
    clock.now -= 0.5
    reporter.step(at(2, 4, step, 41))
    assert stream.getvalue() == "training will take about 60 seconds\n" * told
    assert not reporter.wants_steps


@pytest.mark.parametrize(("seconds", "told"), [(20.0, True), (19.9, False)])
def test_from_a_minute_on_it_is_told_how_long_the_other_epochs_take(seconds, told):
    """After the first one here, which of a training that was resumed is a later one."""
    stream = io.StringIO()
    reporter = Lines(SafeStream(stream))
    for epoch in (3, 4):
        reporter.epoch(row(epoch=epoch, seconds=seconds), 6)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if "left" in line] == ["about 60 seconds left"] * told
    assert not reporter.wants_steps


def test_the_bar_says_where_training_is(monkeypatch):
    shown = []
    monkeypatch.setattr("striate.training.reporters.Bar.show", lambda self, *of: shown.append(of))
    bar = EpochBar(SafeStream(Terminal()))
    progress = replace(at(2, 10, 3, 40), accuracy=0.25, images_per_second=1234.5, seconds_left=61.0)
    bar.step(progress)
    bar.step(progress)  # too soon to show it again
    bar._interval = Interval(0.0)
    bar.step(replace(progress, accuracy=None))
    bar.close()
    assert shown == [
        ("epoch  2/10", 3, 40, "loss 0.5000  accuracy  25.00%  1,234 images/s  1:01 left"),
        ("epoch  2/10", 3, 40, "loss 0.5000  1,234 images/s  1:01 left"),
    ]


def test_what_is_left_is_estimated_by_all_steps_so_far(monkeypatch, make_network, problem):
    """Each step takes two seconds: its schedule's rate is asked for once."""
    clock, seen = Clock(), []
    for module in ("training_run", "epoch_metrics"):
        monkeypatch.setattr(f"striate.training.{module}.time", clock)

    def rate(step, total):
        clock.now += 2.0
        return 0.01

    history = train(make_network, problem, seen.append, schedule=rate)
    assert [p.seconds_left for p in seen] == [10.0, 8.0, 6.0, 4.0, 2.0, 0.0]
    assert [p.images_per_second for p in seen] == pytest.approx([8, 8, 40 / 6] * 2)
    assert [row.seconds for row in history] == [6.0, 6.0] and history.seconds == 12.0


def test_images_per_second_are_of_training_alone(monkeypatch, make_network, problem):
    """The loss takes a second for each batch: three to train on 36 images, one to validate on 4."""
    clock = Clock()
    for module in ("training_run", "epoch_metrics"):
        monkeypatch.setattr(f"striate.training.{module}.time", clock)

    def loss(outputs, targets):
        clock.now += 1.0
        return ((outputs - targets) ** 2).mean(), 2 * (outputs - targets) / outputs.size

    history = train(make_network, problem, False, loss=loss, validation_fraction=0.1)
    assert [(row.images, row.seconds, row.images_per_second) for row in history] == [
        (36, 4.0, 12.0)
    ] * 2


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
    [(1, "1 second"), (61, "61 seconds"), (89.4, "89 seconds"), (90, "2 minutes"),
     (150.1, "3 minutes"), (5399, "90 minutes"), (5400, "1.5 hours"), (9000, "2.5 hours")],
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
     (0.9, 0.7, True), (0.899, 0.7, False), (1.0, 0.85, True), (1.0, 0.851, False),
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
