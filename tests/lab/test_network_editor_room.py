"""The room of learning: a network that is edited, gone through layer by layer, and read by keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.cli import networkfile
from striate.data import load
from striate.lab.room_data.training_room import BATCH_SIZE, _standardising, small_network
from striate.network import Network
from striate.training.random_streams import Stream, generator
from tests.lab.test_learning_room import at
from tests.lab.waiting import settle, until

DROPPING = "Conv2D****same_BatchNorm_ELU_AvgPool2D_Dropout_Flatten_Dense"


def go(page: Any, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)
    settle(page)


def row(page: Any, number: int) -> Any:
    return page.locator(".edit-layer").nth(number)


def number(text: str) -> float:
    """A number as the page writes it."""
    mantissa, _, power = text.replace("−", "-").strip("()").partition("·10^")
    return float(mantissa) * 10.0 ** int(power or 0)


def test_a_network_is_edited_trained_and_saved(
    open_page: Any, lab_file: Path, tmp_path: Path
) -> None:
    page = open_page(lab_file)
    go(page, "#learning?seed=3")
    page.click("text=Edit the network")
    sizes = page.locator(".edit-layer .sizes")
    assert sizes.nth(0).text_content() == "8×8×1 → 8×8×8 · 80 weights"

    # A stride that does not fit: the rule, and the cure that is chosen.
    stride = row(page, 3).get_by_label("Stride", exact=True)
    row(page, 3).get_by_label("Padding", exact=True).fill("0")
    stride.fill("2")
    note = row(page, 3).locator(".misfit")
    note.wait_for()
    assert "(4 - 3 + 0 + 0)/2 + 1 = 1.5 is not whole" in note.text_content()
    assert sizes.nth(4).text_content() == "? → ?"
    assert page.locator(".room-learning button.main").first.is_disabled()
    note.get_by_role("button", name="Size 2").click()
    note.wait_for(state="detached")
    assert sizes.nth(3).text_content() == "4×4×8 → 2×2×16 · 528 weights"

    # A layer more, which becomes batch normalisation; by keys, and the focus stays.
    row(page, 3).get_by_label("Add a layer below conv2d_2").press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.value") == "ReLU"
    row(page, 4).locator("select").first.select_option("BatchNorm")
    settle(page)
    row(page, 4).get_by_label("Move batch_norm_1 down").press("Enter")
    settle(page)
    assert row(page, 5).locator("h3").text_content() == "batch_norm_1"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith("_1 down")

    # What is saved is what striate makes, and it begins and trains as there.
    with page.expect_download() as download:
        page.click("text=Save as a file")
    file = tmp_path / "network.toml"
    download.value.save_as(file)
    assert "--seed 3" in file.read_text().splitlines()[0]
    network = networkfile.read(file).build()  # as `striate train` builds it
    assert [type(vertex.layer).__name__ for vertex in network.nodes][3:6] == [
        "Conv2D", "ReLU", "BatchNorm",
    ]  # fmt: skip
    test = load("digits").test_images[:1]
    logits = network_of(network).predict_logits(test)[0]
    share = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    answer = rf"It says {share.argmax()} \({100 * share.max():.1f} %\)".replace(".0 ", " ")
    page.locator(".picked", has_text=re.compile(answer)).wait_for()
    until(page, "location.hash.includes('network=')")
    address = page.evaluate("location.hash")
    page.click(".room-learning button.main >> nth=0")
    until(
        page,
        r"Number(/Step (\d+)/.exec(document.querySelector('.progress-text').textContent)[1]) > 2",
    )
    page.click(".room-learning button.main >> nth=0")
    assert re.search(r"JavaScript.* \d+ images/s", page.text_content(".engine"))

    # The address has it all; the network that came along is one press away.
    page.reload()
    go(page, address)
    assert row(page, 5).locator("h3").text_content() == "batch_norm_1"
    page.click("text=Back to the network that came along")
    until(page, "!location.hash.includes('network=')")
    assert page.locator(".edit-layer").count() == 7
    assert "WebAssembly" in page.text_content(".engine")

    # The file is opened, and one that cannot be is refused with a sentence.
    page.set_input_files(".editor input[type=file]", str(file))
    page.locator(".editor [role=status]", has_text="read, 8 layers").wait_for()
    assert row(page, 5).locator("h3").text_content() == "batch_norm_1"
    file.write_text('[[layers]]\nlayer = "LayerNorm"\n')
    page.set_input_files(".editor input[type=file]", str(file))
    page.locator(".editor [role=status]", has_text="layer 1, LayerNorm, cannot").wait_for()
    assert page.locator(".edit-layer").count() == 8


def test_a_step_is_gone_through_layer_by_layer(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page, "#learning?seed=2")
    page.locator(".network").wait_for()
    page.get_by_role("button", name="Layer by layer").press("Enter")
    told = page.locator(".stepper [role=status]")
    told.get_by_text("Stage 1 of 16.").wait_for()
    maps = "document.querySelectorAll('.network-layer:nth-child({}) .maps:not(.filters) {}').length"
    assert page.evaluate(maps.format(2, ".is-empty")) == 8

    # The focus is on the next stage; each press computes one more.
    for name in (
        "conv2d_1",
        "relu_1",
        "max_pool2d_1",
        "conv2d_2",
        "relu_2",
        "flatten_1",
        "dense_1",
    ):
        assert page.evaluate("document.activeElement.textContent") == f"Forward: {name}"
        page.keyboard.press("Enter")
        told.get_by_text(f"Forward through {name}").wait_for()
    assert page.evaluate(maps.format(2, ".is-empty")) == 0
    page.keyboard.press("Enter")
    told.get_by_text("The loss of the batch").wait_for()
    data = load("digits")
    rows = generator(2, Stream.ORDER, 0).permutation(len(data.train_labels))[:BATCH_SIZE]
    network = small_network(data.train_images.shape[1:], 10)
    logits = network_of(network).predict_logits(data.train_images[rows])
    shifted = logits - logits.max(1, keepdims=True)
    own = shifted[np.arange(len(rows)), data.train_labels[rows]]
    expected = float(np.mean(np.log(np.exp(shifted).sum(1)) - own))
    assert number(re.search(r"images, is ([\d.]+);", told.text_content())[1]) == pytest.approx(  # type: ignore[index]
        expected, abs=2e-5
    )
    assert page.evaluate(maps.format(2, ".is-empty")) == 8  # gradients are not there yet
    for name in (
        "dense_1",
        "flatten_1",
        "relu_2",
        "conv2d_2",
        "max_pool2d_1",
        "relu_1",
        "conv2d_1",
    ):
        assert page.evaluate("document.activeElement.textContent") == f"Backward: {name}"
        page.keyboard.press("Enter")
        told.get_by_text(f"Backward through {name}").wait_for()
    assert page.evaluate("document.querySelectorAll('.network .is-empty').length") == 0

    # A weight tells the move that the update then makes.
    page.evaluate("location.hash = '#learning?seed=2&stage=16&kind=weight&layer=3&place=200'")
    page.locator(".explanation", has_text="α = ").wait_for()
    after = re.search(r"α = [^:]+: (−?[\d.]+)\.", page.text_content(".explanation"))[1]  # type: ignore[index]
    page.get_by_role("button", name="Update the weights").press("Enter")
    at(page, 1)
    told.get_by_text("Stage 1 of 16.").wait_for()
    page.evaluate("location.hash = '#learning?seed=2&step=1&kind=weight&layer=3&place=200'")
    page.locator(".explanation", has_text="after decay").wait_for()
    now = re.search(r"w = (−?[\d.]+), after decay", page.text_content(".explanation"))[1]  # type: ignore[index]
    assert abs(number(after) - number(now)) < 2e-5
    page.evaluate("location.hash = '#learning?seed=2&step=1&stage=5'")
    page.get_by_role("button", name="Leave").press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.textContent") == "Layer by layer"


def network_of(network: Network) -> Network:
    """The network with the digits' statistics, as `fit` sets them."""
    return _standardising(network, load("digits").train_images)


