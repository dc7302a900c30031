"""The command as a whole: help, exit codes, errors in one sentence."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import striate as package
from striate.cli import output
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.tables import table
from striate.common.version import __version__

Run = Callable[..., Any]
Refused = Callable[..., str]


def test_help_lists_the_commands(striate: Run) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        outcome = striate(*arguments)
        assert outcome.code == 0
        for command in ("train", "evaluate", "predict", "summary"):
            assert f"\n  {command} " in outcome.out


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "summary"])
def test_help_of_each_command(striate: Run, command: str) -> None:
    outcome = striate(command, "--help")
    assert outcome.code == 0
    assert f"Usage: striate {command}" in outcome.out
    assert "--json" in outcome.out


def test_version(striate: Run) -> None:
    assert striate("--version").out == f"striate {package.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom striate.cli.app import run\nrun(['train', '--help'])\n"
        "print(sorted({'llvmlite', 'sklearn', 'PIL', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("fly",), "No such command 'fly'"),
        (("--nonsense",), "--nonsense"),
        (("predict",), "Missing argument 'MODEL'"),
    ],
)
def test_wrong_use(refused: Refused, arguments: tuple[str, ...], match: str) -> None:
    message = refused(*arguments)
    assert match in message
    assert "--help)" in message


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (StriateValueError("this\n  is wrong"), 2, "this is wrong"),
        (StriateTypeError("this\n  is wrong"), 2, "this is wrong"),
        (OSError(28, "No space left"), 2, "No space left"),
        (OSError(36, "File name too long", "x"), 2, "x: File name too long"),
        (OSError(18, "Other device", "x", None, "y"), 2, "x: y: Other device"),
        (MemoryError(), 2, "there is not enough memory for this; try smaller images or batches"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_become_one_sentence(
    striate: Run,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    line: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("striate.model.files.load", fail)
    outcome = striate("summary", "x")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"striate: {line}\n")


def test_a_traceback_on_request(striate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no such model file"):
        striate("summary", "none")


@pytest.mark.parametrize("error", [ZeroDivisionError(), ValueError("of NumPy"), KeyError("x")])
def test_an_error_of_ours_is_not_hidden(
    striate: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It is not told as if it were the user's: the trace is shown, and the exit code is another."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("striate.model.files.load", fail)
    outcome = striate("summary", "x")
    assert (outcome.code, outcome.out) == (1, "")
    trace, _, told = outcome.err.rstrip().rpartition("\n")
    assert trace.startswith("Traceback (most recent call last):")
    assert "in fail" in trace and type(error).__name__ in trace
    assert told.startswith(
        f"striate: this is a bug in striate {__version__}, not a mistake of yours"
    )
    monkeypatch.setenv("STRIATE_TRACEBACK", "1")
    with pytest.raises(type(error)):
        striate("summary", "x")


@pytest.mark.parametrize("how", [["-m", "striate"], ["-c", "import striate.cli as c; c.main()"]])
def test_as_a_process(how: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *how, "summary", "none"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "striate: none: there is no such model file\n"


def test_json_has_no_numbers_that_json_has_not(capfd: pytest.CaptureFixture[str]) -> None:
    output.json_line({"a": [float("nan"), (1.5, float("inf"))], 3: "ä\n"})
    line = capfd.readouterr().out
    assert line.count("\n") == 1
    assert json.loads(line) == {"a": [None, [1.5, None]], "3": "ä\n"}


def test_tables_are_aligned() -> None:
    assert table([("a", "b"), ("long", "1,000"), ("x", "2")]) == (
        "a         b\nlong  1,000\nx         2"
    )


@pytest.mark.parametrize("command", [[], ["summary"], ["train"], ["derive"], ["filter"]])
def test_help_is_the_same_without_docstrings(command: list[str]) -> None:
    told = [
        subprocess.run(
            [sys.executable, *optimised, "-m", "striate", *command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for optimised in ([], ["-OO"])
    ]
    assert told[0] == told[1]
    assert len(told[0].splitlines()) > 8
