"""How many threads may work."""

from __future__ import annotations

import os


def default_threads() -> int:
    """The processors that this process may use, or fewer if OMP_NUM_THREADS says so.

    joblib and batch systems set that variable to share a machine among processes.
    """
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else available
