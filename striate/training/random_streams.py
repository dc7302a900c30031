"""Random numbers for training: each use has its own stream, seeded by its kind and its place.

The seed of a stream is computed from the user's seed, the use, and the epoch and batch, so the
numbers for epoch 7 are the same whether or not epochs 0 to 6 were run by the same process, and
whichever thread draws them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from striate.common.errors import StriateTypeError, StriateValueError


class Stream(IntEnum):
    """The uses of random numbers, which are parts of the seed."""

    SPLIT = 1
    ORDER = 2
    AUGMENT = 3
    DROPOUT = 4
    FLIP = 5
    MIX = 6


def generator(seed: int, stream: Stream, *place: int) -> np.random.Generator:
    """The generator of one stream at one place, such as an epoch and a batch."""
    return np.random.default_rng([seed, int(stream), *place])


def image_keys(
    seed: int, stream: Stream, epoch: int, indices: NDArray[np.intp]
) -> NDArray[np.uint32]:
    """One uint32 key per image (n,), from which the engines derive its dropout mask, for example.

    A key depends only on the seed, the stream, the epoch and the image's index, so an image drops
    the same elements in whichever batch, thread or shard it is.  The hash is that of SplitMix64
    (Steele, Lea & Flood, 2014, "Fast splittable pseudorandom number generators").
    """
    start = np.random.SeedSequence([seed, int(stream), epoch]).generate_state(1, np.uint64)
    bits = start + indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    keys: NDArray[np.uint32] = (bits >> np.uint64(32)).astype(np.uint32)
    return keys


def check_seed(seed: int) -> int:
    """The seed as an int; TypeError or ValueError unless it is a whole number of at least 0."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise StriateTypeError(f"seed must be a whole number, not {seed!r}")
    if seed < 0:
        raise StriateValueError(f"seed must be at least 0, not {seed!r}")
    return int(seed)
