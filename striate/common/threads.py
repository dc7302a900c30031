"""How many threads may work."""

from __future__ import annotations

import os

from striate.common.arguments import whole_number
from striate.common.quota import processor_quota

_MOST = 256


def available_processors() -> int:
    """The processors that this process may use, 1 or more.

    Those of the machine, or of the process' affinity; fewer where a quota of their time says so,
    such as a container's: more threads than it feeds would only stop each other. A quota of 1.5
    processors is two, of 1.4 one.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = processor_quota()
    return count if quota is None else max(1, min(count, int(quota + 0.5)))


def default_threads() -> int:
    """The processors that this process may use, or fewer if OMP_NUM_THREADS says so.

    joblib and batch systems set that variable to share a machine among processes. Of a list, which
    says it for parallel regions inside each other, the first number counts.
    """
    available = available_processors()
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(available, int(wanted)) if wanted.isdecimal() and int(wanted) > 0 else available


def checked_threads(threads: int | None, who: str) -> int:
    """A number of threads that a caller of `who` asks for, 1 or more; None for the default.

    Threads without processors of their own only wait for each other, so that of very many no more
    than `most_threads` are used; the number changes no result.
    """
    wanted = whole_number(default_threads() if threads is None else threads, "threads", who)
    return min(wanted, most_threads())


def most_threads() -> int:
    """The most threads that ever work: as many as the machine has processors, or 256."""
    return max(_MOST, os.cpu_count() or 1)
