"""``striate gradients``."""

import os
import re
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


def test_some_sums_only(striate: Run) -> None:
    outcome = striate(
        "gradients", "--input", "7x7", "--filter", "3x3", "--stride", 2, "--channels", 3,
        "--filters", 2, "--bias", "1 0", "--only", "O^1_11, F^1,2_11,b^2", "--engine", "numpy",
    )  # fmt: skip
    assert outcome.code == 0
    heads = [line.split(" = ")[0] for line in outcome.out.split("The outputs")[1].splitlines()
             if re.match("O|∂L/∂|b", line)]  # fmt: skip
    step = "b^2 ← b^2 - α·∂L/∂b^2"
    assert [*heads[:3], heads[-1]] == ["O^1_11", "∂L/∂F^1,2_11", "∂L/∂b^2", step]
    # A bias is a term without a factor, in the other forms too.
    assert re.search(r"X\^3_33·F\^3,1_33 \+ b\^1\n", outcome.out)
    for form in ("markdown", "latex"):
        written = striate("gradients", "--bias", 1, "--only", "O_12", "--format", form).out
        assert "+ b \\\\\n" in written
        assert "descent" not in written
        assert "X_{13}F_{12}" in written
        assert "O_{11}" not in written


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
        (["--only", "O_33"], "there is no sum 'O_33'; outputs are O_11 to O_22"),
        (["--bias", "1 2"], "the bias must have a number for each filter, 1, got 2"),
        (["--out", "missing/g.md"], "missing/g.md: cannot be written"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[Any], words: str
) -> None:
    assert words in refused("gradients", *arguments, "--engine", "numpy")
