"""``striate gradients``."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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
        (
            ["--input", "10x10", "--filter", "3x3", "--stride", 2],
            "Or choose --padding 0,1,0,1 (top, bottom, left, right) or --padding same.",
        ),
        (["--stride", "any"], '--stride must be a number here, not "any"'),
        (["--x", "1 2; 3"], "--x"),
        (
            ["--only", "O_33"],
            "there is no sum 'O_33'; there are O_11 to O_22, F_11 to F_22, X_11 to X_33",
        ),
        (["--bias", "1 2", "--filters", 1], "1 of filters and 2 of b"),
        (["--input", "7x7", "--x", "1 2; 3 4"], "7×7 of input and 2×2 of x"),
        (["--filter", "5x5", "--weights", "1 2; 3 4"], "5×5 of filter and 2×2 of f"),
        (["--channels", 2, "--weights", "1 2; 3 4"], "2 of channels and 1 of f"),
        (["--x", "1 2; 3 4 | 1 2"], "every channel must be 2×2 as the first; got 2×2, 1×2"),
        (["--weights", "1 | 2 || 3"], "every filter must have as many channels as the first, 2"),
        (["--weights", "1 || 1 2"], "all filters must have the same size"),
        (["--out", "g.docx"], "--out g.docx: it must end in .md"),
        (["--out", "g.svg", "--format", "latex"], "a picture has no format latex"),
        (["--out", "missing/g.md"], "missing/g.md: cannot be written"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[Any], words: str
) -> None:
    assert words in refused("gradients", *arguments, "--engine", "numpy")


def test_channels_and_filters_typed_and_from_files(striate: Run, in_tmp: Path) -> None:
    x, f = "1 2 3; 4 5 6 | 0 1 0; 2 0 2", "1 0 | 2 1 || 0 -1 | 3 0"
    typed = striate("gradients", "--x", x, "--weights", f, "--bias", "1 -1", "--json").json
    # O^1_11 = 1·1 + 2·0 + 0·2 + 1·1 + 1, O^2_23 does not exist: 2×2 outputs.
    assert typed["output"][0][0] == [3, -2 + 0 - 1]
    Path("x.txt").write_text("1 2 3  # the first channel\n4 5 6\n\n0 1 0\n2 0 2\n")
    Path("f.csv").write_text("1,0\n\n2,1\n\n0,-1\n\n3,0\n")
    read = striate("gradients", "--x", "x.txt", "--weights", "f.csv", "--bias", "1 -1", "--json")
    assert read.json == typed
    np.save("f.npy", np.array(typed["filter"]))
    again = striate("gradients", "--x", x, "--weights", "f.npy", "--bias", "1 -1", "--json")
    assert again.json == typed


@pytest.mark.parametrize("more", [[], ["--channels", 2, "--filters", 2, "--only", "O^2_12"]])
def test_pictures(striate: Run, in_tmp: Path, more: list[Any]) -> None:
    for name in ("g.svg", "g.html"):
        assert striate(*ARTICLE, *more, "--out", name, "--engine", "numpy").code == 0
    assert "<svg" in Path("g.svg").read_text("utf-8")
    assert Path("g.html").read_text("utf-8").startswith("<!DOCTYPE html>")


CHAIN = ("gradients", "--input", "5x5", "--filter", "2x2", "--engine", "numpy")


def test_layers_behind(striate: Run, in_tmp: Path) -> None:
    outcome = striate(*CHAIN, "--then", "relu", "--then", "3x3", "--json")
    first, relu, second = outcome.json["layers"]
    assert [first["layer"], relu["layer"], second["layer"]] == ["Conv2D", "ReLU", "Conv2D"]
    assert relu["output"] == np.maximum(first["output"], 0).tolist()
    assert second["input"] == relu["output"]
    assert relu["output_gradient"] == second["input_gradient"]
    assert first["output_gradient"] == relu["input_gradient"]
    some = striate(*CHAIN, "--then", "3x3", "--only", "O2_11,F1_12").out
    assert re.findall(r"^\S+ = ", some.split("outputs\n")[1], re.MULTILINE)[0] == "O2_11 = "
    assert "∂L/∂F1_12 = ∂L/∂O1_11·∂O1_11/∂F1_12" in some
    for name in ("g.svg", "g.html", "g.md", "g.tex"):
        assert striate(*CHAIN, "--then", "relu", "--then", "3x3", "--out", name).code == 0
    assert "<svg" in Path("g.svg").read_text("utf-8")
    assert r"$X^{(2)}$" in Path("g.md").read_text("utf-8")


def test_words_of_layers_behind(striate: Run, in_tmp: Path) -> None:
    Path("B.txt").write_text("1 0\n\n0 2")  # a filter of two channels
    pool, second = "pool=1x2 stride=1 padding=0", "filters=2 weights=1 0 || 0 2  bias=1 -1"
    outcome = striate(
        "gradients", "--x", "1 2 3 4 5; 5 4 3 2 1; 0 1 0 1 0", "--weights", "1", "--then", pool,
        "--then", f"1x2 stride=2x1 padding=0,0,0,1 {second}",
        "--then", "1x2 dilation=2 weights=B.txt", "--json", "--engine", "numpy",
    )  # fmt: skip
    _, pooled, two, last = outcome.json["layers"]
    maxima = [[2, 3, 4, 5], [5, 4, 3, 2], [1, 1, 1, 1]]
    assert np.array(pooled["output"])[..., 0].tolist() == maxima
    # Of the first and the third row: 1·left + 1, and 2·right - 1, with a zero at the right end.
    assert np.array(two["output"])[..., 0].tolist() == [[3, 4, 5, 6], [2, 2, 2, 2]]
    assert np.array(two["output"])[..., 1].tolist() == [[5, 7, 9, -1], [1, 1, 1, -1]]
    # The left number of the first channel, and twice the one after next of the second.
    assert np.array(last["output"])[..., 0].tolist() == [[3 + 18, 4 - 2], [2 + 2, 2 - 2]]


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("blub", "--then 'blub': must be a filter such as 3x3, relu, or pool=2x2"),
        ("relu stride=2", "must be a filter such as 3x3, relu, or pool=2x2"),
        ("3x3x3", "must be a filter such as 3x3"),
        ("3x3 size=2", "size is not known; there are stride, padding, dilation, filters"),
        ("pool=2 filters=2", "filters is not known; there are pool, stride, padding"),
        ("2x2 stride=any", 'stride must be a number here, not "any"'),
        ("2x2 filters=2x2", "filters must be one number, got 2x2"),
        ("2x2 padding=x", "padding: 'x' is not a number"),
        ("2x2 weights=1 2 3", 'the filters of Conv2D "conv2d_2" must have the shape (2, 2, 1, 1)'),
        ("2x2 stride=3", "Or choose padding=0,1,0,1 (top, bottom, left, right) or padding=same."),
        ("pool=3", 'MaxPool2D "max_pool2d_1"'),
        ("9", 'Conv2D "conv2d_2": size 9 is larger than the height of its input, 4 pixels'),
    ],
)
def test_mistakes_in_layers_behind(refused: Callable[..., str], then: str, words: str) -> None:
    assert words in refused(*CHAIN, "--then", then)


def test_a_first_filter_that_does_not_fit_a_chain(refused: Callable[..., str]) -> None:
    said = refused("gradients", "--input", 6, "--filter", 3, "--stride", 2, "--then", "relu")
    assert "Or choose --padding 0,1,0,1" in said
