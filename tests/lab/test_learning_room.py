from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from striate.data import load
from striate.lab.room_data.training_room import BATCH_SIZE, EPOCHS, PEAK, RATE, small_network
from striate.network import Network


def at(page: Any, step: int) -> None:
    """Wait until the training has come to a step."""
    page.locator(".progress-text", has_text=re.compile(rf"^Step {step} ")).wait_for()


def test_the_room_trains_explains_and_learns_drawings(open_page: Any, lab_file: Path) -> None:
    data = load("digits")
    network = small_network(data.train_images.shape[1:], 10)
    network.fit(
        data.train_images,
        data.train_labels,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=RATE,
        warmup=PEAK,
        progress=False,
    )
    right = network.predict_logits(data.test_images).argmax(1) == data.test_labels
    steps = EPOCHS * -(-len(data.train_labels) // BATCH_SIZE)

    page = open_page(lab_file)
    page.evaluate("location.hash = '#learning?image=5'")
    page.click(".room-learning button.main")
    at(page, steps)
    told = page.text_content(".curve")
    shown = float(re.search(r"right: ([\d.]+) %", told)[1]) / 100  # type: ignore[index]
    assert abs(shown - right.mean()) <= 1.5 / len(right)

    # The sum of a value, at a place of the second convolution, adds up to what is told.
    page.evaluate("location.hash = '#learning?image=5&layer=3&place=70'")
    at(page, 0)
    products, total = page.text_content(".sum-of-picked").replace("−", "-").split(" = ")
    pairs = re.findall(r"\(?(-?[\d.]+)\)?·\(?(-?[\d.]+)\)?", products)
    image = np.asarray(data.test_images[5:6])
    untrained = small_network(image.shape[1:], 10)
    begin = Network([vertex.layer for vertex in untrained.nodes[:4]], input_shape=image.shape[1:])
    begin.flat[...] = untrained.flat[: begin.flat.size]
    begin.preprocessing = network.preprocessing
    expected = float(np.ravel(begin.predict_logits(image))[70])
    assert abs(float(total) - expected) < 1e-3 * max(1, abs(expected))
    if "more" not in products:
        assert abs(sum(float(a) * float(b) for a, b in pairs) - expected) < 0.05

    # The move of a weight that is told is the one that the next step makes.
    page.evaluate("location.hash = '#learning?image=5&step=30&kind=weight&layer=3&place=200'")
    at(page, 30)
    page.locator(".explanation", has_text="α = ").wait_for()  # the batch is computed in slices
    said = page.text_content(".explanation")
    after = re.search(r"α = [^:]+: (−?[\d.]+)\.", said)[1]  # type: ignore[index]
    page.click("text=One batch")
    at(page, 31)
    page.locator(".explanation", has_text="after decay").wait_for()
    now = re.search(r"w = (−?[\d.]+), after decay", page.text_content(".explanation"))[1]  # type: ignore[index]
    numbers = [float(one.replace("−", "-")) for one in (after, now)]
    assert abs(numbers[0] - numbers[1]) < 2e-5

    # A drawing is seen, and can be added.
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + 90, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 95, box["y"] + 160, steps=5)
    page.mouse.up()
    assert "Seen as" in page.text_content(".draw")
    page.select_option(".draw select", "1")
    page.click("text=Add to the training images")
    page.locator(".draw", has_text="images: 1").wait_for()
