"""``striate inspect``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]
Refused = Callable[..., str]

NETWORK = """
input_shape = [8, 8, 1]

[[layers]]
layer = "Conv2D"
name = "eye"
filters = 4
size = 3
padding = 1

[[layers]]
layer = "MaxPool2D"
name = "pool"
size = 3
stride = 2
uncovered = "drop"

[[layers]]
layer = "Conv2D"
name = "other"
inputs = ["eye"]
filters = 4
size = [2, 3]
stride = [2, 2]
uncovered = "drop"
padding = [0, 0, 0, 0]

[[layers]]
layer = "MaxPool2D"
name = "rest"
size = [2, 1]
stride = 1

[[layers]]
layer = "Concat"
inputs = ["rest", "pool"]

[[layers]]
layer = "Flatten"

[[layers]]
layer = "Dense"
units = "classes"
"""


@pytest.fixture
def branches(in_tmp: Path) -> str:
    """A network file with two branches, which leave a column unread."""
    Path("n.toml").write_text(NETWORK)
    return "n.toml"


def test_without_images(striate: Run, branches: str) -> None:
    outcome = striate("inspect", branches)
    assert outcome.code == 0
    lines = [line.split() for line in outcome.out.split("\n")]
    assert ["eye", "8×8×4", "3×3", "1×1"] in [line[:4] for line in lines]
    assert "conv" not in outcome.out
    assert "Every row and column of the image (8×8) is read." in outcome.out
    assert "pool leaves row 7 and column 7 of its input unread." in outcome.out
    assert "of dense" in outcome.out
    assert "moves" not in outcome.out
    assert "With a SOURCE" in outcome.err


def test_with_images(striate: Run, branches: str) -> None:
    outcome = striate("inspect", branches, "digits", "--images", 6, "--shift", 2, "--quiet")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "effective" in outcome.out
    lines = [line.split() for line in outcome.out.split("\n")]
    (eye,) = [line for line in lines if line[:2] == ["eye", "1×1"]]
    assert eye[2:4] == ["0", "0"]
    assert "Of 6 images, each shifted" in outcome.out


def test_json(striate: Run, branches: str) -> None:
    result = striate("inspect", branches, "digits", "--images", 3, "--json").json
    assert {"reach", "ledger", "connections", "effective_fields", "shifts"} <= set(result)
    names = [layer["name"] for layer in result["reach"]["layers"]]
    assert names[:4] == ["eye", "pool", "other", "rest"]
    # The default of 4 pixels is too far for images of 8.
    assert [s["pixels"] for s in result["shifts"]["layers"][0]["shifts"]] == [1, 2, 3]
    assert result["shifts"]["layers"][0]["shifts"][0]["inside"] == 0


def test_a_unit(striate: Run, branches: str) -> None:
    outcome = striate("inspect", branches, "--layer", "pool", "--unit", "0,2,1")
    assert outcome.out.split("\n")[:2] == [
        "pool, unit (0, 2, 1): field 5×5, rows -1 … 3, columns 3 … 7",
        "reads 20 pixels of the image, rows 0 … 3, columns 3 … 7",
    ]
    assert outcome.out.count("█") == 20
    result = striate("inspect", branches, "--layer", "pool", "--unit", "0,2,1", "--json").json
    assert np.sum(result["unit"]["pixels"]) == 20


def test_a_file_without_a_shape_takes_that_of_the_images(striate: Run, in_tmp: Path) -> None:
    Path("n.toml").write_text(NETWORK.replace("input_shape = [8, 8, 1]", ""))
    result = striate("inspect", "n.toml", "digits", "--images", 2, "--json").json
    assert result["reach"]["input_shape"] == [8, 8, 1]


def test_a_picture(striate: Run, branches: str) -> None:
    from PIL import Image

    outcome = striate("inspect", branches, "digits", "--images", 2, "--out", "fields.png")
    assert outcome.code == 0
    assert "Drawn in fields.png" in outcome.err
    with Image.open("fields.png") as picture:
        assert min(picture.size) > 300
    assert sorted(os.listdir()) == ["fields.png", "n.toml"]


def test_what_a_unit_sees_is_drawn_without_images(striate: Run, in_tmp: Path) -> None:
    outcome = striate("inspect", "lenet5", "--layer", "s4", "--unit", "1,2", "--out", "seen.svg")
    assert (outcome.code, outcome.err) == (0, "Drawn in seen.svg\n")
    assert outcome.out.startswith("s4, unit (1, 2): field 16×16")
    assert "<svg" in Path("seen.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["n.toml", "--layer", "nose"], "there is no layer 'nose'; the layers are eye, pool"),
        (["n.toml", "--unit", "1,2"], "--unit needs --layer"),
        (["n.toml", "--layer", "eye", "--unit", "9,0"], "has no unit (9, 0, 0)"),
        (["n.toml", "--layer", "eye", "--unit", "a"], "'a' is not ROW,COLUMN"),
        (["n.toml", "--out", "x.png"], "give a SOURCE"),
        (["n.toml", "digits", "--out", "x.bmp"], "x.bmp: a picture can be written as .png"),
        (["n.toml", "digits", "--out", "missing/x.png"], "missing/x.png: cannot be written"),
        (["n.toml", "nowhere"], "nowhere: no such file or folder"),
        (["v.toml"], "v.toml: its network reads 5 numbers and no images"),
        (["n.toml", "other.npz"], "other.npz: has images 6×5×1, but the network of n.toml reads"),
    ],
)
def test_mistakes(refused: Refused, branches: str, arguments: list[str], words: str) -> None:
    Path("v.toml").write_text('input_shape = [5]\n[[layers]]\nlayer = "Dense"\nunits = 2\n')
    images = np.zeros((4, 6, 5), np.uint8)
    np.savez("other.npz", X=images, y=np.array([0, 1, 0, 1]))
    sentence = refused("inspect", *arguments, "--engine", "numpy", "--images", 2)
    assert words in sentence
    assert not Path("x.png").exists()
