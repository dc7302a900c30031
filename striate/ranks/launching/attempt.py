"""One start of all ranks on the workers of a cluster, by MPICH's `mpiexec`.

Asked to start its proxies "manually", `mpiexec` prints their command lines and waits for them to
connect. Workers run them, whatever it is that reaches the workers.
"""

from __future__ import annotations

import math
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from striate.common.stop_signals import InterruptHandler
from striate.ranks.launching.cluster import Cluster, RunningProxy, Worker
from striate.ranks.launching.on_worker import PYTHON
from striate.ranks.leash import PARENT
from striate.ranks.mpiexec import OWN_CODES, MpiexecRun, program

_COMMAND_LINE, _LAST_COMMAND_LINE = "HYDRA_LAUNCH: ", "HYDRA_LAUNCH_END"
_UNDER_WAY = "striate: a rank is under way\n"
_SHELL = (
    f'{PARENT}=$PPID; export {PARENT}; printf "{_UNDER_WAY[:-1]}\\n"; '
    f'exec "${{{PYTHON}:-python3}}" -m striate "$@"'
)
_TOLD_AFTER, _PATIENCE = 20.0, 5.0
"""Seconds until a note that workers are busy, and those that ends may take that follow from
another one.
"""


class Ending(NamedTuple):
    """How a start of all ranks has ended.

    Attributes:
        code: the exit code of the training; None if ranks were lost.
        reason: why they were, as a sentence without its point.
        has_begun: whether all ranks were under way.
    """

    code: int | None
    reason: str = ""
    has_begun: bool = True


class Attempt:
    """One start.

    Args:
        cluster: reaches the workers.
        places: how many ranks are to be started on which of them.
        arguments: of the command line of striate, which each rank carries out.
        stop: knows of signals.
        tell: prints a note.
    """

    def __init__(
        self,
        cluster: Cluster,
        places: Mapping[Worker, int],
        arguments: Sequence[str],
        stop: InterruptHandler,
        tell: Callable[[str], None],
    ) -> None:
        self._cluster, self._places = cluster, dict(places)
        self._arguments, self._stop, self._tell = arguments, stop, tell
        self._ranks = sum(self._places.values())
        self._command_lines: list[list[str]] = []
        self._all_told = threading.Event()
        self._under_way = 0
        self._proxies: dict[Worker, RunningProxy] = {}
        self._failed = self._lost = ""
        self._is_given_up = False
        self._tell_at = self._wait_until = math.inf

    def carry_out(self) -> Ending:
        """Start all ranks, and wait for their end; a signal stops them after their step."""
        try:
            with MpiexecRun(self._command(), self._heard, quiet=True) as run:
                code = run.wait(self._stop, lambda: self._look(run))
        finally:
            self._end_proxies()
        # Ranks that lose another one may fail by themselves, in time to say so.
        if code == 0 or (code in OWN_CODES and not self._lost):
            return Ending(code)
        if self._stop.number is not None:  # it may have come before ranks knew what to do
            return Ending(128 + self._stop.number)
        reason = self._lost or (self._failed if self._is_given_up else "")
        return Ending(None, reason or "a rank was ended from outside", self._has_begun)

    @property
    def _has_begun(self) -> bool:
        return self._under_way >= self._ranks

    def _command(self) -> list[str]:
        hosts = ",".join(f"worker{i}:{count}" for i, count in enumerate(self._places.values()))
        address = self._cluster.address()
        return [
            program("mpiexec", "striate launch"),
            "-launcher", "manual", "-disable-hostname-propagation",
            *(["-localhost", address] if address else []),
            "-hosts", hosts, "-n", str(self._ranks),
            "/bin/sh", "-c", _SHELL, "striate", *self._arguments,
        ]  # fmt: skip

    def _heard(self, line: str) -> bool:
        """Take out of what is printed what is meant for here."""
        if line.startswith(_COMMAND_LINE):
            self._command_lines.append(shlex.split(line.removeprefix(_COMMAND_LINE)))
        elif line.startswith(_LAST_COMMAND_LINE):
            self._all_told.set()
        elif line == _UNDER_WAY:
            self._under_way += 1
        else:
            return True
        return False

    def _look(self, run: MpiexecRun) -> None:
        """Start the proxies when it is time, and end all when one is lost."""
        if self._all_told.is_set() and not self._proxies:
            for (worker, count), line in zip(
                self._places.items(), self._command_lines, strict=True
            ):
                self._proxies[worker] = self._cluster.start(worker, count, line)
            self._tell_at = time.monotonic() + _TOLD_AFTER
        if self._stop.requested and not self._has_begun:
            run.kill()  # which hears no signal while it waits for its proxies
            return
        if self._proxies and not self._has_begun and time.monotonic() > self._tell_at:
            there = f"{self._under_way} of {self._ranks} ranks are under way"
            self._tell(f"Waiting for {self._cluster.kind}: {there}")
            self._tell_at = math.inf
        for worker, proxy in self._proxies.items():
            failure = None if self._failed else proxy.failure()
            if failure is not None:
                self._failed = f"{worker.name}: {failure}"
                self._wait_until = time.monotonic() + _PATIENCE
        # When a rank has failed, mpiexec ends by itself, and knows more.
        if time.monotonic() > self._wait_until:
            self._is_given_up = True
            run.kill()

    def _end_proxies(self) -> None:
        for worker, proxy in self._proxies.items():
            loss = proxy.end()
            if loss is not None:
                self._lost = self._lost or f"{worker.name}: {loss}"
