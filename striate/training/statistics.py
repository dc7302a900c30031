"""Mean and spread of the pixels of each channel, to standardise what a network reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array

CHUNK = 64  # images at a time: the float64 copy stays small


def channel_statistics(
    images: Array,
    rows: NDArray[np.intp] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of images ``(n, …, channels)``.

    ``rows`` picks images, ``weights`` ``(n,)`` says how much each counts.  A channel that is the
    same everywhere gets the deviation 1, so that it can be divided by.
    """
    channels = images.shape[-1]
    chosen = np.arange(len(images)) if rows is None else rows
    # Deviations are taken from a value of the right size, lest large means drown small spreads.
    shift = images[chosen[:CHUNK]].reshape(-1, channels).mean(axis=0, dtype=np.float64)
    sums, squares, total = np.zeros(channels), np.zeros(channels), 0.0
    for start in range(0, len(chosen), CHUNK):
        part = chosen[start : start + CHUNK]
        # Channels first, as sums along long rows are many times quicker than of short columns.
        pixels = np.moveaxis(images[part].reshape(len(part), -1, channels), -1, 0)
        deviations = np.subtract(pixels, shift[:, None, None], order="C")
        share = np.ones(len(part)) if weights is None else weights[part]
        sums += deviations.sum(axis=2) @ share
        squares += np.square(deviations, out=deviations).sum(axis=2) @ share
        total += float(share.sum()) * deviations.shape[2]
    offset = sums / total
    spread = np.sqrt(np.maximum(squares / total - np.square(offset), 0.0))
    mean = shift + offset
    # What rounding leaves of a constant channel is no spread.
    spread[spread <= 1e-7 * np.abs(mean)] = 1.0
    spread[spread == 0.0] = 1.0
    return tuple(mean.tolist()), tuple(spread.tolist())
