"""The command as a whole: help, exit codes, errors in one sentence."""

import json
import os
import signal
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


# Streams that cannot be written to, and signals


def shell(
    redirection: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = " ".join([sys.executable, "-m", "striate", *arguments, redirection])
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False,
        encoding="utf-8", errors="replace", env={**os.environ, **environment},
    )  # fmt: skip


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


@POSIX
@FULL
@pytest.mark.parametrize(
    ("redirection", "code", "told"),
    [
        ("2>/dev/full", 0, None),
        ("2>&-", 0, None),
        ("<&-", 0, ""),
        ("2>&1 | true", 141, None),
        ("| true", 141, ""),
        (">/dev/full", 2, "standard output (No space left on device)"),
        (">&-", 2, "standard output (it is closed)"),
        (">&- 2>&-", 2, None),
        (">/dev/full 2>&1", 2, None),
    ],
)
def test_streams_that_cannot_be_written_to(
    in_tmp: Path, network_file: Path, redirection: str, code: int, told: str
) -> None:
    """The work is done all the same; and 0 says that all results arrived."""
    done = shell(
        redirection, "train", "digits", "--engine", "numpy", "--epochs", "1", "--network",
        str(network_file), PYTHONUNBUFFERED="1" if "full" in redirection else "",
    )  # fmt: skip
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    if told is not None:
        assert told in done.stderr
    package.load("digits.safetensors")
    assert os.listdir() == ["digits.safetensors"]


@POSIX
def test_a_file_does_not_take_the_place_of_a_closed_stream(in_tmp: Path, model: Path) -> None:
    """What is written to standard error later would go into it."""
    done = shell(
        ">&- 2>&- <&-", "report", str(model), "digits", "--engine", "numpy", "-o", "p.html"
    )
    assert done.returncode == 2  # the results did not arrive
    assert Path("p.html").read_text("utf-8").rstrip().endswith("</html>")


@POSIX
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("command", ["summary", "inspect", "explain"])
def test_streams_that_know_few_characters(model: Path, encoding: str, command: str) -> None:
    done = shell("", command, str(model), PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "\\u" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 200


@POSIX
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_while_the_commands_are_read(in_tmp: Path, name: str, code: int) -> None:
    """Before anything is begun: no trace, and no file."""
    script = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'striate.cli.train':\n"
        f"            os.kill(os.getpid(), signal.{name})\n"
        "            for _ in range(1000): pass\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from striate.cli import main\n"
        "sys.argv = ['striate', 'train', 'digits']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr and done.stderr.startswith("striate: ")
    assert os.listdir() == []


@POSIX
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_in_any_command(
    striate: Run, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr("striate.model.files.load", interrupted)
    outcome = striate("summary", "x")
    assert outcome.code == code
    assert outcome.err == f"striate: {'interrupted' if code == 130 else f'ended by {name}'}\n"
    assert signal.getsignal(number) is before


@POSIX
def test_a_signal_that_is_ignored_stays_ignored(in_tmp: Path, model: Path) -> None:
    """As SIGHUP under nohup."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "import striate.model.files as files\n"
        "load = files.load\n"
        "def watched(*a):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return load(*a)\n"
        "files.load = watched\n"
        "from striate.cli import main\n"
        f"sys.argv = ['striate', 'summary', {str(model)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
