"""``striate pool``."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]
ARTICLE = ("pool", "--x", "1 -3 2 4; 5 6 -7 8; 3 2 -1 0; 1 2 3 4", "--engine", "numpy")


def test_typed_numbers(striate: Run) -> None:
    outcome = striate(*ARTICLE, "--output-gradient", "10 20; 30 40")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "O_22 = max(X_33, X_34, X_43, X_44) = max(-1, 0, 3, 4) = 4: X_44 wins" in outcome.out
    assert "∂L/∂X_44 = ∂L/∂O_22 = 40" in outcome.out
    assert "gradient" not in striate(*ARTICLE).out


def test_json(striate: Run) -> None:
    found = striate(*ARTICLE, "--gradient", "--json").json
    assert np.array(found["output"])[..., 0].tolist() == [[6, 8], [3, 4]]
    assert found["winners"] == [[[[1, 1]], [[1, 3]]], [[[2, 0]], [[3, 3]]]]
    back = np.array(found["input_gradient"])
    assert sorted(back[back > 0]) == sorted(np.ravel(found["output_gradient"]))
    assert found["stride"] == [2, 2]
    mean = striate(*ARTICLE, "--kind", "average", "-w", 3, "-s", 1, "-p", 1, "--json").json
    assert mean["output"][0][0][0] == (1 - 3 + 5 + 6) / 4
    counted = striate(
        *ARTICLE, "-k", "average", "-w", 3, "-s", 1, "-p", 1, "--count-padding", "--json"
    )
    assert counted.json["output"][0][0][0] == 1


def test_some_windows_only(striate: Run) -> None:
    outcome = striate("pool", "-i", "24x26", "--channels", 2, "--only", "O^2_11, O^1_12,13")
    heads = [line.split(" = ")[0] for line in outcome.out.splitlines() if line.startswith("O^")]
    assert heads == ["O^2_11", "O^1_12,13"]


def test_an_image(striate: Run, in_tmp: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (12, 8, 4), dtype=np.uint8)
    Image.fromarray(pixels).save("a.png")
    found = striate("pool", "--on", "a.png", "-w", "3x2", "--json").json
    expected = pixels[..., :3].reshape(4, 3, 4, 2, 3).max((1, 3))
    assert np.array(found["output"]).tolist() == expected.tolist()
    smaller = striate("pool", "--on", "a.png", "--input", "6x4", "--json").json
    assert np.shape(smaller["output"]) == (3, 2, 3)
    assert " of a.png, in windows of 2×2" in striate("pool", "--on", "a.png").out


@pytest.mark.parametrize("name", ["p.svg", "p.png", "p.pdf"])
def test_pictures(striate: Run, in_tmp: Path, name: str) -> None:
    outcome = striate(*ARTICLE, "--gradient", "--out", name)
    assert outcome.err == f"Drawn in {name}\n"
    assert os.listdir() == [name]
    if name == "p.svg":
        svg = Path(name).read_text("utf-8")
        assert len(re.findall('id="winner', svg)) == 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--input", "7x8", "--window", 3],
            "What would fit: stride 1, 2 or 4; an input height of 6 or 9; along the width",
        ),
        (["--input", "7x7"], "--uncovered drop to leave them unread"),
        (["--window", 5], "MaxPool2D: size 5 is larger than the height of its input"),
        (["--x", "1 2", "--on", "a.png"], "--x and --on are both X"),
        (["--on", "missing.png"], "missing.png"),
        (["--stride", "any"], '--stride must be a number here, not "any"'),
        (["--only", "O_33"], "there is no output 'O_33'; they are O_11 to O_22"),
        (["--out", "p.gif"], "p.gif: a pooling can be written as .svg, .png, .pdf"),
        (["--out", "missing/p.png"], "missing/p.png: cannot be written"),
        (["--count-padding"], "max divides by nothing"),
        (["--x", "1 2; 3"], "--x"),
    ],
)
def test_mistakes(
    refused: Callable[..., str], in_tmp: Path, arguments: list[Any], words: str
) -> None:
    assert words in refused("pool", *arguments, "--engine", "numpy")
