"""What the README shows works as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from striate.cli.app import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(mark: str, language: str) -> str:
    """Return the code block after the comment `mark`."""
    found = re.findall(rf"<!-- {mark} -->\s*```{language}\n(.+?)\n```", README, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def in_new_process(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example(tmp_path: Path) -> None:
    code = block("python example", "python")
    assert len(code.splitlines()) == 15
    out = in_new_process(code, tmp_path)
    (accuracy,) = re.findall(r"^accuracy (\d+\.\d+)%", out, re.MULTILINE)
    assert float(accuracy) > 95
    assert re.search(r"\['\d'( '\d'){4}\]\s*$", out)
    assert (tmp_path / "digits.safetensors").is_file()


def test_the_other_python_examples(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    blocks = re.findall(r"```python\n(.+?)\n```", README, re.DOTALL)
    assert len(blocks) == 3
    estimator, filters = blocks[1:]
    # Five networks of the default recipe are many for a test.
    assert "random_state=0" in estimator
    quick = estimator.replace("random_state=0", "random_state=0, epochs=1")
    out = in_new_process("\n".join(["import striate", quick]), tmp_path)
    assert len(out.strip("[] \n").split()) == 5
    shapes = "print(edges.shape, smooth.shape)"
    out = in_new_process("\n".join(["import striate", filters, shapes]), tmp_path)
    assert out == "(480, 640, 3) (480, 640)\n"


def test_two_set_up_commands_of_one_line() -> None:
    commands = re.findall(r"```sh\n(.+?)\n```", README, re.DOTALL)
    assert len(commands) == 2
    assert all("\n" not in command for command in commands)
    assert commands[0].endswith("striate train digits")
    assert commands[1] == block("test command", "sh")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall(r're\.search\(r"(.+?)", text', script)
    found = re.search(pattern, README, re.DOTALL)
    assert found is not None
    assert found.group(1) == block("test command", "sh")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md", "docs/how-it-works.md"])
def test_every_option_exists(page: str) -> None:
    known = {
        option
        for command in cli.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) - {"--help"}
    assert named
    assert named <= known


def test_every_command_has_a_line() -> None:
    table = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `striate (\w+)", table, re.MULTILINE)
    assert sorted(named) == sorted(cli.commands)


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(README) < 7000
    # Every page that it names is there.
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
