"""What the README shows works as it stands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from striate.cli import networkfile
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
    assert len(blocks) == 4
    residual, estimator, filters = blocks[1:]
    # Five networks of the default recipe are many for a test.
    assert "random_state=0" in estimator
    quick = estimator.replace("random_state=0", "random_state=0, epochs=1")
    out = in_new_process("\n".join(["import striate", residual, quick]), tmp_path)
    assert len(out.strip("[] \n").split()) == 5
    out = in_new_process("\n".join(["import striate", filters]), tmp_path)
    assert out.startswith("separable: rank 1")


def test_the_network_file(tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_text(block("network file", "toml"))
    network = networkfile.read(tmp_path / "n.toml").build((8, 8, 1), 10)
    assert network.output_shape == (10,)


@pytest.mark.parametrize(("mark", "exact"), [("derivation", True), ("measured derivation", False)])
def test_the_derivation(mark: str, exact: bool) -> None:
    """Each line that is shown comes out, in this order; of what is measured all but the times."""
    command, *shown = block(mark, "console").splitlines()
    name, *arguments = shlex.split(command.removeprefix("$ "))
    assert name == "striate"
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output

    def kept(line: str) -> str:
        if exact or " ms " not in line:
            return " ".join(line.split())
        weights_and_gradients = re.findall(r"[0-9.]+ [KMG]?i?B", line)[:2]
        return " ".join([line.split()[0], *weights_and_gradients])

    printed = iter([kept(line) for line in result.stdout.splitlines()])
    wanted = [kept(line) for line in shown if line != "…"]
    assert len(wanted) > 5
    missing = [line for line in wanted if line not in printed]
    assert not missing


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


def test_every_option_of_the_readme_exists() -> None:
    known = {
        option
        for command in cli.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    text = README.replace("pip install", "")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) - {"--help"}
    assert named
    assert named <= known
    assert shlex.split(block("test command", "sh"))
