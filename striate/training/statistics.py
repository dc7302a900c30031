"""Mean and standard deviation of each channel, by which a network standardises its input."""

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
    """Mean and standard deviation per channel, as tuples of numbers.

    Args:
        images: (n, …, channels).
        rows: the indices of those to use; None for all.
        weights: of each image, (n,); None for equal weights.

    A channel that is constant gets the deviation 1, so that it can be divided by.
    """
    channels = images.shape[-1]
    chosen = np.arange(len(images)) if rows is None else rows
    # Deviations are taken from a value near the mean: squares of large numbers would lose digits.
    shift = images[chosen[:CHUNK]].reshape(-1, channels).mean(axis=0, dtype=np.float64)
    sums, squares, total = np.zeros(channels), np.zeros(channels), 0.0
    for start in range(0, len(chosen), CHUNK):
        part = chosen[start : start + CHUNK]
        # Channels first: sums along long rows are many times faster than along short columns.
        pixels = np.moveaxis(images[part].reshape(len(part), -1, channels), -1, 0)
        deviations = np.subtract(pixels, shift[:, None, None], order="C")
        share = np.ones(len(part)) if weights is None else weights[part]
        sums += deviations.sum(axis=2) @ share
        squares += np.square(deviations, out=deviations).sum(axis=2) @ share
        total += float(share.sum()) * deviations.shape[2]
    offset = sums / total
    spread = np.sqrt(np.maximum(squares / total - np.square(offset), 0.0))
    mean = shift + offset
    # A deviation that is only rounding error means a constant channel.
    spread[spread <= 1e-7 * np.abs(mean)] = 1.0
    spread[spread == 0.0] = 1.0
    return tuple(mean.tolist()), tuple(spread.tolist())
