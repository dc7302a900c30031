"""`striate derive`: the article's numbers, files, and errors in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]
Refused = Callable[..., str]

ARTICLE = ("derive", "--image", "3x3", "--neurons", "16", "--group", "4", "--window", "2x2")


def test_the_article(striate: Run) -> None:
    outcome = striate(*ARTICLE)
    assert outcome.code == 0
    rows = {line.split()[0]: line for line in outcome.out.splitlines()}
    assert " 144 " in rows["dense"]
    assert " 36 " in rows["grouped"] and rows["grouped"].endswith("75 % fewer")
    assert " 16 " in rows["local"] and rows["local"].endswith("88.89 % fewer")
    text = " ".join(outcome.out.split())
    assert "this is a 2×2 convolution with 4 filters." in text
    assert "convolution = dense, with zeros where a neuron does not look" in text
    assert striate("derive").out == outcome.out.replace("windows of 2×2", "windows of 2×2 (chosen)")


def test_json(striate: Run) -> None:
    found = striate(*ARTICLE, "--json").json
    assert [stage["weights"] for stage in found["stages"]] == [144, 36, 16, 16]
    assert [stage["reduction"] for stage in found["stages"]] == [0, 0.75, 1 - 1 / 9, 1 - 1 / 9]
    assert all(equal["difference"] <= 1e-12 for equal in found["equalities"])


@pytest.mark.parametrize(
    ("image", "neurons", "text"),
    [
        ("3x3", "90,50", "810 + 4,500 = 5,310 weights"),
        ("32x32", "500", "1,024 × 500 = 512,000 weights."),
        ("256x256x3", "1", "196,608 × 1 = 196,608 weights."),
    ],
)
def test_other_sizes(striate: Run, image: str, neurons: str, text: str) -> None:
    outcome = striate("derive", "--image", image, "--neurons", neurons)
    assert outcome.code == 0
    assert text in " ".join(outcome.out.split())


def test_an_image_of_the_users(striate: Run, images: Path) -> None:
    path = images / "dark" / "dark0.png"
    outcome = striate("derive", "--image", "5x4x3", "--neurons", "24", "--on", path)
    assert outcome.code == 0
    assert "dark0.png, resized to 5×4×3" in " ".join(outcome.out.split())
    default = striate("derive", "--image", "5x4x3", "--neurons", "24", "--json").json
    own = striate("derive", "--image", "5x4x3", "--neurons", "24", "--on", path, "--json").json
    assert own["outputs"] != default["outputs"]


def test_files(striate: Run, in_tmp: Path) -> None:
    for name in ("a.html", "a.png", "a.json"):
        outcome = striate("derive", "--out", name)
        assert outcome.code == 0
        assert f"Written to {name}" in outcome.err
        assert (in_tmp / name).stat().st_size > 1000
    assert json.loads((in_tmp / "a.json").read_text())["group"] == 4


def test_one_stage(striate: Run, in_tmp: Path) -> None:
    sizes = []
    for stage in ("local", "convolution"):
        assert striate("derive", "--out", "a.png", "--stage", stage).code == 0
        with Image.open("a.png") as picture:
            sizes.append(picture.size)
    # A network is narrower than the image with its filters and outputs.
    assert sizes == [(845, 759), (1170, 598)]


def test_figures_by_number_own_values_and_choices(
    striate: Run, refused: Refused, in_tmp: Path
) -> None:
    own = (
        *ARTICLE,
        "--values",
        "1 2 3; 4 5 6; 7 8 9",
        "--weights",
        "1 0; 0 2|0 1; 1 0|3 0; 0 0|0 0; 0 1",
    )
    found = striate(*own, "--json").json
    assert found["outputs"]["convolution"][:8] == [11, 14, 20, 23, 6, 8, 12, 14]
    assert striate(*own, "--stage", "11", "--neuron", 6, "--out", "eleven.png").code == 0
    assert striate(*own, "--stage", "weights", "--neuron", 6, "--out", "weights.png").code == 0
    assert (in_tmp / "eleven.png").read_bytes() == (in_tmp / "weights.png").read_bytes()
    for arguments, message in (
        (("--stage", "weigths", "--out", "a.png"), "no figure 'weigths'; did you mean 'weights'"),
        (
            ("--stage", "8", "--neuron", 16, "--out", "a.png"),
            "there is no neuron 16; the 16 neurons",
        ),
        (("--stage", "6", "--pixel", -1, "--out", "a.png"), "there is no pixel -1; the 9 pixels"),
        (("--pixel", 1), "name a --stage"),
        (("--values", "1 2 3"), "3 values were given for an image of 3×3×1 = 9 numbers"),
        (("--weights", "1 2"), "2 weights were given for 4 filters of 2×2×1, which have 16"),
    ):
        assert message in refused("derive", *arguments)
    assert not (in_tmp / "a.png").exists()


def test_own_picture_is_correlated(striate: Run, images: Path) -> None:
    text = striate(*ARTICLE, "--on", images / "dark" / "dark0.png").out
    assert "correlation: 1 apart" in text
    words = " ".join(striate(*ARTICLE).out.split())
    assert "144 - 16 = 128 or 88.89 % fewer" in words
    assert "2×2 is even" in words and "Nothing is flipped" in words


def test_measure(striate: Run) -> None:
    outcome = striate("derive", "--measure", "--batch-size", 2, "--threads", 1)
    assert "Measured with batches of 2 images" in outcome.out
    assert "training step" in outcome.out
    padded = striate("derive", "--neurons", 18, "--window", 3, "--padding", "1", "--json").json
    assert padded["padding"] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--group", "3"), "16 neurons do not fall into groups of 3; choose groups of 1, 2, 4 or"),
        (("--window", "4x4"), "larger than the height of the image, 3 pixels; choose one of at"),
        (("--window", "2", "--stride", "2"), "= 1.5 windows are no whole number along the height"),
        (("--window", "3", "--padding", "full"), 'padding must be "valid", "same", a number'),
        (("--window", "3", "--padding", "1,2,3"), "padding must be"),
        (("--image", "3"), "'3' is not the size of an image such as 3x3 or 32x32x3"),
        (("--neurons", "0"), "'0' is not a number of neurons such as 16"),
        (("--neurons", "16;3"), "is not a number of neurons"),
        (("--on", "no.png"), "no.png: there is no such file"),
        (
            ("--out", "a.gif"),
            "a.gif: a derivation can be written as .html, .png, .svg, .pdf, .json",
        ),
        (("--out", "no/a.png"), "no/a.png: there is no folder no"),
        (("--stage", "local"), "--stage says what --out draws"),
        (("--stage", "local", "--out", "a.html"), "a .html file holds all stages"),
        (
            ("--neurons", "1", "--stage", "local", "--out", "a.png"),
            "there is no stage 'local' to be drawn here, as these sizes have no windows; there are "
            "pixels, vector, neurons, dense, one-neuron, correlation",
        ),
    ],
)
def test_errors(refused: Refused, in_tmp: Path, arguments: tuple[str, ...], match: str) -> None:
    assert match in refused("derive", *arguments)
    assert not list(in_tmp.iterdir())


def test_a_damaged_image(refused: Refused, in_tmp: Path) -> None:
    (in_tmp / "bad.png").write_bytes(b"no image")
    assert "bad.png" in refused("derive", "--on", "bad.png", "--out", "a.html")
    assert not (in_tmp / "a.html").exists()


def test_less_time_and_memory(striate: Run) -> None:
    """The article's claim, for 4,096 neurons on a colour image: some 50 times less of either."""
    arguments = ("--image", "32x32x3", "--neurons", 4096, "--measure", "--batch-size", 16)
    found = striate("derive", *arguments, "--json").json["measurements"]
    dense, *others = found
    assert [other["name"] for other in others] == ["grouped", "unshared", "convolution"]
    for other in others:
        for what in ("forward_ms", "step_ms", "step_bytes", "weight_bytes"):
            assert 4 * other[what] < dense[what], (other["name"], what)


def test_names_of_units(striate: Any, refused: Any, in_tmp: Any) -> None:
    sizes = ("derive", "--image", "1x5", "--neurons", 5, "--window", "1x3", "--padding", "same")
    drawn = (*sizes, "--stage", "local", "--neuron", 2, "--out", "s3.svg")
    assert striate(*drawn, "--names", "x,s").code == 0
    assert "are not the letters" in refused(*drawn, "--names", "x")
    assert "are not the letters" in refused(*drawn, "--names", "x,<s>")
    assert "name a --stage" in refused(*sizes, "--names", "x,s")
