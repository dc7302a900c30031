"""Ranks on the workers of a cluster: how they are dealt, started, lost and started again."""

from __future__ import annotations

import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from striate.common.errors import StriateValueError
from striate.ranks.gathering import has_starter
from striate.ranks.launched import Launch
from striate.ranks.launching import on_worker
from striate.ranks.launching.attempt import Attempt, Ending
from striate.ranks.launching.cluster import Cluster, RunningProxy, Worker, dealt
from striate.ranks.launching.restarts import LostRanksError, launch
from striate.ranks.launching.ssh_hosts import SshHosts, read_hosts
from striate.ranks.leash import PARENT
from striate.ranks.mpiexec import on_this_machine

A, B, C = Worker("a"), Worker("b", 2, 2), Worker("c", 1, 8)
needs_mpi = pytest.mark.skipif(
    on_worker.installed_program("mpiexec") is None or sys.platform == "win32",
    reason="pip install 'striate[mpi]'",
)


class Stop:
    """Knows of a signal as an InterruptHandler does."""

    number: int | None = None

    @property
    def requested(self) -> bool:
        return self.number is not None


class ThreadProxy(RunningProxy):
    """A proxy that a thread waits for."""

    def __init__(self, command: Sequence[str]) -> None:
        self.said: str | None = None
        self._thread = threading.Thread(target=self._run, args=(command,))
        self._thread.start()

    def _run(self, command: Sequence[str]) -> None:
        self.said = on_worker.run(command)

    def failure(self) -> str | None:
        return self.said or None

    def end(self) -> str | None:
        self._thread.join(20)
        assert not self._thread.is_alive(), "a proxy has survived its mpiexec"
        return None


class HereCluster(Cluster):
    """Workers that are all this machine; `hindered` says what each of them lacks, and `lost`
    what has become of it.
    """

    kind = "the test"

    def __init__(self, *workers: Worker) -> None:
        self.present = list(workers)
        self.hindered: dict[Worker, str] = {}
        self.lost: str | None = None
        self.marks: list[Path] = []

    def __exit__(self, *_: object) -> None:
        pass

    def workers(self) -> list[Worker]:
        return list(self.present)

    def look(self, workers: Sequence[Worker], folder: str, mark: str) -> Mapping[Worker, str]:
        self.marks.append(Path(folder, mark))
        assert self.marks[-1].exists()
        return {worker: self.hindered[worker] for worker in workers if worker in self.hindered}

    def start(self, worker: Worker, ranks: int, command: Sequence[str]) -> RunningProxy:
        return ThreadProxy(command) if self.lost is None else LostProxy(self.lost)

    def address(self) -> str | None:
        return "127.0.0.1"


class LostProxy(RunningProxy):
    def __init__(self, said: str) -> None:
        self._said = said

    def failure(self) -> str | None:
        return self._said

    def end(self) -> str | None:
        return self._said


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        (None, {A: 1, B: 2, C: 1}),
        (1, {A: 1}),
        (2, {A: 1, B: 1}),
        (4, {A: 1, B: 2, C: 1}),
        (6, {A: 1, B: 2, C: 3}),
    ],
)
def test_ranks_are_dealt(ranks: int | None, expected: dict[Worker, int]) -> None:
    assert dealt([A, B, C], ranks) == expected


def test_more_ranks_than_there_is_room_for() -> None:
    with pytest.raises(StriateValueError, match=r"room for 3 ranks only on 2 workers, not for 4"):
        dealt([A, B], 4)


# --- restarts ------------------------------------------------------------------------------------


