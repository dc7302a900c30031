"""The page's scripts, run in Node: the same numbers as Pillow and striate have."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.confidence.label_decisions import given_labels
from striate.confidence.probabilities import probabilities
from striate.confidence.scores import SCORES, distance, fit_arrays
from striate.data.network_images import read_for_network
from striate.freestanding.page import page_export
from striate.model.answers import Answers
from striate.model.preprocessing import Preprocessing
from striate.reports.occlusion import occlusion
from tests.freestanding.made_png import png

WEB = Path(page_export.__file__).parent / "web"
RUNNER = Path(__file__).with_name("run_page_scripts.cjs")
# Those that need no page.
SCRIPTS = tuple(
    name for name in page_export.SCRIPTS if name not in ("view.js", "pad.js", "camera.js", "app.js")
)


def encoded(data: bytes | np.ndarray) -> dict[str, str]:
    raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    return {"base64": base64.b64encode(raw).decode()}


def run(code: str, jobs: Sequence[dict[str, Any]]) -> list[Any]:
    """What a function in JavaScript returns for each job; bytes come back as base64."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: on Debian, apt-get install nodejs")
    done = subprocess.run(
        [node, str(RUNNER), str(WEB), *SCRIPTS],
        input=json.dumps({"code": code, "jobs": list(jobs)}),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [found.get("value", found.get("error")) for found in json.loads(done.stdout)]


def pixels(found: Any, like: np.ndarray) -> np.ndarray:
    assert isinstance(found, dict), found
    assert (found["height"], found["width"], found["channels"]) == like.shape
    return np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(like.shape)


PREPARED = (
    "async ({ file, wanted, white }) => prepared(plainOf(await decodedPng(file, white)), wanted)"
)


def assert_as_predict(tmp_path: Path, cases: Sequence[tuple[str, bytes, Preprocessing]]) -> None:
    """PNG files are in JavaScript the images that `predict` reads, to the last number."""
    jobs, expected = [], []
    for name, data, preprocessing in cases:
        path = tmp_path / "image.png"
        path.write_bytes(data)
        resize = preprocessing.resize or {}
        channels = 1 if preprocessing.colour == "gray" else 3
        shape = (resize["height"], resize["width"], channels)
        expected.append((name, read_for_network([path], preprocessing, shape)[0]))
        wanted = {
            "height": shape[0], "width": shape[1], "channels": channels, "mode": resize["mode"],
            "cutFrom": resize.get("cut_from"), "downFirst": page_export.goes_down_first(),
        }  # fmt: skip
        jobs.append({"file": encoded(data), "wanted": wanted, "white": resize.get("white", 65535)})
    for (name, image), found in zip(expected, run(PREPARED, jobs), strict=True):
        np.testing.assert_array_equal(pixels(found, image), image, name)


def drawn_case(rng: np.random.Generator, index: int) -> tuple[str, bytes, Preprocessing]:
    """A PNG by Pillow, of some kind and size, and what is to become of it."""
    kind = ("L", "RGB", "RGBA", "LA", "P", "1", "I;16")[index % 7]
    height, width = (int(side) for side in rng.integers(1, 120, 2))
    if index % 5 == 0:
        height *= 9  # much larger: Pillow reduces it first
    if index % 11 == 0:
        width *= 7
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2, "P": 3, "1": 1, "I;16": 1}[kind]
    noise = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    flat = noise[..., 0] if channels == 1 else noise
    options: dict[str, Any] = {}
    if kind == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    elif kind == "P":
        image = Image.fromarray(noise).quantize(int(rng.integers(2, 200)))
        if index % 2:
            options["transparency"] = bytes(rng.integers(0, 256, 5, dtype=np.uint8))
    else:
        image = Image.fromarray(flat).convert("1") if kind == "1" else Image.fromarray(flat)
        if kind == "L" and index % 2:
            options["transparency"] = int(noise[0, 0, 0])
    exif = Image.Exif()
    exif[0x112] = int(rng.integers(0, 10))  # 1…8 are known
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif, **options)
    size = {"height": int(rng.integers(1, 60)), "width": int(rng.integers(1, 60))}
    resize = {**size, "mode": ("crop", "pad", "stretch")[index % 3]}
    if index % 4 == 0:
        resize["cut_from"] = [side + int(rng.integers(0, side + 1)) for side in size.values()]
    colour = ("gray", "rgb")[index // 7 % 2]
    name = f"{index}: {kind}, {height}×{width}, {resize}, {colour}"
    return name, file.getvalue(), Preprocessing(resize=resize, colour=colour)


def test_pictures_become_what_predict_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    assert_as_predict(tmp_path, [drawn_case(rng, index) for index in range(140)])


def test_every_kind_of_png_is_decoded(tmp_path: Path) -> None:
    """All depths and colours, interlaced, with all filters, palettes and transparent colours."""
    rng = np.random.default_rng(1)
    kinds = [(colour, bits) for colour in (0, 2, 3, 4, 6) for bits in (1, 2, 4, 8, 16)
             if bits >= 8 or colour in (0, 3)]  # fmt: skip
    kinds.remove((3, 16))
    cases = []
    for seed, (colour, bits) in enumerate(kinds * 4):
        height, width = (int(side) for side in rng.integers(1, 20, 2))
        count = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        samples = rng.integers(0, 2**bits, (height, width, count))
        chunks = {}
        if colour == 3:
            chunks["PLTE"] = rng.integers(0, 256, 3 * 2**bits, dtype=np.uint8).tobytes()
            chunks["tRNS"] = rng.integers(0, 256, 2 ** (bits - 1), dtype=np.uint8).tobytes()
        elif colour in (0, 2) and seed // len(kinds) % 2:
            chunks["tRNS"] = samples[0, 0].astype(">u2").tobytes()
        interlaced = seed % 3 == 0
        file = png(samples, bits, colour, interlaced=interlaced, chunks=chunks, seed=seed)
        # The size stays, so that nothing but decoding counts.
        resize = {"height": height, "width": width, "mode": "crop"}
        if bits == 16 and seed // len(kinds) >= 2:
            resize["white"] = 4095
        name = f"{seed}: colour {colour} of {bits} bits, {height}×{width}, {list(chunks)}"
        cases.append((name, file, Preprocessing(resize=resize, colour="rgb")))
    assert_as_predict(tmp_path, cases)


def test_transparency_is_laid_over_what_shows_it(tmp_path: Path) -> None:
    """White icons over black; alpha that hides everything is passed over."""
    rng = np.random.default_rng(2)
    shape = (9, 7, 1)
    some = rng.integers(0, 256, shape)
    icon = np.concatenate([np.full((9, 7, 3), 250), some], axis=2)
    hidden = np.concatenate([rng.integers(0, 256, (9, 7, 3)), np.zeros(shape, int)], axis=2)
    faint = np.concatenate([np.full((9, 7, 3), 255), np.full(shape, 240)], axis=2)
    resize = Preprocessing(resize={"height": 5, "width": 6, "mode": "pad"}, colour="rgb")
    made = {"icon": icon, "hidden": hidden, "faint": faint}
    cases = [(name, png(samples, 8, 6), resize) for name, samples in made.items()]
    assert_as_predict(tmp_path, cases)


def test_both_orders_of_passes_are_known() -> None:
    """Pillow of all versions: the height first where that loses much more, or the width always."""
    rng = np.random.default_rng(3)
    bilinear = Image.Resampling.BILINEAR
    jobs, expected = [], []
    for index in range(40):
        height, width, tall, wide = (int(side) for side in rng.integers(2, 60, 4))
        image = rng.integers(0, 256, (height, width), dtype=np.uint8)
        down_first = bool(index % 2) and tall < height and height - tall > 2 * (width - wide)
        between = (width, tall) if down_first else (wide, height)
        steps = Image.fromarray(image).resize(between, bilinear).resize((wide, tall), bilinear)
        expected.append(np.asarray(steps)[..., None])
        jobs.append({"data": encoded(image), "from": [width, height], "to": [wide, tall],
                     "downFirst": bool(index % 2)})  # fmt: skip
    code = """({ data, from: [width, height], to, downFirst }) =>
        resized({ width, height, channels: 1, data }, ...to, downFirst)"""
    for found, image in zip(run(code, jobs), expected, strict=True):
        np.testing.assert_array_equal(pixels(found, image), image)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (png(np.zeros((4, 4, 3), int), 8, 2)[:-30], "truncated"),
        (png(np.zeros((4, 4, 1), int), 8, 3), "no palette"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), "no header"),
        (png(np.zeros((30, 40, 1), int), 8, 0), "40 × 30 pixels, and at most 1000"),
    ],
)
def test_damaged_png_is_told(data: bytes, told: str) -> None:
    (found,) = run("({ file }) => decodedPng(file, 65535, 1000)", [{"file": encoded(data)}])
    assert told in found


