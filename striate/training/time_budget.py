"""Which size of images, which network and how many epochs fit into a time: numbers only.

There is a ladder of trainings: small images, larger ones, then wider networks, each rung better
than the one below if it gets enough epochs, and slower. `plan_time` takes the highest rung whose
training is not cut short by much, and fills the time with epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from striate.common.text import counted
from striate.training.reporters import about

SIDES = (64, 96, 128, 160, 192, 224, 256, 320, 384)
"""What the longer side of images may become; and their own."""
WIDTHS_BELOW = (0.25, 0.5)
"""Narrower networks, for the smallest images."""
WIDTHS_ABOVE = (1.5, 2.0, 3.0, 4.0)
"""Wider networks, for the largest images."""

ENOUGH = 0.6
"""A rung is taken from this part of its recipe's epochs on."""
MOST = 4.0
"""Times the recipe's epochs, which are not exceeded: more would be learning by heart."""
FEWEST = 3
"""Epochs that are trained however short the time is: with fewer a network learns next to nothing
while the learning rate rises and falls."""
TOLERANCE = 0.2
"""By what part of the time a training may be longer without being called too long for it."""


@dataclass(frozen=True)
class Rung:
    """One way to train, and what it costs.

    Attributes:
        height, width: of the images.
        scale: of the network: how many times as many filters as usual it has.
        work: multiply-adds of the forward pass for one image.
        epochs: of the recipe for such images.
        epoch_seconds: what an epoch takes, validation included.
        other_seconds: what takes as long however fast the network is: loading, compiling.
        testing: what is done with the trained network, in epochs that would take as long.
    """

    height: int
    width: int
    scale: float
    work: float
    epochs: int
    epoch_seconds: float
    other_seconds: float
    testing: float

    def epochs_in(self, seconds: float) -> float:
        """Return how many epochs fit into a time; negative if nothing fits."""
        return (seconds - self.other_seconds) / self.epoch_seconds - self.testing

    def seconds_for(self, epochs: float) -> float:
        """Return how long the command takes with so many epochs, from its start to its end."""
        return self.other_seconds + (epochs + self.testing) * self.epoch_seconds

    def wanted(self, epochs: int | None) -> float:
        """Return how many epochs it must get to be taken; `epochs` are those asked for."""
        return ENOUGH * self.epochs if epochs is None else epochs


@dataclass(frozen=True)
class TimePlan:
    """What fits into a time.

    Attributes:
        rung: what is trained.
        epochs: for how long.
        seconds: what the command will take, from its start to its end.
        budget: what it may take.
        next: the rung that a larger budget would bring, and that budget; None where there is none.
    """

    rung: Rung
    epochs: int
    seconds: float
    budget: float
    next: tuple[Rung, float] | None

    @property
    def is_too_long(self) -> bool:
        """Whether even this takes much longer than there is time."""
        return self.seconds > (1 + TOLERANCE) * self.budget

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        rung = self.rung
        network = "" if rung.scale == 1 else f" with a network {_wide(rung.scale)}"
        planned = (
            f"{counted(self.epochs, 'epoch')} of {rung.height} × {rung.width} pixels"
            f"{network}, about {spoken(self.seconds)} in all"
        )
        if self.is_too_long:
            short = f"{spoken(self.budget)} is too short a time"
            return f"{short}: the least that makes sense is {planned}"
        if self.next is None:
            more = "" if self.seconds > (1 - TOLERANCE) * self.budget else (
                "; more time would hardly bring more"
            )  # fmt: skip
        else:
            higher, seconds = self.next
            if (higher.height, higher.width) != (rung.height, rung.width):
                what = f"{higher.height} × {higher.width} pixels"
            else:
                what = f"a network {_wide(higher.scale)}"
            more = f"; {spoken(seconds)} would do for {what}"
        return f"Plan for {spoken(self.budget)}: {planned}{more}"