class Course:
    """Starts that end as they are told; each may write a checkpoint, or change the cluster."""

    def __init__(self, folder: Path, *workers: Worker) -> None:
        self.cluster = HereCluster(*workers)
        self.checkpoint, self.stop = folder / "m.checkpoint", Stop()
        self.started: list[tuple[int, bool]] = []
        self.told: list[str] = []

    def run(self, *endings: Ending | Callable[[], Ending], **options: int | None) -> int:
        left = list(endings)

        def start(places: Mapping[Worker, int], given: Sequence[str]) -> Ending:
            self.started.append((sum(places.values()), "--resume" in given))
            ending = left.pop(0)
            return ending if isinstance(ending, Ending) else ending()

        given = {"ranks": None, "restarts": 3, **options}
        code = launch(
            self.cluster,
            ["train", "digits"],
            checkpoint=self.checkpoint,
            stop=self.stop,
            tell=self.told.append,
            start=start,
            pause=0.05,
            **given,
        )  # type: ignore[arg-type]
        assert not left and not any(mark.exists() for mark in self.cluster.marks)
        return code

    def writes(self) -> Ending:
        self.checkpoint.write_text(str(time.monotonic()))
        return Ending(None, "b is gone")

    def loses(self, worker: Worker) -> Ending:
        self.cluster.present.remove(worker)
        return self.writes()


def test_it_goes_on_with_those_that_are_left(tmp_path: Path) -> None:
    course = Course(tmp_path, A, B, C)
    last = lambda: course.cluster.hindered.update({A: "is deaf"}) or Ending(None)  # type: ignore[func-returns-value]  # noqa: E731
    assert course.run(lambda: course.loses(B), last, Ending(0)) == 0
    # c may take what the others had.
    assert course.started == [(4, False), (4, True), (4, True)]
    assert course.told[1] == "Ranks were lost (b is gone); restart 1 of 3"
    assert course.told[-2:] == ["Without a: it is deaf", "4 ranks on c (4)"]


def test_no_more_ranks_than_there_is_room_for_are_started_again(tmp_path: Path) -> None:
    course = Course(tmp_path, A, B)
    assert course.run(lambda: course.loses(B), Ending(143)) == 143
    assert course.started == [(3, False), (1, True)]


def test_an_old_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    course = Course(tmp_path, A)
    course.checkpoint.write_text("of another training")
    assert course.run(Ending(None), course.writes, Ending(None), Ending(1)) == 1
    assert [resumed for _, resumed in course.started] == [False, False, True, True]


def test_restarts_are_used_up(tmp_path: Path) -> None:
    course = Course(tmp_path, A)
    with pytest.raises(LostRanksError, match=r"lost \(b is gone\), after 1 restart; .*--resume"):
        course.run(course.writes, course.writes, restarts=1)
    with pytest.raises(LostRanksError, match="no worker is left"):
        course.run(lambda: course.loses(A))


def test_what_is_wrong_from_the_start(tmp_path: Path) -> None:
    course = Course(tmp_path, A, B)
    with pytest.raises(StriateValueError, match=r"^the ranks could not be started: a has no port"):
        course.run(Ending(None, "a has no port", has_begun=False))
    course.cluster.hindered = {B: "does not see the folder"}
    with pytest.raises(StriateValueError, match=r"^the test: b does not see the folder"):
        course.run()
    course.cluster.present = []
    with pytest.raises(StriateValueError, match="there are no workers"):
        course.run()


def test_a_signal_between_two_starts(tmp_path: Path) -> None:
    course = Course(tmp_path, A)

    def stops() -> Ending:
        course.stop.number = 15
        return course.writes()

    assert course.run(stops) == 143
    assert len(course.started) == 1


# --- one start, with the real mpiexec ------------------------------------------------------------


