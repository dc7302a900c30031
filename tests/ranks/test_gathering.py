"""Ranks that will never come are named by those that wait for them."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from striate.ranks import gathering
from striate.ranks.gathering import Neighbour, obstacle
from striate.ranks.launched import Launch

TRAIN, OTHER = ("striate", "train"), ("other.py",)
NEVER, LONG = 0.0, 60.0


@pytest.mark.parametrize(
    ("found", "local", "lacking", "waited", "said"),
    [
        ([(0, TRAIN), (1, TRAIN), (2, TRAIN)], 3, NEVER, LONG, None),
        ([(0, TRAIN), (1, TRAIN)], 3, NEVER, LONG, None),
        ([(0, TRAIN), (1, TRAIN)], 3, LONG, NEVER, "rank 2 has ended before all 3 ranks were"),
        ([(1, TRAIN)], 3, LONG, NEVER, "ranks 0, 2 have ended before all 3 ranks were"),
        ([(1, TRAIN)], 2, LONG, NEVER, "a rank of this machine has ended before all 3 ranks were"),
        ([(0, OTHER), (1, TRAIN), (2, TRAIN)], 3, NEVER, NEVER, None),
        ([(0, OTHER), (1, TRAIN), (2, TRAIN)], 3, NEVER, LONG,
         "rank 0 runs another program (other.py) than rank 1 (striate train), which waits for it"),
        ([], 3, LONG, LONG, None),
    ],
)  # fmt: skip
def test_why_a_rank_waits_in_vain(
    found: list[tuple[int, tuple[str, ...]]],
    local: int,
    lacking: float,
    waited: float,
    said: str | None,
) -> None:
    neighbours = [Neighbour(*one) for one in found]
    told = obstacle(1, neighbours, local, 3, lacking, waited)
    assert told is None if said is None else told is not None and told.startswith(said), told


def test_what_tells_programs_apart() -> None:
    def told(line: str) -> tuple[str, ...]:
        return gathering._program(line.split(" "))

    assert told("/usr/bin/python3 -m striate train digits") == TRAIN
    assert told("/usr/bin/python3.11 -I other.py") == OTHER
    assert told("sleep 100 ") == ("sleep", "100")


def test_what_waits_too_long_is_ended(tmp_path: Path) -> None:
    """Where nothing is known of the others: here nobody is a rank."""
    rank = """
import sys, time
from striate.ranks.gathering import gathering
from striate.ranks.launched import Launch
with gathering(Launch(3, 1, "mpiexec")):
    time.sleep(60)
"""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", rank], capture_output=True, text=True, timeout=50, check=False,
        env={**os.environ, gathering.PATIENCE: "0.1"},
    )  # fmt: skip
    assert done.returncode < 0 and time.monotonic() - begin < 40
    assert done.stderr == (
        "striate: rank 1 has waited 0 seconds for others of the 3 ranks: start all with the same "
        "command; if they take longer to start, set STRIATE_RANKS_PATIENCE\n"
    )


def test_those_that_come_together_are_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with gathering.gathering(Launch(2, 0, "mpiexec")):
        pass
    with gathering.gathering(None), pytest.raises(ValueError, match="mine"):
        raise ValueError("mine")
    assert capfd.readouterr().err == ""


_HELD = """
import ctypes, sys
from striate.ranks.gathering import gathering
from striate.ranks.launched import Launch
with gathering(Launch(int(sys.argv[1]), 0, "mpiexec")):
    print("there", flush=True)
    ctypes.PyDLL(None).sleep(60)  # as in MPI_Init no other thread has its turn
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such lines")
@pytest.mark.parametrize("size", [1, 2])
def test_a_rank_that_connects_ends_with_what_has_started_it(size: int) -> None:
    proxy, rank = socket.socketpair()
    with proxy, rank:
        environment = {**os.environ, "PMI_FD": str(rank.fileno()), "PMI_RANK": "0"}
        with subprocess.Popen(
            [sys.executable, "-c", _HELD, str(size)],
            env=environment, pass_fds=[rank.fileno()], stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None and process.stdout.readline() == "there\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            proxy.close()
            assert process.wait(20) == -9


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system what of a pipe was read")
def test_what_was_told_is_read_before_all_are_asked_to_end() -> None:
    """By who reads standard error, here this process, as late as it likes."""
    rank = """
import sys
from striate.ranks import gathering
gathering._TO_BE_HEARD = 60.0
print("why", file=sys.stderr, flush=True)
gathering._be_heard()
print("the end", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", rank], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stdout.fileno(), False)
        unread = bytearray(4)
        while not any(unread):
            fcntl.ioctl(process.stderr, termios.FIONREAD, unread)
            time.sleep(0.01)
        time.sleep(0.5)
        assert process.stdout.read() is None
        assert process.stderr.readline() == b"why\n"
        os.set_blocking(process.stdout.fileno(), True)
        assert process.stdout.read() == b"the end\n"


def test_nobody_is_waited_for_longer_than_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(gathering, "_TO_BE_HEARD", 0.3)
    monkeypatch.setattr(gathering, "_TOLD_TO", writer)
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as told:
        told.write(b"why")
        told.flush()
        begin = time.monotonic()
        gathering._be_heard()
        assert 0.3 <= time.monotonic() - begin < 5
    gathering._be_heard()  # of what is closed nothing is known
