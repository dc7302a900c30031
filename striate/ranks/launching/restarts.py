"""Starts ranks again, with the workers that are left, until their training has ended."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

from striate.common.errors import StriateValueError
from striate.common.stop_signals import InterruptHandler
from striate.common.text import counted, listed
from striate.ranks.launching.attempt import Attempt, Ending
from striate.ranks.launching.cluster import Cluster, Worker, dealt

Starter = Callable[[Mapping[Worker, int], Sequence[str]], Ending]

_PAUSE = 3.0
"""Seconds after which what was lost is known to be."""
_MOST_NAMES = 4


class LostRanksError(StriateValueError):
    """Ranks were lost so often that the restarts are used up, or none is left."""


def launch(
    cluster: Cluster,
    arguments: Sequence[str],
    *,
    checkpoint: Path,
    ranks: int | None,
    restarts: int,
    stop: InterruptHandler,
    tell: Callable[[str], None],
    start: Starter | None = None,
    pause: float | None = None,
) -> int:
    """Train on the workers of a cluster, and go on when some are lost; return the exit code.

    Args:
        cluster: reaches the workers.
        arguments: of the command line of striate.
        checkpoint: that of the training, from which it can go on.
        ranks: how many, if the user says it; fewer where there are not as many any more.
        restarts: how often to start again at most.
        stop: knows of signals.
        tell: prints a note.
        start: carries out one start; None for `Attempt`.
        pause: seconds before each restart; None for what usually suffices.

    Raises:
        ValueError: some workers cannot train together; see also LostRanksError.
    """

    def attempt(places: Mapping[Worker, int], given: Sequence[str]) -> Ending:
        return Attempt(cluster, places, given, stop, tell).carry_out()

    begun = _state(checkpoint)
    places = dealt(_ready(cluster, checkpoint.parent), ranks)
    wanted = sum(places.values())
    for restart in count():
        tell(_told(cluster, places))
        # A checkpoint that was there before may be of another training.
        resumed = restart > 0 and _state(checkpoint) not in (None, begun)
        ending = (start or attempt)(places, _resumed(arguments) if resumed else arguments)
        if ending.code is not None:
            return ending.code
        if restart == 0 and not ending.has_begun:
            raise StriateValueError(f"the ranks could not be started: {ending.reason}")
        if restart == restarts:
            raise LostRanksError(
                f"ranks were lost ({ending.reason}), after {counted(restarts, 'restart')}; the "
                "same command goes on from the last checkpoint if train has --resume"
            )
        tell(f"Ranks were lost ({ending.reason}); restart {restart + 1} of {restarts}")
        if _is_stopped_within(_PAUSE if pause is None else pause, stop):
            return 128 + (stop.number or 0)
        left = _left(cluster, checkpoint.parent, tell)
        places = dealt(left, min(wanted, sum(worker.most for worker in left)))
    raise AssertionError("a count has no end")


def _ready(cluster: Cluster, folder: Path) -> list[Worker]:
    """All workers.

    Raises:
        ValueError: there are none, or some cannot train.
    """
    workers, hindered = _looked(cluster, folder)
    if not workers:
        raise StriateValueError(f"{cluster.kind}: there are no workers to train on")
    if hindered:
        said = [f"{worker.name} {sentence}" for worker, sentence in hindered.items()]
        raise StriateValueError(f"{cluster.kind}: {listed(said, _MOST_NAMES)}")
    return workers


def _left(cluster: Cluster, folder: Path, tell: Callable[[str], None]) -> list[Worker]:
    """The workers that can still train.

    Raises:
        LostRanksError: there are none.
    """
    workers, hindered = _looked(cluster, folder)
    for worker, sentence in hindered.items():
        tell(f"Without {worker.name}: it {sentence}")
    left = [worker for worker in workers if worker not in hindered]
    if not left:
        raise LostRanksError(
            f"{cluster.kind}: no worker is left; the same command goes on from the last checkpoint "
            "if train has --resume"
        )
    return left


def _looked(cluster: Cluster, folder: Path) -> tuple[list[Worker], Mapping[Worker, str]]:
    """The workers, and what keeps some of them from training."""
    workers = cluster.workers()
    handle, mark = tempfile.mkstemp(prefix=".striate-", dir=folder)
    os.close(handle)
    try:
        hindered = cluster.look(workers, str(folder.resolve()), os.path.basename(mark))
    finally:
        os.unlink(mark)
    return workers, hindered


def _state(checkpoint: Path) -> tuple[int, int] | None:
    """By which one knows that a checkpoint was written since; None if there is none."""
    try:
        found = checkpoint.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _resumed(arguments: Sequence[str]) -> list[str]:
    """The same command, which goes on."""
    said = any(one == "--resume" or one.startswith("--resume=") for one in arguments)
    return [*arguments, *([] if said else ["--resume"])]


def _told(cluster: Cluster, places: Mapping[Worker, int]) -> str:
    names = [f"{worker.name}" + f" ({n})" * (n > 1) for worker, n in places.items()]
    return f"{counted(sum(places.values()), 'rank')} on {listed(names, _MOST_NAMES)}"


def _is_stopped_within(seconds: float, stop: InterruptHandler) -> bool:
    end = time.monotonic() + seconds
    while not stop.requested and time.monotonic() < end:
        time.sleep(0.05)
    return stop.requested