@pytest.fixture
def ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Let each rank carry out a script of the shell, instead of Python."""

    def make(script: str) -> Path:
        path = tmp_path / "rank"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv(on_worker.PYTHON, str(path))
        return path

    return make


def attempt(cluster: Cluster, stop: Stop | None = None, *arguments: str) -> Ending:
    told: list[str] = []
    places = dict.fromkeys(cluster.workers(), 1)
    return Attempt(cluster, places, arguments, stop or Stop(), told.append).carry_out()  # type: ignore[arg-type]


@needs_mpi
def test_the_code_of_the_ranks(
    ranks: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """Arguments arrive as they are, and what ranks print as well."""
    ranks('test $PMI_SIZE = 2 && test "$4" = "two  words" && echo "rank $PMI_RANK"; exit $3')
    for code in (0, 2):
        assert attempt(HereCluster(A, B), None, str(code), "two  words") == Ending(code)
        out, err = capfd.readouterr()
        assert sorted(out.split("\n")) == ["", "rank 0", "rank 1"] and err == ""


@needs_mpi
def test_a_rank_that_is_killed(
    ranks: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    ranks("test $PMI_RANK = 0 || { sleep 0.2; kill -9 $$; }; exec sleep 60")
    found = attempt(HereCluster(A, B))
    assert found.code is None and found.has_begun and "ended" in found.reason
    assert capfd.readouterr() == ("", "")


@needs_mpi
def test_a_worker_that_cannot_start_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.ranks.launching.attempt._PATIENCE", 0.1)
    cluster = HereCluster(A, B)
    cluster.lost = "the worker is gone"
    assert attempt(cluster) == Ending(None, "a: the worker is gone", has_begun=False)


@needs_mpi
def test_a_signal_reaches_all_ranks(ranks: Callable[[str], Path], tmp_path: Path) -> None:
    ranks(f"trap 'exit 143' TERM; : > {tmp_path}/on$PMI_RANK; while :; do sleep 0.05; done")
    stop = Stop()

    def signals() -> None:
        while not all((tmp_path / f"on{rank}").exists() for rank in range(2)):
            time.sleep(0.01)
        stop.number = 15

    sender = threading.Thread(target=signals)
    sender.start()
    assert attempt(HereCluster(A, B), stop) == Ending(143)
    sender.join()


@needs_mpi
def test_a_signal_before_any_rank_is_there(ranks: Callable[[str], Path], tmp_path: Path) -> None:
    ranks(f": > {tmp_path}/began; exec sleep 60")
    stop = Stop()
    stop.number = 2
    assert attempt(HereCluster(A), stop) == Ending(130)


# --- hosts ---------------------------------------------------------------------------------------


def test_a_file_of_hosts(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("# all\n\nnode1 # the first\nme@node2:3\n[fe80::1]:2\n")
    assert read_hosts(str(path)) == [
        Worker("node1", 1, 1),
        Worker("me@node2", 3, 3),
        Worker("[fe80::1]", 2, 2),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"hosts: has no hosts"),
        ("a\nb:0\n", r'hosts, line 2: "b:0" is no host'),
        ("a slots=2\n", r'line 1: "a slots=2" is no host; write "node1", or "node1:2"'),
        ("-oProxyCommand=x\n", r"line 1: .* is no host"),
        ("a\nb\na:2\n", r'line 3: a is named twice; write "a:2" for two ranks'),
        (None, r"--hosts .*hosts: cannot be read \(No such file or directory\)"),
        (b"\xff", r"cannot be read"),
    ],
)
def test_files_that_are_none_of_hosts(text: str | bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StriateValueError, match=said):
        read_hosts(str(path))


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Take a script of the shell for ssh, which is given the options, the host and the command."""

    def make(script: str) -> None:
        path = tmp_path / "ssh"
        path.write_text(f'#!/bin/sh\nwhile [ "$1" = -o ]; do shift 2; done\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setenv("HYDRA_LAUNCHER_EXEC", str(path))

    return make


def hosts(folder: Path, text: str) -> SshHosts:
    (folder / "hosts").write_text(text)
    return SshHosts(str(folder / "hosts"))


@needs_mpi
def test_a_host_by_ssh(
    ssh: Callable[[str], None],
    ranks: Callable[[str], Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It looks around, and ends its ranks when the connection ends."""
    ssh('test "$1" = node1 || exit 7\nexec sh -c "$2"')
    ranks('echo "$3"')
    cluster = hosts(tmp_path, "node1\n")
    cluster.address = lambda: "127.0.0.1"  # type: ignore[method-assign]
    (worker,) = cluster.workers()
    assert attempt(cluster, None, "it's $HOME") == Ending(0)
    assert capfd.readouterr().out == "it's $HOME\n"
    (lacking,) = cluster.look([worker], str(tmp_path), "nowhere").values()
    assert lacking.startswith(f"does not see the folder of the model, {tmp_path}: put it where")


def test_a_host_that_cannot_be_reached(ssh: Callable[[str], None], tmp_path: Path) -> None:
    ssh('echo "ssh: connect to host $1 port 22: No route to host" >&2; exit 255')
    cluster = hosts(tmp_path, "node1\nnode2\n")
    assert cluster.look(cluster.workers(), str(tmp_path), "x") == {
        worker: f"cannot be reached (ssh: connect to host {worker.name} port 22: No route to host)"
        for worker in cluster.workers()
    }


def test_what_a_worker_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mark").touch()
    monkeypatch.setattr(on_worker, "installed_program", lambda name: None)
    monkeypatch.setattr(on_worker, "which", lambda name: None)
    assert on_worker.look(str(tmp_path), "mark").startswith("has no MPICH")
    monkeypatch.setattr(on_worker, "find_spec", lambda name: None)
    assert on_worker.look(str(tmp_path), "mark").startswith("has no mpi4py")
    assert on_worker.run(["/nowhere/proxy"]).startswith("/nowhere/proxy cannot be started (No")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such lines")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_rank_whose_proxy_was_killed_before_it_could_look(is_there: bool) -> None:
    """It has another parent then, which stays."""
    code = "from striate.ranks.leash import end_with_parent; end_with_parent(); print('there')"
    proxy, rank = socket.socketpair()
    with proxy, rank:
        if not is_there:
            proxy.close()
        environment = {**os.environ, "PMI_FD": str(rank.fileno())}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment, pass_fds=[rank.fileno()], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == ((0, "there\n") if is_there else (-9, ""))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell stands for the proxy")
def test_a_rank_ends_when_its_proxy_is_killed() -> None:
    code = (
        "import time; from striate.ranks.leash import end_with_parent; "
        'end_with_parent(); print("there", flush=True); time.sleep(60)'
    )
    script = f"{PARENT}=$$ {shlex.quote(sys.executable)} -c {shlex.quote(code)} & wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None and shell.stdout.readline() == "there\n"
        assert select.select([shell.stdout], [], [], 0.5)[0] == [], "it has ended too early"
        shell.kill()
        # The pipe is closed when nobody holds it any more.
        assert select.select([shell.stdout], [], [], 20)[0] and shell.stdout.read() == ""


@needs_mpi
def test_a_lone_rank_ends_when_its_proxy_is_killed() -> None:
    code = (
        "import os, time; from striate.ranks.mpi_exchange import connect; connect(); "
        "print(os.getppid(), flush=True); time.sleep(60)"
    )
    command = [*on_this_machine("a test"), "-n", "1", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as mpiexec:
        assert mpiexec.stdout is not None
        os.kill(int(mpiexec.stdout.readline()), signal.SIGKILL)
        # The rank holds the other end, too: the pipe is closed when nobody does any more.
        begin = time.monotonic()
        assert mpiexec.stdout.read() == "" and time.monotonic() - begin < 20
        mpiexec.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such lines")
def test_what_a_lone_rank_starts_does_not_depend_on_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It knows of the rank's line, but has not got it."""
    lone = Launch(1, 0, "mpiexec")
    proxy, rank = socket.socketpair()
    with proxy, rank, open(os.devnull) as other:
        for line, depends in ((str(rank.fileno()), True), (str(other.fileno()), False)):
            monkeypatch.setenv("PMI_FD", line)
            assert has_starter(lone) is depends
    for line in ("9999", "9" * 30, "", "-1"):
        monkeypatch.setenv("PMI_FD", line)
        assert not has_starter(lone) and has_starter(Launch(2, 0, "mpiexec"))
