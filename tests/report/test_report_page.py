"""The page in a real browser: what clicks do, and how it looks."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.kernels.typed_numbers import read
from striate.reports.data import Report

WIDTHS = (390, 1400)


def node(network: striate.Network, kind: str, which: int = 0) -> int:
    found = [i for i, vertex in enumerate(network.nodes) if type(vertex.layer).__name__ == kind]
    return found[which]


def choose_layer(page: Any, name: str) -> None:
    options = page.locator("#inside select option").all_inner_texts()
    (label,) = [text for text in options if text.split(" ")[0] == name]
    page.locator("#inside select").select_option(label=label)


def click_value(page: Any, network: striate.Network, index: int, place: tuple[int, ...]) -> None:
    """Click where the value lies on the large map."""
    shape = network.nodes[index].shape
    rows, columns = shape[:2] if len(shape) == 3 else (-(-shape[0] // 32), min(shape[0], 32))
    row, column = place[:2] if len(shape) == 3 else divmod(place[0], 32)
    if len(shape) == 3:
        page.locator(".maps button").nth(place[2]).click()
    box = page.locator("canvas.values").bounding_box()
    x, y = (column + 0.5) * box["width"] / columns, (row + 0.5) * box["height"] / rows
    page.locator("canvas.values").click(position={"x": x, "y": y})


def cards(page: Any) -> list[dict[str, str | None]]:
    names = ("kind", "node", "value", "total", "fits")
    return [
        {name: card.get_attribute(f"data-{name}") for name in names}
        for card in page.locator(".card[data-kind]").all()
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_click_shows_the_sum(open_page: Any, made: tuple[Path, Report], width: int) -> None:
    path, report = made
    network = report.network
    page = open_page(path, width)
    page.locator(".strip button").nth(2).click()
    index = node(network, "Conv2D", 2)
    choose_layer(page, network.nodes[index].name)
    click_value(page, network, index, (3, 4, 5))
    (card,) = cards(page)
    value = float(report.values[index][2, 3, 4, 5])
    assert card["kind"] == "sum" and card["fits"] == "true"
    assert float(card["value"] or "") == value
    assert float(card["total"] or "") == pytest.approx(value, rel=1e-5, abs=1e-6)
    assert "at row 3, column 4, channel 5" in page.locator(".position").inner_text()
    # 3 × 3 of 3 channels: inputs, weights, products.
    numbers = [
        [float(cell.get_attribute("data-value")) for cell in table.locator(".cell").all()]
        for table in page.locator(".card[data-kind] table").all()
    ]
    assert [len(cells) for cells in numbers] == [9] * 9
    products = [product for cells in numbers[2::3] for product in cells]
    expected = [
        a * b for inputs, weights in zip(numbers[0::3], numbers[1::3], strict=True)
        for a, b in zip(inputs, weights, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(products, expected)
    bias = float(network.parameters_of(index)["bias"][5])
    assert sum(products) + bias == pytest.approx(value, rel=1e-5, abs=1e-6)
    patch = page.locator("#patch-text").inner_text()
    assert patch == "It sees 3×2 pixels: rows 5 to 7, columns 7 to 8."
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_sum_is_followed_to_the_image_and_back(
    open_page: Any, made: tuple[Path, Report]
) -> None:
    path, report = made
    network = report.network
    page = open_page(path)
    last = len(network.nodes) - 1
    choose_layer(page, network.nodes[last].name)
    click_value(page, network, last, (4,))
    assert "4 (eel)" in page.locator(".position").inner_text()
    # Scale and batch normalisation are formulas; behind them is the sum of the dense layer.
    assert [card["kind"] for card in cards(page)] == ["formula", "formula", "sum"]
    seen = [page.locator(".position").inner_text()]
    for _ in range(40):
        links = page.locator(".card[data-kind] button.cell")
        if not links.count():
            break
        links.first.click()
        seen.append(page.locator(".position").inner_text())
    # A value behind a formula is in the same card list, so the way ends at the input.
    assert seen[-1].startswith("input at row")
    index = page.evaluate("document.querySelector('.card').dataset.value")
    assert cards(page)[0]["kind"] == "input" and float(index) is not None
    for text in reversed(seen[:-1]):
        page.get_by_role("button", name="← back").click()
        assert page.locator(".position").inner_text() == text
    assert page.get_by_role("button", name="← back").count() == 0


def test_max_pooling_says_which_pixel_won(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    network = report.network
    page = open_page(path)
    index = node(network, "MaxPool2D")
    choose_layer(page, network.nodes[index].name)
    click_value(page, network, index, (0, 0, 1))
    card = cards(page)[0]
    assert card["kind"] == "max"
    table = page.locator(".card[data-kind=max] table")
    assert table.locator(".padding").count() == 5  # a 3 × 3 window over a corner
    assert float(table.locator(".winner").get_attribute("data-value")) == float(card["value"] or "")
    # Behind it is the sum of the pixel that won.
    assert cards(page)[1]["kind"] == "sum"
    assert cards(page)[1]["value"] == card["value"]


def test_the_keyboard_reaches_every_value(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    index = node(report.network, "Conv2D")
    choose_layer(page, report.network.nodes[index].name)
    page.locator("canvas.values").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    text = page.locator(".position").inner_text()
    assert "at row 0, column 1, channel 0" in text
    assert page.evaluate("document.activeElement.className") == "values"
    page.keyboard.press("ArrowUp")  # there is nothing above
    assert page.locator(".position").inner_text() == text
    assert float(cards(page)[0]["value"] or "") == float(report.values[index][0, 0, 1, 0])


def test_maps_over_the_image(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    images = page.locator(".picture img")
    assert images.count() == 1
    for name in ("saliency", "occlusion"):
        page.get_by_role("button", name=name).click()
        assert images.count() == 2
        assert images.nth(1).get_attribute("alt") == f"{name} map"
    page.get_by_role("button", name="picture").click()
    assert images.count() == 1


def test_filters_on_demand_and_their_files(
    open_page: Any, made: tuple[Path, Report], tmp_path: Path
) -> None:
    path, report = made
    network = report.network
    page = open_page(path)
    view = page.locator("#filters-view")
    assert view.locator(".tile").count() == 6
    second = node(network, "Conv2D", 1)
    view.locator("select").first.select_option(value=str(second))
    assert view.locator(".tile").count() == 4  # four filters of three colours
    view.locator(".tile").nth(3).click()
    kernel = network.parameters_of(second)["filters"][:, :, 2, 3]
    shown = [
        float(cell.get_attribute("data-value"))
        for cell in view.locator("table").nth(2).locator(".cell").all()
    ]
    assert shown == kernel.ravel().tolist()
    with page.expect_download() as download:
        view.get_by_text("save this kernel").nth(2).click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == f"{network.nodes[second].name}-filter3-channel2.txt"
    written = read(saved)
    np.testing.assert_array_equal(written.astype(np.float32), kernel[::-1, ::-1])
    fourth = node(network, "Conv2D", 3)  # reads 11 channels
    view.locator("select").first.select_option(value=str(fourth))
    view.locator("select").nth(1).select_option(value="2")
    assert view.locator(".tile").count() == 11


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_in_light_and_dark(
    open_page: Any, made: tuple[Path, Report], width: int, scheme: str
) -> None:
    page = open_page(made[0], width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = "[document.body, document.querySelector('h1')].map((e) => getComputedStyle(e))"
    page_colour, ink = page.evaluate(f"(() => {{ const [b, h] = {colours}; return "
                                     "[b.backgroundColor, h.color]; })()")  # fmt: skip
    light = [sum(map(int, text[4:-1].split(","))) for text in (page_colour, ink)]
    assert (light[0] > light[1]) == (scheme == "light")
    assert abs(light[0] - light[1]) > 400


def test_names_for_those_who_do_not_see_it(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    assert page.locator("img:not([alt])").count() == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 2 for before, after in itertools.pairwise(levels))
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, select, input, canvas[tabindex], [role=region]")]
        .filter((e) => !(e.getAttribute("aria-label") || e.innerText || e.labels?.length)).length"""
    )
    assert nameless == 0
    assert page.evaluate("document.documentElement.lang") == "en"


