"""The script that kills striate at random moments, for a few kills."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "kills.py"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_few_kills(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "3", "--jobs", "digits", "saving", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] >= 3 and found["problems"] == 0
