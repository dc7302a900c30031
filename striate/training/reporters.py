"""Telling how training goes: a bar in a terminal, plain lines elsewhere, or the user's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from striate.common.progress import Bar, Interval
from striate.common.terminal import SafeStream, notes
from striate.training.history import Epoch, History


@dataclass(frozen=True)
class Progress:
    """Where training is after a step.  Epochs and steps count from 1.

    ``loss`` and ``accuracy`` are means over this epoch so far; ``accuracy`` is None for
    regression.  ``seconds_left`` is an estimate for all that remains of the training.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float | None
    images_per_second: float
    seconds_left: float


class Reporter(Protocol):
    """What the training loop tells things to."""

    wants_steps: bool

    def step(self, progress: Progress) -> None: ...

    def epoch(self, row: Epoch, epochs: int) -> None: ...

    def end(self, history: History) -> None: ...

    def close(self) -> None: ...


def make_reporter(progress: bool | Callable[[Progress], None]) -> Reporter:
    """The reporter for ``fit``'s argument ``progress``."""
    if callable(progress):
        return Hook(progress)
    stream = notes()
    if not progress or stream.lost:
        return Silent()
    return EpochBar(stream) if stream.isatty() else Lines(stream)


class Silent:
    """Says nothing."""

    wants_steps = False

    def step(self, progress: Progress) -> None:
        """Nothing."""

    def epoch(self, row: Epoch, epochs: int) -> None:
        """Nothing."""

    def end(self, history: History) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Hook(Silent):
    """Calls a function after every step."""

    wants_steps = True

    def __init__(self, function: Callable[[Progress], None]) -> None:
        self._function = function

    def step(self, progress: Progress) -> None:
        """Call the function."""
        self._function(progress)


class Lines(Silent):
    """Writes one line per epoch, for logs and pipes."""

    def __init__(self, stream: SafeStream) -> None:
        self._stream = stream

    def epoch(self, row: Epoch, epochs: int) -> None:
        """Write the epoch's line."""
        print(describe(row, epochs), file=self._stream, flush=True)

    def end(self, history: History) -> None:
        """Say how it ended, where that is not plain."""
        for line in ending(history):
            print(line, file=self._stream, flush=True)


class EpochBar(Silent):
    """Shows a bar for the current epoch below the lines of the epochs that are done."""

    wants_steps = True

    def __init__(self, stream: SafeStream) -> None:
        self._bar = Bar(stream, width=20)
        self._interval = Interval(0.1)

    def step(self, progress: Progress) -> None:
        """Move the bar, at most ten times a second."""
        if not self._interval.is_over():
            return
        accuracy = "" if progress.accuracy is None else f"accuracy {progress.accuracy:7.2%}  "
        self._bar.show(
            f"epoch {progress.epoch:>{len(str(progress.epochs))}}/{progress.epochs}",
            progress.step,
            progress.steps,
            f"loss {progress.loss:.4f}  {accuracy}"
            f"{progress.images_per_second:,.0f} images/s  {clock(progress.seconds_left)} left",
        )

    def epoch(self, row: Epoch, epochs: int) -> None:
        """Leave a line that stays."""
        self._bar.print(describe(row, epochs))

    def end(self, history: History) -> None:
        """Say how it ended, where that is not plain."""
        self.close()
        for line in ending(history):
            self._bar.print(line)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


def describe(row: Epoch, epochs: int) -> str:
    """An epoch in one line."""
    parts = [f"epoch {row.epoch:>{len(str(epochs))}}/{epochs}", f"loss {row.loss:.4f}"]
    if row.accuracy is not None:
        parts.append(f"accuracy {row.accuracy:7.2%}")
    if row.val_loss is not None:
        parts.append(f"val loss {row.val_loss:.4f}")
    if row.val_accuracy is not None:
        parts.append(f"val accuracy {row.val_accuracy:7.2%}")
    parts += [f"{row.images_per_second:,.0f} images/s", f"{row.seconds:.1f} s"]
    return "  ".join(parts)


def ending(history: History) -> list[str]:
    """What there is to say at the end: interrupted, stopped early, restored."""
    lines = []
    if history.interrupted:
        lines.append(f"interrupted in epoch {len(history)}: training stopped after this step")
    if history.stopped_early:
        lines.append(f"stopped early after epoch {len(history)}: no further improvement")
    if history.best_epoch is not None:
        lines.append(f"the weights are those of epoch {history.best_epoch}, the best on validation")
    elif history.interrupted:
        lines.append("the weights are kept as they are")
    return lines


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