def test_curves_are_drawn_and_written(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    assert page.locator("#accuracy figure svg").count() == 3
    page.get_by_text("All numbers of the 3 epochs").click()
    rows = page.locator("#accuracy details table").last.locator("tbody tr")
    assert rows.nth(1).inner_text().split() == ["2", "1", "0.7", "1.1", "0.05"]


def test_without_javascript_the_figures_are_there(
    open_page: Any, made: tuple[Path, Report]
) -> None:
    path, report = made
    page = open_page(path, script=False)
    assert "need JavaScript" in page.locator("noscript").inner_text()
    matrix = [
        [0 if text == "·" else int(text) for text in row.locator("td").all_inner_texts()]
        for row in page.locator(".matrix tbody tr").all()
    ]
    assert matrix == report.evaluation.confusion.tolist()
    assert page.locator(".cards li").count() == len(report.mistakes)
    assert page.locator("#sizes tbody tr").count() == len(report.network.nodes)


def texts(page: Any, rows: str) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in page.locator(rows).all()]


def test_the_tables_are_those_of_inspect(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    network = report.network
    seen, joined = striate.inspect.reach(network), striate.inspect.connectivity(network)
    sizes = texts(page, "#sizes tbody tr")
    assert [row[0] for row in sizes] == [vertex.name for vertex in network.nodes]
    for row, layer in zip(sizes, seen.layers, strict=True):
        least, most = ("×".join(map(str, size)) for size in layer.sizes)
        assert row[6] == (least if least == most else f"{least} … {most}")
        of, inside = int(np.prod(layer.shape)), layer.units_inside
        assert row[8] == ("all" if inside == of else f"{inside:,} of {of:,}")
    assert len(sizes[0]) == 9  # no column for what is left unread where nothing is
    connections = texts(page, "#connections tbody tr")
    assert [row[0] for row in connections] == [layer.name for layer in joined.layers]
    for row, layer in zip(connections, joined.layers, strict=True):
        assert [row[2], row[3]] == [f"{layer.connections:,}", f"{layer.dense:,}"]
    assert (
        "Every row and column of the image (11×9) is read." in page.locator(".unread").inner_text()
    )
    assert page.locator(".unread svg, .cures").count() == 0


def test_what_nobody_reads_is_marked_and_cured(open_page: Any, tmp_path: Path) -> None:
    layers = [striate.Conv2D(6, 3, stride=2, uncovered="drop"), striate.MaxPool2D(2, stride=1)]
    network = striate.Network([*layers, striate.Flatten(), striate.Dense(3)], (6, 9, 1))
    path = tmp_path / "unread.html"
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 9, 1), dtype=np.uint8)
    striate.report(network, images, [0, 1, 2, 0], path=path, engine="numpy")
    page = open_page(path, 390)
    assert "No output reads row 5 of the image (6×9)" in page.locator(".unread").inner_text()
    (mark,) = page.locator(".unread svg rect").all()
    assert [mark.get_attribute(name) for name in ("x", "y", "width", "height")] == [*"0591"]
    assert [row[-1] for row in texts(page, "#sizes tbody tr")] == ["1 row", "", "", ""]
    found = texts(page, ".cures tbody tr")
    expected = striate.inspect.ledger(network).cures
    assert len(found) == len(expected) > 2
    assert found[0] == ["conv2d_1: padding=(0, 1, 0, 0)", "nothing", "3×4×6", "+54"]
    # As they say it: built with the change, everything is read.
    layers[0] = striate.Conv2D(6, 3, stride=2, padding=(0, 1, 0, 0))
    cured = striate.Network([*layers, striate.Flatten(), striate.Dense(3)], (6, 9, 1))
    assert cured.summary().parameters == network.summary().parameters + 54
    assert not striate.inspect.ledger(cured).unread
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_epoch_is_no_curve(open_page: Any, example: Any, tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    striate.report(
        example.network, example.images[:3], example.labels[:3], path=path,
        history={"loss": [0.5], "accuracy": [0.75]}, engine="numpy",
    )  # fmt: skip
    page = open_page(path)
    assert page.locator("#accuracy figure").count() == 0
    rows = page.locator("#accuracy details table").last.locator("tbody tr")
    assert rows.first.is_visible() and rows.first.inner_text().split() == ["1", "0.5", "0.75"]


def test_a_mistake_leads_inside(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    button = page.locator(".cards button").first
    place = int(button.get_attribute("data-look"))
    button.click()
    pressed = page.locator(".strip button[aria-pressed=true]")
    assert f"image {report.chosen[place].index}," in pressed.get_attribute("aria-label")


def test_hostile_names_are_only_text(open_page: Any, example: Any, tmp_path: Path) -> None:
    network = striate.Network.from_config(example.network.get_config())
    evil = '</script><img src=x onerror="alert(1)">'
    network.classes = [evil, "<b>", "&amp;", '"', "'", "\udcff", "{{ 7*7 }}"]
    path = tmp_path / "evil.html"
    labels = [network.classes[k] for k in example.labels]
    striate.report(
        network, example.images, np.array(labels, object), path=path, name="<script>x</script>",
        choose=3, engine="numpy",
    )  # fmt: skip
    page = open_page(path)
    assert page.locator("h1").inner_text() == "<script>x</script>"
    assert page.locator(".matrix tbody th").first.inner_text() == evil
    assert page.locator(".matrix tbody th").last.inner_text() == "{{ 7*7 }}"
    assert page.evaluate("striateReport.report.classes") == json.loads(json.dumps(network.classes))


def test_layers_that_are_left_out_are_told(open_page: Any, example: Any, tmp_path: Path) -> None:
    path = tmp_path / "small.html"
    report = striate.report(
        example.network, example.images, example.labels, path=path, megabytes=0.218, engine="numpy"
    )
    assert path.stat().st_size <= 218_000
    hidden = [v for i, v in enumerate(example.network.nodes) if i not in report.content.shown]
    assert hidden and len(report.chosen) == 1
    page = open_page(path)
    notices = page.locator(".notice").all_inner_texts()
    assert any(f"The values of {hidden[0].name}" in text for text in notices)
    options = page.locator("#inside select option").all_inner_texts()
    assert len(options) == len(report.content.shown)
    large = node(example.network, "Dense")
    assert large in report.content.shown and large not in report.content.weights
    choose_layer(page, example.network.nodes[large].name)
    click_value(page, example.network, large, (1,))
    (card,) = cards(page)
    assert float(card["value"] or "") == float(report.values[large][0, 1])
    assert card["kind"] == "unknown"
    assert "left out of this page" in page.locator(".card").inner_text()
