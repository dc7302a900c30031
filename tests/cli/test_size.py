"""``striate size``."""

from collections.abc import Callable
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
        (["--input", "10x5x3", "--filter", 3], "is not a number"),
        (["--input", 10, "--filter", 3, "--padding", "full"], "'full' is not a number"),
        (["--filter", 3], "give the input"),
    ],
)
def test_mistakes(refused: Callable[..., str], arguments: list[Any], words: str) -> None:
    assert words in refused("size", *arguments)
