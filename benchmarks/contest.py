"""What all sections of the suite share: the settings, agreement, and a timed row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import machine
import numpy as np
from report import OURS, Row

SAMPLE = 2e-3  # seconds that one timing lasts at least

Run = Callable[[], Any]
Cases = Iterable[tuple[str, Callable[[], list[Row]]]]
"""Names, and functions that measure and give the rows of that name."""


@dataclass(frozen=True)
class Setting:
    """How to measure, and the limits of the machine."""

    threads: int
    rounds: int
    compile: bool  # let PyTorch compile too
    peak: float  # FLOP/s
    bandwidth: float  # bytes/s


class Disagreement(Exception):
    """A peer computes something else, so that times say nothing."""


def difference(who: str, ours: Any, theirs: Any, tolerance: float) -> float:
    """The largest difference, relative to the largest number of the peer's."""
    mine, other = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if mine.shape != other.shape:
        raise Disagreement(f"{who}: shape {other.shape}, striate has {mine.shape}")
    found = float(np.abs(mine - other).max() / np.abs(other).max())
    if not found <= tolerance:
        raise Disagreement(f"{who} differs by {found:.1e}, more than {tolerance:g}")
    return found


def contest(
    row: Row, runs: Mapping[str, Run], setting: Setting, *, flops: float, moved: float = 0.0
) -> Row:
    """The row with times, in milliseconds, and with speeds.

    Args:
        row: all but what is measured.
        runs: ours and the peers'.
        flops: of the direct sum, a multiply-add being two.
        moved: bytes that must be read or written, where all of them are known.
    """
    assert next(iter(runs)) == OURS
    times = machine.interleaved(runs, setting.rounds, sample=SAMPLE)
    seconds = times[OURS].median
    limit = max(flops / setting.peak, moved / setting.bandwidth)
    return replace(
        row,
        values={name: 1e3 * timing.median for name, timing in times.items()},
        spread={
            name: (1e3 * timing.middle[0], 1e3 * timing.middle[1]) for name, timing in times.items()
        },
        gflops=flops / seconds / 1e9,
        of_peak=flops / seconds / setting.peak,
        of_limit=limit / seconds if moved else None,
    )


def uses_winograd(made: object) -> bool:
    """Whether something of striate's says that it multiplies by Winograd's algorithm."""
    says = getattr(made, "winograd", False)
    return any(says.values()) if isinstance(says, Mapping) else bool(says)