def test_sums_of_statistics_and_dropping_are_written_out(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page, f"#learning?network={DROPPING}&stage=99&layer=1&place=70")
    lines = page.locator(".formula-lines p")
    lines.nth(2).wait_for()
    text = page.text_content(".formula-lines")
    value = number(lines.nth(2).text_content().split(" = ")[-1])
    x, mean, variance, eps, normal = (
        number(one)
        for one in re.search(r"= \((\S+) − (\S+)\)/√\((\S+) \+ (\S+)\) = (\S+?)γ", text).groups()  # type: ignore[union-attr]
    )
    assert normal == pytest.approx((x - mean) / np.sqrt(variance + eps), abs=2e-3)
    assert value == pytest.approx(normal, abs=1e-4)  # γ is 1 and β is 0 at the beginning

    go(page, f"#learning?network={DROPPING}&stage=99&layer=0&place=70&direction=backward")
    lines.nth(3).wait_for()
    parts = [number(one.split(" = ")[-1]) for one in lines.all_text_contents()]
    assert parts[3] == pytest.approx(sum(parts[:3]), abs=5e-4 * max(map(abs, parts)))
    assert "m = 4096 numbers" in page.text_content(".explanation")

    # Dropped values are 0, kept ones are 4/3 of what they were; the mean of a window is its mean.
    seen = set()
    for place in range(8):
        go(page, f"#learning?network={DROPPING}&stage=99&layer=4&place={place}")
        told = page.text_content(".explanation")
        product, total = page.text_content(".sum-of-picked").split(" = ")
        left, factor = product.split("·")
        seen.add(factor)
        assert number(total) == pytest.approx(number(left) * number(factor), abs=1e-3)
        assert ("is kept" in told) == (factor != "0")
    assert seen == {"0", "1.333"}
    go(page, f"#learning?network={DROPPING}&layer=3&place=9")
    told = page.text_content(".sum-of-picked")
    assert told.count("·0.25") == 4
    total = number(told.split(" = ")[1])
    terms = [number(one.split("·")[0]) for one in told.split(" = ")[0].split(" + ")]
    assert total == pytest.approx(sum(terms) / 4, abs=1e-3)


