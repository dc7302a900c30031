"""What the tests of the commands share: a way to run them, small data and a small model."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.cli.app import run

NETWORK = """
[[layers]]
layer = "Conv2D"
filters = 4
size = 3

[[layers]]
layer = "ReLU"

[[layers]]
layer = "Flatten"

[[layers]]
layer = "Dense"
units = "classes"
"""


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The object on the last line of standard output."""
        result = json.loads(self.out.splitlines()[-1])
        assert isinstance(result, dict)
        return result


Run = Callable[..., Outcome]


@pytest.fixture
def striate(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def refused(striate: Run) -> Callable[..., str]:
    """Run a command that must end with code 2 and one sentence; return the sentence."""

    def call(*arguments: object) -> str:
        outcome = striate(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        lines = [line for line in outcome.err.splitlines() if line.startswith("striate: ")]
        assert len(lines) == 1, outcome.err
        assert outcome.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in outcome.err
        return lines[0].removeprefix("striate: ")

    return call


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, written down."""
    path = tmp_path_factory.mktemp("network") / "small.toml"
    path.write_text(NETWORK)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, network_file: Path) -> Path:
    """A model of the digits, trained a little."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    arguments = ["train", "digits", "--quiet", "--engine", "numpy", "--epochs", "2"]
    assert run([*arguments, "--network", str(network_file), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of 12 images for each of two classes: dark and light."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 160)):
        (folder / name).mkdir()
        for number in range(12):
            pixels = rng.integers(low, low + 90, (8, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}{number}.png")
    return folder


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, which is the current one meanwhile."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
