"""Ranks as processes, for the studies: started by mpiexec, found, ended, and none of them left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

MARK = "STRIATE_STUDY_OF_RANKS"
PATIENCE = 150.0
"""Seconds after which a command that has not ended hangs."""
GONE = 5.0
"""Seconds that its processes may still be there when a command has ended."""


class HangError(Exception):
    """A command that has not ended in time; the message has what it has told."""


class Ranks:
    """A command and all processes that come of it, which are known by a mark.

    Args:
        command: what starts the ranks, or is the only one.
        folder: where it runs.
        environment: variables besides those of this process.
        alone: whether the command is itself the only rank.

    Attributes:
        process: that of the command.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        alone: bool = False,
    ) -> None:
        own, self._alone = uuid.uuid4().hex, alone
        self._mark = f"{MARK}={own}".encode()
        self._told = folder.with_name(f"{folder.name}.told")
        with open(self._told, "wb") as told:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=told, start_new_session=True,
                env={"OMP_NUM_THREADS": "1", **os.environ, **(environment or {}), MARK: own},
            )  # fmt: skip

    @property
    def told(self) -> str:
        """What they have told on standard error."""
        return self._told.read_text("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        """Of that, the errors: the lines that begin with the name of the program."""
        return [line for line in self.told.splitlines() if line.startswith("striate: ")]

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended, its ranks or not."""
        return self.process.poll() is not None

    def processes(self) -> dict[int, dict[str, str]]:
        """The environment of each process that is alive, by its number."""
        found = {}
        for number in self._marked():
            with suppress(OSError):
                entries = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
                texts = (entry.decode("utf-8", "replace").partition("=") for entry in entries)
                found[number] = {name: value for name, _, value in texts}
        return found

    def ranks(self) -> dict[int, int]:
        """The process of each rank that is there."""
        if self._alone:
            return {} if self.has_ended else {0: self.process.pid}
        return {
            int(environment["PMI_RANK"]): number
            for number, environment in self.processes().items()
            if "PMI_RANK" in environment
        }

    def proxies(self) -> list[int]:
        """The processes through which MPICH's mpiexec starts ranks, one for each machine."""
        return [number for number in self._marked() if "hydra_pmi_proxy" in _name(number)]

    def send(self, number: int, *processes: int) -> None:
        """Send a signal to some processes, those that are still there."""
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def wait(self, look: Callable[[], object] = lambda: None, patience: float = PATIENCE) -> int:
        """Wait for the end, looking at something meanwhile; the exit code.

        Raises:
            HangError: it does not end in time; it is ended.
        """
        until = time.monotonic() + patience
        while not self.has_ended:
            look()
            if time.monotonic() > until:
                self.end()
                raise HangError(f"has not ended in {patience:.0f} s: {self.told[-400:]}")
            time.sleep(0.001)
        return self.process.returncode

    def left(self) -> list[str]:
        """The processes that are still there a while after the end; they are ended."""
        until = time.monotonic() + GONE
        while found := self._marked():
            if time.monotonic() > until:
                names = [_name(number) for number in found]
                self.end()
                return names
            time.sleep(0.02)
        return []

    def end(self) -> None:
        """End all at once."""
        self.send(signal.SIGKILL, *self._marked())
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _marked(self) -> list[int]:
        return [number for number in _alive() if self._mark in _environment(number)]


def _alive() -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            yield int(entry)


def _environment(number: int) -> bytes:
    """The environment of a process; empty where it may not be read, and of what is dead."""
    try:
        return Path(f"/proc/{number}/environ").read_bytes()
    except OSError:
        return b""


def _name(number: int) -> str:
    """The command line of a process."""
    with suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def striate(*arguments: object) -> list[str]:
    """The command line of a command of striate."""
    return [sys.executable, "-m", "striate", *map(str, arguments)]
