"""The code that a room shows, run: it prints the numbers that the room shows."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from tests.lab.waiting import settle

FORMS = ("loop", "numpy")


def printed(page: Any, address: str, fields: dict[str, Any], form: str) -> Any:
    """What the code of a view prints, in a form."""
    query = urlencode({**fields, "code": form})
    page.evaluate("to => { location.hash = to }", f"{address}?{query}")
    page.locator(f".room-{address} .code-view:visible").wait_for()
    settle(page)
    with contextlib.redirect_stdout(io.StringIO()) as found:
        exec(page.text_content(".code-view:visible pre"), {})
    return ast.literal_eval(found.getvalue().splitlines()[-1])


def numbers(page: Any, selector: str) -> list[float]:
    """The numbers in some elements of a page."""
    texts = page.locator(selector).all_text_contents()
    return [float(text.replace("−", "-")) for text in texts]


def rows(array: np.ndarray) -> str:
    return "; ".join(" ".join(map(str, row)) for row in array)


@pytest.mark.parametrize("form", FORMS)
def test_convolutions(open_page: Any, lab_file: Path, form: str) -> None:
    page = open_page(lab_file)
    rng = np.random.default_rng(3)
    for operation, origin in (("convolution", "center"), ("correlation", "corner")):
        fields = {"operation": operation, "origin": origin}
        f, g = rng.integers(-9, 10, (4, 6)), rng.integers(-4, 5, (2, 3))
        line = {**fields, "f": rows(f[:1]), "g": rows(g[:1]), "view": "line"}
        found = printed(page, "convolution", line, form)
        assert found == numbers(page, ".is-output g:not(.is-absent) text:not(.below):visible")
        grid = {**fields, "matrix": rows(f), "kernel2": rows(g), "view": "grid"}
        found = printed(page, "convolution", grid, form)
        shown = numbers(page, ".grids:visible >> nth=0 >> svg >> nth=2 >> text")
        assert np.ravel(found).tolist() == shown
    for kernel, offset in (("sobel-magnitude", 0), ("emboss", 1)):
        photo = {"view": "photo", "kernel": kernel, "offset": offset, "photoRow": 200}
        printed(page, "convolution", photo, form)  # the photograph is there now
        found = printed(page, "convolution", {**photo, "size": 3}, form)
        pixel = page.text_content(".pixel-result")
        assert found == int(re.search(r"(\d+)\D*$", pixel)[1]), pixel


@pytest.mark.parametrize("form", FORMS)
def test_windows_layers_and_pooling(open_page: Any, lab_file: Path, form: str) -> None:
    page = open_page(lab_file, width=390)
    sizes = {"input": 11, "filter": 3, "stride": 2, "before": 2, "after": 0, "dilation": 2}
    found = printed(page, "size", sizes, form)
    assert len(found) == page.locator(".size-window").count()
    assert found[1] == [0, 2, 4]
    rng = np.random.default_rng(4)
    x, f, b = rng.integers(-4, 5, (2, 4, 6)), rng.integers(-4, 5, (3, 2, 2, 2)), [3, -1, 2]
    layer = {
        "rows": 4, "columns": 6, "channels": 2, "filters": 3, "size": 2, "stride": 2, "padding": 1,
        **{name: ",".join(map(str, np.ravel(values)))
           for name, values in (("input", x), ("weights", f), ("biases", b))},
    }  # fmt: skip
    found = np.array(printed(page, "layer", layer, form))
    shown = numbers(page, ".layer-table section:last-child svg text")
    assert found.transpose(2, 0, 1).ravel().tolist() == shown
    pool = {"view": "pool", "pooled": rows(x[0]), "window": 2, "step": 1, "kind": "average"}
    found = printed(page, "layer", pool, form)
    assert np.ravel(found).tolist() == numbers(
        page, ".grids:visible svg:last-of-type >> nth=1 >> text"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("form", FORMS)
def test_each_figure_of_the_derivation(open_page: Any, lab_file: Path, form: str) -> None:
    page = open_page(lab_file)
    rng = np.random.default_rng(5)
    image = rng.integers(0, 99, (4, 5))
    fields = {
        "matrix": rows(image), "weights": rows(rng.integers(-4, 5, (2, 6))), "windowRows": 2,
        "windowColumns": 3, "neurons": 18, "group": 9, "neuron": 13, "row": 1,
    }  # fmt: skip
    for stop in (0, 3, 5, 9, 10, 11):
        found = printed(page, "dense", {**fields, "stop": stop}, form)
        if stop == 0:
            assert found == image.ravel().tolist()
            continue
        assert len(found) == 18
        if stop == 5:
            assert len({*found[:9]}) == len({*found[9:]}) == 1
        if stop >= 10:
            assert found[13] == numbers(page, ".room-dense .sum strong")[0]
    assert found[9:] == numbers(page, ".room-dense .grids figure:last-child text")


def test_what_no_nest_computes_is_said(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    for address, said in (
        ("convolution?view=photo", "rounds and clips"),
        ("size?", "multiplies nothing"),
        ("dense?stop=6", "no layer that repeats"),
        ("dense?stop=8", "no sum of products"),
    ):
        page.evaluate("to => { location.hash = to }", f"{address}&code=nest")
        page.locator(".code-about:visible", has_text=said).wait_for()
        assert not page.locator(".code-view:visible pre").is_visible()
    page.evaluate("location.hash = 'dense?stop=11&code=c'")
    page.locator(".code-view pre", has_text="static void").wait_for()


@pytest.mark.parametrize("form", FORMS)
def test_the_sum_that_is_clicked_in_a_network(open_page: Any, lab_file: Path, form: str) -> None:
    """Values, gradients and weights of layers with few and with many products."""
    page = open_page(lab_file)
    picked = [
        {"kind": "value", "layer": 3, "place": 70},
        {"kind": "value", "layer": 6, "place": 4},  # 256 products and a bias
        {"kind": "value", "layer": 2, "place": 17, "direction": "backward"},
        {"kind": "value", "layer": 0, "place": 9, "direction": "backward"},
        {"kind": "weight", "layer": 3, "place": 200},
    ]
    for one in picked:
        found = printed(page, "learning", {"image": 5, **one}, form)
        told = page.text_content(".sum-of-picked").rpartition(" = ")[2].replace("−", "-")
        assert found == pytest.approx(float(told), rel=2e-3, abs=1e-7), one
    page.evaluate("location.hash = 'learning?layer=1&place=3&code=loop'")
    page.locator(".code-about:visible", has_text="no sum of products").wait_for()
