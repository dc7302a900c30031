"""Drawings and pages of a derivation: what they hold, and what they leave out and say so."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.teaching.derivation import Derivation, derive
from striate.teaching.derivation.drawing import stage_figure
from striate.teaching.derivation.drawing_colours import ink_on, weight_colour
from striate.teaching.derivation.figure_connections import (
    FIGURES,
    connections,
    drawable,
    inputs,
    read_by,
)
from striate.teaching.derivation.files import content
from striate.teaching.derivation.network_drawing import abridged, columns_of
from striate.teaching.derivation.same_answers import patch_of, seeing_the_same, sigmoid


@pytest.fixture(scope="module")
def article() -> Derivation:
    return derive()


@pytest.fixture(scope="module")
def small() -> Derivation:
    """Few neurons, which are soon drawn."""
    return derive((1, 5), 5, window=(1, 3), padding="same")


def lines(derivation: Derivation, name: str, **chosen: int) -> list[Any]:
    """The lines of a drawing, one for each connection."""
    figure = stage_figure(derivation, name, **chosen)
    parts = [figure, *figure.subfigs]
    axes = [ax for part in parts for ax in part.axes]
    return list(
        {id(one): one for ax in axes for one in ax.lines if one.get_gid() == "line"}.values()
    )


@pytest.mark.parametrize(
    ("name", "chosen", "number"),
    [
        ("3", {}, 0), ("4", {}, 144), ("5", {}, 144), ("6", {"pixel": 4}, 16), ("7", {}, 36),
        ("8", {"neuron": 5}, 9), ("10", {"neuron": 5}, 4), ("11", {}, 4), ("12", {}, 16),
        ("local", {}, 64), ("planes", {}, 16), ("depth", {}, 16), ("dense", {"pixel": 2}, 16),
        ("grouped", {"neuron": 2}, 9),
    ],
)  # fmt: skip
def test_every_connection_is_a_line(
    article: Derivation, name: str, chosen: dict[str, int], number: int
) -> None:
    assert len(lines(article, name, **chosen)) == number


@pytest.mark.parametrize(
    "sizes",
    [
        {"image": (5, 4, 2), "neurons": 24, "window": (2, 3), "padding": (0, 0, 1, 0)},
        {"image": (7, 5), "neurons": 24, "window": (3, 2), "stride": (2, 1)},
        {"image": (1, 9), "neurons": 12, "window": (1, 3), "padding": (0, 0, 2, 2), "stride": 2},
    ],
    ids=str,
)
def test_connections_are_those_that_the_layer_has(sizes: dict[str, Any]) -> None:
    """The lines with their weights, added up neuron by neuron, are the layer's outputs."""
    found = derive(**sizes, seed=4)
    assert found.outputs is not None and found.outputs.filters is not None
    assert found.picture is not None
    neurons = [*range(found.neurons)]
    made = connections(found, "local", inputs(found), neurons)
    filters = found.outputs.filters.reshape(-1, found.outputs.filters.shape[3])
    pixels, sums = found.picture.pixels.ravel(), np.zeros(found.neurons)
    for line in made:
        if 0 <= line.pixel < found.pixels:
            sums[line.neuron] += pixels[line.pixel] * filters[line.weight, line.group]
    np.testing.assert_allclose(sums, found.outputs.neurons["convolution"], atol=1e-12)
    real = [line for line in made if 0 <= line.pixel < found.pixels]
    assert len(real) == found.stage("local").connections
    assert len({(line.group, line.weight) for line in made}) == found.stage("local").weights
    assert sum(not line.copy for line in made) == found.stage("local").weights


def test_padding_is_an_input_of_its_own() -> None:
    edge = derive((1, 10), 10, window=(1, 2), padding=(0, 0, 1, 0))
    assert [*inputs(edge)] == [*range(-1, 10)]
    assert len(lines(edge, "local")) == 20


