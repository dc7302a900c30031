"""What rank 0 has found out, for all ranks.

What is computed by LAPACK, and what depends on the time or on a file, one rank finds out, and all
go on with the very same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from striate.common.arrays import Floats
from striate.ranks.exchange import Exchange


class SharedFinding(NamedTuple):
    """What one rank tells the others.

    Attributes:
        values: JSON-able.
        arrays: float32, by name.
    """

    values: Any
    arrays: Mapping[str, Floats]


def said_by_first(exchange: Exchange, answer: bool) -> bool:
    """The answer of rank 0, to a question that each may answer otherwise."""
    return exchange.meet(b"yes" if answer else b"no")[0] == b"yes"


def from_first(exchange: Exchange, find: Callable[[], SharedFinding]) -> SharedFinding:
    """What `find` returns on rank 0, where alone it is called.

    Raises:
        RankError: on the other ranks, what `find` raises.
    """
    if exchange.is_alone:
        return find()
    found = find() if exchange.is_first else SharedFinding(None, {})
    shapes = {name: array.shape for name, array in found.arrays.items()}
    told, *_ = exchange.meet(json.dumps([found.values, shapes]).encode())
    values, shapes = json.loads(told)
    arrays = {
        name: np.ascontiguousarray(found.arrays[name], np.float32)
        if exchange.is_first
        else np.empty(shape, np.float32)
        for name, shape in shapes.items()
    }
    with exchange.moving():
        for array in arrays.values():
            exchange.broadcast(array)
    return SharedFinding(values, arrays)
