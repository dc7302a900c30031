"""Splits that are stratified: two parts of labelled things, with every class in its own share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.common.errors import StriateValueError

Indices = NDArray[np.intp]


def stratified_parts(
    labels: NDArray[Any],
    share: Callable[[Indices], Indices],
    rng: np.random.Generator,
    *,
    together: bool,
) -> tuple[Indices, Indices]:
    """Draw some of each class at random, and return the indices of the rest and of those drawn.

    Two rules differ from caller to caller: how many are drawn of each class, and in which order the
    random numbers are used. Validation parts have an exact size, and all images are shuffled
    together; test parts are made class by class, so that the images of a class are the same
    whichever labels the other classes have.

    Args:
        labels: (n,), of any type that can be sorted.
        share: how many to draw of each class, (classes,), from how many there are of each; the
            classes are in the order of their labels.
        rng: where the random numbers come from.
        together: shuffle all at once, and draw the first of each class; else shuffle one class
            after the other, in the order in which they first appear.

    Returns:
        Both ascending.
    """
    _, first, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    taken = share(counts)
    drawn = np.zeros(len(labels), dtype=bool)
    shuffled = rng.permutation(len(labels)) if together else None
    for group in np.argsort(first):
        if shuffled is None:
            members = rng.permutation(np.flatnonzero(inverse == group))
        else:
            members = shuffled[inverse[shuffled] == group]
        drawn[members[: taken[group]]] = True
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def largest_remainders(counts: Indices, wanted: int) -> Indices:
    """Return how many of each class make `wanted` together, each class its share: rounded down,
    then one more where most was cut off. At least one of each class is left over.

    Args:
        counts: (classes,), how many there are of each.
        wanted: how many to take.

    Raises:
        ValueError: that would leave none of a class.
    """
    if wanted > (counts - 1).sum():
        raise StriateValueError(f"{wanted} of {counts.tolist()} leave not one of each class over")
    shares = counts * (wanted / counts.sum())
    taken: Indices = np.minimum(np.floor(shares).astype(np.intp), counts - 1)
    order = np.argsort(taken - shares, kind="stable")
    while (missing := wanted - int(taken.sum())) > 0:
        room = [group for group in order if taken[group] < counts[group] - 1]
        taken[room[:missing]] += 1
    return taken


def nearest_shares(counts: Indices, fraction: float) -> Indices:
    """Return the nearest whole number to `fraction` of each class, at least one and not all.

    Args:
        counts: (classes,), how many there are of each, two or more.
        fraction: of 0...1.
    """
    nearest: Indices = (fraction * counts + 0.5).astype(np.intp)
    least_one: Indices = np.maximum(nearest, 1)
    return np.minimum(least_one, counts - 1)


def stratified_folds(
    labels: NDArray[Any], folds: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal things out to parts of nearly one size, each with nearly the same share of each class.

    Args:
        labels: (n,), of any type that can be sorted.
        folds: how many parts, 1...n.
        rng: shuffles the things of each class.

    Returns:
        The number of the part of each, (n,), from 0. The sizes differ by one at most, and so do the
        numbers of one class.
    """
    if not 1 <= folds <= len(labels):
        raise StriateValueError(f"{len(labels)} things cannot be dealt out to {folds} parts")
    order = rng.permutation(len(labels))
    # Sorted by class, and at random inside; dealt out in turn, from one class on to the next.
    order = order[np.argsort(labels[order], kind="stable")]
    parts = np.empty(len(labels), np.intp)
    parts[order] = np.arange(len(labels)) % folds
    return parts
