"""What the tests of pages share: small networks, what to give a page, and what it shows."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from striate.confidence.scores import distance, fit_arrays
from striate.data.network_images import read_for_network
from striate.layers import Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.model.answers import Answers
from striate.model.preprocessing import Preprocessing
from striate.model.rejection import Rejection
from striate.network import Network


def digits_network() -> Network:
    """A small classifier of handwritten digits that knows what it does not know."""
    data = load_digits()
    images, labels = data.images[..., None].astype(np.uint8), data.target
    network = Network(
        [Conv2D(12, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(16, 3, padding="same"), ReLU(),
         MaxPool2D(2), Flatten(), Dense(24), ReLU(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip
    network.fit(images[:1400], labels[:1400], epochs=5, progress=False)
    network.classes = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight",
                       "nine"]  # fmt: skip
    resize = {"height": 8, "width": 8, "mode": "crop", "maximum": 16}
    network.preprocessing = replace(network.preprocessing, resize=resize, colour="gray")
    both = network.with_features().predict_logits(images)
    arrays = fit_arrays(both[:1400, 10:], labels[:1400], 10)["neighbours"]
    known = distance("neighbours", both[1400:, :10], both[1400:, 10:], arrays)
    rejection = Rejection(
        "neighbours", float(np.quantile(known, 0.98)), 0.02,
        np.sort(known).astype(np.float32), arrays,
    )  # fmt: skip
    network.answers = Answers(temperature=0.8, rejection=rejection)
    return network


def photo_network(classes: int = 6, answers: Answers | None = None) -> Network:
    """Reads photographs; of random weights, whose answers differ from picture to picture."""
    network = Network(
        [Conv2D(8, 5, stride=2, padding=2, uncovered="drop"), ReLU(), Conv2D(16, 3), ReLU(),
         GlobalAvgPool2D(), Dense(classes)],
        (45, 60, 3), seed=3,
    )  # fmt: skip
    network.preprocessing = Preprocessing(
        (120, 110, 100), (40, 45, 50),
        resize={"height": 45, "width": 60, "mode": "crop", "cut_from": [52, 70]}, colour="rgb",
    )  # fmt: skip
    network.answers = answers or Answers(temperature=2)
    return network


def begun(page: Any) -> Any:
    page.locator("body[data-ready]").wait_for()
    return page


def looked(page: Any) -> None:
    """Wait for the answer and its reason."""
    page.locator("#why[aria-busy=false]").wait_for()


def seen(page: Any) -> np.ndarray:
    """What the page shows as the network's image, (height, width, 3)."""
    text = page.evaluate("document.getElementById('seen').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text.split(",")[1]))))[..., :3]


def bars(page: Any) -> dict[str, str]:
    """Names and values that are shown."""
    rows = page.locator("#bars button").all()
    return {row.locator(".name").inner_text(): row.locator(".value").inner_text() for row in rows}


def saved(page: Any, folder: Path) -> Path:
    """The picture that the page gives to be kept."""
    with page.expect_download() as download:
        page.locator("#save").click()
    path = folder / "picture.png"
    download.value.save_as(path)
    return path


def assert_says_what_predict_says(page: Any, network: Network, picture: Path) -> None:
    """The class or unknown, the five best probabilities, and the very pixels of the input."""
    (said,) = network.predict([picture], engine="numpy")
    assert page.locator("#said").inner_text() == str(said)
    (chances,) = network.predict_proba([picture], engine="numpy")
    best = (-chances).argsort(kind="stable")[:5]
    names = network.classes or [str(index) for index in range(len(chances))]
    told = bars(page)
    assert list(told) == [names[index] for index in best]
    for index in best:
        assert float(told[names[index]].split()[0]) == pytest.approx(100 * chances[index], abs=0.06)
    np.testing.assert_array_equal(seen(page), shown(network, picture))


def shown(network: Network, picture: Path) -> np.ndarray:
    (image,) = read_for_network([picture], network.preprocessing, network.input_shape)
    maximum = (network.preprocessing.resize or {}).get("maximum", 255)
    return np.broadcast_to(np.rint(image * (255 / maximum)), (*image.shape[:2], 3))


def draw(page: Any, points: list[tuple[float, float]]) -> None:
    """A stroke on the pad; of its sides 0…1."""
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


STROKES = {
    "one": [[(0.5, 0.08), (0.5, 0.92)]],
    "seven": [[(0.25, 0.1), (0.75, 0.1), (0.45, 0.9)]],
    "zero": [[(0.5, 0.08), (0.3, 0.25), (0.28, 0.7), (0.5, 0.92), (0.7, 0.7), (0.7, 0.25),
              (0.5, 0.08)]],
    "four": [[(0.45, 0.08), (0.25, 0.6), (0.75, 0.6)], [(0.6, 0.35), (0.6, 0.92)]],
}  # fmt: skip


def photo(turned: int = 1, kind: str = "JPEG") -> bytes:
    """A photograph of 640 × 427, as a file with an EXIF orientation."""
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x112] = turned
    Image.fromarray(load_sample_image("china.jpg")).save(file, kind, exif=exif, quality=95)
    return file.getvalue()


GIVE = """([way, name, type, text]) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const how = { clipboardData: transfer, dataTransfer: transfer, bubbles: true };
    document.body.dispatchEvent(new (way === "paste" ? ClipboardEvent : DragEvent)(way, how));
}"""


def give(page: Any, way: str, name: str, data: bytes) -> None:
    """Drop, paste or choose a file."""
    page.locator("body").evaluate(
        "body => document.getElementById('why').removeAttribute('aria-busy')"
    )
    if way == "choose":
        page.locator("#tab-file").click()
        with page.expect_file_chooser() as chooser:
            page.locator("#choose").click()
        chooser.value.set_files([{"name": name, "mimeType": "image/png", "buffer": data}])
    else:
        page.evaluate(GIVE, [way, name, "image/png", base64.b64encode(data).decode()])


def camera_film(path: Path, picture: np.ndarray) -> None:
    """A film that shows one gray picture, which Chromium takes for what a camera sees."""
    height, width = picture.shape
    frame = np.rint(16 + picture * (219 / 255)).astype(np.uint8).tobytes()
    grays = bytes([128]) * (height * width // 2)
    head = f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + (b"FRAME\n" + frame + grays) * 3)


def embedded(page: str, name: str) -> bytes:
    """What a page has as base64."""
    (text,) = re.findall(rf'id="{name}">(.*?)</script>', page, re.S)
    return base64.b64decode(text)


def contrast(page: Any, selector: str) -> float:
    """Of a text with the ground behind it, as WCAG defines it."""
    colours = page.locator(selector).first.evaluate("""(element) => {
        const ink = getComputedStyle(element).color;
        let ground = "rgba(0, 0, 0, 0)";
        for (let at = element; at && /, 0\\)$/.test(ground); at = at.parentElement)
            ground = getComputedStyle(at).backgroundColor;
        return [ink, ground];
    }""")
    lights = []
    for colour in colours:
        shares = np.array([int(v) for v in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
    return max(lights) / min(lights)
