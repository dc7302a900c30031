"""``striate summary --out``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_architecture_is_drawn(striate: Callable[..., Any], in_tmp: Path) -> None:
    outcome = striate("summary", "lenet5", "--out", "net.svg")
    assert (outcome.code, outcome.err) == (0, "Drawn in net.svg\n")
    assert "28×28×6" in outcome.out
    assert "<svg" in Path("net.svg").read_text("utf-8")
    assert striate("summary", "lenet5", "--out", "net.png", "--json").json["layers"]
    assert Path("net.png").read_bytes().startswith(b"\x89PNG")


def test_an_ending_that_is_no_picture(refused: Callable[..., str], in_tmp: Path) -> None:
    said = refused("summary", "resnet999", "--out", "net.md")
    assert "net.md: a picture can be written as .png, .svg" in said
    assert "there is no such model file" in refused("summary", "resnet999", "--out", "net.png")
    assert not list(Path().iterdir())
