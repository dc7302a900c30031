"""Splits images into those to train on and those to validate on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.training.random_streams import Stream, generator

Indices = NDArray[np.intp]


def stratified_split(
    labels: NDArray[Any], fraction: float, seed: int = 0
) -> tuple[Indices, Indices]:
    """Split images so that every class has the same share in both parts.

    Args:
        labels: the class of each image, (images,).
        fraction: the share to validate on.
        seed: of the random choice.

    Returns:
        The indices to train on and those to validate on, both ascending; the second part has
        round(fraction * images) images.  Every class keeps at least one image to train on.

    Raises:
        ValueError: a part would be empty, or a class would have no image left to train on.
    """
    images = len(labels)
    wanted = _wanted(images, fraction)
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    # The method of largest remainders: shares rounded down, then one more for the largest rests.
    shares = counts * (wanted / images)
    taken = np.minimum(np.floor(shares).astype(np.intp), counts - 1)
    order = np.argsort(taken - shares, kind="stable")
    while (missing := wanted - int(taken.sum())) > 0:
        room = [group for group in order if taken[group] < counts[group] - 1]
        if not room:
            raise ValueError(
                f"cannot set {wanted} of {images} images aside for validation and leave one of "
                f"each of {len(counts)} classes for training: lower validation_fraction"
            )
        taken[room[:missing]] += 1
    chosen = np.zeros(images, dtype=bool)
    shuffled = generator(seed, Stream.SPLIT).permutation(images)
    for group, count in enumerate(taken):
        members = shuffled[inverse[shuffled] == group]
        chosen[members[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def random_split(images: int, fraction: float, seed: int = 0) -> tuple[Indices, Indices]:
    """Split images without regard to classes, for regression; otherwise as `stratified_split`."""
    wanted = _wanted(images, fraction)
    chosen = np.zeros(images, dtype=bool)
    chosen[generator(seed, Stream.SPLIT).permutation(images)[:wanted]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _wanted(images: int, fraction: float) -> int:
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"validation_fraction must lie between 0 and 1, not {fraction!r}")
    wanted = round(images * fraction)
    if wanted < 1 or wanted >= images:
        raise ValueError(
            f"validation_fraction={fraction!r} of {images} images leaves {images - wanted} for "
            f"training and {wanted} for validation: both need at least one"
        )
    return wanted
