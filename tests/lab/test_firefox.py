"""The lab in Firefox: the rooms' own tests, driven there, and a training compared with Node's.

Each room is tested in Chromium by its own file. Some of these tests, which drag, click and type in
each kind of room, run here again: the fixture `browser` of this file is Firefox, and `open_page`
opens pages in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data import load
from striate.lab.room_data.training_room import BATCH_SIZE, EPOCHS, small_network
from striate.model.preprocessing import Preprocessing
from striate.training.statistics import channel_statistics
from tests.lab.node_functions import needs_node
from tests.lab.test_convolution_room import (  # noqa: F401
    test_a_matrix_is_convolved,
    test_typed_and_dragged_numbers_are_convolved,
)
from tests.lab.test_dense_room import test_figures_move_and_sums_are_right  # noqa: F401
from tests.lab.test_exercises_room import (  # noqa: F401
    open_room,
    test_a_kernel_is_seen_at_work,
)
from tests.lab.test_layer_room import test_the_other_parts  # noqa: F401
from tests.lab.test_learning_maths import trained_in_node
from tests.lab.test_learning_room import at
from tests.lab.test_size_room import test_handles_are_dragged_and_moved_by_keys  # noqa: F401
from tests.lab.waiting import until


@pytest.fixture
def browser(firefox: Any) -> Any:
    """Firefox, for all tests of this file."""
    return firefox


def test_it_is_firefox(open_page: Any, lab_file: Path) -> None:
    assert "Firefox/" in open_page(lab_file).evaluate("navigator.userAgent")


def test_what_the_page_asks_for_is_noticed(firefox: Any, lab_file: Path, tmp_path: Path) -> None:
    """By the page's own policy: Firefox tells of no requests themselves."""
    path = tmp_path / "asks.html"
    image = '<body><img src="http://127.0.0.1:1/a.png">'
    path.write_text(lab_file.read_text("utf-8").replace("<body>", image, 1))
    context = firefox.new_context(offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("h1")
    context.close()
    assert [problem for problem in problems if "a.png" in problem], problems


@needs_node
def test_training_gives_the_weights_that_node_gets(
    open_page: Any, lab_file: Path, tmp_path: Path
) -> None:
    """The compiled step is the same code, with no sum that an engine may round in its own way.

    The page shows logits: those of Node's weights, computed in Python.
    """
    data = load("digits")
    steps = 3 * -(-len(data.train_labels) // BATCH_SIZE)
    found = trained_in_node(tmp_path, seed=7, epochs=EPOCHS, steps=steps)
    network = small_network(data.train_images.shape[1:], 10)
    network.flat[...] = np.float32(found["weights"])
    network.preprocessing = Preprocessing(*channel_statistics(data.train_images))

    page = open_page(lab_file)
    page.evaluate("to => { location.hash = to }", f"learning?seed=7&step={steps}")
    at(page, steps)
    percent = page.text_content(".curve").partition("right: ")[2].partition(" %")[0]
    assert float(percent) == pytest.approx(100 * found["epochs"][-1]["accuracy"], abs=0.06)
    rng = np.random.default_rng(4)
    for image in rng.integers(len(data.test_labels), size=4):
        place = rng.integers(10)
        wanted = network.predict_logits(data.test_images[image : image + 1], engine="numpy")
        address = f"learning?seed=7&step={steps}&image={image}&layer=6&place={place}"
        page.evaluate("address => { location.hash = address }", address)
        until(page, f"document.querySelector('.picked input').value === '{image}'")
        total = page.text_content(".sum-of-picked").rpartition("= ")[2].replace("−", "-")
        assert float(total) == pytest.approx(wanted[0, place], abs=3e-5)
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + 90, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 95, box["y"] + 160, steps=5)
    page.mouse.up()
    page.locator(".draw", has_text="Seen as").wait_for()
