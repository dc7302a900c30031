"""Whether it pays to exchange gradients while the backward pass goes on.

It hides the time of the exchange behind that of the pass; but a thread that sends and adds takes
time from those that compute, and parts of a gradient take more messages than all of it. What
outweighs the other depends on the network, the line and the processors, so it is measured: some
steps are taken each way, in turn. They have the same result.
"""

from __future__ import annotations

import statistics

import numpy as np

from striate.ranks.exchange import Exchange

_STEPS = 4
"""Steps that are taken each way, of which the first one does not count."""
_GAIN = 0.98
"""Of the time of the other way, what it must take at most."""


class OverlapTrial:
    """Chooses the way of each step, the same on all ranks.

    Args:
        exchange: connects the ranks.
        is_possible: whether all of them can do it.

    Attributes:
        choice: whether all steps do it from now on; None as long as that is not known.
    """

    def __init__(self, exchange: Exchange, *, is_possible: bool) -> None:
        self._exchange = exchange
        self.choice: bool | None = None if is_possible else False
        self._seconds: dict[bool, list[float]] = {False: [], True: []}
        self._size: int | None = None

    def is_next(self, images: int) -> bool:
        """Whether the next step, of so many images, does it."""
        if self.choice is None and all(len(each) == _STEPS for each in self._seconds.values()):
            self.choice = self._found()
        if self.choice is not None:
            return self.choice
        if self._size is None:
            self._size = images
        return images == self._size and len(self._seconds[True]) < len(self._seconds[False])

    def took(self, overlaps: bool, images: int, seconds: float) -> None:
        """Count a step."""
        if self.choice is None and images == self._size and len(self._seconds[overlaps]) < _STEPS:
            self._seconds[overlaps].append(seconds)

    def _found(self) -> bool:
        own = [statistics.median(self._seconds[way][1:]) for way in (False, True)]
        told = self._exchange.meet(np.array(own, "<f8").tobytes())
        after, meanwhile = np.frombuffer(b"".join(told), "<f8").reshape(-1, 2).sum(axis=0)
        return bool(meanwhile < _GAIN * after)
