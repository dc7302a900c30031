from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.inspect import reach
from striate.layers import Conv2D
from tests.lab.node_functions import called, needs_node


@needs_node
def test_sums_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    calls, wanted = [], []
    for stride, padding in [(1, 0), (2, 1), (3, 2), (2, 0)]:
        x, w = rng.normal(size=(6, 9, 3)), rng.normal(size=(3, 3, 3, 2))
        b = rng.normal(size=2)
        out = torch.nn.functional.conv2d(
            torch.tensor(x).permute(2, 0, 1)[None],
            torch.tensor(w).permute(3, 2, 0, 1),
            torch.tensor(b),
            stride=stride,
            padding=padding,
        )[0].numpy()
        sizes = {
            "rows": 6, "columns": 9, "channels": 3, "filters": 2,
            "side": 3, "stride": stride, "padding": padding,
        }  # fmt: skip
        for k, r, c in [(0, 0, 0), (1, out.shape[1] - 1, out.shape[2] - 1), (1, 0, 1)]:
            lists = [x.ravel().tolist(), w.ravel().tolist(), b.tolist()]
            calls.append([*lists, sizes, r, c, k])
            wanted.append(out[k, r, c])
    got = [one["total"] for one in called("maths/volume.js", "layerSum", calls)]
    assert got == pytest.approx(wanted, abs=1e-12)


@needs_node
def test_what_a_unit_sees_is_what_inspect_says() -> None:
    calls, wanted = [], []
    for inputs, layers in [(5, [(3, 1), (3, 1)]), (15, [(3, 2), (3, 1), (2, 1)]), (14, [(4, 2)])]:
        network = striate.Network(
            [Conv2D(1, (1, side), stride=(1, stride)) for side, stride in layers], (1, inputs, 1)
        )
        last = reach(network).layers[-1]
        for unit in range(last.shape[1]):
            calls.append([inputs, [{"side": a, "stride": b} for a, b in layers], unit])
            wanted.append((last.shape[1], list(last.field(0, unit).columns)))
    got = called("maths/volume.js", "pyramid", calls)
    assert [(one["counts"][-1], one["spans"][0]) for one in got] == wanted


def test_an_output_is_picked_and_the_field_grows(open_page: Any, lab_file: Path) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    page = open_page(lab_file, width=390)
    for depth, inputs, said in [(2, 5, "x1 to x5: its receptive field is 5 wide")]:
        page.goto(f"{lab_file.as_uri()}#layer?depth={depth}&inputs={inputs}")
        expect(page.locator(".field-said")).to_contain_text(said)
    before = page.locator(".layer-total").inner_text()
    grid = page.get_by_role("grid", name="The outputs of the filter")
    grid.get_by_role("gridcell").nth(4).click()
    expect(page.locator(".layer-total")).not_to_have_text(before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
