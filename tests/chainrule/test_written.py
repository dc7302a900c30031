"""The derivation on paper: as the article prints it."""

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from striate.teaching.chainrule.contents import contents
from striate.teaching.chainrule.gradients import gradients
from tests.chainrule.latex import check_latex


def unspaced(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_formulas_as_the_article_prints_them(form: str) -> None:
    text = unspaced(gradients(engine="numpy").text(form))
    slope = r"\frac{\partialL}{\partial%s_{%d%d}}"

    def of(name: str, row: int, column: int) -> str:
        return slope % (name, row, column)

    assert "O_{11}&=X_{11}F_{11}+X_{12}F_{12}+X_{21}F_{21}+X_{22}F_{22}" in text
    assert "O_{22}&=X_{22}F_{11}+X_{23}F_{12}+X_{32}F_{21}+X_{33}F_{22}" in text
    o = [of("O", row, column) for row in (1, 2) for column in (1, 2)]
    # ∂L/∂F_12 by the chain rule, then with the local gradients put in.
    local = r"\frac{\partialO_{%d%d}}{\partialF_{12}}"
    chained = [f"{g}*{local % (1 + i // 2, 1 + i % 2)}" for i, g in enumerate(o)]
    assert of("F", 1, 2) + "&=" + "+".join(chained) in text
    assert f"&={o[0]}*X_{{12}}+{o[1]}*X_{{13}}+{o[2]}*X_{{22}}+{o[3]}*X_{{23}}" in text
    assert f"&={o[0]}*F_{{22}}+{o[1]}*F_{{21}}+{o[2]}*F_{{12}}+{o[3]}*F_{{11}}" in text
    assert r"F&\leftarrowF-\alpha\cdot\frac{\partialL}{\partialF}" in text
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{") == text.count(r"\end{")


def test_the_text_can_be_calculated_again() -> None:
    """Each line of numbers is worth what stands on the line below it."""
    for case in ({}, {"input": 4, "padding": 1, "channels": 2, "filters": 2, "stride": 2}):
        text = str(gradients(**case, engine="numpy"))
        text = re.sub(r"\n +\+ ", " + ", text)  # wrapped sums
        lines = text.split("\n")
        found = 0
        for above, below in pairwise(lines):
            numbers = above.partition(" = ")[2]
            if re.fullmatch(r"[-\d.·() +]*·[-\d.·() +]*", numbers):
                value = sum(
                    Fraction(a) * Fraction(b.strip("()"))
                    for a, b in (product.split("·") for product in numbers.split(" + "))
                )
                assert Fraction(below.partition(" = ")[2]) == value
                found += 1
        assert found == (17 if not case else 3 * 3 * 2 + 16 + 32)


def test_many_planes_and_wide_places() -> None:
    text = gradients((1, 12), (1, 2), channels=2, engine="numpy").text()
    assert "The raised number of X is its channel." in text
    assert "O_1,10 = X^1_1,10·F^1_11 + X^2_1,10·F^2_11" in text
    assert max(map(len, text.split("\n"))) <= 100
    latex = gradients((1, 12), (1, 2), filters=2, engine="numpy").text("latex")
    assert "O^{2}_{1,10} &= X_{1,10}F^{2}_{11} + X_{1,11}F^{2}_{12}" in latex
    assert "MaxMatrixCols" in latex


def test_padding_is_left_out_and_said() -> None:
    text = gradients(2, 2, padding=1, engine="numpy").text()
    assert "Products with the padding are zero and left out." in text
    assert "O_11 = X_11·F_22\n" in text
    unread = gradients((1, 3), (1, 1), stride=2, engine="numpy").text()
    assert "∂L/∂X_12 = 0, for no output reads it" in unread
    assert (
        "∂L/∂F_11 = 0, for it meets the padding only"
        in gradients(1, 2, padding=(1, 0, 1, 0), engine="numpy").text()
    )


def test_unknown_forms() -> None:
    with pytest.raises(ValueError, match="must be text, markdown, latex, html, got 'word'"):
        gradients(engine="numpy").text("word")


@pytest.mark.parametrize("case", [{}, {"channels": 3, "filters": 2, "b": [1, 0], "padding": 1}])
def test_latex_is_ascii_and_compiles(case: dict[str, object], tmp_path: Path) -> None:
    """With bias, channels and filters too; nothing is wider than the page."""
    size = {"input": (4, 3), "filter": 2} if case else {}
    text = gradients(**size, **case, engine="numpy").text("latex")
    check_latex(text, tmp_path)


def test_local_gradients_as_the_article_prints_them() -> None:
    written = gradients(engine="numpy")
    assert "∂O_12/∂F_11 = X_12 = 6, ∂O_12/∂F_12 = X_13 = 5" in written.text()
    latex = unspaced(written.text("latex"))
    assert r"\frac{\partialO_{11}}{\partial{F}_{11}}=X_{11}".replace("{F}", "F") in latex
    # Each is what the output changes by, for one more of what it is of.
    rng = np.random.default_rng(0)
    x, f = rng.normal(size=(4, 5, 2)), rng.normal(size=(2, 3, 2, 2))
    written = gradients(x=x, f=f, stride=(2, 1), engine="numpy")
    (section,) = contents(written, ["O^2_22"]).sections
    for output, local in section.local:
        assert (str(output), len(local)) == ("O^2_22", 24)
        for by, _, slope in local:
            moved = {"x": x.copy(), "f": f.copy()}
            r, c = by.place[0] - 1, by.place[1] - 1
            moved[by.kind.lower()][(r, c, *(p - 1 for p in by.planes))] += 1
            after = gradients(**moved, stride=(2, 1), engine="numpy").output[1, 1, 1]
            assert after - written.output[1, 1, 1] == pytest.approx(slope)


def test_a_page_is_mathml_and_holds_each_sum() -> None:
    text = gradients(3, 2, channels=2, filters=2, b=[1, 2], engine="numpy").text("html")
    assert "http" not in re.sub(r'src="data:[^"]*"', "", text)
    tree = ElementTree.fromstring(re.sub(r"<!DOCTYPE html>|<meta[^>]*>|<img[^>]*>", "", text))
    assert len(tree.findall(".//div[@class='sum']")) == 8 + 16 + 2 + 18
