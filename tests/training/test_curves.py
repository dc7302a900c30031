"""Training curves: what is drawn, in which size, colour and words."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from striate.training import curves

CURVES: dict[str, list[float | None]] = {
    "loss": [2.0, 1.0, 0.5],
    "val_loss": [2.5, None, 1.5],
    "accuracy": [0.25, 0.5, 0.75],
    "val_accuracy": [0.2, 0.4, 0.6],
    "learning_rate": [0.1, 0.2, 0.3],
}


def panels(given: dict[str, Any]) -> dict[str, Any]:
    return {axes.get_ylabel(): axes for axes in curves.plot(given).axes}


def labels(axes: Any) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_a_legend_tells_training_from_validation_where_there_are_both() -> None:
    found = {name: labels(axes) for name, axes in panels(CURVES).items()}
    both = ["training", "validation"]
    assert found == {"loss": both, "accuracy": both, "learning rate": []}
    assert not panels(CURVES)["loss"].get_legend().get_frame_on()


def test_epochs_count_from_one_and_what_was_not_measured_is_a_gap() -> None:
    training, validation = panels(CURVES)["loss"].lines
    np.testing.assert_array_equal(validation.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(validation.get_ydata(), [2.5, np.nan, 1.5])
    assert (training.get_color(), validation.get_color()) == ("#3584e4", "#e66100")
    assert training.get_markersize() == validation.get_markersize() == 3


def test_a_curve_of_validation_alone_is_drawn_too() -> None:
    (axes,) = panels({"val_loss": [1.0]}).values()
    assert [line.get_label() for line in axes.lines] == ["validation"]
    assert labels(axes) == []


def test_axes_say_what_they_have() -> None:
    for name, axes in panels(CURVES).items():
        assert axes.get_xlabel() == "epoch"
        assert axes.yaxis.get_major_formatter()(0.25) == ("25%" if name == "accuracy" else "")
        assert all(tick == round(tick) for tick in axes.get_xticks())


@pytest.mark.parametrize(("epochs", "marker"), [(1, "o"), (30, "o"), (31, "")])
def test_few_epochs_have_marks(epochs: int, marker: str) -> None:
    (axes,) = panels({"loss": [1.0] * epochs}).values()
    assert axes.lines[0].get_marker() == marker


@pytest.mark.parametrize(
    ("names", "width"), [([], 4.2), (["loss"], 4.2), (["loss", "accuracy"], 8.4)]
)
def test_each_panel_is_as_wide(names: list[str], width: float) -> None:
    figure = curves.plot({name: CURVES[name] for name in names})
    assert len(figure.axes) == max(len(names), 1)
    np.testing.assert_allclose(figure.get_size_inches(), (width, 2.8))


def test_the_svg_takes_colour_and_font_of_its_page() -> None:
    text = curves.draw(CURVES, "accuracy")
    assert text is not None and text.startswith("<svg")
    assert curves.INK not in text and "currentColor" in text
    root = ElementTree.fromstring(text)
    assert (root.get("width"), root.get("height")) == ("302.4pt", "187.2pt")
    words = {word.strip() for word in root.itertext()}
    assert {"epoch", "accuracy", "training", "validation", "1", "3"} <= words
    assert any(re.fullmatch(r"\d+%", word) for word in words)
    styles = re.findall(r'<text style="([^"]*)"', text)
    assert styles and all("font-size: 10px" in style for style in styles)
    assert all("sans-serif" in style and "fill: currentColor" in style for style in styles)
    assert "<dc:date>" not in text and "Matplotlib v" not in text


def test_the_svg_is_transparent_and_open_above_and_to_the_right() -> None:
    text = curves.draw({"loss": [1.0, 2.0]}, "loss")
    assert text is not None
    spines = re.findall(r'<g id="patch_\d+">\s*<path d="([^"]*)"[^>]*?style="([^"]*)"', text)
    drawn = [style for _, style in spines if "currentColor" in style]
    assert len(drawn) == 2, "the axes on the left and below"
    assert "#ffffff" not in text


def test_the_same_curves_give_the_same_svg_whatever_is_set() -> None:
    import matplotlib

    before = curves.draw(CURVES, "loss")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9}):
        assert curves.draw(CURVES, "loss") == before
        assert matplotlib.rcParams["font.size"] == 20
    assert curves.draw(CURVES, "learning_rate") is not None
    assert curves.draw({"loss": [1.0]}, "accuracy") is None