def test_cells_are_walked_by_keys(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page, "#learning?layer=0")
    page.locator(".network").wait_for()
    maps = page.locator(".network-layer").nth(1).locator("[role=grid]")
    here = page.locator(".network-layer").nth(1).locator(".here")
    maps.nth(0).focus()
    assert here.text_content().startswith("conv2d_1, channel 1, row 1, column 1: ")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "End"):
        page.keyboard.press(key)
    cell = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
    assert here.text_content().startswith("conv2d_1, channel 1, row 3, column 8: ")
    assert page.evaluate(f"{cell}.getAttribute('aria-colindex')") == "8"
    spoken = page.evaluate(f"{cell}.textContent")
    assert here.text_content().endswith(f": {spoken}")
    page.keyboard.press("Enter")
    settle(page)
    assert page.text_content(".sum-of-picked").endswith(spoken)
    assert page.evaluate(f"{cell}.getAttribute('aria-selected')") == "true"

    # Over the edge into the next channel, and by a page key; gaps between channels are passed over.
    page.keyboard.press("ArrowRight")
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')") == "conv2d_1, channel 2"
    )
    page.keyboard.press("PageUp")
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')") == "conv2d_1, channel 1"
    )
    filters = page.locator(".network-layer").nth(4).locator(".filters [role=grid]").first
    filters.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{cell}.getAttribute('aria-colindex')") == "5"

    # Each group of maps is one stop of the Tab key.
    stops = page.evaluate("document.querySelectorAll('.network [tabindex=\"0\"]').length")
    assert stops == page.locator(".network .maps").count()
