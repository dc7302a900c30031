"""What clicks and keys do in the backward direction of the page, and who can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.cli.recorded_course import trained_smoothing
from striate.reports.data import Report
from striate.reports.page_budget import WEIGHTS_PER_IMAGE, fit_page
from tests.report.test_report_page import choose_layer, click_value, node

AXE = Path("build/node/node_modules/axe-core/axe.min.js").resolve()


def go_back(page: Any, network: striate.Network, index: int, place: tuple[int, ...]) -> None:
    """Choose a value's gradient as a reader does."""
    page.get_by_role("button", name="gradients, backward").click()
    choose_layer(page, network.nodes[index].name)
    click_value(page, network, index, place)


def first_card(page: Any) -> Any:
    return page.locator(".card[data-kind]").first


@pytest.mark.parametrize("width", [390, 1400])
def test_a_click_shows_the_terms_of_the_chain_rule(
    open_page: Any, made: tuple[Path, Report], width: int
) -> None:
    path, report = made
    network = report.network
    page = open_page(path, width)
    index = node(network, "Conv2D", 3) - 1  # what this convolution of size 1 reads
    assert type(network.nodes[index].layer) is striate.ReLU
    page.locator(".strip button").nth(2).click()
    go_back(page, network, index, (2, 1, 4))
    card = first_card(page)
    engine = float(report.gradients.values[index][2, 2, 1, 4])
    assert float(card.get_attribute("data-value")) == engine
    assert card.get_attribute("data-fits") == "true" and card.get_attribute("data-of") == "gradient"
    shown = [
        [float(cell.get_attribute("data-value")) for cell in row.locator(".cell").all()]
        for row in card.locator("tbody tr").all()
    ]
    above = report.gradients.values[index + 1][2, 2, 1]
    weights = network.parameters_of(index + 1)["filters"][0, 0, 4]
    assert len(shown) == 6
    order = np.argsort(-np.abs(above * weights))
    expected = np.stack([above, weights, above * weights.astype(float)], axis=1)[order]
    np.testing.assert_allclose(shown, expected, rtol=1e-6)
    assert "rounding may be" in card.inner_text()
    text = page.locator(".patches").inner_text()
    assert f"6 of the 180 values of {network.nodes[index + 1].name} read it" in text
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # On to the output that counts most, and back.
    card.locator("button.cell").first.click()
    assert network.nodes[index + 1].name in page.locator(".position").inner_text()
    page.get_by_role("button", name="← back").click()
    assert float(first_card(page).get_attribute("data-value")) == engine


def test_a_weight_of_a_sum_is_moved_by_its_gradient(
    open_page: Any, made: tuple[Path, Report]
) -> None:
    path, report = made
    network = report.network
    page = open_page(path)
    index = node(network, "Conv2D", 2)
    choose_layer(page, network.nodes[index].name)
    click_value(page, network, index, (3, 4, 5))
    page.locator(".card[data-kind=sum]").first.locator("button[title*=filters]").first.click()
    name = page.locator(".position").inner_text()
    row, column, channel, unit = (
        int(word.rstrip(",")) for word in name.split() if word[0].isdigit()
    )
    assert unit == 5
    weight = float(network.parameters_of(index)["filters"][row, column, channel, unit])
    gradient = float(report.gradients.weights[index]["filters"][0, row, column, channel, unit])
    card = first_card(page)
    assert card.get_attribute("data-of") == "weight" and card.get_attribute("data-fits") == "true"
    assert float(card.get_attribute("data-value")) == gradient
    step = card.locator(".step")
    assert float(step.get_attribute("data-step")) == pytest.approx(weight - 0.01 * gradient)
    rate = card.get_by_label("learning rate α")
    rate.fill("0.5")
    rate.press("Enter")
    assert float(page.locator(".step").get_attribute("data-step")) == pytest.approx(
        weight - 0.5 * gradient
    )
    assert page.evaluate("document.activeElement.tagName") == "INPUT"
    page.get_by_label("learning rate α").fill("-1")
    page.keyboard.press("Tab")
    assert "α must be 0 or more" in page.locator(".card [role=alert]").inner_text()
    # What a factor of the gradient was made of is a value.
    page.get_by_role("button", name="← back").click()
    assert "at row 3, column 4, channel 5" in page.locator(".position").inner_text()
    page.get_by_role("button", name="the bias").first.click()
    assert f"{network.nodes[index].name} bias 5" in page.locator(".position").inner_text()
    bias = float(report.gradients.weights[index]["bias"][0, 5])
    assert float(first_card(page).get_attribute("data-value")) == bias


