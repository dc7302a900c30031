"""Splits images into those to train on and those to validate on."""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.iterative_stratification import iteratively_stratified
from striate.common.stratified import Indices, largest_remainders, stratified_parts
from striate.training.random_streams import Stream, generator


def stratified_split(labels: Array, fraction: float, seed: int = 0) -> tuple[Indices, Indices]:
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

    def share(counts: Indices) -> Indices:
        if wanted > images - len(counts):
            raise StriateValueError(
                f"cannot set {wanted} of {images} images aside for validation and leave one of "
                f"each of {len(counts)} classes for training: lower validation_fraction"
            )
        return largest_remainders(counts, wanted)

    return stratified_parts(labels, share, generator(seed, Stream.SPLIT), together=True)


def random_split(
    images: int, fraction: float, seed: int = 0, *, labels: Array | None = None
) -> tuple[Indices, Indices]:
    """Split images without regard to classes, for regression; otherwise as `stratified_split`.

    Args:
        images: how many there are.
        fraction, seed: as for `stratified_split`.
        labels: where images have any number of labels, (images, labels), above a half where an
            image has one: each label then has the same share in both parts, as nearly as can be.
    """
    if labels is not None:
        rng = generator(seed, Stream.SPLIT)
        return iteratively_stratified(labels > 0.5, _wanted(images, fraction), rng)
    one_class = np.zeros(images, np.intp)
    return stratified_split(one_class, fraction, seed)


def _wanted(images: int, fraction: float) -> int:
    if not 0.0 < fraction < 1.0:
        raise StriateValueError(f"validation_fraction must lie between 0 and 1, not {fraction!r}")
    wanted = round(images * fraction)
    if wanted < 1 or wanted >= images:
        raise StriateValueError(
            f"validation_fraction={fraction!r} of {images} images leaves {images - wanted} for "
            f"training and {wanted} for validation: both need at least one"
        )
    return wanted
