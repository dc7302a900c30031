"""`mpiexec`, the program that starts ranks: which one there is, and a run of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import TextIO

from striate.common.errors import StriateImportError
from striate.common.stop_signals import InterruptHandler

OWN_CODES = (0, 1, 2, 129, 130, 143)
"""With which a rank ends by itself: any other code is of a process that was ended."""
STARTER = "STRIATE_RANKS_STARTER"
"""The variable that is set for ranks which are to end when the standard input of the first does."""
_TOLD_OF_KILLED = "=" * 20
"""With which begins what MPICH tells of processes that were ended."""
_INTERVAL, _PATIENCE = 0.1, 5.0
"""Seconds."""


def installed_program(name: str) -> str | None:
    """The path of a program of MPICH, if it is installed as a package of Python."""
    with suppress(PackageNotFoundError):
        package = distribution("mpich")
        for file in package.files or ():
            if file.name == name:
                return str(Path(str(package.locate_file(file))).resolve())
    return None


def program(name: str, who: str) -> str:
    """The path of a program of MPI: MPICH's package's, else the one that is found.

    Args:
        name: of the program.
        who: what needs it, for the message.

    Raises:
        ImportError: there is none.
    """
    found = installed_program(name) or which(name)
    if found is None:
        raise StriateImportError(
            f"{who}: there is no {name} to start processes with: pip install 'striate[mpi]'"
        )
    return found


def on_this_machine(who: str) -> list[str]:
    """The program that starts ranks and its arguments for this machine only, whatever batch system
    there is.

    Args:
        who: what needs it, for the message.

    Raises:
        ImportError: there is none.
    """
    own = installed_program("mpiexec")
    return [own, "-launcher", "fork"] if own else [program("mpiexec", who)]


class MpiexecRun:
    """A run of `mpiexec`, in a session of its own: it gets signals from here, each once.

    Left as a context, it is ended if it has not ended. The standard input of the first rank ends
    with it, or with this process, however that ends; `STARTER` tells ranks so.

    Args:
        command: with all arguments.
        hear: is given each line that the processes print to standard output, and returns whether
            it is one of theirs, to be printed; in a thread of its own.
        quiet: whether what `mpiexec` itself says to standard error is left out.
    """

    def __init__(
        self,
        command: Sequence[str],
        hear: Callable[[str], bool] = lambda line: True,
        *,
        quiet: bool = False,
    ) -> None:
        self._started = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            env={**os.environ, STARTER: "1"},
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._copies = [
            threading.Thread(target=_copy, args=(source, stream, heard), daemon=True)
            for source, stream, heard in (
                (self._started.stdout, sys.stdout, hear),
                (self._started.stderr, sys.stderr, lambda line: True),
            )
            if source is not None
        ]
        for copy in self._copies:
            copy.start()

    def __enter__(self) -> MpiexecRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._started.poll() is None:
            self._started.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._started.wait(_PATIENCE)
            self.kill()
        if self._started.stdin is not None:
            self._started.stdin.close()
        for copy in self._copies:
            copy.join(_PATIENCE)

    def wait(self, stop: InterruptHandler, look: Callable[[], None] = lambda: None) -> int:
        """Wait for the end, and hand on the signal that comes meanwhile; return the exit code.

        Args:
            stop: knows of signals.
            look: is called again and again meanwhile.
        """
        handed_on = False
        while True:
            with suppress(subprocess.TimeoutExpired):
                return self._started.wait(_INTERVAL)
            look()
            if stop.number is not None and not handed_on:
                # mpiexec hands these on to all ranks, but ends by SIGHUP itself.
                is_known = stop.number in (signal.SIGINT, signal.SIGTERM)
                self._started.send_signal(stop.number if is_known else signal.SIGTERM)
                handed_on = True

    def kill(self) -> None:
        """End it at once; the processes that it has started end as well."""
        self._started.kill()
        self._started.wait()


def _copy(source: TextIO, stream: TextIO, hear: Callable[[str], bool]) -> None:
    """Write what the processes print, but for what MPICH tells of signals and of those that were
    ended.
    """
    blank = ""  # with one begins what it tells
    with source:
        for line in source:
            if line.startswith(_TOLD_OF_KILLED):
                break
            if line == "\n":
                blank += line
            elif not line.startswith(("[mpiexec@", "[proxy:")) and hear(line):
                stream.write(blank + line)
                stream.flush()
                blank = ""
        else:
            stream.write(blank)
        for _ in source:
            pass
