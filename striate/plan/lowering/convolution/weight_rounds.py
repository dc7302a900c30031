"""Rounds: a convolution of many weights and few pixels sums up some weights at a time.

For each tile of pixels a nest reads a panel of weights from end to end (see
`striate.plan.lowering.weight_panels`).  One of many channels is more than the nearest cache holds,
and comes from a farther one for each tile anew.  A round takes a part of it that stays near, for
all pixels; sums are stored after each round, and read again in the next.  That is worth it where
the pixels, whose sums go back and forth, are few against the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from striate.plan.settings import Settings

# Weights of a filter in one round, at most and at least.
_MOST, _LEAST = 128, 48
# Weights of a filter for each pixel that make rounds worth it.
_FOR_EACH = 4


def weight_rounds(settings: Settings, reduced: Mapping[str, int], pixels: int) -> Mapping[str, int]:
    """How many indices of each reduced axis a round takes; nothing where there should be none.

    Args:
        settings: of the plan.
        reduced: the extents of the summed axes: taps, and last the channels.
        pixels: outputs of an image.
    """
    if settings.lanes > 1 or settings.bfloat16:
        return {}
    *taps, (channels, depth) = reduced.items()
    weights = math.prod(reduced.values())
    some = next((size for size in range(min(depth, _MOST), 0, -1) if depth % size == 0), depth)
    if weights < _FOR_EACH * pixels * settings.blocks or some < _LEAST or weights < 2 * some:
        return {}
    return {**{axis: 1 for axis, _ in taps}, channels: some}
