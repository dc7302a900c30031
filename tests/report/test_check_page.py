"""The page of a check in a real browser: ticking, saving the list, and how it looks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import data
from striate.checking import Checked, check
from striate.checking.check_page import MARK, render_page, write_page
from striate.checking.moving import move, read_ticked
from striate.common.errors import StriateValueError
from tests.checking.made_sets import as_dataset, images_and_labels, write_folder

KINDS = ("damaged", "one-colour", "leak", "duplicate", "odd", "shortcut", "range")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clothes with two copies, a damaged file, and an image of one colour with a nasty name."""
    made = write_folder(tmp_path_factory.mktemp("page") / "clothes", 12, parts=("train", "test"))
    for number in (1, 2):
        source = made / f"train/bag/bag{number}.png"
        Image.open(source).save(made / f"test/bag/copy{number}.jpg", quality=90)
    (made / "train/shoe/shoe1.png").write_bytes(b"nothing")
    Image.new("RGB", (48, 48), (9, 90, 9)).save(made / 'test/dress/"><script>é.png')
    return made


@pytest.fixture(scope="module")
def checked(folder: Path) -> Checked:
    dataset = data.load(folder, skip_bad=True, test_fraction=0.0, cache=False)
    return check(dataset, kinds=KINDS)


@pytest.fixture
def page_file(checked: Checked, tmp_path: Path) -> Path:
    return write_page(checked, tmp_path / "clothes-check.html", source="clothes").path


def boxes(page: Any, section: str) -> Any:
    return page.locator(f"#{section} input[data-file]")


@pytest.mark.parametrize("width", [390, 1400])
def test_ticked_images_are_saved_and_moved(
    open_page: Any, page_file: Path, folder: Path, tmp_path: Path, width: int
) -> None:
    page = open_page(page_file, width)
    assert page.locator(".ticked").is_hidden()
    page.locator("#leak button[data-tick=copies]").click()
    assert page.locator("#count").inner_text() == "2"
    boxes(page, "damaged").first.check()
    boxes(page, "one-colour").first.check()
    assert page.locator(".ticked").inner_text().startswith("4 images ticked")
    with page.expect_download() as saved:
        page.locator("#save").click()
    assert saved.value.suggested_filename == "clothes-ticked.json"
    names = read_ticked(str(saved.value.path()), folder)
    assert sorted(names) == [
        'test/bag/copy1.jpg', 'test/bag/copy2.jpg', 'test/dress/"><script>é.png',
        "train/shoe/shoe1.png",
    ]  # fmt: skip
    copy = shutil.copytree(folder, tmp_path / "clothes")
    move(copy, names, tmp_path / "out")
    assert sum(path.is_file() for path in copy.rglob("*")) == 123 - 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#clear").click()
    assert page.locator(".ticked").is_hidden()


def test_ticks_outlive_the_page(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file)
    boxes(page, "leak").nth(1).check()
    page.reload()
    assert page.locator("#count").inner_text() == "1"
    assert boxes(page, "leak").nth(1).is_checked()


def test_an_image_is_ticked_in_all_its_findings(open_page: Any, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clothes", 12)
    for name in ("a", "b"):
        Image.new("RGB", (48, 48), (5, 5, 5)).save(folder / f"bag/{name}.png")
    pixels = np.full((48, 48, 3), 9, np.uint8)
    pixels[20:] = 128  # dim, and without its lower part
    Image.fromarray(pixels).save(folder / "bag/c.png")
    found = check(data.load(folder, test_fraction=0.0, cache=False), kinds=KINDS)
    path = write_page(found, tmp_path / "page.html", source="clothes").path
    page = open_page(path)
    same = page.locator('input[data-file="bag/c.png"]')
    if same.count() > 1:
        same.first.check()
        assert all(box.is_checked() for box in same.all())
    assert same.count() >= 1


def test_arrays_have_nothing_to_tick(open_page: Any, tmp_path: Path) -> None:
    images, labels = images_and_labels(40)
    images[7] = 9
    found = check(as_dataset(images, labels), kinds=KINDS)
    page = open_page(write_page(found, tmp_path / "page.html", source="a.npz").path)
    assert page.locator("input").count() == 0 and page.locator(".ticked").count() == 0
    assert page.locator("#one-colour img").count() == 1
    assert "train image 7" in page.locator("#one-colour").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(open_page: Any, page_file: Path, scheme: str) -> None:
    """The contrast of text that has a colour of its own is that of WCAG's level AA."""
    page = open_page(page_file, scheme=scheme)
    page.locator("#leak button[data-tick=copies]").click()
    ratios = page.evaluate(
        """() => {
          const light = (rgb) => rgb.map((c) => c / 255)
            .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
          const ground = (e) => {
            for (; e; e = e.parentElement) {
              const found = numbers(getComputedStyle(e).backgroundColor);
              if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
            }
            return [255, 255, 255];
          };
          return [...document.querySelectorAll(".state, .other, .name, #save, .sentence, .number")]
            .map((e) => [light(numbers(getComputedStyle(e).color).slice(0, 3)), light(ground(e))])
            .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
        }"""
    )
    assert len(ratios) > 10
    assert min(ratios) >= 4.5


def test_without_scripts(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file, script=False)
    assert page.locator("noscript").count() == 1
    assert page.locator("#leak img").count() == 4


def test_the_page_keeps_within_its_size(checked: Checked) -> None:
    whole, shown = render_page(checked, source="clothes")
    assert shown == len(checked.findings) and len(whole) < 2e5
    small, fewer = render_page(checked, source="clothes", megabytes=0.02)
    # Of each kind one is shown, however small the page.
    assert fewer < shown or len(checked.findings) == fewer
    assert fewer >= len({finding.kind for finding in checked.findings})
    assert render_page(checked, source="clothes")[0] == whole
    assert len(small) <= len(whole)


def test_only_pages_of_checks_are_replaced(checked: Checked, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<html>mine</html>")
    with pytest.raises(StriateValueError, match="exists and is not a report"):
        write_page(checked, path, source="clothes")
    assert path.read_text() == "<html>mine</html>"
    path.write_text(f"<!DOCTYPE html>{MARK} 1")
    page = write_page(checked, path, source="clothes")
    assert page.bytes == path.stat().st_size and page.left_out == 0


def test_names_do_not_break_the_page(checked: Checked) -> None:
    page, _ = render_page(checked, source="</script><b>")
    assert b"</script><b>" not in page and b'"><script>\xc3\xa9' not in page
    about = page.split(b'id="check-data">')[1].split(b"</script>")[0]
    assert json.loads(about)["source"] == "</script><b>"
