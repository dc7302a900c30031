from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from scipy import ndimage


def shown(page: Any, selector: str, text: str) -> None:
    """Wait until an element says a text: the page is shown anew once a frame."""
    page.locator(selector, has_text=text).first.wait_for(timeout=5000)


def go(page: Any, fields: dict[str, Any]) -> None:
    page.evaluate("to => { location.hash = to }", f"layer?{urlencode(fields)}")


def number(value: float) -> str:
    return f"{value:g}".replace("-", "\u2212")


def test_sums_over_channels_with_typed_numbers(open_page: Any, lab_file: Path) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    page = open_page(lab_file, width=390)
    for size, stride, padding in [(3, 2, 1), (2, 1, 0)]:
        x, w = rng.integers(-4, 5, (2, 5, 7)), rng.integers(-4, 5, (3, 2, size, size))
        b = rng.integers(-4, 5, 3)
        given = [torch.tensor(a, dtype=torch.float64) for a in (x[None], w, b)]
        out = torch.nn.functional.conv2d(*given, stride=stride, padding=padding)[0].numpy()
        k, r, c = (int(rng.integers(n)) for n in out.shape)
        numbers = {"input": x, "weights": w, "biases": b}
        go(page, {
            "rows": 5, "columns": 7, "channels": 2, "filters": 3, "size": size, "stride": stride,
            "padding": padding, "row": r, "column": c, "filter": k,
            **{name: ",".join(map(str, a.ravel())) for name, a in numbers.items()},
        })  # fmt: skip
        shown(page, ".channel-total", f"O({r}, {c}, {k}) = ")
        shown(page, ".channel-total", f"= {number(out[k, r, c])}")
        page.get_by_role("grid", name=f"output of filter {2 - k}").press("ArrowRight")
        right = min(c + 1, out.shape[2] - 1) if k == 1 else None
        if right is not None:
            shown(page, ".channel-total", f"= {number(out[1, r, right])}")
    page.get_by_label("W(0, 0, 0)").fill("9")
    shown(page, ".channel-sums", "9")
    go(page, {"rows": 6, "stride": 4, "padding": 0})
    shown(page, ".note", "no whole number along the height; choose a stride of 1 or 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_other_parts(open_page: Any, lab_file: Path) -> None:
    rng = np.random.default_rng(1)
    page = open_page(lab_file)
    go(page, {"view": "stack"})
    shown(page, ".room-layer", "y3 sees x1, x2, x3, x4, x5 (5 inputs) through h2, h3, h4.")
    shown(page, ".room-layer", "3 different weights, each used again and again; 13 connections")
    page.locator(".stack").get_by_role("button", name="h2").click()
    shown(page, ".room-layer", "h2 sees x1, x2, x3: 3 inputs.")
    page.locator("select:visible").nth(1).select_option("dense")
    shown(page, ".room-layer", "5\u00b75 = 25 weights")
    x = rng.integers(0, 50, (5, 6))
    text = "; ".join(" ".join(map(str, row)) for row in x)
    go(page, {"view": "pool", "pooled": text, "window": 3, "step": 1, "place": 7})
    shown(page, ".room-layer", f"is {ndimage.maximum_filter(x, 3)[2, 4]}.")
    page.locator("select:visible").first.select_option("sum")
    shown(page, ".room-layer", f"= {x[1:4, 3:6].sum()}.")
    go(page, {"view": "stroke", "down": 3, "across": -2})
    shown(page, ".room-layer", "those before the move differ by 0 at most")
    shown(page, ".room-layer", "The strongest answer of all was 1020 and is 1020")
