"""Elements of buffers that are zero whenever they are read: the halos of images.

What a small image is padded with is a large part of what its convolution multiplies: of 4x4 pixels
and filters of 3x3 it is 11 products of 36. A sum may leave a product with zero out and keep its
bits, if the other number is finite: weights are, see `FrozenProgram`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from striate.nest.algebra import Constant
from striate.plan.build.assembly import reached
from striate.plan.layout import Buffer
from striate.plan.stage import BoundNest, Stage


def known_zeros(stages: Sequence[Stage]) -> dict[Buffer, tuple[range, ...]]:
    """Of each buffer with a halo of zeros, runs of its elements, in each block of images.

    These are what some step fills with zeros and no other step writes. Where products with
    them are left out of a sum that is zero, its sign may change.
    """
    filled: dict[Buffer, list[range]] = {}
    written: dict[Buffer, list[range]] = {}
    for stage in stages:
        for step in stage.all_steps:
            zeros = _is_zero(step)
            for store in step.nest.stores:
                buffer = step.places[store.target.buffer].buffer
                touched = reached(step, store.target, stage) or range(buffer.size)
                whole = math.prod(extent for _, extent in step.nest.axes) == len(touched)
                kind = filled if zeros and whole and stage.by_block else written
                kind.setdefault(buffer, []).append(touched)
    return {
        buffer: tuple(
            run
            for run in runs
            if all(run.stop <= w.start or w.stop <= run.start for w in written.get(buffer, ()))
        )
        for buffer, runs in filled.items()
    }


def _is_zero(step: BoundNest) -> bool:
    """Whether all that a step stores is zero."""
    return step.nest.reduction == "none" and all(
        store.value == Constant(0.0) for store in step.nest.stores
    )
