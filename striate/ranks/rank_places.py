"""Where the ranks are: which share a machine, and how many threads each may have there."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from striate.common.threads import available_processors, default_threads
from striate.ranks.exchange import Exchange

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class RankPlace(NamedTuple):
    """Where a rank is.

    Attributes:
        machine: what tells machines apart.
        processors: the numbers of those that it may use there; empty where that is not known.
    """

    machine: str
    processors: Sequence[int]


def own_place() -> RankPlace:
    """That of this process."""
    # Containers of one machine may have names of their own, and machines the same name.
    boot = _BOOT.read_text().strip() if _BOOT.exists() else platform.node()
    known = hasattr(os, "sched_getaffinity")
    return RankPlace(boot, sorted(os.sched_getaffinity(0)) if known else [])


def settle(exchange: Exchange) -> None:
    """Find out which rank leads on its machine, and how many threads are its share there."""
    told = exchange.meet(json.dumps(own_place()).encode())
    places = [RankPlace(*json.loads(one)) for one in told]
    beside = neighbours(places, exchange.rank)
    exchange.is_leader, exchange.neighbours = exchange.rank == beside[0], len(beside)
    share = max(1, available_processors() // len(sharers(places, exchange.rank)))
    exchange.threads = min(share, default_threads())


def neighbours(places: Sequence[RankPlace], rank: int) -> list[int]:
    """The ranks on a rank's machine, itself too."""
    return [other for other, place in enumerate(places) if place.machine == places[rank].machine]


def sharers(places: Sequence[RankPlace], rank: int) -> list[int]:
    """The ranks that may use the same processors as a rank: not those that are bound to others."""
    own = set(places[rank].processors)
    return [
        other
        for other in neighbours(places, rank)
        if not own or not places[other].processors or own.intersection(places[other].processors)
    ]