def test_own_numbers_are_computed_and_drawn() -> None:
    """The article 001's edge kernel on its signal; red is 1, blue is -1."""
    signal = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0])
    edge = derive(
        (1, 10), 10, window=(1, 2), padding=(0, 0, 1, 0), values=signal, weights=np.array([-1, 1])
    )
    assert edge.outputs is not None
    assert edge.outputs.neurons["convolution"].tolist() == [0, 0, 0, 1, 0, 0, 0, -1, 0, 0]
    drawn = lines(edge, "local")
    straight = {line.get_color() for line in drawn[1::2]}  # from the input of the same place
    before = {line.get_color() for line in drawn[::2]}
    assert (len(straight), len(before)) == (1, 1)
    assert straight.pop()[0] > 0.6 > before.pop()[0]
    texts = [text.get_text() for text in stage_figure(edge, "local").axes[0].texts]
    assert "padding" in texts and "-1" in texts
    of_weight = {
        text.get_text(): text.get_color() for text in stage_figure(edge, "local").axes[0].texts
    }
    assert of_weight["$w_{1}$ = -1"] == drawn[0].get_color()
    assert of_weight["$w_{2}$ = 1"] == drawn[1].get_color()


def test_only_a_shared_weight_has_the_same_colour() -> None:
    """Two filters of 3×3: 18 weights have 18 colours, as lines of planes and of columns."""
    two = derive((4, 4), 8, window=3)
    colours = {line.get_color() for line in lines(two, "local")}
    assert len(colours) == two.stage("local").weights == 18
    assert len({weight_colour(w, 9, g) for w in range(9) for g in range(4)}) == 36


def test_windows_are_true_to_size() -> None:
    found = derive((10, 5), 50, window=3, padding=1)
    figure = stage_figure(found, "convolution")
    marked = [p for ax in figure.subfigs[0].axes for p in ax.patches if p.get_gid() == "window"]
    assert len(marked) == 8  # four windows, each with a light edge below the red one
    assert {(patch.get_width(), patch.get_height()) for patch in marked} == {(3, 3)}
    assert marked[0].get_xy() == (-1.5, -1.5)  # the first begins in the padding


@pytest.mark.parametrize("shade", np.linspace(0, 1, 11))
def test_numbers_stand_out_from_any_background(shade: float) -> None:
    """The contrast of WCAG 2 for text, 4.5, on every gray level."""
    linear = shade / 12.92 if shade <= 0.04045 else ((shade + 0.055) / 1.055) ** 2.4
    ink = 0.0 if ink_on((shade,) * 3) == "black" else 1.0
    assert (max(ink, linear) + 0.05) / (min(ink, linear) + 0.05) >= 4.5


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
def test_anything_can_be_drawn(options: dict[str, object]) -> None:
    found = derive(**options)
    assert len(content(found, "png")) > 10_000
    names = drawable(found)
    assert ("convolution" in names) == (found.windows is not None)
    for name in names:
        assert stage_figure(found, name).get_children()


def test_a_page_of_much_is_small() -> None:
    assert 10_000 < len(content(derive((32, 32, 3), 4096, compare=False), "html")) < 3_000_000


def test_a_page_is_whole(article: Derivation) -> None:
    """No script, no address, the drawings inside, each with its command, and all numbers."""
    page = content(article, "html").decode()
    assert "<script" not in page
    outside = page
    pictures = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    for picture in pictures:
        assert base64.b64decode(picture).startswith(b"\x89PNG")
        outside = outside.replace(picture, "")
    assert len(pictures) == len(FIGURES) - 5
    for figure in FIGURES:
        if figure.name not in ("local", "convolution", "correlation", "volume", "sigma"):
            assert f"--stage {figure.name} " in page
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


def test_the_same_each_time(small: Derivation) -> None:
    for kind in ("svg", "json"):
        assert content(small, kind) == content(small, kind)


def test_files(small: Derivation, tmp_path: Path) -> None:
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<!DOCTYPE"}
    for kind, start in starts.items():
        small.save(tmp_path / f"a.{kind}")
        assert (tmp_path / f"a.{kind}").read_bytes().startswith(start)
    small.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == small.to_dict()
    with pytest.raises(ValueError, match=r"a\.gif: a derivation can be written as \.html, \.png"):
        small.save(tmp_path / "a.gif")


