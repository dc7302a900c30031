"""Ranks end with the proxy that has started them: who is killed cannot end those that depend on it.

Otherwise they would wait without end for ranks that are no more, or could still be training, and
hold their checkpoint, when others go on from it. While MPI connects them no thread of Python's has
its turn, and `striate.ranks.gathering` watches.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from striate.ranks.gathering import line_is_cut

PARENT = "STRIATE_RANK_PARENT"
"""The variable that tells a rank the number of its proxy's process, where that may have ended
before the rank can ask."""
_INTERVAL = 0.2
"""Seconds."""


def end_with_parent() -> None:
    """End this process when the one that has started it has ended, from now on."""
    told = os.environ.get(PARENT, "")
    parent = int(told) if told.isdecimal() else os.getppid()
    # A process ends by closing its files, and its children see another parent only then.
    if line_is_cut(os.environ):
        _end()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
