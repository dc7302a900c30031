"""Ranks that will never come are named by those that wait for them."""

from __future__ import annotations

import os
import subprocess
import sys
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
