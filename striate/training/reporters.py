"""Telling how training goes: a bar in a terminal, plain lines elsewhere, or the user's function."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from striate.common.progress import Bar, Interval
from striate.common.terminal import SafeStream, notes
from striate.common.text import counted, percent
from striate.training.history import Epoch, History

KNOWN, GAP = 0.9, 0.15
"""Training images are known by heart from this accuracy on, where on others it is so much less."""
LONG = 60.0
"""Seconds: what takes less is over before one wonders."""
ESTIMATED_IN = 2.0
"""Seconds of steps by which all others are estimated."""


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

    @property
    def wants_steps(self) -> bool: ...

    def step(self, progress: Progress) -> None: ...

    def epoch(self, row: Epoch, epochs: int) -> None: ...

    def end(self, history: History) -> None: ...

    def say(self, line: str) -> bool: ...

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

    @property
    def wants_steps(self) -> bool:
        """Whether `step` is to be called."""
        return False

    def step(self, progress: Progress) -> None:
        """Nothing."""

    def epoch(self, row: Epoch, epochs: int) -> None:
        """Nothing."""

    def end(self, history: History) -> None:
        """Nothing."""

    def say(self, line: str) -> bool:
        """A note between the epochs; whether it is told."""
        return False

    def close(self) -> None:
        """Nothing."""


class Hook(Silent):
    """Calls a function after every step."""

    @property
    def wants_steps(self) -> bool:
        """Always."""
        return True

    def __init__(self, function: Callable[[Progress], None]) -> None:
        self._function = function

    def step(self, progress: Progress) -> None:
        """Call the function."""
        self._function(progress)


class Lines(Silent):
    """Writes one line per epoch, for logs and pipes, and how long all will take if that is long."""

    def __init__(self, stream: SafeStream) -> None:
        self._stream = stream
        self._estimate: TimeEstimate | None = TimeEstimate()
        self._epochs = 0

    @property
    def wants_steps(self) -> bool:
        """Once, when the first steps show how long training will take."""
        return self._estimate is not None and self._estimate.is_due()

    def step(self, progress: Progress) -> None:
        """Tell how long training will take."""
        if self._estimate is not None and (left := self._estimate.left(progress)) >= LONG:
            self.say(f"training will take about {about(left)}")
        self._estimate = None

    def epoch(self, row: Epoch, epochs: int) -> None:
        """Write the epoch's line, and after the first one how long the others will take."""
        self.say(describe(row, epochs))
        self._estimate, self._epochs = None, self._epochs + 1
        left = row.seconds * (epochs - row.epoch)
        if self._epochs == 1 and left >= LONG:
            self.say(f"about {about(left)} left")

    def end(self, history: History) -> None:
        """Say how it ended, where that is not plain."""
        for line in ending(history):
            self.say(line)

    def say(self, line: str) -> bool:
        """Write a line."""
        print(line, file=self._stream, flush=True)
        return not self._stream.lost


class EpochBar(Silent):
    """Shows a bar for the current epoch below the lines of the epochs that are done."""

    @property
    def wants_steps(self) -> bool:
        """Always."""
        return True

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

    def say(self, line: str) -> bool:
        """Leave a line that stays."""
        self._bar.print(line)
        return True

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


class TimeEstimate:
    """How long training will take, by its first steps, of which the very first one compiles."""

    def __init__(self) -> None:
        self._begin, self._steps = 0.0, 0

    def is_due(self) -> bool:
        """Called after each step: whether enough of them are done."""
        now = time.monotonic()
        if not self._steps:
            self._begin = now
        self._steps += 1
        return now - self._begin >= ESTIMATED_IN

    def left(self, progress: Progress) -> float:
        """Seconds for all that is left."""
        steps = (progress.epochs - progress.epoch) * progress.steps + progress.steps - progress.step
        return (time.monotonic() - self._begin) / max(1, self._steps - 1) * steps


def about(seconds: float) -> str:
    """A time as a person would say it: "3 minutes", "2.5 hours"."""
    if seconds < 90:
        return counted(round(seconds), "second")
    if seconds < 90 * 60:
        return counted(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"


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


def by_heart(history: History) -> str | None:
    """One sentence where a network is much better on its training images than on others."""
    if not len(history):
        return None
    best = history.best_epoch
    row = next((row for row in history if row.epoch == best), history[-1])
    if row.accuracy is None or row.val_accuracy is None:
        return None
    if row.accuracy < KNOWN or row.accuracy - row.val_accuracy < GAP:
        return None
    return (
        f"the network knows its training images by heart: accuracy {percent(row.accuracy, '.1f')} "
        f"on them, {percent(row.val_accuracy, '.1f')} on validation images; more images, "
        "augmentation, dropout or weight decay may help"
    )


def ending(history: History) -> list[str]:
    """What there is to say at the end: interrupted, stopped early, restored, learnt by heart."""
    lines = []
    if history.interrupted:
        signal = history.stopped_by if history.stopped_by not in (None, "SIGINT") else None
        what = f"stopped by {signal}" if signal else "interrupted"
        lines.append(f"{what} in epoch {len(history)}: training stopped after this step")
    if history.stopped_early:
        asked = history.stopped_by == "on_epoch"
        why = "on_epoch asked for it" if asked else "no further improvement"
        lines.append(f"stopped early after epoch {len(history)}: {why}")
    if history.best_epoch is not None:
        lines.append(f"the weights are those of epoch {history.best_epoch}, the best on validation")
    elif history.interrupted:
        lines.append("the weights are kept as they are")
    if told := by_heart(history):
        lines.append(told)
    return lines


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
