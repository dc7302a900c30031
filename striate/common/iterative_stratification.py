"""Splits of things that have several labels each, with every label in its own share.

Things with one class are dealt out class by class (`striate.common.stratified`). Those with several
labels cannot be: what is drawn for one label brings others along. Iterative stratification deals
out the rarest label first, of which a bad share could not be made good later, and then gives each
thing to the part that lacks most of that label (Sechidis, Tsoumakas and Vlahavas, 2011, "On the
Stratification of Multi-Label Data").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.common.stratified import Indices


def iteratively_stratified(
    labels: NDArray[Any], wanted: int, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Draw some things at random, so that each label's share among them is that among all.

    Args:
        labels: (n, labels), true where a thing has a label.
        wanted: how many to draw, of 0...n.
        rng: where the random numbers come from: the order of things, which decides between equals.

    Returns:
        The indices of the rest and of those drawn, both ascending.
    """
    has = np.asarray(labels, bool)
    images = len(has)
    order = rng.permutation(images)
    has = has[order]
    drawn = np.zeros(images, bool)
    left = np.ones(images, bool)
    share = wanted / images if images else 0.0
    # How many each part still wants, of all and of each label: the rest, and those drawn.
    room = np.array([images - wanted, wanted], np.float64)
    lacking = np.outer([1 - share, share], has.sum(axis=0))
    open_labels = has.sum(axis=0)
    while True:
        present = np.flatnonzero(open_labels > 0)
        if not len(present) or room.min() <= 0:
            break
        rarest = present[np.argmin(open_labels[present])]
        for row in np.flatnonzero(left & has[:, rarest]):
            if room.min() <= 0:
                break
            # To the part that lacks most of this label; of equals, to the one with most room.
            part = int((lacking[1, rarest], room[1]) > (lacking[0, rarest], room[0]))
            drawn[row], left[row] = bool(part), False
            room[part] -= 1
            lacking[part] -= has[row]
            open_labels = open_labels - has[row]
    rest = np.flatnonzero(left)  # without labels, or when one part is full
    drawn[rest[: round(room[1])]] = True
    chosen = order[drawn]
    taken = np.zeros(images, bool)
    taken[chosen] = True
    return np.flatnonzero(~taken), np.flatnonzero(taken)
