from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

import striate
from striate.common.errors import StriateValueError
from tests.lab.node_functions import called, needs_node


def random_case(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "image": rng.integers(1, 9, 2).tolist(),
        "neurons": int(rng.integers(1, 65)),
        "group": int(rng.integers(1, 13)),
        "size": rng.integers(1, 5, 2).tolist(),
        "stride": [int(rng.integers(1, 4))] * 2,
        "padding": str(rng.choice(["none", "same"])),
    }


def fitting_case(rng: np.random.Generator) -> dict[str, Any]:
    """One whose groups have as many neurons as there are windows."""
    while True:
        case = random_case(rng)
        try:
            probe = derived({**case, "neurons": 1, "group": 1})
        except StriateValueError as error:
            found = re.search(r" = (\d+) positions", str(error))
            if found is None or int(found[1]) > 32:
                continue
            count = int(found[1])
        else:
            count = probe.group or 1
        return {**case, "group": count, "neurons": count * int(rng.integers(1, 64 // count + 1))}


def derived(case: dict[str, Any]) -> Any:
    return striate.derive(
        case["image"], case["neurons"], case["group"], tuple(case["size"]),
        stride=tuple(case["stride"]), padding="same" if case["padding"] == "same" else 0,
        compare=False,
    )  # fmt: skip


@needs_node
def test_counts_and_who_reads_what_are_those_of_derive() -> None:
    rng = np.random.default_rng(0)
    cases = [fitting_case(rng) for _ in range(60)]
    chosen = called("maths/derivation.js", "chosenWindows", [[case] for case in cases])
    assert [one["problem"] for one in chosen] == [None] * len(cases)
    windows = [one["windows"] for one in chosen]
    counts = called("maths/derivation.js", "layerCounts", list(zip(cases, windows, strict=True)))
    reads: list[list[Any]] = []
    wanted = []
    for case, window, count in zip(cases, windows, counts, strict=True):
        found = derived(case)
        for name in ("dense", "grouped", "local"):
            stage = found.stage(name)
            expected = [stage.weights, stage.connections, stage.multiply_adds, stage.reduction]
            assert list(count[name].values()) == expected
        position = int(rng.integers(case["group"]))
        neuron = int(rng.integers(case["neurons"] // case["group"])) * case["group"] + position
        rows, columns = found.windows.rows_and_columns(tuple(case["image"]), position)
        reads.append([9, case, window, 0, neuron, ""])
        wanted.append([(r * case["image"][1] + c, neuron) for r in rows for c in columns])
    lines = called("maths/derivation_lines.js", "linesAt", reads)
    assert [[(one["pixel"], one["neuron"]) for one in some] for some in lines] == wanted


@needs_node
def test_lines_of_each_figure() -> None:
    case: dict[str, Any] = {"image": [3, 3], "neurons": 16, "group": 4, "size": [2, 2]}
    case |= {"stride": [1, 1], "padding": "none"}
    windows = called("maths/derivation.js", "chosenWindows", [[case]])[0]["windows"]
    calls = [[stop, case, windows, 0, 0, ""] for stop in range(12)]
    counts = [len(lines) for lines in called("maths/derivation_lines.js", "linesAt", calls)]
    assert counts == [0, 0, 0, 144, 144, 4, 36, 9, 0, 4, 4, 16]


def test_what_does_not_fit_is_said_as_derive_says_it(open_page: Any, lab_file: Path) -> None:
    rng = np.random.default_rng(1)
    page = open_page(lab_file)
    kinds = set()
    for _ in range(60):
        case = random_case(rng)
        try:
            derived(case)
            wanted = None
        except StriateValueError as error:
            wanted = str(error).removeprefix("derive: ")
            kinds.add(re.sub(r"\d+", "", wanted)[:24])
        (rows, columns), (high, wide) = case["image"], case["size"]
        query = urlencode({
            "stop": 9, "source": "digit", "rows": rows, "columns": columns,
            "windowRows": high, "windowColumns": wide, "neurons": case["neurons"],
            "group": case["group"], "stride": case["stride"][0], "padding": case["padding"],
        })  # fmt: skip
        page.evaluate("to => { location.hash = to }", f"dense?{query}")
        note = page.locator(".room-dense .note[role=alert]").first
        note.wait_for(state="visible" if wanted else "hidden")
        if wanted:
            page.wait_for_function(
                "wanted => document.querySelector('.room-dense .note').textContent === wanted",
                arg=wanted, timeout=5000,
            )  # fmt: skip
    assert len(kinds) >= 4


def test_figures_move_and_sums_are_right(open_page: Any, lab_file: Path) -> None:
    rng = np.random.default_rng(2)
    page = open_page(lab_file, width=390)
    image, filter_ = rng.integers(0, 99, (4, 5)), rng.integers(-4, 5, (2, 3))
    text = "; ".join(" ".join(map(str, row)) for row in image)
    weights = " ".join(map(str, filter_.ravel()))
    query = {
        "matrix": text, "weights": weights, "windowRows": 2, "windowColumns": 3,
        "neurons": 9, "group": 9, "stop": 10,
    }  # fmt: skip
    page.goto(f"{lab_file.as_uri()}#dense?{urlencode(query)}")
    page.get_by_role("button", name="Next figure").click()
    wanted = striate.correlate(image.astype(float), filter_.astype(float), "valid")
    for place in rng.permutation(9)[:4]:
        page.get_by_role("option", name=f"Neuron {place}", exact=True).click()
        page.wait_for_function(  # the page is shown anew once a frame
            "wanted => document.querySelector('.room-dense .sum strong').textContent === wanted",
            arg=f"{wanted.ravel()[place]:g}".replace("-", "−"), timeout=5000,
        )  # fmt: skip
        assert "lines, from pixels" in page.locator(".said").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("listbox", name="Pixels").press("ArrowDown")
    page.wait_for_function(
        "() => document.querySelector('.said').textContent.startsWith('Pixel 1:')"
    )
    page.get_by_label("Pixels, and neurons of each layer").fill("1024 500")
    page.locator(".calculated", has_text="= 512,000 weights").wait_for(timeout=5000)


@needs_node
def test_correlations_are_numpys() -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (9, 13)).astype(float).cumsum(axis=1)
    calls, wanted = [], []
    for apart in (1, 3, 8):
        calls.append([pixels.ravel().tolist(), 9, 13, apart, "across"])
        pairs = pixels[:, :-apart].ravel(), pixels[:, apart:].ravel()
        wanted.append(np.corrcoef(*pairs)[0, 1])
        calls.append([pixels.ravel().tolist(), 9, 13, apart, "down"])
        pairs = pixels[:-apart].ravel(), pixels[apart:].ravel()
        wanted.append(np.corrcoef(*pairs)[0, 1])
    got = called("maths/pixel_correlation.js", "correlationApart", calls)
    assert got == pytest.approx(wanted, abs=1e-12)
