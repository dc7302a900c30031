"""How many threads may work."""

from __future__ import annotations

import os

from striate.common.arguments import whole_number


def available_processors() -> int:
    """The processors that this process may use, 1 or more."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """The processors that this process may use, or fewer if OMP_NUM_THREADS says so.

    joblib and batch systems set that variable to share a machine among processes.
    """
    available = available_processors()
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else available


def checked_threads(threads: int | None, who: str) -> int:
    """A number of threads that a caller of `who` asks for, 1 or more; None for the default."""
    return whole_number(default_threads() if threads is None else threads, "threads", who)
