"""Splits of things that have several labels each, with every label in its own share.

Things with one class are dealt out class by class (`striate.common.stratified`). Those with several
labels cannot be: what is drawn for one label brings others along. Iterative stratification deals
out the rarest label first, of which a bad share could not be made good later, and then gives each
thing to the part that lacks most of that label (Sechidis, Tsoumakas and Vlahavas, 2011, "On the
Stratification of Multi-Label Data").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.common.errors import StriateValueError
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
    parts = _dealt_out(labels, [len(labels) - wanted, wanted], rng)
    return np.flatnonzero(parts == 0), np.flatnonzero(parts == 1)


def iterative_folds(labels: NDArray[Any], folds: int, rng: np.random.Generator) -> Indices:
    """Deal things with labels out to parts of nearly one size, each with nearly the same share of
    each label.

    Args:
        labels: (n, labels), true where a thing has a label.
        folds: how many parts, 1...n.
        rng: as for `iteratively_stratified`.

    Returns:
        The number of the part of each, (n,), from 0. The sizes differ by one at most.
    """
    things = len(labels)
    if not 1 <= folds <= things:
        raise StriateValueError(f"{things} things cannot be dealt out to {folds} parts")
    return _dealt_out(labels, [len(range(fold, things, folds)) for fold in range(folds)], rng)


def _dealt_out(labels: NDArray[Any], sizes: Sequence[int], rng: np.random.Generator) -> Indices:
    """The number of the part of each thing, (n,), for parts of these sizes, together n."""
    has = np.asarray(labels, bool)
    things = len(has)
    order = rng.permutation(things)
    has = has[order]
    parts = np.full(things, -1, np.intp)
    shares = np.array(sizes, np.float64) / max(things, 1)
    shares[0] = 1 - shares[1:].sum()
    # How many each part still wants, of all and of each label.
    room = np.array(sizes, np.intp)
    lacking = np.outer(shares, has.sum(axis=0))
    open_labels = has.sum(axis=0)
    while True:
        present = np.flatnonzero(open_labels > 0)
        if not len(present) or (room > 0).sum() < 2:
            break
        rarest = present[np.argmin(open_labels[present])]
        for row in np.flatnonzero((parts < 0) & has[:, rarest]):
            with_room = np.flatnonzero(room > 0).tolist()
            if len(with_room) < 2:
                break
            # To the part that lacks most of this label; of equals, to the one with most room.
            part = max(with_room, key=lambda one: (lacking[one, rarest], room[one]))
            parts[row] = part
            room[part] -= 1
            lacking[part] -= has[row]
            open_labels = open_labels - has[row]
    # Those without labels, or all that are left when one part only has room: the last one first.
    parts[parts < 0] = np.repeat(np.arange(len(sizes))[::-1], room[::-1])
    found = np.empty(things, np.intp)
    found[order] = parts
    return found