def test_learned_filters_lead_to_their_gradients(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    view = page.locator("#filters-view")
    view.locator(".tile").nth(4).click()
    view.locator(".card button.cell").nth(3).click()
    index = node(report.network, "Conv2D")
    expected = report.gradients.weights[index]["filters"][0, 1, 1, 0, 4]
    assert float(first_card(page).get_attribute("data-value")) == float(expected)


def test_the_loss_and_its_gradients_are_told(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    network, last = report.network, len(report.network.nodes) - 1
    page = open_page(path)
    assert page.locator(".loss").count() == 0
    page.locator(".strip button").nth(3).click()
    go_back(page, network, last, (2,))
    loss = page.locator(".loss")
    assert float(loss.get_attribute("data-loss")) == pytest.approx(
        float(report.gradients.losses[3]), rel=1e-5
    )
    assert loss.get_attribute("data-fits") == "true"
    words = page.locator(".loss-words").inner_text()
    assert "running averages" in words and "dropout off" in words
    card = first_card(page)
    assert card.get_attribute("data-kind") == "loss" and "probability − target" in card.inner_text()


def test_wrong_gradients_do_not_pass_as_rounding(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    index = node(report.network, "Conv2D", 3) - 1
    owner = node(report.network, "Conv2D", 2)
    fits = page.evaluate(
        """([node, owner]) => {
          striateReport.gradientsOf(0, node)[5] *= 1.0001;
          const before = striateReport.explainWeight(0, owner, "filters", 7).check.fits;
          striateReport.gradientsOf(0, owner).forEach((g, i, all) => { all[i] = g * 1.0001; });
          const after = striateReport.explainWeight(0, owner, "filters", 7).check.fits;
          const fits = (i) => striateReport.explainGradient(0, node, i).check.fits;
          return [fits(5), fits(6), before, after];
        }""",
        [index, owner],
    )  # fmt: skip
    assert fits == [False, True, True, False]


def test_keys_alone_reach_gradients_and_weights(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    page.locator("#inside select").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "gradients, backward"
    page.keyboard.press("Enter")
    pressed = page.locator("[aria-label=Direction] [aria-pressed=true]")
    assert pressed.inner_text() == "gradients, backward"
    assert page.evaluate("document.activeElement.textContent") == "gradients, backward"
    page.locator("canvas.values").focus()
    page.keyboard.press("ArrowDown")
    assert "∂L/∂" in page.locator(".position").inner_text()
    names = []
    for _ in range(200):
        page.keyboard.press("Tab")
        at = page.evaluate(
            "[document.activeElement.className, document.activeElement.title,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        if at[0] == "cell":
            names.append(at[1])
            assert at[2] != "none"
        if not at[0] and names:
            break
    assert names and any("∂L/∂" in name for name in names)


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not in build/node: .ci/run installs it")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1400, "light")])
def test_axe_finds_nothing(
    open_page: Any, made: tuple[Path, Report], width: int, scheme: str
) -> None:
    path, report = made
    page = open_page(path, width, scheme)
    page.evaluate(AXE.read_text("utf-8"))

    def violations() -> list[str]:
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        return [
            f"{rule['id']}: {one['target']} {one['failureSummary']}"
            for rule in found
            for one in rule["nodes"]
        ]

    assert violations() == []
    network = report.network
    go_back(page, network, node(network, "ReLU"), (1, 1, 2))
    assert violations() == []
    page.locator(".card button.cell[title*=filters]").first.click()
    assert violations() == []


def test_what_is_left_out_is_said(open_page: Any, example: Any, tmp_path: Path) -> None:
    path, network = tmp_path / "small.html", example.network
    report = striate.report(
        network, example.images, example.labels, path=path, megabytes=0.25, engine="numpy"
    )
    content, last = report.content, len(network.nodes) - 1
    hidden = sorted(content.shown - content.gradients_shown)
    assert hidden and last in content.gradients_shown
    page = open_page(path)
    page.get_by_role("button", name="gradients, backward").click()
    names = ["input" if i < 0 else network.nodes[i].name for i in hidden]
    choose_layer(page, names[-1])
    assert f"The gradients of {names[-1]} are left out" in page.locator("#inside").inner_text()
    page.get_by_role("button", name="values, forward").click()
    assert page.locator("canvas.values").count() == 1  # the values are there
    told = page.evaluate(
        f"striateReport.explainWeight(0, {node(network, 'BatchNorm')}, 'scale', 1)"
    )
    assert told["kind"] == "unknown" and "left out of this page for their size" in told["text"]
    notices = page.locator(".notice").all_inner_texts()
    assert any(text.startswith("The gradients of") and names[1] in text for text in notices)


def test_a_sum_without_the_engines_number_says_so(
    open_page: Any, made: tuple[Path, Report]
) -> None:
    path, report = made
    page = open_page(path)
    index = node(report.network, "Conv2D")
    page.evaluate(f"delete striateReport.report.images[0].weightGradients[{index}]")
    page.locator("#filters-view .tile").first.click()
    page.locator("#filters-view .card button.cell").first.click()
    card = first_card(page)
    assert "nothing to compare with" in card.inner_text()
    assert card.get_attribute("data-fits") is None
    expected = float(report.gradients.weights[index]["filters"][0, 0, 0, 0, 0])
    assert float(card.get_attribute("data-total")) == pytest.approx(expected, rel=1e-4)


def test_gradients_cost_images_but_no_values(made: tuple[Path, Report]) -> None:
    network = made[1].network
    roomy = fit_page(network, 4, 1e7, 1000.0)
    assert roomy.images == 4 and roomy.gradients_shown == roomy.shown
    assert roomy.gradients < roomy.shown  # the others are computed
    assert roomy.weight_gradients.keys() == roomy.weights
    many = node(network, "Dense")
    count = sum(s.stop - s.start for s in network.slots if s.node == many)
    assert roomy.weight_gradients[many] == 4 * WEIGHTS_PER_IMAGE // count < 4
    assert roomy.weight_gradients[node(network, "Conv2D")] == 4
    last = len(network.nodes) - 1
    seen = set()
    for room in np.geomspace(2e3, 1e6, 80).tolist():
        content = fit_page(network, 4, room, 1000.0)
        assert content.used <= room or content.images == 1
        assert content.gradients <= content.gradients_shown <= content.shown
        lost = content.shown - content.gradients_shown
        if lost:
            assert not content.gradients or last in content.gradients
        else:
            seen.add(content.images)
    assert seen >= {1, 2, 3, 4}


def test_networks_with_heads_have_a_report(open_page: Any, tmp_path: Path) -> None:
    x = image = striate.Input((8, 7, 1))
    x = striate.ReLU()(striate.Conv2D(3, 3)(x))
    head = striate.Dense(3)(striate.Flatten()(x))
    out = striate.Dense(3)(striate.Flatten()(striate.ReLU()(striate.Conv2D(2, 3)(x))))
    network = striate.Network(inputs=image, output=out, heads={"early": (head, 0.3)})
    network.freeze(network.nodes[0].name)
    images = np.random.default_rng(0).normal(size=(4, 8, 7, 1))
    path = tmp_path / "heads.html"
    report = striate.report(network, images, [0, 1, 2, 0], path=path, engine="numpy")
    assert len(report.network.nodes) == 6 and report.has_heads
    page = open_page(path)
    page.get_by_role("button", name="gradients, backward").click()
    assert "auxiliary heads, which are left out" in page.locator(".loss-words").inner_text()
    page.locator("#filters-view .tile").first.click()
    page.locator("#filters-view .card button.cell").first.click()
    assert "it is frozen" in page.locator("#inside").inner_text().replace("the layer is", "it is")


def test_a_layer_of_ones_own_is_not_explained(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    told = page.evaluate(
        """() => {
          const { nodes } = striateReport.report;
          const own = nodes.findIndex((node) => node.type === "Conv2D");
          nodes[own].type = "Swirl";
          const { explainGradient, explainWeight } = striateReport;
          return [explainGradient(0, nodes[own].inputs[0], 1), explainWeight(0, own, "filters", 0)];
        }"""
    )  # fmt: skip
    assert [one["kind"] for one in told] == ["unknown", "unknown"]
    assert all("a layer of the type Swirl" in one["text"] for one in told)


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({"recipe": {"label_smoothing": 0.1}}, 0.1),
        ({"recipe": {"label_smoothing": 0}}, 0.0),
        ({"recipe": {"label_smoothing": "much"}}, 0.0),
        ({"recipe": {"label_smoothing": True}}, 0.0),
        ({"recipe": {"label_smoothing": 1.5}}, 0.0),
        ({"recipe": ["label_smoothing"]}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_smoothing_is_that_of_the_training(notes: dict[str, Any], expected: float) -> None:
    assert trained_smoothing(notes) == expected
