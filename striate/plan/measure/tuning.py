"""What `tune` found, as data and as a table to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from striate.common.short_repr import short_repr
from striate.common.text import counted, cut
from striate.nest.algebra import Nest
from striate.nest.schedule import Schedule
from striate.nest.tuned import described


@short_repr
@dataclass(frozen=True)
class Layouts:
    """Images of a block before and after, and the seconds of a run for both ways."""

    before: int
    after: int
    seconds: Mapping[int, float]


@dataclass(frozen=True)
class Tried:
    """One kernel for which candidates were measured.

    Attributes:
        labels: the layers that it is for, and what it does there.
        candidates: how many were measured besides the one in use.
        multiply_adds: of a run.
        before, after: its schedules: the same where no candidate won.
        seconds_before, seconds_after: of all its calls in a run, on one thread.
    """

    nest: Nest
    labels: tuple[str, ...]
    candidates: int
    multiply_adds: int
    before: Schedule
    after: Schedule
    seconds_before: float
    seconds_after: float

    @property
    def gain(self) -> float:
        """How many times as fast it is now."""
        return self.seconds_before / self.seconds_after if self.seconds_after else 1.0


@dataclass(frozen=True)
class Whole:
    """A run on all threads: with the kernels as they were, and with the faster ones.

    Attributes:
        before, after: seconds: medians of runs that took turns.
        wins, pairs: in how many pairs of neighbouring runs the second was faster, and of how many.
    """

    before: float
    after: float
    wins: int
    pairs: int

    @property
    def gains(self) -> bool:
        """Whether the faster kernels are faster together: one by one is not enough."""
        return self.after < self.before and 2 * self.wins > self.pairs


@short_repr
@dataclass(frozen=True)
class Tuning:
    """What was measured, and what is kept.

    Attributes:
        layouts: images against channels in the lanes; None if images cannot fill them.
        kernels: those that candidates were measured for, the slowest first.
        kept: whether the faster kernels are kept: they are if the whole is faster with them.
        whole: a run with the chosen layout, kernels as they were, and the faster ones.
        path: the file in the cache.
    """

    batch_size: int
    training: bool
    threads: int
    layouts: Layouts | None
    kernels: tuple[Tried, ...]
    kept: bool
    whole: Whole
    path: str

    @property
    def faster(self) -> tuple[Tried, ...]:
        """The kernels for which a candidate won."""
        return tuple(tried for tried in self.kernels if tried.after != tried.before)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        layouts = self.layouts
        return {
            "batch_size": self.batch_size,
            "training": self.training,
            "threads": self.threads,
            "layouts": None
            if layouts is None
            else {
                "before": layouts.before,
                "after": layouts.after,
                "seconds": {str(lanes): time for lanes, time in layouts.seconds.items()},
            },
            "kernels": [
                {
                    "labels": list(tried.labels),
                    "axes": [list(axis) for axis in tried.nest.axes],
                    "candidates": tried.candidates,
                    "multiply_adds": tried.multiply_adds,
                    "before": described(tried.before),
                    "after": described(tried.after),
                    "seconds_before": tried.seconds_before,
                    "seconds_after": tried.seconds_after,
                }
                for tried in self.kernels
            ],
            "kept": self.kept,
            "whole": asdict(self.whole),
            "path": self.path,
        }

    def __str__(self) -> str:
        return "\n".join([*self._layouts(), *self._kernels(), *self._whole()])

    def _layouts(self) -> Iterator[str]:
        layouts = self.layouts
        if layouts is None:
            return
        names = {
            lanes: "channels" if lanes == 1 else f"images ({lanes} a block)"
            for lanes in layouts.seconds
        }
        times = ", ".join(
            f"{names[lanes]} {1e3 * seconds:.3g} ms" for lanes, seconds in layouts.seconds.items()
        )
        yield f"In the lanes: {times}; kept: {names[layouts.after]}"
        if layouts.after != layouts.before:
            yield "  (results differ from those of before by rounding: sums have another order)"

    def _kernels(self) -> Iterator[str]:
        measured = sum(tried.candidates for tried in self.kernels)
        yield (
            f"Kernels: {measured} candidates for {len(self.kernels)}; "
            f"{len(self.faster)} can be faster by more than 3 %"
        )
        for tried in self.faster:
            yield (
                f"  {1e3 * tried.seconds_before:8.3f} → {1e3 * tried.seconds_after:8.3f} ms"
                f"  {tried.gain:5.2f} times  {cut(', '.join(tried.labels), 62)}"
            )
            yield f"      {_short(tried.before)}  →  {_short(tried.after)}"

    def _whole(self) -> Iterator[str]:
        name = "Step" if self.training else "Batch"
        threads = counted(self.threads, "thread")
        whole = self.whole
        if not self.faster:
            yield f"{name}: {1e3 * whole.before:.4g} ms on {threads}; nothing to gain"
            return
        yield (
            f"{name}: {1e3 * whole.before:.4g} → {1e3 * whole.after:.4g} ms on {threads}, "
            f"{whole.before / whole.after:.3f} times as fast; faster in {whole.wins} of "
            f"{whole.pairs} pairs of runs"
        )
        if self.kept:
            yield f"Kept in {self.path}; results are the same to the last bit"
        else:
            yield "Not kept: together they gain nothing that stands out from the noise"


def _short(schedule: Schedule) -> str:
    tile = " ".join(f"{axis}:{size}" for axis, size in schedule.tile) or "no tile"
    return tile + (f" unroll {' '.join(schedule.unroll)}" if schedule.unroll else "")
