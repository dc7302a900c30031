"""Drawings and pages of a derivation: what they hold, and what they leave out and say so."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from striate.teaching.derivation import Derivation, derive
from striate.teaching.derivation.drawing import abridged, columns_of, read_by, stage_figure
from striate.teaching.derivation.files import content


@pytest.fixture(scope="module")
def article() -> Derivation:
    return derive()


def lines(derivation: Derivation, name: str) -> tuple[int, int]:
    """How many thin and thick lines a drawing has."""
    from matplotlib.collections import LineCollection

    (ax,) = stage_figure(derivation, name).axes
    thin, thick = (c for c in ax.collections if isinstance(c, LineCollection))
    return len(thin.get_segments()), len(thick.get_segments())


def test_every_connection_is_a_line(article: Derivation) -> None:
    """Thick is a weight, thin a connection that repeats one: as many as the stage counts."""
    assert lines(article, "dense") == (0, 144)
    assert lines(article, "grouped") == (144 - 36, 36)
    assert lines(article, "local") == (64 - 16, 16)


def test_the_weights_of_one_filter_have_colours() -> None:
    """Five neurons with a filter of three: the line to a neuron from the left, from in front of it
    and from the right has a colour each, the same for all neurons."""
    from matplotlib.collections import LineCollection

    one = derive((1, 5), 5, window=(1, 3), padding="same")
    (ax,) = stage_figure(one, "local").axes
    assert "a colour is one weight\n3 weights" in ax.get_title()
    colours: dict[int, set[tuple[float, ...]]] = {-1: set(), 0: set(), 1: set()}
    for lines in ax.collections:
        assert isinstance(lines, LineCollection)
        for (start, end), colour in zip(lines.get_segments(), lines.get_colors(), strict=True):
            apart = round(4 * float(end[1] - start[1]))
            colours[apart].add(tuple(colour[:3]))
    assert [len(of) for of in colours.values()] == [1, 1, 1]
    assert len(set.union(*colours.values())) == 3


def test_a_patch_is_what_the_article_says(article: Derivation) -> None:
    """Neuron 0 reads (0,0), (0,1), (1,0) and (1,1); the last of the group the bottom right."""
    assert [*read_by(article, 0)] == [0, 1, 3, 4]
    assert [*read_by(article, 3)] == [4, 5, 7, 8]
    assert [*read_by(article, 12)] == [0, 1, 3, 4]


def test_what_is_large_is_abridged_and_says_so(article: Derivation) -> None:
    assert abridged(article) == ""
    large = derive((32, 32, 3), 4096, compare=False)
    pixels, neurons = columns_of(large)
    assert pixels.is_abridged and neurons.is_abridged
    assert None in pixels.shown and None in neurons.shown
    assert {0, 3071} <= set(pixels.places)
    assert {0, 1, 1024, 4095} <= set(neurons.places)
    note = "of 3,072 pixels and 12 of 4,096 neurons are drawn."
    assert abridged(large).endswith(note)
    figure = stage_figure(large, "local")
    assert note in figure._supxlabel.get_text()


@pytest.mark.parametrize(
    "options",
    [
        {"image": (32, 32, 3), "neurons": 4096, "compare": False},
        {"image": (256, 256, 3), "neurons": 1, "compare": False},
        {"image": (90_000, 80_000, 3), "neurons": 10**9},
        {"image": (90_000, 80_000), "neurons": 10**9, "window": (89_999, 80_000), "group": 2},
        {"image": (20, 20), "neurons": 14, "group": 7, "compare": False},
        {"image": (1, 10), "neurons": 16, "window": (1, 3)},
        {"image": (6, 5, 2), "neurons": 60},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["png", "html"])
def test_anything_can_be_drawn(options: dict[str, object], kind: str) -> None:
    assert len(content(derive(**options), kind)) > 10_000


def test_a_page_is_whole(article: Derivation) -> None:
    """No script, no address, four drawings of its own that are valid, and all numbers."""
    page = content(article, "html").decode()
    assert "<script" not in page
    outside = page
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    for picture in pictures:
        ElementTree.fromstring(base64.b64decode(picture))
        outside = outside.replace(picture, "")
    assert len(pictures) == 4
    assert "http" not in outside
    for text in ("144", "36", "75 % fewer", "88.89 % fewer", "2×2 convolution with 4 filters"):
        assert text in page


def test_names_are_escaped(article: Derivation, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "<b>&.png"
    Image.new("RGB", (4, 4), (200, 10, 10)).save(path)
    page = content(derive(on=path), "html").decode()
    assert "&lt;b&gt;&amp;.png" in page
    assert "<b>" not in page


def test_the_same_each_time(article: Derivation) -> None:
    for kind in ("png", "svg", "html", "json"):
        assert content(article, kind) == content(article, kind)


def test_files(article: Derivation, tmp_path: Path) -> None:
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<!DOCTYPE"}
    for kind, start in starts.items():
        article.save(tmp_path / f"a.{kind}")
        assert (tmp_path / f"a.{kind}").read_bytes().startswith(start)
    article.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == article.to_dict()
    with pytest.raises(ValueError, match=r"a\.gif: a derivation can be written as \.html, \.png"):
        article.save(tmp_path / "a.gif")
