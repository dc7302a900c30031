"""Whether the ranks that were started come together, so that none waits for one that never will.

Until all are connected, MPI waits without end, for ranks that have failed before they knew it and
for programs that do not know it at all, and in the process that waits nothing else can be done. So
beside each rank that connects runs this file, as a small program of its own without any package.
Where MPICH's mpiexec has started the ranks, on Linux, it looks at those of its machine: if one of
them has ended, or is another program and does not come, it says so and ends all. Elsewhere, and of
ranks on other machines, it knows only how long that takes. And if what has started the rank ends,
it ends the rank.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from striate.ranks.launched import Launch

PATIENCE = "STRIATE_RANKS_PATIENCE"
"""The environment variable that says how many seconds a rank waits for those on other machines."""
_PATIENCE = 120.0
_ENDED, _OTHER = 2.0, 15.0
"""Seconds after which a rank counts as ended that is not there, and as another program one that is
not a rank of striate's."""
_LOOK, _TURN, _SOON = 0.25, 0.5, 0.01
"""Seconds between two looks, and between what two neighbours say: the first one ends the other; and
until what was told may have been read."""
_TO_BE_HEARD = 5.0
"""Seconds that mpiexec may take to read what was told, or to end all."""
_TOLD_TO = 2
"""Standard error."""
_EXIT_CODE, _LONGEST = 2, 60
_MPICH = "hydra_pmi_proxy"
_LINE = "PMI_FD"
"""The variable by which PMI tells a rank the file descriptor of its line to what has started it."""


class Neighbour(NamedTuple):
    """A rank of this machine, as the system knows it.

    Attributes:
        rank: its number.
        program: the first words of its command line.
    """

    rank: int
    program: tuple[str, ...]


def obstacle(
    rank: int, found: Sequence[Neighbour], local: int, size: int, lacking: float, waited: float
) -> str | None:
    """Why this rank would wait in vain, in a sentence; None while that is not known.

    Args:
        rank: its number.
        found: the ranks of this machine that are there, itself too; none where that is not known.
        local: how many were started on this machine.
        size: how many there are in all.
        lacking: the seconds since some of the former were not there.
        waited: the seconds since this one began to wait.
    """
    there = {neighbour.rank: neighbour.program for neighbour in found}
    if rank in there and len(there) < local and lacking >= _ENDED:
        names = "a rank of this machine"
        if local == size:
            gone = [str(number) for number in range(size) if number not in there]
            names = f"rank{'s' * (len(gone) > 1)} {', '.join(gone)}"
        has = "has" if len(there) == local - 1 else "have"
        return (
            f"{names} {has} ended before all {size} ranks were connected: see what was told before "
            "that, and start all with the same command, in the same environment"
        )
    if rank in there and waited >= _OTHER:
        for other, program in sorted(there.items()):
            if program != there[rank]:
                return (
                    f"rank {other} runs another program ({_shown(program)}) than rank {rank} "
                    f"({_shown(there[rank])}), which waits for it: start all with the same command"
                )
    return None


def neighbours(process: int) -> list[Neighbour]:
    """The ranks that the same mpiexec has started on this machine.

    Args:
        process: one of them.

    Returns:
        None of them where MPICH's has not, or the system does not tell.
    """
    launcher = _parent(process)
    if launcher is None or _read(launcher, "comm").strip() != _MPICH:
        return []
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        if _parent(int(name)) == launcher:
            environment = dict(
                entry.partition("=")[::2] for entry in _read(int(name), "environ").split("\0")
            )
            if environment.get("PMI_RANK", "").isdecimal():
                words = _read(int(name), "cmdline").split("\0")
                found.append(Neighbour(int(environment["PMI_RANK"]), _program(words)))
    return found


def has_line(environment: Mapping[str, str]) -> bool:
    """Whether this process has a line to what has started it as a rank: one that a rank starts in
    turn knows of the line, but it does not have it, unless it was passed on.
    """
    line = environment.get(_LINE, "")
    try:
        return line.isdecimal() and stat.S_ISSOCK(os.fstat(int(line)).st_mode)
    except (OSError, OverflowError):
        return False


def has_starter(launch: Launch) -> bool:
    """Whether a rank must end with what has started it: as one of many, or as a lone one that has a
    proxy, such as the last that is left of many on a cluster.

    Args:
        launch: how it was started.
    """
    return launch.size > 1 or has_line(os.environ)


