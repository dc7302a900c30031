"""What the pages in docs/ show works as it stands, and prints what they say."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from striate.cli.app import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def commands(page: Path) -> list[tuple[str, str]]:
    """Each command of a page's console blocks, and the output that is shown below it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.+?)\n```", page.read_text("utf-8"), re.DOTALL):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands(page)
    for command, shown in commands(page):
        name, *arguments = shlex.split(command)
        assert name == "striate"
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, (command, result.output)
        if shown:
            assert result.stdout.strip() == shown, command
    written = {path.name for path in tmp_path.iterdir()}
    pictures = set(re.findall(r"\(pictures/(.+?)\)", page.read_text("utf-8")))
    assert pictures <= written
    assert all((ROOT / "docs" / "pictures" / name).is_file() for name in pictures)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python(page: Path, tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.+?)\n```", page.read_text("utf-8"), re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, cwd=tmp_path, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
