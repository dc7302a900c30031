"""``striate gradients``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ARTICLE = ("gradients", "--input", "3x3", "--filter", "2x2", "--stride", 1, "--padding", 0)


def test_the_articles_case(striate: Run) -> None:
    outcome = striate(*ARTICLE, "--engine", "numpy")
    assert outcome.code == 0
    assert outcome.out.startswith("A 3×3 input X and a 2×2 filter F, stride 1, padding 0: 2×2")
    assert "O_11 = X_11·F_11 + X_12·F_12 + X_21·F_21 + X_22·F_22" in outcome.out
    assert "∂L/∂X_22 = " in outcome.out
    assert "F_11 ← F_11 - α·∂L/∂F_11 = " in outcome.out


def test_numbers_given_and_json(striate: Run) -> None:
    outcome = striate(
        "gradients", "--x", "1 2 3; 4 5 6; 7 8 9", "--weights", "1 2; 0 -1",
        "--output-gradient", "1 0; 2 -1", "--lr", 0.5, "--json",
    )  # fmt: skip
    result = outcome.json
    assert result["output"] == [[[0], [2]], [[6], [8]]]
    assert result["new_filter"] == [[[[-1]], [[-1]]], [[[-5]], [[-7]]]]
    assert max(result["largest_differences"].values()) == 0


@pytest.mark.parametrize(
    ("name", "start"),
    [("g.md", "# A 3×3"), ("g.tex", "\\documentclass"), ("g.txt", "A 3×3"), ("g", "A 3×3")],
)
def test_files(striate: Run, in_tmp: Path, name: str, start: str) -> None:
    outcome = striate(*ARTICLE, "--out", name, "--engine", "numpy")
    assert outcome.code == 0
    assert outcome.out == ""
    assert outcome.err == f"Written to {name}\n"
    assert Path(name).read_text("utf-8").startswith(start)
    assert os.listdir() == [name]


def test_a_format_goes_before_the_ending(striate: Run, in_tmp: Path) -> None:
    striate(*ARTICLE, "--out", "g.md", "--format", "latex", "--engine", "numpy")
    assert Path("g.md").read_text("utf-8").startswith("\\documentclass")
    assert striate(*ARTICLE, "--format", "markdown").out.startswith("# A 3×3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "64x64", "--filter", "3x3"], "makes 34,596 products"),
        (["--input", "10x10", "--filter", "3x3", "--stride", 2], "= 4.5 is not whole"),
        (["--stride", "any"], '--stride must be a number here, not "any"'),
        (["--x", "1 2; 3"], "--x"),
        (["--out", "missing/g.md"], "missing/g.md: cannot be written"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[Any], words: str
) -> None:
    assert words in refused("gradients", *arguments, "--engine", "numpy")