def spoken(seconds: float) -> str:
    """Return a time in words: "50 seconds", "1.5 minutes", "5 minutes", "2.5 hours"."""
    tenths = round(seconds / 6)
    if 10 <= tenths < 100 and tenths % 10:
        return f"{tenths / 10:.1f} minutes"
    if 10 <= tenths < 100:
        return counted(tenths // 10, "minute")
    return about(seconds)


def _wide(scale: float) -> str:
    return "of the usual width" if scale == 1 else f"{scale:g} times as wide"


def rungs_of(
    sizes: Sequence[tuple[int, int]],
    *,
    scale: float | None,
    rung: Callable[[int, int, float], Rung | None],
) -> list[Rung]:
    """Return the ladder, from the least work to the most.

    Args:
        sizes: heights and widths, from the smallest to the largest.
        scale: of the network; None if it may be narrower and wider than usual.
        rung: makes one of a height, a width and a scale; None where there can be none.
    """
    scales = [[scale or 1.0] for _ in sizes]
    if scale is None:
        scales[0] = [*WIDTHS_BELOW, *scales[0]]
        scales[-1] = [*scales[-1], *WIDTHS_ABOVE]
    made = [rung(*size, scale) for size, some in zip(sizes, scales, strict=True) for scale in some]
    return [one for one in made if one is not None]


def plan_time(ladder: Sequence[Rung], seconds: float, epochs: int | None = None) -> TimePlan:
    """Return what fits into a time.

    Args:
        ladder: at least one rung, each with more work than the one before it.
        seconds: how long the command may take.
        epochs: how many there must be; None for as many as fit.
    """
    fitting = [i for i, one in enumerate(ladder) if one.epochs_in(seconds) >= one.wanted(epochs)]
    index = fitting[-1] if fitting else 0
    return filled(ladder[index], ladder[index + 1 : index + 2], seconds, epochs)


def filled(
    rung: Rung, above: Sequence[Rung], seconds: float, epochs: int | None = None
) -> TimePlan:
    """Return the plan for a rung.

    Args:
        rung: which is taken.
        above: the next one, if there is one.
        seconds, epochs: as for `plan_time`.
    """
    count = fitting_epochs(rung, seconds) if epochs is None else epochs
    higher = [(one, one.seconds_for(one.wanted(epochs))) for one in above]
    return TimePlan(rung, count, rung.seconds_for(count), seconds, higher[0] if higher else None)


def fitting_epochs(rung: Rung, seconds: float) -> int:
    """Return how many epochs of a rung fill a time, within sensible bounds."""
    fewest = min(FEWEST, rung.epochs)
    most = math.ceil(MOST * rung.epochs)
    return min(max(round(rung.epochs_in(seconds)), fewest), most)


def with_speed(ladder: Sequence[Rung], measured: Rung, epoch_seconds: float) -> list[Rung]:
    """Return the ladder with the times that one rung's, measured, makes likely for all.

    Args:
        ladder: rungs.
        measured: one of the ladder, which need not be among these.
        epoch_seconds: of its epochs.
    """
    factor = epoch_seconds / measured.work
    return [replace(rung, epoch_seconds=factor * rung.work) for rung in ladder]


def settled(
    ladder: Sequence[Rung],
    seconds: float,
    measure: Callable[[Rung], float],
    *,
    epochs: int | None = None,
    most: int = 3,
) -> TimePlan:
    """Return what fits into a time, by measuring the rungs that are candidates.

    Wide networks and large images are computed faster for their work than narrow and small ones,
    so that a choice is measured itself, and made again by what that shows.

    Args:
        ladder: rungs, whose `epoch_seconds` need mean nothing yet.
        seconds: how long the command may take.
        measure: returns the seconds of an epoch of a rung.
        epochs: as for `plan_time`.
        most: how many rungs are measured at most, besides those that take for ever, as memory is
            too small for them.
    """
    known: dict[int, float] = {}
    rungs = list(ladder)
    place = next((i for i, rung in enumerate(rungs) if rung.scale >= 1), 0)
    while True:
        known[place] = measure(rungs[place])
        likely = list(rungs)
        for index in range(len(rungs)):
            near = min(known, key=lambda other: (abs(other - index), other))
            (likely[index],) = with_speed([rungs[index]], rungs[near], known[near])
        found = plan_time(likely, seconds, epochs)
        place = likely.index(found.rung)
        fast = sum(map(math.isfinite, known.values()))
        if place in known or (fast == len(known) and fast >= most):
            return found
