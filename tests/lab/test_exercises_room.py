"""The room of exercises, in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.lab.lab_data import lab_data
from striate.lab.lab_page import write_lab
from striate.lab.room_data.exercise_sets import exercise_sets
from tests.lab.node_functions import called, needs_node

SEED = 42
SETS = """
title = "Mine"
[[exercise]]
kind = "output"
input = [4, 6]
filter = [2, 3]
stride = 1
padding = 1
dilation = 2
flip = true
ask = "all"
hints = ["Breathe."]
[[exercise]]
kind = "size"
inputs = [10, 10]
filters = [3, 3]
strides = [2, 2]
paddings = [0, 0]
fits = false
[[exercise]]
kind = "kernel"
[[exercise]]
kind = "program"
of = "input-gradient"
stride = 2
"""


@pytest.fixture
def open_room(open_page: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """The room with the sets above, at an address."""
    file = tmp_path / "lab.html"
    (tmp_path / "mine.toml").write_text(SETS)
    write_lab(file, lab_data(exercises=exercise_sets([tmp_path / "mine.toml"]), seed=SEED))

    def call(address: str = "", **options: Any) -> Any:
        page = open_page(file, **options)
        page.evaluate("address => { location.hash = address }", f"exercises{address}")
        page.wait_for_selector(".exercise form")
        return page

    return call


def shown(page: Any, place: int) -> np.ndarray[Any, Any]:
    """The numbers of a matrix as it is drawn."""
    figure = page.locator(".exercise > .matrices .given").nth(place)
    numbers = [text.replace("−", "-") for text in figure.locator("svg text").all_text_contents()]
    label = str(figure.locator("svg").get_attribute("aria-label"))
    rows, columns = map(int, re.findall(r"(\d+) rows and (\d+)", label)[0])
    return np.array(numbers, float).reshape(rows, columns)


def verdict(page: Any) -> str:
    return str(page.inner_text(".verdict"))


def test_all_outputs_are_checked_term_by_term(open_room: Callable[..., Any]) -> None:
    page = open_room()
    x, f = np.pad(shown(page, 0), 1), shown(page, 1)[::-1, ::-1]
    out = np.zeros((4, 4))
    for (row, column), _ in np.ndenumerate(out):
        out[row, column] = (x[row : row + 3 : 2, column : column + 5 : 2] * f).sum()
    assert "convolution" in page.inner_text(".question") and "2 places" in page.inner_text(
        ".question"
    )
    inputs = page.locator(".answers input")
    assert inputs.count() == out.size
    for index, value in enumerate(out.ravel()):
        inputs.nth(index).fill(f"{value:g}")
    terms = (x[1:4:2, 1:6:2] * f).ravel()
    inputs.nth(5).fill(" + ".join(f"({term:g})" for term in [*terms[:-1], terms[-1] + 1]))
    page.keyboard.press("Enter")
    said = verdict(page)
    # The wrong answer is at row 2, column 2; the flipped filter's last tap is its first.
    assert said.startswith("15 of 16 are right. O₂₂: 5 of 6 terms are right.")
    assert said.endswith("·F₁₁.")
    assert inputs.nth(5).get_attribute("aria-invalid") == "true"
    inputs.nth(5).fill(" + ".join(f"({term:g})" for term in terms))
    page.click("button.main")
    assert verdict(page) == "Right."
    assert page.inner_text(".exercise-list .count") == "1 of 4"
    assert page.locator(".code-view").count() == 1  # once it is known


def test_hints_come_in_steps_and_are_in_the_address(open_room: Callable[..., Any]) -> None:
    page = open_room()
    said = []
    while page.locator(".exercise form button").nth(1).is_enabled():
        page.locator(".exercise form button").nth(1).click()
        page.wait_for_timeout(50)
        said.append(page.inner_text(".steps"))
    assert said[0] == "Breathe." and len(said) == 5
    page.wait_for_url("**hints=5**")
    numbers = shown(page, 0)
    page.click("button:text-is('New numbers')")
    page.wait_for_url("**seed=43**")
    assert "hints=" not in page.url and page.inner_text(".steps") == ""
    assert (shown(page, 0) != numbers).any()
    page.evaluate("location.hash = 'exercises?seed=42&hints=5'")
    page.wait_for_selector(".steps math")
    assert (shown(page, 0) == numbers).all()


def test_what_does_not_fit_is_an_answer(open_room: Callable[..., Any]) -> None:
    page = open_room("?number=2")
    page.fill(".answer-line input[type=text]", "4")
    page.click("button.main")
    assert "remainder" in verdict(page)
    page.check(".ticked input")
    page.click("button.main")
    assert verdict(page) == "Right."


def test_a_kernel_is_seen_at_work(open_room: Callable[..., Any]) -> None:
    page = open_room("?number=3")
    picture = shown(page, 0)
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -2]], float)
    inputs = page.locator(".answers input")
    for index, value in enumerate(kernel.ravel()):
        inputs.nth(index).fill(f"{value:g}")
    windows = np.lib.stride_tricks.sliding_window_view(picture, (3, 3))
    texts = page.locator(".kernel-answer svg text").all_text_contents()
    found = [float(text.replace("−", "-")) for text in texts]
    np.testing.assert_array_equal(found, (windows * kernel).sum((2, 3)).ravel())
    page.click("button.main")
    assert "row 3" in verdict(page) and "sums to −1" in verdict(page)
    inputs.nth(8).fill("-1")
    page.keyboard.press("Enter")
    assert verdict(page) == "Right."


@needs_node
def test_a_program_is_typed_run_and_looked_at(open_room: Callable[..., Any]) -> None:
    page = open_room("?number=4")
    page.focus("textarea")
    page.keyboard.type("for y in range(2):\nfor x in range(2):\ndX[y, z] = 1")  # it indents itself
    assert page.input_value("textarea").splitlines()[2] == " " * 8 + "dX[y, z] = 1"
    page.click("button.main")
    assert verdict(page).startswith("Line 3: there is no z; there are S, dX, F, dO, y, x.")
    page.fill("textarea", "dX += 1")
    page.click("button.main")
    assert re.match(r"∂L/\u2060?∂X₁₁ is 1 and should be −?\d+\.", verdict(page))
    assert page.locator(".tried svg").count() == 3
    (text,) = called("maths/exercises/program_kind.js", "rightProgram", [["input-gradient", 2]])
    page.fill("textarea", text)
    page.click("button.main")
    assert verdict(page) == "Right, in all 3 cases." and page.locator(".tried").count() == 0


def test_progress_is_saved_and_read_back(open_room: Callable[..., Any], tmp_path: Path) -> None:
    page = open_room("?number=2")
    page.check(".ticked input")
    page.click("button.main")
    with page.expect_download() as download:
        page.click("text=Save as a file")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    kept = json.loads(file.read_text())
    assert kept["sets"] == [
        {
            "title": "Mine",
            "exercises": [
                {
                    "number": 2,
                    "title": "The size of the output",
                    "attempts": [{"seed": SEED, "tries": 1, "hints": 0, "solved": True}],
                }
            ],
        }
    ]
    other = open_room("?number=2&hints=9")
    other.check(".ticked input")
    other.click("button.main")
    assert verdict(other) == "Right."
    # The solution was seen: it counts as tried, and not as solved.
    assert other.inner_text(".exercise-list .count") == "0 of 4"
    other.set_input_files(".progress input[type=file]", file)
    other.wait_for_selector("text=striate-progress.json was read.")
    assert other.inner_text(".exercise-list .count") == "1 of 4"
    (tmp_path / "odd.json").write_text(
        '{"format": "striate lab progress", "version": 1, "sets": 3}'
    )
    other.set_input_files(".progress input[type=file]", tmp_path / "odd.json")
    other.wait_for_selector("text=odd.json is no file of progress")
    assert other.inner_text(".exercise-list .count") == "1 of 4"
