"""Mean and standard deviation of each channel, by which a network standardises its input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.ordered_work import in_order
from striate.common.rows_on_demand import on_demand
from striate.common.text import counted
from striate.common.warn import warn_user
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.joint_findings import part_of

CHUNK = 64
"""Images whose sums are added up first: the bits of a result depend on it."""
_BLOCK = 1 << 24  # bytes of the float64 copies of pixels, and of their squares, at a time

SMALLEST = 1e-30  # deviation: the inverse of a smaller one is near what float32 can hold
NOISE = 1e-6
"""A channel is as good as constant if it varies by less, and by less than this share of the channel
that varies most: divided by such a deviation, any other value would drown all other channels."""


@unwatched
def channel_statistics(
    images: Array,
    rows: NDArray[np.intp] | None = None,
    weights: NDArray[np.float64] | None = None,
    exchange: Exchange = ALONE,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, as tuples of numbers.

    Args:
        images: (n, …, channels).
        rows: the indices of those to use; None for all.
        weights: of each image, (n,); None for equal weights.
        exchange: connects ranks that each read a part of the images: the sums of all are added in
            the order of the images, so that the result does not depend on how many they are.

    A channel that is constant, or varies by next to nothing (see `NOISE`; a warning says so), gets
    a deviation that is usual among the others, at least 1: the network will learn nothing from it,
    and must not be thrown off by its first new value.
    """
    channels = images.shape[-1]
    chosen = np.arange(len(images)) if rows is None else rows
    # Deviations are taken from a value near the mean: squares of large numbers would lose digits.
    shift = np.zeros(channels)
    if exchange.is_first:
        shift = images[chosen[:CHUNK]].reshape(-1, channels).mean(axis=0, dtype=np.float64)
    shift = np.frombuffer(exchange.meet(shift.tobytes())[0])
    parts = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]

    def sums_of(part: NDArray[np.intp]) -> NDArray[np.float64]:
        share = np.ones(len(part)) if weights is None else weights[part]
        deviations, squares = _sums_of_each(images[part], shift)
        count = float(share.sum()) * float(np.prod(images.shape[1:-1]))
        return np.concatenate([deviations @ share, squares @ share, [count]])

    # Images that are read on demand are read on all cores; the order of the sums stays.
    work = in_order(
        sums_of, part_of(exchange, parts), parallel=on_demand(images), threads=exchange.threads
    )
    told = exchange.meet(b"".join(one.tobytes() for one in work))
    found = np.zeros(2 * channels + 1)
    for one in np.frombuffer(b"".join(told)).reshape(-1, len(found)):
        found += one
    sums, squares, total = found[:channels], found[channels:-1], found[-1]
    offset = sums / total
    spread = np.sqrt(np.maximum(squares / total - np.square(offset), 0.0))
    mean = shift + offset
    # A deviation that is only rounding error means a constant channel.
    constant = spread <= 1e-7 * np.abs(mean)
    largest = spread[~constant].max(initial=0.0)
    faint = ~constant & (spread < max(NOISE * min(1.0, largest), SMALLEST))
    if faint.any() and exchange.is_first:
        warn_user(
            f"{counted(int(faint.sum()), 'channel')} of {channels} (the first is number "
            f"{int(np.flatnonzero(faint)[0])}) {'varies' if faint.sum() == 1 else 'vary'} by "
            f"{spread[faint].max():.2g} at most, where others vary by {largest:.2g}: too little to "
            "learn from; scale it up if it matters"
        )
    live = spread[~(constant | faint)]
    spread[constant | faint] = max(1.0, float(np.median(live))) if live.size else 1.0
    return tuple(mean.tolist()), tuple(spread.tolist())


def _sums_of_each(
    images: Array, shift: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sums of the deviations from `shift` and of their squares, of each channel and image.

    Both are (channels, n). Images are taken a few at a time, as their float64 copies are large.
    """
    count, channels = len(images), images.shape[-1]
    first, second = np.empty((channels, count)), np.empty((channels, count))
    step = max(1, _BLOCK // max(1, 16 * images[:1].size))
    for start in range(0, count, step):
        block = slice(start, start + step)
        # Channels first: sums along long rows are many times faster than along short columns.
        pixels = np.moveaxis(images[block].reshape(len(images[block]), -1, channels), -1, 0)
        deviations = np.subtract(pixels, shift[:, None, None], order="C")
        first[:, block] = deviations.sum(axis=2)
        second[:, block] = np.square(deviations, out=deviations).sum(axis=2)
    return first, second
