from __future__ import annotations

from pathlib import Path
from typing import Any

import striate
from striate.teaching.size_calculator import SizeError
from tests.lab.test_window_size import asked, random_sizes
from tests.lab.waiting import settle, until


def go(page: Any, **fields: Any) -> None:
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    page.evaluate(f"location.hash = 'size?{query}'")
    until(page, "document.querySelector('.room-size .answer')?.textContent")
    settle(page)


def windows(page: Any) -> list[dict[str, float]]:
    """Left end and width of each bar, in cells from the beginning of the padded input."""
    return page.evaluate(
        """() => {
          const number = (element, name) => Number(element.getAttribute(name));
          const first = document.querySelector('.sizes-picture .size-cell rect');
          const cell = number(first, 'width') + 2, start = number(first, 'x') - 1;
          return [...document.querySelectorAll('.size-window > rect')].map((bar) => ({
            left: (number(bar, 'x') - 2 - start) / cell,
            wide: (number(bar, 'width') + 4) / cell,
          }));
        }"""
    )


def test_sizes_are_drawn_told_and_cured(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    fitting = 0
    article = {"input": 13, "filter": 3, "stride": 2, "before": 0, "after": 0, "dilation": 1}
    for sizes in [article, *random_sizes(9, 5)]:
        go(page, **sizes)
        told = page.inner_text(".room-size .answer")
        formula = page.locator(".room-size .formula").nth(1).inner_text().split()
        reach = (sizes["filter"] - 1) * sizes["dilation"] + 1
        try:
            (output, _) = asked(sizes).output
        except SizeError as error:
            assert "It fits" not in told
            offered = page.locator(".cures button").all_text_contents()
            wanted = [value for values in error.nearest[0].values() for value in values]
            assert len(offered) == len(wanted)
            ready = page.locator(".cures button:enabled")
            if ready.count():
                ready.first.click()
                until(
                    page,
                    "document.querySelector('.answer').textContent.startsWith('It fits')",
                )
        else:
            fitting += 1
            assert told.startswith("It fits") and str(output) in told, (sizes, told)
            assert "".join(formula).endswith(str(output))
            drawn = windows(page)
            assert len(drawn) == output
            for index, window in enumerate(drawn):
                assert abs(window["left"] - index * sizes["stride"]) < 1e-6
                assert abs(window["wide"] - reach) < 1e-6
            cells = page.locator(".sizes-picture .size-cell")
            assert cells.count() == sizes["before"] + sizes["input"] + sizes["after"]
            padding = page.locator(".sizes-picture .size-cell.is-padding")
            assert padding.count() == sizes["before"] + sizes["after"]
    assert fitting >= 2


def test_handles_are_dragged_and_moved_by_keys(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page, input=10, stride=1)
    handle = page.locator(".drag-handle").first
    assert handle.get_attribute("aria-valuenow") == "10"
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    cell = page.locator(".sizes-picture .size-cell rect").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 3 * (cell["width"] + 2), y, steps=5)
    page.mouse.up()
    until(page, "document.querySelector('.drag-handle').getAttribute('aria-valuenow') === '7'")
    page.keyboard.press("ArrowRight")
    until(page, "location.hash.includes('input=8')")
    assert striate.size(8, 3).output == (6,)
    assert "6 outputs" in page.inner_text(".room-size .answer")


def test_an_image_shows_windows_counts_and_costs(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page, height=10, input=5, stride=1, before=1, after=1, channels=4, filters=7)
    assert "output 10×5" in page.inner_text(".planes")
    counts = page.locator(".plane .size-cell:not(.is-padding) text").all_text_contents()
    assert (counts[0], counts[6]) == ("4", "9")
    costs = page.locator(".costs .number-cell").all_text_contents()
    assert costs[:3] == ["252", "7", "350"]
    go(page, height=10, input=5, stride=2, before=1, after=1, channels=4, filters=7)
    fewer = page.locator(".costs .number-cell").all_text_contents()
    assert fewer[:2] == costs[:2] and fewer[2] == str(5 * 3 * 7)
    # The frame stands on the window of the output that is pointed at.
    page.locator(".plane[role=slider]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    until(page, "location.hash.includes('row=1') && location.hash.includes('column=1')")
    at = page.evaluate(
        """() => { const frame = document.querySelector('.plane-window'), cell = 34;
          return ['x', 'y', 'width', 'height'].map((one) => frame.getAttribute(one) / cell); }"""
    )
    scale = at[2] / 3
    assert [round(one / scale, 6) for one in at] == [2, 2, 3, 3]
