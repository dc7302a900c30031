"""What ranks have found each of its own share, so that all of them know all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.ranks.exchange import Exchange
from striate.ranks.shared_sum import own_share


def any_of(exchange: Exchange, answer: bool) -> bool:
    """Whether the answer of any rank is yes."""
    return any(one == b"\1" for one in exchange.meet(b"\1" if answer else b"\0"))


def least(exchange: Exchange, number: int) -> int:
    """The smallest of the numbers of all ranks."""
    return min(int(one) for one in exchange.meet(b"%d" % number))


def part_of(exchange: Exchange, rows: Sequence[Any] | NDArray[Any]) -> Any:
    """The `own_share` of this rank of some rows."""
    share = own_share(len(rows), exchange.rank, exchange.size)
    return rows[share.start : share.stop]


def join_rows(exchange: Exchange, rows: NDArray[np.intp], *arrays: NDArray[Any]) -> None:
    """Fill some rows of arrays, of which this rank has filled its `part_of`, with those of others.

    Args:
        exchange: connects the ranks.
        rows: the indices of the rows, the same on all ranks.
        arrays: (n, …), of the same types and sizes on all ranks.
    """
    if exchange.is_alone:
        return
    own = part_of(exchange, rows)
    for array in arrays:
        told = b"".join(exchange.meet(np.ascontiguousarray(array[own]).tobytes()))
        array[rows] = np.frombuffer(told, array.dtype).reshape(len(rows), *array.shape[1:])
