"""The questions of the rooms: each opens, shows what it speaks of, and says what is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.node_functions import called, needs_node
from tests.lab.test_layer_room import shown
from tests.lab.waiting import settle

VIEWS = {
    "convolution": ("line", "grid", "photo"),
    "size": ("",),
    "dense": ("",),
    "layer": ("sum", "stack", "pool", "stroke"),
    "learning": ("",),
}


@pytest.mark.parametrize("room", VIEWS)
def test_each_question_shows_what_it_speaks_of(open_page: Any, lab_file: Path, room: str) -> None:
    page = open_page(lab_file)
    pressed = 0
    for view in VIEWS[room]:
        page.evaluate("to => { location.hash = to }", f"{room}?view={view}")
        page.locator(f".room-{room} .think:visible").first.wait_for()
        questions = page.locator(f".room-{room} .think:visible")
        assert questions.count() >= 4
        for place in range(questions.count()):
            one = questions.nth(place)
            one.locator("summary").click()
            assert one.locator("p").last.is_visible()
            buttons = one.locator("button")
            if buttons.count():
                buttons.click()
                settle(page)
                pressed += 1
                assert page.evaluate("scrollY") == 0
                # What is shown fits: nothing is wrong with the sizes.
                wrong = page.locator(f".room-{room} .note[role=alert]:visible")
                assert wrong.count() == 0, one.inner_text()
    assert pressed >= 4


def test_what_the_answers_say_is_what_the_room_shows(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)

    def show(address: str, question: str) -> None:
        page.evaluate("to => { location.hash = to }", address)
        one = page.locator(".think:visible", has_text=question)
        one.locator("summary").click()
        one.locator("button").click()

    show("size?input=20", "is that impossible?")
    shown(page, ".room-size .formula", "4.5")
    show("layer?view=stack", "a faster way to see far")
    shown(page, ".room-layer", "y2 sees x3, x4, x5, x6, x7, x8, x9 (7 inputs)")
    show("layer?view=stack", "needed to see nine inputs")
    shown(page, ".room-layer", "Receptive fields, from the first layer up: 3, 5, 7, 9 inputs")
    show("dense?neuron=7", "several groups")
    shown(page, ".room-dense .sum", "neuron 4 =")
    show("convolution?view=line", "How long does y feel it?")
    shown(page, ".room-convolution .sum", "y(6) =")


@needs_node
def test_pooling_forgives_a_small_move() -> None:
    """Moved by one pixel each way: under a third without pooling, nearly all with 4×4."""
    digits = called("maths/layer/drawn_two.js", "drawnTwo", [[0, 0, 0], [0, 1, 1], [0.2, 0, 0]])
    edges = called("maths/layer/drawn_two.js", "levelEdges", [[one] for one in digits])
    pools = {
        size: called(
            "maths/layer/pooling.js", "pooled", [[one, size, size, "max"] for one in edges]
        )
        for size in (1, 4)
    }

    def kept(size: int, other: int) -> float:
        before, after = (pools[size][one]["values"] for one in (0, other))
        (places,) = called("maths/layer/drawn_two.js", "strongPlaces", [[before, after]])
        return len(places["kept"]) / len(places["strong"])

    assert kept(1, 1) < 1 / 3
    assert kept(4, 1) > 0.9
    assert kept(4, 2) == 1
