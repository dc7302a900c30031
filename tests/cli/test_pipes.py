"""Whatever writes a file: pipes and devices are written to, never replaced."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as package

Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes")

COMMANDS: dict[str, tuple[str, ...]] = {
    "report.html": ("report", "MODEL", "digits", "--engine", "numpy", "--images", "1", "--out"),
    "photo.png": ("filter", "--kernel", "laplace", "--out"),
    "compare.png": ("filter", "--kernel", "laplace", "--compare", "--out"),
    "signal.csv": ("convolve", "--signal", "1,2,3", "--kernel", "1,1", "--out"),
    "signal.wav": ("convolve", "--signal", "1,2,3", "--kernel", "1,1", "--out"),
    "signal.npy": ("convolve", "--signal", "1,2,3", "--kernel", "1,1", "--out"),
    "plot.png": ("convolve", "--signal", "1,2,3", "--kernel", "1,1", "--plot"),
    "derivation.html": ("derive", "--out"),
    "derivation.svg": ("derive", "--out"),
    "gradients.txt": ("gradients", "--out"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_that_nobody_reads(striate: Run, in_tmp: Path, model: Path, name: str) -> None:
    os.mkfifo(name)
    command = [str(model) if part == "MODEL" else part for part in COMMANDS[name]]
    outcome = striate(*command, name)
    assert outcome.code == 2, outcome
    assert outcome.err.splitlines()[-1].startswith(f"striate: {name}: ")
    assert "is a pipe that nobody reads" in outcome.err.splitlines()[-1]
    assert stat.S_ISFIFO(os.stat(name).st_mode)
    assert os.listdir() == [name]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_device(striate: Run, in_tmp: Path, model: Path, name: str) -> None:
    """Through a link, which has the ending that the command wants."""
    os.symlink("/dev/null", name)
    before = os.stat("/dev/null")
    command = [str(model) if part == "MODEL" else part for part in COMMANDS[name]]
    outcome = striate(*command, name)
    assert outcome.code == 0, outcome.err
    after = os.stat("/dev/null")
    assert stat.S_ISCHR(after.st_mode) and after.st_ino == before.st_ino
    assert os.path.islink(name) and os.listdir() == [name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_told_with_the_file(
    striate: Run, in_tmp: Path, model: Path, name: str
) -> None:
    os.symlink("/dev/full", name)
    command = [str(model) if part == "MODEL" else part for part in COMMANDS[name]]
    outcome = striate(*command, name)
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith(f"striate: {name}: ") and "No space left on device" in last
    assert "Errno" not in last


def test_from_python(tmp_path: Path) -> None:
    network = package.Network([package.Flatten(), package.Dense(2)], input_shape=(3, 3, 1))
    os.mkfifo(tmp_path / "model")
    with pytest.raises(ValueError, match="is a pipe that nobody reads"):
        network.save(tmp_path / "model")
    network.save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    reader = subprocess.Popen(
        ["cat", str(tmp_path / "model")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    while True:
        try:
            network.save(tmp_path / "model")
            break
        except ValueError:
            assert reader.poll() is None
    (tmp_path / "copy").write_bytes(reader.communicate(timeout=10)[0])
    np.testing.assert_array_equal(package.load(tmp_path / "copy").flat, network.flat)
