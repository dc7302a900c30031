"""The fuzzer's first cases, and that it would find what it looks for.

`benchmarks/fuzz.py` runs any number of them.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent
FIRST = 60
"""Cases of each kind that are run here."""


@pytest.fixture(scope="module")
def cases() -> Iterator[ModuleType]:
    """The module that runs cases; it and what it imports are no package."""
    sys.path.insert(0, str(FOLDER))
    try:
        import cases

        yield cases
    finally:
        sys.path.remove(str(FOLDER))


def faults(cases: ModuleType, target: str, numbers: range, folder: Path) -> list[object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [fault for number in numbers for fault in cases.run_case(target, number, folder)]


@pytest.mark.parametrize(
    "target",
    [
        "model",
        "checkpoint",
        "network",
        "toml",
        "npz",
        "npy",
        "idx",
        "image",
        "wav",
        "csv",
        "kernel",
        "onnx",
        "options",
    ],
)
def test_no_case_is_wrong(
    cases: ModuleType, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "MOST_SECONDS", 15.0)  # beside other tests, with nothing compiled
    assert faults(cases, target, range(FIRST), tmp_path) == []


def test_all_kinds_are_tried(cases: ModuleType) -> None:
    (mark,) = (m for m in test_no_case_is_wrong.pytestmark if m.name == "parametrize")  # type: ignore[attr-defined]
    assert set(mark.args[1]) == set(cases.TARGETS)


def test_a_case_is_the_same_every_time(cases: ModuleType) -> None:
    for target in cases.TARGETS:
        assert cases.content_of(target, 5) == cases.content_of(target, 5)
        assert len({cases.content_of(target, number)[0] for number in range(20)}) > 10


def test_what_is_wrong_is_found(
    cases: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.common.errors import StriateError, StriateValueError

    def long_message() -> None:
        error = StriateValueError("x")
        error.args = ("x" * 501,)
        raise error

    def other() -> None:
        raise KeyError("x")

    def number_of_the_system() -> None:
        raise StriateError("[Errno 2] gone")

    def slow() -> None:
        time.sleep(0.02)

    def large() -> None:
        bytearray(b"x" * 30_000_000)

    def fine() -> None:
        raise StriateValueError("x")

    monkeypatch.setattr(cases, "MOST_SECONDS", 0.01)
    monkeypatch.setattr(cases, "MOST_BYTES", 10**7)
    found = {}
    for wrong in (long_message, other, number_of_the_system, slow, large, fine):
        target = cases.TARGETS["csv"]
        changed = type(target)(target.make, target.suffixes, lambda path, wrong=wrong: wrong())
        monkeypatch.setitem(cases.TARGETS, "csv", changed)
        found[wrong.__name__] = {fault.kind for fault in cases.run_case("csv", 0, tmp_path)}
        monkeypatch.setitem(cases.TARGETS, "csv", target)
    assert found["other"] == {"error"}
    assert found["long_message"] == found["number_of_the_system"] == {"message"}
    assert found["slow"] == {"slow"}
    if Path("/proc/self/clear_refs").exists():
        assert "memory" in found["large"]
    assert found["fine"] == set()
