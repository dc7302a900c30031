"""Ranges of numbers that follow each other."""

from __future__ import annotations

from collections.abc import Iterable


def gaps(parts: Iterable[range], stop: int) -> list[range]:
    """What some ranges leave of the numbers below `stop`, in order; they share none."""
    found, start = [], 0
    for part in sorted(parts, key=lambda part: part.start):
        if part.start > start:
            found.append(range(start, part.start))
        start = part.stop
    return found + ([range(start, stop)] if start < stop else [])
