"""The page in a real browser, opened as a file and offline: it says what `predict` says."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from striate.data.network_images import read_for_network
from striate.freestanding.page.page_export import page_settings
from striate.model.answers import Answers
from striate.network import Network
from striate.reports.occlusion import occlusion
from tests.freestanding.opened_page import (
    STROKES,
    assert_says_what_predict_says,
    bars,
    begun,
    camera_film,
    contrast,
    digits_network,
    draw,
    embedded,
    give,
    looked,
    photo,
    photo_network,
    saved,
    seen,
    shown,
)

MOST_BYTES = 150_000
HOSTILE = ["</script><script>document.title='!'</script>", "<img src=x onerror=alert(1)>",
           "{{ 7 * 7 }}", "a & b \"c\" 'd'", "\udc80", "${1}"]  # fmt: skip


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Path]:
    network = digits_network()
    path = tmp_path_factory.mktemp("page") / "digits.html"
    network.export(path, to="page")
    return network, path


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Path]:
    network = photo_network()
    path = tmp_path_factory.mktemp("page") / "photos.html"
    network.export(path, to="page")
    return network, path


def test_a_drawn_digit(open_page: Any, digits: tuple[Network, Path], tmp_path: Path) -> None:
    network, path = digits
    page = begun(open_page(path, 390))
    right = 0
    for digit, strokes in STROKES.items():
        for stroke in strokes:
            draw(page, stroke)
        looked(page)
        assert_says_what_predict_says(page, network, saved(page, tmp_path))
        right += digit in (page.locator("#said").inner_text(), next(iter(bars(page))))
        page.locator("#pad-clear").click()
        assert not page.locator("#result").is_visible()
    assert right >= 3


def test_strokes_can_be_taken_back_and_drawn_by_keys(
    open_page: Any, digits: tuple[Network, Path], tmp_path: Path
) -> None:
    network, path = digits
    page = begun(open_page(path))
    draw(page, [(0.1, 0.1), (0.9, 0.9)])
    looked(page)
    before = seen(page)
    draw(page, [(0.1, 0.9), (0.9, 0.1)])
    looked(page)
    assert (seen(page) != before).any()
    page.locator("#pad-undo").click()
    looked(page)
    np.testing.assert_array_equal(seen(page), before)
    # Another way has another picture, and each keeps its own.
    page.locator("#tab-file").click()
    assert page.locator("#nothing").is_visible()
    give(page, "drop", "photo.png", photo(kind="PNG"))
    looked(page)
    assert (seen(page) != before).any()
    page.locator("#tab-draw").click()
    looked(page)
    np.testing.assert_array_equal(seen(page), before)
    page.locator("#pad-clear").click()
    page.locator("#pad").focus()
    for key in ["ArrowUp"] * 10 + [" "] + ["ArrowDown"] * 20 + [" "]:
        page.keyboard.press(key)
    looked(page)
    assert "Pen up at 50 %, 86 %" in page.locator("#pad-pen").inner_text()
    assert next(iter(bars(page))) == "one"
    assert_says_what_predict_says(page, network, saved(page, tmp_path))
    page.locator("#pad-dark").check()
    looked(page)
    assert seen(page)[0, 0, 0] == 255
    assert_says_what_predict_says(page, network, saved(page, tmp_path))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_photograph(
    open_page: Any, photos: tuple[Network, Path], tmp_path: Path, kind: str
) -> None:
    """Dropped, pasted and chosen; also one that the camera was turned for."""
    network, path = photos
    page = begun(open_page(path))
    picture = tmp_path / f"picture.{kind.lower()}"
    # Browsers do not turn WebP.
    ways = [("choose", 1)] if kind == "WEBP" else [("drop", 1), ("paste", 8), ("choose", 6)]
    for way, turned in ways:
        picture.write_bytes(photo(turned, kind))
        give(page, way, picture.name, picture.read_bytes())
        looked(page)
        if kind == "PNG":
            assert_says_what_predict_says(page, network, picture)
        else:  # decoded by the browser
            (said,) = network.predict([picture], engine="numpy")
            assert page.locator("#said").inner_text() == str(said)
            away = abs(seen(page).astype(int) - shown(network, picture))
            assert away.max() <= 8 and away.mean() < 0.5
        assert page.locator("#preview").is_visible()
        assert not page.locator("#note").is_visible()


def test_what_is_no_picture_is_told(open_page: Any, photos: tuple[Network, Path]) -> None:
    page = begun(open_page(photos[1]))
    give(page, "drop", "letter.pdf", b"%PDF-1.4 nothing")
    page.locator("#note").wait_for()
    assert page.locator("#note").inner_text() == (
        "letter.pdf: this browser cannot read it as a picture: save it as PNG or JPEG."
    )
    assert not page.locator("#result").is_visible()
    page.evaluate(
        "document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true }))"
    )
    assert "give the file itself" in page.locator("#note").inner_text()


def test_the_camera(
    open_page: Any, launch: Callable[..., Any], digits: tuple[Network, Path], tmp_path: Path
) -> None:
    network, path = digits
    large = load_digits().images[11] * (255 / 16)  # a one
    picture = np.kron(large, np.ones((60, 60)))
    camera_film(tmp_path / "film.y4m", np.pad(picture, ((0, 0), (80, 80))))
    filmed = launch(
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'film.y4m'}",
    )  # fmt: skip
    page = begun(open_page(path, 390, within=filmed))
    page.locator("#tab-camera").click()
    page.locator("#camera-start").click()
    page.locator("#said", has_text="one").wait_for()
    page.locator("#camera-hold").click()
    looked(page)
    held = saved(page, tmp_path)
    with Image.open(held) as image:
        assert image.size == (640, 480)
        away = np.asarray(image.convert("L"))[:, 80:560] - picture
    assert abs(away).mean() < 3
    assert_says_what_predict_says(page, network, held)
    page.locator("#camera-hold").click()  # goes on
    page.locator("#camera-stop").click()
    assert page.locator("#camera-start").is_visible()
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_without_a_camera(open_page: Any, photos: tuple[Network, Path], browser: Any) -> None:
    page = begun(open_page(photos[1]))
    page.locator("#tab-camera").click()
    page.locator("#camera-start").click()
    page.locator("#camera-problem:not(:empty)").wait_for()
    told = page.locator("#camera-problem").inner_text()
    assert told == "No camera was found." or "was not allowed" in told
    # As browsers that give none to files.
    page.add_init_script("delete Navigator.prototype.mediaDevices")
    page.reload()
    begun(page).locator("#tab-camera").click()
    assert page.locator("#camera-start").is_disabled()
    assert "gives no camera to a page that is opened as a file" in (
        page.locator("#camera-problem").inner_text()
    )


def test_unknown(open_page: Any, digits: tuple[Network, Path], tmp_path: Path) -> None:
    network, path = digits
    page = begun(open_page(path))
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 17, (50, 8, 8, 1)).astype(np.float32)
    found = []
    for pixels in (
        load_digits().images[1500],
        noise[network.distances(noise, engine="numpy").values.argmax(), ..., 0],
    ):
        picture = tmp_path / "picture.png"
        Image.fromarray(np.rint(pixels * (255 / 16)).astype(np.uint8)).save(picture)
        give(page, "drop", picture.name, picture.read_bytes())
        looked(page)
        assert_says_what_predict_says(page, network, picture)
        found.append(page.locator("#said").inner_text() == "unknown")
    assert found == [False, True]
    told = page.locator("#detail").inner_text()
    nearer = network.distances([picture], engine="numpy").nearer[0]
    share = "all" if nearer == 1 else f"{100 * nearer:.1f} %"
    assert told.startswith(f"Less like the images of the training than {share} of the known ones.")


def test_labels_and_numbers(open_page: Any, tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(photo(kind="PNG"))
    labels = photo_network(
        7, Answers(kind="labels", thresholds=(0.2, 0.5, 0.7, 0.5, 0.5, 0.5, 0.4))
    )
    labels.classes = [f"label {index}" for index in range(7)]
    numbers = photo_network(2, Answers(kind="numbers", names=("width", "height")))
    for network in (labels, numbers):
        path = tmp_path / "page.html"
        network.export(path, to="page")  # over the other one
        page = begun(open_page(path))
        give(page, "drop", picture.name, picture.read_bytes())
        looked(page)
        (outputs,) = network.predict_logits([picture], engine="numpy")
        if network is labels:
            chances = network.predict_proba([picture], engine="numpy")[0]
            given = network.predict([picture], engine="numpy")[0].astype(bool)
            assert 0 < given.sum() < 7
            order = [index for index in (-chances).argsort(kind="stable") if given[index]]
            assert page.locator("#said").inner_text() == ", ".join(f"label {i}" for i in order)
            assert page.locator("#bars .is-given").count() == len(order[:5])
        else:
            told = [float(text) for text in bars(page).values()]
            said = page.locator("#said").inner_text()
            assert said == ", ".join(f"{name} {value}" for name, value in bars(page).items())
            assert list(bars(page)) == ["width", "height"]
            np.testing.assert_allclose(told, outputs, rtol=1e-4)


def test_the_reason_is_the_reports(
    open_page: Any, photos: tuple[Network, Path], tmp_path: Path
) -> None:
    """The frame is where covering lets the probability fall most, of another class, too."""
    network, path = photos
    picture = tmp_path / "photo.png"
    picture.write_bytes(photo(kind="PNG"))
    images = read_for_network([picture], network.preprocessing, network.input_shape)
    chances = network.predict_proba(images, engine="numpy")
    page = begun(open_page(path))
    give(page, "drop", picture.name, picture.read_bytes())
    looked(page)
    height, width, _ = network.input_shape
    for place in (0, 1):
        page.locator("#bars button").nth(place).click()
        index = int(page.locator("#bars button").nth(place).get_attribute("data-output"))
        expected = occlusion(network, images, np.array([index]), chances, engine="numpy")
        tall, wide = expected.patch
        # The best single place, by covering each of them here.
        colour = np.rint(images.mean(axis=(1, 2)))[0]
        tops = sorted({*range(0, height - tall + 1, expected.step[0]), height - tall})
        lefts = sorted({*range(0, width - wide + 1, expected.step[1]), width - wide})
        covered = np.repeat(images, len(tops) * len(lefts), axis=0)
        for one, (top, left) in zip(covered, ((t, l) for t in tops for l in lefts), strict=True):
            one[top : top + tall, left : left + wide] = colour
        after = network.predict_proba(covered, engine="numpy")[:, index]
        best = int(after.argmin())
        top, left = tops[best // len(lefts)], lefts[best % len(lefts)]
        reason = page.locator("#reason").inner_text()
        if chances[0, index] - after[best] <= 0.005:
            assert "No part by itself" in reason
            continue
        style = page.locator("#frame").get_attribute("style")
        sides = dict(re.findall(r"(top|left|height|width): ([\d.]+)%", style))
        assert float(sides["top"]) == pytest.approx(100 * top / height, abs=0.01)
        assert float(sides["left"]) == pytest.approx(100 * left / width, abs=0.01)
        assert float(sides["height"]) == pytest.approx(100 * tall / height, abs=0.01)
        percents = [float(text) for text in re.findall(r"([\d.]+) %", reason)]
        assert percents == pytest.approx([100 * chances[0, index], 100 * after[best]], abs=0.06)
    page.locator("#bars button").first.click()
    page.locator("#heat").check()
    assert page.locator("#changes").is_visible()


def test_names_are_text(open_page: Any, tmp_path: Path) -> None:
    network = photo_network(len(HOSTILE))
    network.classes = HOSTILE
    path = tmp_path / "<b>&name.html"
    network.export(path, to="page", name="</title><script>alert(1)</script>")
    page = begun(open_page(path))
    assert page.title() == "</title><script>alert(1)</script>"
    picture = tmp_path / "photo.png"
    picture.write_bytes(photo(kind="PNG"))
    give(page, "drop", '"><i>.png', picture.read_bytes())
    looked(page)
    assert set(bars(page)) < set(HOSTILE) and len(bars(page)) == 5
    assert page.locator("header i, header b, #bars img, #bars script").count() == 0


def test_it_may_ask_nobody(browser: Any, photos: tuple[Network, Path]) -> None:
    """The page's own policy refuses what a script might try, and scripts but its own."""
    page = browser.new_context().new_page()
    page.goto(photos[1].as_uri())
    begun(page)
    refused = page.evaluate("""async () => {
        const found = [];
        const refuse = (event) => found.push(event.effectiveDirective);
        document.addEventListener("securitypolicyviolation", refuse);
        await fetch("https://example.org").catch(() => found.push("fetch"));
        const script = document.createElement("script");
        script.textContent = "window.injected = true";
        document.body.append(script);
        await new Promise((resolve) => setTimeout(resolve, 50));
        return [...found, window.injected === true];
    }""")
    assert "connect-src" in refused and "fetch" in refused
    assert "script-src-elem" in refused and refused[-1] is False
    page.context.close()