@pytest.mark.parametrize(("stage", "read"), [("local", {1, 2, 3}), ("dense", {0, 1, 2, 3, 4})])
def test_a_neuron_is_marked_with_what_it_reads(stage: str, read: set[int]) -> None:
    """s3 of the article 002 reads x2, x3 and x4; fully connected, all."""
    derived = derive((1, 5), 5, window=(1, 3), padding="same", compare=False)
    figure = stage_figure(derived, stage, neuron=2, names=("x", "s"))
    (ax,) = figure.axes
    said = [text.get_text() for text in ax.texts]
    assert {"x1", "x2", "x3", "x4", "x5", "s1", "s2", "s3", "s4", "s5"} <= set(said)
    assert ("left the input x, right the output s" in ax.get_title()) == (stage == "local")
    lines = [line for line in ax.lines if line.get_gid() == "line"]
    pale = [line for line in ax.lines if line.get_gid() == "pale"]
    assert len(lines) == len(read)
    assert len(pale) == (25 - 5 if stage == "dense" else 15 - 3)
    rings = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in ax.lines
        if line.get_gid() == "ring"
    }
    ends = {(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)}
    assert rings == ends
    # The rings stand where the names of what is read stand.
    named = {
        text.get_text(): text.xy for text in ax.texts if hasattr(text, "xy")
    }  # annotations know their circle
    assert {f"x{pixel + 1}" for pixel in read} == {
        name for name, (x, y) in named.items() if (float(x), float(y)) in rings and x == 0
    }


def test_the_volume_has_a_region_and_a_column() -> None:
    derived = derive((6, 7, 3), 4 * 5 * 2, window=3, weights=None, engine="numpy")
    (axes,) = stage_figure(derived, "volume").axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["height 6", "depth 3", "width 7", "height 4", "depth 2", "width 5"]
    assert "region of 3×3×3\n= 27 weights in place of 126" in axes.get_title()
    assert "depth column at (2,2) is 2 neurons" in axes.get_title()
    # Each neuron of the column is joined with two corners of the region; faces are true to size.
    assert len([line for line in axes.lines if line.get_gid() == "line"]) == 2 * 2
    front, *_ = (np.ptp(p.get_xy(), axis=0) for p in axes.patches if p.get_gid() == "region")
    whole, *_ = (np.ptp(p.get_xy(), axis=0) for p in axes.patches if p.get_gid() == "box")
    np.testing.assert_allclose(front, [whole[0], whole[1] / 2])
    many = derive((6, 7, 1), 4 * 5 * 12, window=3, engine="numpy")
    assert "(8 are drawn)" in stage_figure(many, "volume", neuron=3).axes[0].get_title()


def test_the_same_feature_has_the_same_answer() -> None:
    f = np.array([[0, 0, 1, 3, 1, 0, 0, 0, 1, 3, 1, 0, 0]], float)
    derived = derive((1, 13), 11, window=(1, 3), values=f, weights=np.array([-1.0, 2, -1]))
    assert seeing_the_same(derived, None) == [2, 8]
    assert seeing_the_same(derived, 0) == [0, 6]
    figure = stage_figure(derived, "sigma")
    (axes,) = figure.axes
    told = [text.get_text() for text in axes.texts if text.get_text().startswith("σ(")]
    sums = [
        sum(w * x for w, x in zip((-1, 2, -1), f[0, i : i + 3], strict=True)) for i in range(11)
    ]
    assert told == [f"σ({value:.0f}) = {1 / (1 + np.exp(-value)):.2f}" for value in sums]
    assert told[2] == told[8] == "σ(4) = 0.98"
    assert max(told, key=lambda text: float(text.split(" = ")[1])) == told[2]
    rings = [(line.get_xdata()[0], line.get_gid()) for line in axes.lines]
    assert rings.count((1, "ring")) == 2
    assert rings.count((0, "ring")) == 6
    strong = [line for line in axes.lines if line.get_gid() == "line" and line.get_alpha() > 0.5]
    assert len(strong) == 6
    assert "σ(4) = 0.98" not in [t.get_text() for t in stage_figure(derived, "local").axes[0].texts]


def test_padding_is_a_zero_where_numbers_are_compared() -> None:
    derived = derive((1, 4), 4, window=(1, 3), padding="same", values=np.array([[0, 0, 5, 0.0]]))
    assert patch_of(derived, 0) == (0, 0, 0)
    assert patch_of(derived, 3) == (5, 0, 0)
    assert sigmoid(-1000) == 0
    assert sigmoid(1000) == 1
