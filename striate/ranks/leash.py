"""Ranks end with the proxy that has started them: who is killed cannot end those that depend on it.

Otherwise they would wait without end for ranks that are no more, or could still be training, and
hold their checkpoint, when others go on from it.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time

PARENT = "STRIATE_RANK_PARENT"
"""The variable that tells a rank the number of its proxy's process, where that may have ended
before the rank can ask."""
_LINE = "PMI_FD"
"""The variable by which PMI tells a rank the file descriptor of its line to the proxy."""
_INTERVAL = 0.2
"""Seconds."""


def end_with_parent() -> None:
    """End this process when the one that has started it has ended, from now on."""
    told = os.environ.get(PARENT, "")
    parent = int(told) if told.isdecimal() else os.getppid()
    # A process ends by closing its files, and its children see another parent only then.
    if _is_cut(os.environ.get(_LINE, "")):
        _end()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _is_cut(line: str) -> bool:
    """Whether there is a line, and nobody at its other end."""
    if not line.isdecimal() or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(int(line), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