def test_it_is_small_and_starts_at_once(digits: tuple[Network, Path], browser: Any) -> None:
    network, path = digits
    text = path.read_text("utf-8")
    assert len(embedded(text, "weights")) >= network.flat.nbytes
    rejection = page_settings(network)["rejection"]
    weights = len(base64.b64encode(embedded(text, "weights")))
    weights += sum(len(a["data"]) for a in rejection["arrays"].values())
    assert len(text.encode()) - weights <= MOST_BYTES
    seconds = []
    for _ in range(2):
        page = browser.new_context(offline=True).new_page()
        session = page.context.new_cdp_session(page)
        # Of the processor, since others may use it, too.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(path.as_uri())
        begun(page)
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        seconds.append(metrics["TaskDuration"])
        page.context.close()
    assert min(seconds) < 0.3


def test_without_vectors(open_page: Any, digits: tuple[Network, Path], tmp_path: Path) -> None:
    """Browsers that have no vectors get the other module."""
    network, path = digits
    page = open_page(path)
    page.add_init_script(
        "WebAssembly.validate = () => false; const whole = WebAssembly.instantiate;"
        "WebAssembly.instantiate = (code) => (window.moduleBytes = code.byteLength, whole(code));"
    )
    page.reload()
    begun(page)
    text = path.read_text("utf-8")
    sizes = {
        name: len(zlib.decompress(embedded(text, name))) for name in ("fused", "simd", "plain")
    }
    assert page.evaluate("window.moduleBytes") == sizes["plain"]
    assert len({*sizes.values()}) == 3
    draw(page, STROKES["seven"][0])
    looked(page)
    assert_says_what_predict_says(page, network, saved(page, tmp_path))


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1400, "light")])
def test_it_fits_the_window_and_is_accessible(
    open_page: Any, digits: tuple[Network, Path], width: int, scheme: str
) -> None:
    page = begun(open_page(digits[1], width, scheme))
    draw(page, STROKES["seven"][0])
    looked(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#said").get_attribute("aria-live") == "polite"
    # All that can be pressed has a name, and is large enough for a finger.
    for button in page.locator("button:visible, input:visible").all():
        assert button.evaluate("e => (e.labels?.[0] ?? e).textContent.trim() || e.ariaLabel")
    for button in page.locator("button:visible").all():
        assert button.bounding_box()["height"] >= 36
    page.locator("#tab-draw").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel-file").is_visible() and not page.locator("#panel-draw").is_visible()
    assert page.locator("#tab-file").get_attribute("aria-selected") == "true"
    if width == 390:  # the answer is on the first screen of a phone
        page.keyboard.press("ArrowLeft")
        box = page.locator("#said").bounding_box()
        assert box["y"] + box["height"] < 844
    for text in ("#detail", ".lead", "#time", "#bars .value", "footer p"):
        assert contrast(page, text) >= 4.5
