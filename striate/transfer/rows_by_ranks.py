"""Rows that many ranks compute, each some of them, and all get."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from striate.common.arrays import Floats
from striate.ranks.exchange import Exchange

BATCH = 16
"""Rows that are computed at once: of more, a network of usual size is not computed faster."""


def rows_by_ranks(
    exchange: Exchange,
    count: int,
    shape: tuple[int, ...],
    compute: Callable[[range], Floats],
    done: Callable[[int], object] = lambda rows: None,
) -> Floats:
    """All rows (count, *shape), of which each rank computes batches in turn.

    The ranks meet after each batch: no more than one of each is under way.

    Args:
        exchange: connects the ranks.
        count: how many rows.
        shape: of a row.
        compute: the rows of some places, (places, *shape) or as many numbers.
        done: called with how many there are, after each batch.
    """
    found = np.empty((count, *shape), np.float32)
    for first in range(0, count, BATCH * exchange.size):
        begin = min(first + BATCH * exchange.rank, count)
        end = min(begin + BATCH, count)
        own = compute(range(begin, end)) if begin < end else np.empty(0, np.float32)
        place = first
        for told in exchange.meet(np.ascontiguousarray(own, np.float32).tobytes()):
            rows = np.frombuffer(told, np.float32).reshape(-1, *shape)
            found[place : place + len(rows)] = rows
            place += len(rows)
        done(place)
    return found