def line_is_cut(environment: Mapping[str, str]) -> bool:
    """Whether a rank has a line to what has started it, and nobody is at the other end."""
    if not has_line(environment) or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(int(environment[_LINE]), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def end_all(code: int = _EXIT_CODE) -> None:
    """End all ranks, of which this process is one, while they are not connected yet.

    Only MPICH's mpiexec has to be asked: others do so when one rank ends with an error.
    """
    _ask(os.environ, os.getpid(), code)


@contextmanager
def gathering(launch: Launch | None) -> Iterator[None]:
    """A context in which this process is connected with the other ranks, and does not wait for them
    in vain.

    Args:
        launch: how it was started.
    """
    file = Path(__file__)
    if launch is None or not (has_starter(launch) and sys.executable and file.is_file()):
        yield
        return
    import subprocess

    handle = os.environ.get(_LINE, "")
    beside = None
    with suppress(OSError):
        beside = subprocess.Popen(
            [sys.executable, "-I", "-S", file, str(launch.rank), str(launch.size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[int(handle)] if handle.isdecimal() else [],
        )
    try:
        yield
    finally:
        if beside is not None and beside.stdin is not None:
            beside.stdin.close()  # which ends it, as the end of this process does
            beside.wait()


def _watch(process: int, rank: int, size: int) -> None:
    """Look until the rank is connected or has ended, or there is a reason to end all."""
    patience = _seconds(os.environ.get(PATIENCE, ""))
    local = os.environ.get("MPI_LOCALNRANKS", "")
    begin = complete = time.monotonic()
    parent = _parent(process)
    while not select.select([0], [], [], _LOOK)[0]:
        if line_is_cut(os.environ) or _parent(process) != parent:
            _end(process)
            return
        found, now = neighbours(process), time.monotonic()
        if not local.isdecimal() or len(found) >= int(local):
            complete = now
        expected = int(local) if local.isdecimal() else len(found)
        waited = now - begin
        said = obstacle(rank, found, expected, size, now - complete, waited)
        if said is None and waited > patience:
            said = (
                f"rank {rank} has waited {patience:.0f} seconds for others of the {size} ranks: "
                f"start all with the same command; if they take longer to start, set {PATIENCE}"
            )
        if said is not None:
            before = sum(neighbour.rank < rank for neighbour in found)
            if not select.select([0], [], [], before * _TURN)[0]:
                sys.stderr.write(f"striate: {said}\n")
                sys.stderr.flush()
                if _ask(os.environ, process, _EXIT_CODE):
                    select.select([0], [], [], _TO_BE_HEARD)
                _end(process)  # what has started it ends the others
            return


def _end(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _ask(environment: Mapping[str, str], process: int, code: int) -> bool:
    """Ask MPICH's mpiexec to end all ranks, a process among them; whether it was asked."""
    handle = environment.get(_LINE, "")
    launcher = _parent(process)
    if handle.isdecimal() and launcher is not None and _read(launcher, "comm").strip() == _MPICH:
        _be_heard()
        with suppress(OSError):
            return os.write(int(handle), b"cmd=abort exitcode=%d\n" % code) > 0
    return False


def _be_heard() -> None:
    """Wait until mpiexec's proxy has read what was told here. It hands on what it reads in order,
    but where an error and the end of all lie before it, it may take the end first.
    """
    with suppress(ImportError, OSError):
        from fcntl import ioctl
        from termios import FIONREAD

        until = time.monotonic() + _TO_BE_HEARD
        while any(ioctl(_TOLD_TO, FIONREAD, bytes(4))) and time.monotonic() < until:
            time.sleep(_SOON)


def _program(words: Sequence[str]) -> tuple[str, ...]:
    """What tells one program from another in a command line: its name, or what Python runs, and the
    first argument.
    """
    is_python = os.path.basename(words[0]).startswith("python")
    return tuple(word for word in words[is_python:] if word and not word.startswith("-"))[:2]


def _shown(program: Sequence[str]) -> str:
    text = " ".join(" ".join(program).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return _PATIENCE


def _parent(process: int) -> int | None:
    """The process that has started another one, where that is known."""
    words = _read(process, "stat").rpartition(")")[2].split()
    return int(words[1]) if len(words) > 1 else None


def _read(process: int, name: str) -> str:
    """What the system tells of a process; "" where it does not."""
    try:
        return Path(f"/proc/{process}/{name}").read_text("utf-8", "replace")
    except OSError:
        return ""


if __name__ == "__main__":
    _watch(os.getppid(), int(sys.argv[1]), int(sys.argv[2]))
