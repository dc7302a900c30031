"""Figures as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from striate.common.figure_files import FIGURE_KINDS, figure_bytes, kind_of

STARTS = {
    "png": b"\x89PNG",
    "svg": b"<?xml",
    "pdf": b"%PDF",
    "jpg": b"\xff\xd8",
    "jpeg": b"\xff\xd8",
    "webp": b"RIFF",
}


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2], label="a")
    return drawn


@pytest.mark.parametrize("kind", FIGURE_KINDS)
def test_every_kind_the_same_each_time(kind: str) -> None:
    content = figure_bytes(figure(), kind)
    assert content.startswith(STARTS[kind])
    assert content == figure_bytes(figure(), kind)
    assert b"Date" not in content


def test_the_resolution() -> None:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(figure_bytes(figure(), "png", 40))) as image:
        assert image.size == (80, 40)


def test_names_tell_kinds(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "a.b.PNG", "a plot") == "png"
    assert kind_of("a.html", "a page", ("html",)) == "html"
    with pytest.raises(ValueError, match=r"^a\.gif: a plot can be written as \.png, \.svg, \.pdf"):
        kind_of("a.gif", "a plot")
    with pytest.raises(UnicodeError, match=r"^a: a page can be written as \.html$"):
        kind_of("a", "a page", ("html",), error=UnicodeError)
