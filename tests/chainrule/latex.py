"""Formulas as LaTeX makes pages of them, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def check_latex(text: str, folder: Path) -> None:
    """It is ASCII, compiles, and nothing is wider than the page."""
    assert text.isascii()
    if (command := shutil.which("pdflatex")) is None:
        return
    (folder / "g.tex").write_text(text)
    run = [command, "-halt-on-error", "-interaction=batchmode", "g.tex"]
    assert subprocess.run(run, cwd=folder, capture_output=True, check=False).returncode == 0
    assert "Overfull" not in (folder / "g.log").read_text("latin-1")
