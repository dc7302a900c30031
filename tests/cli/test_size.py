"""``striate size``."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_an_output(striate: Run) -> None:
    outcome = striate("size", "--input", 13, "--filter", 3, "--stride", 2)
    assert outcome.code == 0
    assert outcome.out == (
        "output 6:  (I - R + P_before + P_after)/S + 1 = (13 - 3 + 0 + 0)/2 + 1 = 6\n"
    )


def test_two_axes_as_json(striate: Run) -> None:
    outcome = striate("size", "-i", "10x5", "-f", "3", "--json")
    assert [axis["fits"][0]["output"] for axis in outcome.json["axes"]] == [8, 3]
    assert striate("size", "-i", "10x5", "-f", "3").out.endswith("output 8×3\n")


@pytest.mark.parametrize(
    ("padding", "output"), [("same", "7"), ("1x1", "4"), ("1,2,1,2", "5"), ("valid", "3")]
)
def test_paddings(striate: Run, padding: str, output: str) -> None:
    stride = 1 if padding in ("same", "1,2,1,2") else 2
    pixels = 7 if padding != "1,2,1,2" else 4
    outcome = striate("size", "-i", pixels, "-f", 3, "-s", stride, "-p", padding)
    assert outcome.out.startswith(f"output {output}:")


def test_any_asks_for_what_is_usual(striate: Run) -> None:
    outcome = striate("size", "-i", 28, "-f", 5, "-o", 28, "-p", "any")
    assert outcome.out.startswith("padding 2:")


def test_the_impossible_size_of_the_article(refused: Callable[..., str]) -> None:
    sentence = refused("size", "--input", 10, "--filter", 3, "--padding", 0, "--stride", 2)
    assert "(10 - 3 + 0 + 0)/2 + 1 = 4.5 is not whole" in sentence
    assert "input 9 or 11; filter 2 or 4; stride 1 or 7; padding (0, 1)" in sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "ten", "--filter", 3], "'ten' is not a number"),
        (["--input", "10x5x3x2", "--filter", 3], "HxWxDEPTH such as 7x7x3"),
        (["--input", 7, "--filter", "3x3x3"], "is not a number, HxW"),
        (["--input", "7x7x0", "--filter", 3], "input (depth) must be at least 1"),
        (
            ["--input", "7x7", "--filter", 3, "--output", "5x5x4", "--filters", 2],
            "the number of filters is told twice, differently: 2 of filters and 4 of output",
        ),
        (["--input", 7, "--filter", 3, "--out", "s.txt"], "s.txt: a size can be written as .svg"),
        (["--input", 9000, "--filter", 3, "--out", "s.svg"], "cannot be drawn, at most 4,096"),
        (["--input", 10, "--filter", 3, "--padding", "full"], "'full' is not a number"),
        (["--filter", 3], "give the input"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[Any], words: str
) -> None:
    assert words in refused("size", *arguments)


def test_a_volume(striate: Run) -> None:
    outcome = striate("size", "-i", "7x7x3", "-f", 3, "-s", 2, "--filters", 2)
    assert "output 3×3×2: its depth O_d = 2 is the number of filters" in outcome.out
    assert "3×3×3 = 27 weights and a bias; 2 filters: 2·(27 + 1) = 56 parameters" in outcome.out
    found = striate("size", "-i", "7x7x3", "-f", 3, "-s", 2, "-o", "3x3x2", "--json").json["volume"]
    assert found == {
        "input_depth": 3, "filters": 2, "output": [3, 3, 2], "weights_of_a_filter": 27,
        "parameters": 56,
    }  # fmt: skip
    assert "output 4×" not in striate("size", "-i", 6, "-f", 3, "--filters", 3).out
    assert "output 5×5×O_d" in striate("size", "-i", "7x7x3", "-f", 3).out


def test_why(striate: Run) -> None:
    outcome = striate("size", "-i", 13, "-f", 3, "-s", 2, "--why")
    assert outcome.code == 0
    assert "as 5 rails of a fence join 6 posts." in outcome.out
    assert "\nO_6  ··········███\n" in outcome.out


def test_a_drawing(striate: Run, in_tmp: Path) -> None:
    outcome = striate("size", "-i", "10x5", "-f", 3, "-p", 1, "--out", "s.svg")
    assert outcome.err == "Drawn in s.svg\n"
    svg = Path("s.svg").read_text("utf-8")
    assert len(re.findall('id="padding', svg)) == 12 * 7 - 10 * 5
    assert len(re.findall('id="pixel', svg)) == 10 * 5
    assert len(re.findall('id="output', svg)) == 10 * 5


def test_what_does_not_fit_is_drawn_and_refused(striate: Run, in_tmp: Path) -> None:
    outcome = striate("size", "-i", 10, "-f", 3, "-s", 2, "--why", "--out", "s.svg")
    assert outcome.code == 2
    assert "= 4.5 is not whole" in outcome.err
    assert "1121212110  windows read each pixel; a 0 is never read\n" in outcome.out
    assert len(re.findall('id="unread', Path("s.svg").read_text("utf-8"))) == 1
    # Where nothing can be laid down, nothing is drawn.
    assert striate("size", "-i", 2, "-f", 5, "--out", "none.svg").code == 2
    assert os.listdir() == ["s.svg"]
