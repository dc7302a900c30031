"""`striate train` by several processes: the same model file, and no end that nobody explains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from striate.cli import training_ranks
from striate.common.stop_signals import InterruptHandler
from striate.ranks import mpiexec
from tests.cli.conftest import Run
from tests.ranks.rank_threads import Table, ThreadExchange

pytest.importorskip("mpi4py", reason="pip install 'striate[mpi]'")
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="ranks are found by /proc"
)
PATIENCE = 120.0
"""Seconds after which a test fails."""
MARK = "STRIATE_TEST_OF_RANKS"


@pytest.fixture
def train(network_file: Path) -> list[str]:
    """The arguments of a training of 19 steps an epoch, the last of them of fewer groups."""
    options = "--groups 5 --batch-size 70 --epochs 12 --validation 0.1 --class-weight 3=2 --shift 1"
    given = ["train", "digits", "--no-check", "--seed", "3", "--network", str(network_file)]
    return given + options.split()


def started(*command: str, folder: Path) -> subprocess.Popen[str]:
    """A process whose ranks bear a mark."""
    marked = {MARK: str(folder), "OMP_NUM_THREADS": "1", **os.environ}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=marked,
        cwd=folder, start_new_session=True,
    )  # fmt: skip


def by_processes(count: int, *arguments: object, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "striate", *map(str, arguments), "--processes", str(count)]
    return started(*command, folder=folder)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The code, and the lines that begin with the name of the program."""
    try:
        _, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    return process.returncode, [line for line in err.splitlines() if line.startswith("striate: ")]


def number_of(rank: int, folder: Path) -> int:
    """The number of the process of a rank that was started in a folder."""
    wanted = {f"{MARK}={folder}".encode(), f"PMI_RANK={rank}".encode()}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found = set((entry / "environ").read_bytes().split(b"\0"))
        except OSError:
            continue
        if wanted <= found:
            return int(entry.name)
    raise AssertionError(f"there is no rank {rank}")


def wait_for_another(checkpoint: Path, before: int | None = None) -> int:
    """When the checkpoint was written, if not at `before`."""
    end = time.monotonic() + PATIENCE
    while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
        assert time.monotonic() < end
        time.sleep(0.01)
    return checkpoint.stat().st_mtime_ns


def test_a_rank_is_killed_and_others_go_on(train: list[str], tmp_path: Path, striate: Run) -> None:
    """Stopped by the death of a rank, then by a signal to one, and ended by another number."""
    whole = tmp_path / "whole.safetensors"
    assert striate(*train, "--threads", 1, "--quiet", "--out", whole).code == 0
    model, checkpoint = tmp_path / "m.safetensors", tmp_path / "m.safetensors.checkpoint"
    options = ["--out", model, "--checkpoint-steps", 5, "--resume"]
    first = by_processes(3, *train, *options, folder=tmp_path)
    wait_for_another(checkpoint)
    os.kill(number_of(2, tmp_path), signal.SIGKILL)
    code, lines = ended(first)
    assert code == 2 and len(lines) == 1, lines
    assert "one of the 3 processes was ended from outside" in lines[0]
    assert checkpoint.exists() and not model.exists()

    before = checkpoint.stat().st_mtime_ns
    second = by_processes(2, *train, *options, folder=tmp_path)
    wait_for_another(checkpoint, before)
    os.kill(number_of(1, tmp_path), signal.SIGTERM)
    assert ended(second) == (143, [])
    assert checkpoint.exists() and model.exists()

    assert striate(*train, *options, "--threads", 2).code == 0
    assert model.read_bytes() == whole.read_bytes() and not checkpoint.exists()


def test_ranks_that_differ_are_told_once(train: list[str], tmp_path: Path) -> None:
    starter, own = mpiexec.on_this_machine("tests"), [sys.executable, "-m", "striate"]
    several = [*starter, "-n", "1", *own, *train, ":", "-n", "1", *own]
    for rest, said in (
        ([*train, "--lr", "0.01"], "rank 1 has 0.01: give all of them the same"),
        (["train", "nowhere"], "striate: rank 1: nowhere: no such file or folder"),
    ):
        code, lines = ended(started(*several, *rest, folder=tmp_path))
        assert code == 2 and len(lines) == 1 and said in lines[0], lines
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--processes", "3"], "--processes 3: mpiexec has started 2; leave --processes out"),
        (["--lr", "much"], "Invalid value for '--lr'"),
    ],
)
def test_what_is_refused(
    options: list[str], said: str, train: list[str], striate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both of two ranks know it, and the first one says it; if that is before they are connected,
    the other one would say it too, were it not ended by then.
    """
    monkeypatch.setattr(training_ranks, "_FIRST_SPEAKS", 0.0)

    class OneOfTwo(ThreadExchange):
        def allgather(self, message: bytes) -> list[bytes]:
            return [message] * 2

    monkeypatch.setenv("PMI_SIZE", "2")
    for rank in (0, 1):
        monkeypatch.setenv("PMI_RANK", str(rank))
        monkeypatch.setattr("striate.ranks.mpi", lambda rank=rank: OneOfTwo(Table(2), rank))
        outcome = striate(*train, *options)
        lines = outcome.err.splitlines()
        assert outcome.code == 2 and outcome.out == ""
        is_heard = rank == 0 or options[0] == "--lr"
        assert len(lines) == is_heard, lines
        if is_heard:
            assert lines[0].startswith(f"striate: {'rank 1: ' * rank}{said}"), lines


def test_the_end_of_the_command_that_started_them_stops_ranks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = [b"x", b""]
    with InterruptHandler() as stop, monkeypatch.context() as patch:
        patch.setattr(training_ranks.os, "read", lambda handle, size: given.pop(0))
        training_ranks._end_with_starter()
    assert stop.number == signal.SIGTERM and not given


def test_without_what_starts_processes(
    train: list[str], striate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise mpiexec.PackageNotFoundError(name)

    monkeypatch.setattr(mpiexec, "distribution", missing)
    monkeypatch.setattr(mpiexec, "which", lambda name: None)
    outcome = striate(*train, "--processes", 2)
    assert outcome.code == 2 and outcome.err == (
        "striate: --processes: there is no mpiexec to start processes with: pip install "
        "'striate[mpi]'\n"
    )
    monkeypatch.setattr("striate.common.optional.find_spec", lambda name: None)
    outcome = striate(*train, "--processes", 2)
    assert outcome.code == 2 and "needs the package mpi4py" in outcome.err


def test_tasks_of_slurm_that_are_alone(
    train: list[str], striate: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "0")
    outcome = striate(*train, "--epochs", 1)
    assert outcome.code == 2 and "Slurm has 4 tasks for this job, but each is alone" in outcome.err
    out = tmp_path / "m.safetensors"
    assert striate(*train, "--epochs", 1, "--processes", 1, "--out", out).code == 0
