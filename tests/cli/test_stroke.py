"""``striate stroke``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]


def test_the_drawn_two(striate: Run, in_tmp: Path) -> None:
    from PIL import Image

    outcome = striate("stroke", "--out", "s.png")
    assert outcome.code == 0
    assert outcome.out.startswith("1 digit, the upper left line made more level; answers of Sobel")
    assert "\n- max-pooled 2×2: row " in outcome.out
    with Image.open("s.png") as picture:
        assert min(picture.size) > 300
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1:].max(-1) < 60)
    assert red.sum() > 1000  # the bars


def test_another_change_another_hand_and_more_of_them(striate: Run) -> None:
    hook, slant, other, many = (
        striate("stroke", *arguments, "--engine", "numpy", "--json").json
        for arguments in ((), ("--change", "slant"), ("--seed", "5"), ("--images", "3"))
    )
    assert (many["digits"], many["given"]) == (3, 3)
    assert hook["survival"] != slant["survival"]
    assert hook["survival"] != other["survival"]
    # A larger change lets less survive.
    little, much = (
        striate("stroke", "--amount", amount, "--engine", "numpy", "--json").json["survival"][0]
        for amount in (0.2, 1)
    )
    assert little["change"] < much["change"]


def test_the_bundled_digits_say_how_many_changed(striate: Run) -> None:
    """On 8×8 pixels most strokes do not move by half a pixel, and the text says so."""
    half, more = (striate("stroke", "digits", "--amount", amount) for amount in (0.5, 0.7))
    assert half.out.startswith("16 of 177 digits, the upper left stroke made more level;")
    assert more.out.startswith("127 of 177 digits, ")
    assert [line.split()[0] for line in half.out.split("\n")[5:8]] == ["none", "2×2", "4×4"]


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
        (["digits", "--change", "slant"], "--change slant needs a digit that is drawn anew"),
        (["digits", "--out", "s.txt"], "s.txt: a picture can be written as .png"),
        (["colour.npz", "--digit", "0"], "images must be gray"),
        (["--digit", "3"], 'drawn: only the digit 2 is drawn, got "3"'),
        (["--amount", "0"], "no pixel changes with hook 0; choose a larger amount"),
        (["--change", "size"], "--change"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[str], words: str
) -> None:
    np.savez("colour.npz", X=np.zeros((4, 8, 8, 3), np.uint8), y=np.array([0, 1, 0, 1]))
    assert words in refused("stroke", *arguments, "--engine", "numpy")
