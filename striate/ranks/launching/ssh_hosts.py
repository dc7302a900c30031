"""Hosts of a file, which are reached by ssh."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from striate.common.errors import StriateValueError
from striate.common.text import quoted, reason
from striate.ranks.launching import on_worker
from striate.ranks.launching.cluster import Cluster, RunningProxy, Worker
from striate.ranks.launching.own_address import own_address

_LINE = re.compile(r"(?P<name>[^\s:#]+|\[[0-9a-fA-F:]+\])(?::(?P<ranks>[0-9]{1,5}))?")
_OPTIONS = (
    # Nobody is there to answer questions, and a host that is lost has to be noticed.
    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3",
)  # fmt: skip
_SSH_FAILED = 255
_LOOKING, _ENDING = 60.0, 5.0
"""Seconds."""


class SshHosts(Cluster):
    """The hosts of a file; those that are this machine are reached without ssh.

    striate is installed on all of them under the same path. HYDRA_LAUNCHER_EXEC, the variable of
    MPICH, names a program to take instead of ssh.

    Args:
        path: of the file. Each line has a host, or "host:2" for as many ranks; "#" begins a
            comment.

    Raises:
        ValueError: there is no such file, or a line is none of these.
    """

    kind = "the hosts"

    def __init__(self, path: str) -> None:
        self._workers = read_hosts(path)

    def __exit__(self, *_: object) -> None:
        pass  # each proxy has a connection of its own

    def workers(self) -> list[Worker]:
        return list(self._workers)

    def look(self, workers: Sequence[Worker], folder: str, mark: str) -> Mapping[Worker, str]:
        away = [worker for worker in workers if not _is_here(worker.name)]
        looking = {worker: self._started(worker, "look", folder, mark) for worker in away}
        found = dict.fromkeys(workers, on_worker.look(folder, mark))
        found.update({worker: _answer(process, _LOOKING) for worker, process in looking.items()})
        return {worker: said for worker, said in found.items() if said}

    def start(self, worker: Worker, ranks: int, command: Sequence[str]) -> RunningProxy:
        return _RemoteProxy(self._started(worker, "run", *command))

    def address(self) -> str | None:
        away = [worker.name for worker in self._workers if not _is_here(worker.name)]
        return own_address(away[0].rpartition("@")[2]) if away else "127.0.0.1"

    def _started(self, worker: Worker, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "striate.ranks.launching.on_worker", *arguments]
        if not _is_here(worker.name):
            ssh = os.environ.get("HYDRA_LAUNCHER_EXEC", "ssh")
            # The other side has a shell between.
            command = [ssh, *_OPTIONS, worker.name, shlex.join(command)]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise StriateValueError(
                f"{command[0]}: cannot be started to reach {worker.name} ({reason(error)})"
            ) from error


class _RemoteProxy(RunningProxy):
    """One that a process here stands for; its standard input ends with it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._said: str | None = None

    def failure(self) -> str | None:
        return None if self._process.poll() is None else self._ended() or None

    def end(self) -> str | None:
        said = self._ended()
        is_lost = self._process.returncode == _SSH_FAILED or self._process.returncode < 0
        return said if is_lost else None

    def _ended(self) -> str:
        if self._said is None:
            self._said = _answer(self._process, _ENDING)
        return self._said


def read_hosts(path: str) -> list[Worker]:
    """The hosts of a file.

    Raises:
        ValueError: it cannot be read, has no hosts, or has one that is none or stands twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StriateValueError(f"--hosts {path}: cannot be read ({reason(error)})") from error
    found: dict[str, Worker] = {}
    for number, line in enumerate(text.splitlines(), 1):
        given = line.partition("#")[0].strip()
        if not given:
            continue
        match = _LINE.fullmatch(given)
        ranks = int(match["ranks"] or 1) if match else 0
        if match is None or ranks < 1 or given.startswith("-"):
            raise StriateValueError(
                f'{path}, line {number}: {quoted(given)} is no host; write "node1", or "node1:2" '
                "for two ranks"
            )
        if match["name"] in found:
            raise StriateValueError(
                f"{path}, line {number}: {match['name']} is named twice; write "
                f'"{match["name"]}:2" for two ranks'
            )
        found[match["name"]] = Worker(match["name"], ranks, ranks)
    if not found:
        raise StriateValueError(f"{path}: has no hosts; write one on each line")
    return list(found.values())


def _is_here(name: str) -> bool:
    return name in ("localhost", socket.gethostname()) or name.startswith("127.")


def _answer(process: subprocess.Popen[str], seconds: float) -> str:
    """What a process on a host has found out; "" for nothing to tell of."""
    try:
        out, err = process.communicate("", timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"has not answered within {seconds:.0f} seconds"
    if process.returncode == 0:
        return ""
    if process.returncode < 0:
        return "what stood for it here was ended from outside"
    said = [line.strip() for line in (*err.splitlines(), *out.splitlines()) if line.strip()]
    last = said[-1] if said else f"exit code {process.returncode}"
    if process.returncode == _SSH_FAILED:
        return f"cannot be reached ({last})"
    return last
