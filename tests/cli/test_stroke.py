"""``striate stroke``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]


def test_the_bundled_digits(striate: Run) -> None:
    outcome = striate("stroke")
    assert outcome.code == 0
    assert "digits, the upper left stroke of each made more level" in outcome.out
    assert [line.split()[0] for line in outcome.out.split("\n")[5:8]] == ["none", "2×2", "4×4"]


def test_json_and_a_picture(striate: Run, in_tmp: Path) -> None:
    from PIL import Image

    outcome = striate("stroke", "digits", "--out", "s.png", "--json")
    shares = [row["share"] for row in outcome.json["survival"]]
    assert shares[1] > shares[0]
    with Image.open("s.png") as picture:
        assert min(picture.size) > 300


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits", "--digit", "ten"], "has no class 'ten'; its classes are 0, 1"),
        (["digits", "--amount", "-1"], "--amount"),
        (["digits", "--out", "s.txt"], "s.txt: a picture can be written as .png"),
        (["colour.npz", "--digit", "0"], "images must be gray"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[str], words: str
) -> None:
    np.savez("colour.npz", X=np.zeros((4, 8, 8, 3), np.uint8), y=np.array([0, 1, 0, 1]))
    assert words in refused("stroke", *arguments, "--engine", "numpy")
