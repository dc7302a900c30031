"""Channels in another order: the shuffle of ShuffleNet (Zhang et al. 2017, arXiv:1707.01083)."""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array


def shuffle_loops(x: Array, groups: int) -> Array:
    """Channel i·(channels/groups) + j goes to j·groups + i, one channel at a time."""
    output = np.zeros(x.shape)
    share = x.shape[-1] // groups
    for i in range(groups):
        for j in range(share):
            output[..., j * groups + i] = x[..., i * share + j]
    return output


def shuffle(x: Array, groups: int) -> Array:
    """Channel i·(channels/groups) + j goes to j·groups + i; undone by channels/groups groups."""
    parted = x.reshape(*x.shape[:-1], groups, -1)
    return np.ascontiguousarray(parted.swapaxes(-1, -2)).reshape(x.shape)
