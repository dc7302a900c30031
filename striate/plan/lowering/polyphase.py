"""Which outputs read an input pixel: the size rule turned around.

Output o reads input ``i = o*S + r*D - P``.  For the gradient of the input one asks the other
way: which (o, r) read pixel i?  With stride S, pixels that are S apart are read by the same
taps r, those between by others.  So the pixels fall into phases, as in polyphase
filters; inside a phase, with ``i = S*q + start + p``, the taps are ``r = first + p + step*j`` for
j < taps and the outputs ``o = q + origin - move*j``: linear forms, hence a nest for each phase.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Phase:
    """Neighbouring pixels start … start+length-1, and all that are multiples of S further on."""

    start: int
    length: int
    count: int
    taps: int
    first: int
    step: int
    origin: int
    move: int

    def reach(self) -> tuple[int, int]:
        """The least and the largest output index that the phase reads."""
        if not self.taps:
            return (0, 0)
        return self.origin - self.move * (self.taps - 1), self.origin + self.count - 1


def phases_of(pixels: int, size: int, stride: int, dilation: int, before: int) -> list[Phase]:
    """All phases of the pixels 0 … pixels-1, neighbours that are read alike put together."""
    merged: list[Phase] = []
    for phase in _single(pixels, size, stride, dilation, before):
        last = merged[-1] if merged else None
        if last and _continues(last, phase):
            merged[-1] = replace(last, length=last.length + 1)
        else:
            merged.append(phase)
    return merged


def _single(pixels: int, size: int, stride: int, dilation: int, before: int) -> Iterator[Phase]:
    for start in range(min(stride, pixels)):
        count = -(-(pixels - start) // stride)
        taps = [r for r in range(size) if (start + before - r * dilation) % stride == 0]
        if not taps:
            yield Phase(start, 1, count, 0, 0, 0, 0, 0)
            continue
        step = stride // math.gcd(stride, dilation)
        origin = (start + before - taps[0] * dilation) // stride
        move = step * dilation // stride
        yield Phase(start, 1, count, len(taps), taps[0], step, origin, move)


def _continues(last: Phase, phase: Phase) -> bool:
    """Whether `phase` is the next pixel of `last`: the same but for the tap, which is the next."""
    first = last.first + last.length if last.taps else 0
    return replace(last, start=phase.start, length=1, first=first) == phase


def halo(parts: list[Phase], outputs: int) -> tuple[int, int]:
    """How far the phases read before and behind the outputs."""
    reaches = [phase.reach() for phase in parts]
    least, most = min(low for low, _ in reaches), max(high for _, high in reaches)
    return max(0, -least), max(0, most - (outputs - 1))
