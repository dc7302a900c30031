from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import striate
from striate.pictures import grace_hopper
from tests.lab.waiting import settle, until

PIXELS = """(index) => {
  const { width, height } = document.querySelectorAll('.picture-view canvas')[index];
  const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(document.querySelectorAll('.picture-view canvas')[index], 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  return [height, width, btoa(Array.from(data, (v) => String.fromCharCode(v)).join(''))];
}"""


def go(page: Any, **fields: Any) -> None:
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    page.evaluate("(hash) => { location.hash = hash; }", f"convolution?{query}")
    page.wait_for_selector(".room-convolution")
    settle(page)


def pixels(page: Any, index: int) -> np.ndarray:
    """What is on the canvas before (0) or after (1) the filter, red, green and blue."""
    import base64

    height, width, text = page.evaluate(PIXELS, index)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]


def shown_outputs(page: Any) -> list[float]:
    texts = page.locator(".cells.is-output g:not(.is-absent) text:not(.below)").all_text_contents()
    return [float(text.replace("−", "-").split("/")[0]) / float(([*text.split("/"), "1"])[1])
            for text in texts]  # fmt: skip


def test_typed_and_dragged_numbers_are_convolved(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page)
    article = striate.convolve([10, 9, 10, 9, 10, 1, 10, 9, 10, 8.0], [1 / 3] * 3, "same",
                               origin="corner")  # fmt: skip
    assert shown_outputs(page) == pytest.approx(article, abs=0.006)
    assert "3.3333" in page.inner_text(".sum")
    rng = np.random.default_rng(1)
    for operation, origin in [("convolution", "center"), ("correlation", "corner")]:
        f, g = rng.integers(-9, 10, 8).tolist(), rng.integers(-4, 5, 4).tolist()
        page.locator(".typed input").nth(0).fill(" ".join(map(str, f)))
        page.locator(".typed input").nth(1).fill(", ".join(map(str, g)))
        page.locator("select").nth(1).select_option(operation)
        page.locator("select").nth(2).select_option(origin)
        settle(page)
        function = striate.convolve if operation == "convolution" else striate.correlate
        wanted = function(f, g, "same", origin=origin)
        assert shown_outputs(page) == wanted.tolist()
    # The fourth dot is dragged down; the arrow key then moves it by a small step.
    handle = page.locator(".line-picture .handle").nth(3)
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60, steps=4)
    page.mouse.up()
    settle(page)
    value = float(handle.get_attribute("aria-valuenow"))
    assert value < f[3]
    page.keyboard.press("ArrowUp")
    settle(page)
    f[3] = float(handle.get_attribute("aria-valuenow"))
    assert f[3] > value
    assert shown_outputs(page) == pytest.approx(function(f, g, "same", origin=origin), abs=0.006)
    page.locator(".typed input").nth(1).fill("1 two")
    assert "Type 1 to" in page.inner_text(".room-convolution .wrong >> nth=1")


def test_a_matrix_is_convolved(open_page: Any, lab_file: Path) -> None:
    page = open_page(lab_file)
    go(page, view="grid")
    assert page.locator(".room-convolution .sum strong").last.inner_text() == "26"
    page.locator("select").nth(2).select_option("center")
    settle(page)
    assert page.locator(".room-convolution .sum strong").last.inner_text() == "165"
    go(page, view="grid", matrix="1 -2 3 0; 4 5 -6 7", kernel2="1 2; 0 -3", row=1, column=2)
    f, g = np.array([[1, -2, 3, 0], [4, 5, -6, 7]]), np.array([[1, 2], [0, -3]])
    wanted = striate.convolve(f, g, "same", origin="corner")
    texts = page.locator(".grids").first.locator("svg").last.locator("text").all_text_contents()
    assert [int(text.replace("−", "-")) for text in texts] == wanted.ravel().tolist()
    assert page.locator(".room-convolution .sum strong").last.inner_text().replace("−", "-") == str(
        wanted[1, 2]
    )


def test_photographs_are_filtered(open_page: Any, lab_file: Path, tmp_path: Path) -> None:
    page = open_page(lab_file)
    go(page, view="photo", colour=1)
    until(page, "document.querySelector('.picture-view canvas')?.width === 512")
    settle(page)
    before = pixels(page, 0)
    # Decoders of JPEG may round differently.
    difference = before.astype(int) - grace_hopper().frames[0]
    assert np.abs(difference).mean() < 1
    for kernel, size in [("laplace", 3), ("sobel-magnitude", 5), ("emboss", 3)]:
        go(page, view="photo", colour=1, kernel=kernel, size=size)
        wanted = striate.filter_image(before, kernel, size=size)
        off = np.abs(pixels(page, 1).astype(int) - wanted)
        assert off.max() <= 1 and (off > 0).mean() < 1e-3
    # One's own picture, chosen as a file, and one's own kernel, typed into the grid.
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (9, 14, 3), np.uint8)
    path = tmp_path / "own.png"
    Image.fromarray(image).save(path)
    page.locator("input[type=file]").set_input_files(path)
    until(page, "document.querySelector('.picture-view canvas').width === 14")
    assert np.array_equal(pixels(page, 0), image)
    page.locator(".matrix-fields input").nth(2).fill("5/2")
    until(page, "location.hash.includes('kernel=own')")
    kernel = striate.kernels.emboss()
    kernel[0, 2] = 2.5
    settle(page)
    off = np.abs(pixels(page, 1).astype(int) - striate.filter_image(image, kernel))
    assert off.max() <= 1  # a half may fall either way
    # Pasted, and no picture at all.
    other = image[:, :5]
    stored = io.BytesIO()
    Image.fromarray(other).save(stored, "PNG")
    for content, name in [(stored.getvalue(), "a.png"), (b"no picture", "b.png")]:
        page.evaluate(
            """([bytes, name]) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
              document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
            }""",  # noqa: E501
            [list(content), name],
        )
        page.wait_for_timeout(200)
    assert np.array_equal(pixels(page, 0), other)
    assert "b.png: this browser cannot read it" in page.inner_text(".picture-source .note")
    # Filtered and moved, or moved and filtered.
    page.locator("input[type=number]").last.fill("2")
    until(page, "location.hash.includes('across=2')")
    assert "The same: all" in page.inner_text(".room-convolution")