def test_probabilities_and_labels() -> None:
    rng = np.random.default_rng(4)
    outputs = rng.normal(size=(6, 5)) * 4
    for answers in (
        Answers(temperature=0.7),
        Answers(kind="labels", temperature=1.3, thresholds=(0.1, 0.9, 0.5, 0.3, 0.7)),
        Answers(kind="labels"),
    ):
        told = {"kind": answers.kind, "temperature": answers.temperature,
                "thresholds": list(answers.thresholds)}  # fmt: skip
        code = """({ answers, outputs }) => {
            const chances = probabilities(answers, outputs);
            return [chances, ranking(chances), chances.map((_, i) => isGiven(answers, chances, i))];
        }"""
        found = run(code, [{"answers": told, "outputs": row.tolist()} for row in outputs])
        expected = probabilities(answers, outputs)
        np.testing.assert_allclose([chances for chances, _, _ in found], expected, rtol=1e-12)
        orders = [order for _, order, _ in found]
        np.testing.assert_array_equal(orders, (-expected).argsort(axis=1, kind="stable"))
        if answers.kind == "labels":
            given = [flags for _, _, flags in found]
            np.testing.assert_array_equal(given, given_labels(answers, expected))


def test_distances_from_the_training() -> None:
    """Every score of a rejection."""
    rng = np.random.default_rng(5)
    classes, size, count = 4, 6, 30
    outputs = rng.normal(size=(7, classes)).astype(np.float32) * 3
    features = rng.normal(size=(7, size)).astype(np.float32)
    fitted = fit_arrays(rng.normal(size=(count, size)), rng.integers(0, classes, count), classes)
    fitted["exposure"] = {
        "hidden": rng.normal(size=(size + 1, 5)).astype(np.float32),
        "decided": rng.normal(size=(6, classes + 1)).astype(np.float32),
    }
    assert set(fitted) == set(SCORES)
    for score, arrays in fitted.items():
        told = {name: {"rows": len(a), "columns": a.shape[1], "data": a.ravel().tolist()}
                for name, a in arrays.items()}  # fmt: skip
        expected = distance(score, outputs, features, arrays)
        # Between the distances, so that rounding decides nothing.
        ordered = np.sort(expected)
        known = (ordered[1:] + ordered[:-1])[::2] / 2
        limit = float(ordered[3] + ordered[4]) / 2
        rejection = {"score": score, "threshold": limit, "distances": known.tolist()}
        code = """({ rejection, arrays, outputs, features }) => {
            for (const one of Object.values(arrays)) one.data = Float32Array.from(one.data);
            return rejected({ ...rejection, arrays }, outputs, features);
        }"""
        found = run(
            code,
            [{"rejection": rejection, "arrays": told, "outputs": o.tolist(), "features": f.tolist()}
             for o, f in zip(outputs, features, strict=True)],
        )  # fmt: skip
        distances = [one["distance"] for one in found]
        np.testing.assert_allclose(distances, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal([one["unknown"] for one in found], expected > limit)
        nearer = (known < expected[:, None]).mean(axis=1)
        np.testing.assert_allclose([one["nearer"] for one in found], nearer)


@pytest.mark.parametrize(("shape", "whole"), [((13, 9, 3), True), ((28, 28, 1), False)])
def test_parts_are_covered_as_the_report_covers_them(
    shape: tuple[int, int, int], whole: bool
) -> None:
    rng = np.random.default_rng(6)
    size, classes = int(np.prod(shape)), 3
    weights = rng.normal(size=(size, classes)).astype(np.float32) / 300
    image = rng.integers(0, 256, shape).astype(np.uint8)
    input_ = image if whole else image / np.float32(16)
    answers = Answers(temperature=0.8)

    def outputs(images: Any, **_: Any) -> np.ndarray:
        wide = np.asarray(images, np.float64).reshape(len(images), size)
        return np.tanh(wide @ weights.astype(np.float64)) * 4

    network = SimpleNamespace(answers=answers, predict_logits=outputs)
    chances = probabilities(answers, outputs(input_[None]))
    expected = occlusion(network, input_[None], np.array([1]), chances)  # type: ignore[arg-type]
    settings = {
        "wanted": {"height": shape[0], "width": shape[1], "channels": shape[2]},
        "maximum": 255 if whole else 16, "names": ["a", "b", "c"], "rejection": None,
        "answers": {"kind": "classes", "temperature": 0.8, "thresholds": []},
    }  # fmt: skip
    code = """async ({ settings, weights, input }) => {
        const run = (image) => Float64Array.from({ length: 3 }, (_, k) =>
            4 * Math.tanh(image.reduce((sum, value, i) => sum + value * weights[3 * i + k], 0)));
        const classifier = new Classifier({ run }, settings), image = Float32Array.from(input);
        const answer = classifier.answer(image), shares = [];
        const tell = (share) => shares.push(share);
        const { patch, values } = await classifier.look(image, answer.milliseconds / 1e6, tell);
        const changes = values.map((of) => of[1] - answer.values[1]);
        const stopped = await classifier.look(image, 1e6, () => false);
        return { chances: answer.values, patch, stopped, place: mostTelling(changes, true), changes,
            map: Array.from(meanChange(settings.wanted, patch, changes)) };
    }"""
    job = {"settings": settings, "weights": weights.ravel().tolist(),
           "input": np.asarray(input_, np.float64).ravel().tolist()}  # fmt: skip
    (found,) = run(code, [job])
    np.testing.assert_allclose(found["chances"], chances[0], rtol=1e-9)
    assert (found["patch"]["height"], found["patch"]["width"]) == expected.patch
    assert len(found["patch"]["places"]) == expected.places
    change = np.reshape(found["map"], shape[:2])
    np.testing.assert_allclose(change, expected.change[0], rtol=1e-4, atol=1e-6)
    assert found["place"] == int(np.argmin(found["changes"]))


def test_strokes_are_round_and_as_wide_as_the_pen() -> None:
    code = """({ light }) => {
        const drawing = new Drawing(40, 30, light);
        drawing.line([5, 15], [30, 15], 4);
        return drawing.image();
    }"""
    light, dark = run(code, [{"light": True}, {"light": False}])
    image = pixels(light, np.empty((30, 40, 1)))[..., 0]
    y, x = np.mgrid[0:30, 0:40] + 0.5
    away = np.hypot(x - np.clip(x, 5, 30), y - 15)
    assert (image[away < 3.4] == 255).all() and (image[away > 4.6] == 0).all()
    assert image.mean(dtype=float) / 255 * 1200 == pytest.approx(25 * 8 + np.pi * 16, rel=0.02)
    np.testing.assert_array_equal(pixels(dark, np.empty((30, 40, 1)))[..., 0], 255 - image)
