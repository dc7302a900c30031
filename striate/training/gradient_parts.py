"""How a gradient is cut, to be added up over ranks part by part.

A group has a gradient, and what it adds to the running statistics. The arrays of most weights are
parts of their own, the last layer's first: the backward pass comes to it first, so that its part
can be sent while the pass goes on. All small arrays go together with the statistics, as the last
part: each part costs messages of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Floats
from striate.common.ranges import gaps

if TYPE_CHECKING:
    from striate.model.model import Model

_LARGE = 1 << 15
"""The numbers of an array that is a part of its own: 1 ms at 1 Gbit/s, many times what a message
costs."""


class GradientParts:
    """The parts of the vectors that groups add up.

    Args:
        network: whose they are.
        are_sent_early: whether the largest arrays are parts of their own, or all of the gradient
            is one part.

    Attributes:
        whole: the ranges of the gradient that are parts of their own, in order.
        early: those of them that are worth to be sent before the others: all or none.
        rest: how many numbers the last part has: all others, and the running statistics.
    """

    def __init__(self, network: Model, *, are_sent_early: bool) -> None:
        slots = [range(slot.start, slot.stop) for slot in reversed(network.slots)]
        large = [slot for slot in slots if len(slot) >= _LARGE]
        self.early = tuple(large) if are_sent_early else ()
        self.whole = self.early or (range(network.flat.size),)
        self._others = gaps(self.whole, network.flat.size)
        self.rest = sum(map(len, self._others)) + network.state_flat.size

    def cut(self, gradient: Floats, rest: Floats) -> tuple[Floats, ...]:
        """All parts: views of a gradient, and the last one."""
        return (*_views(gradient, self.whole), rest)

    def rest_of(self, gradient: Floats, statistics: Floats) -> Floats:
        """The last part of a gradient, and what is added to the running statistics."""
        if not self._others:
            return statistics
        return np.concatenate([*_views(gradient, self._others), statistics])

    def put_rest(self, rest: Floats, gradient: Floats) -> Floats:
        """Put into a gradient what the last part has of it; returns the statistics."""
        start = 0
        for view in _views(gradient, self._others):
            view[...] = rest[start : start + view.size]
            start += view.size
        return rest[start:]


def _views(gradient: Floats, ranges: Sequence[range]) -> list[Floats]:
    """Parts of a gradient; all of it is the gradient itself, which need not be copied to itself."""
    return [
        gradient if len(part) == gradient.size else gradient[part.start : part.stop]
        for part in ranges
    ]
