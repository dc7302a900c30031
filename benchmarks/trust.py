"""How far probabilities and "unknown" can be trusted, over several seeds.

    python benchmarks/trust.py [mnist|cifar] [--data FOLDER] [--seeds 5] [--epochs N] [--reject X]

Each seed trains a model with `striate train --reject`, and tests it on the test images: the
expected calibration error, the share of known images that is called unknown, and of images of no
class, none of which the training has seen: noise, letters, photographs, drawn or made here. A line
per seed, then the means with their standard deviations.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]

COUNT = 1000
"""So many images of each kind of no class are tested."""
LIKE_DIGITS = set("OoDQIlij|SsZzBbGgqLT")
"""Letters that may be written as a digit is: 0, 1, 5, 2, 8, 6, 9, 7."""


def noise(kind: str, side: int, channels: int) -> Images:
    """Noise: of one pixel each, of larger squares, or smooth."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(11)
    shape = (COUNT, side, side, channels)
    if kind == "uniform noise":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if kind == "binary noise":
        share = rng.uniform(0.05, 0.5, (COUNT, 1, 1, 1))
        return ((rng.random(shape) < share) * 255).astype(np.uint8)
    values = np.clip(128 + 60 * rng.normal(size=shape), 0, 255)
    if kind == "smooth noise":
        values = gaussian_filter(rng.normal(size=shape), (0, 1.5, 1.5, 0))
        values -= values.min(axis=(1, 2, 3), keepdims=True)
        values *= 255 / values.max(axis=(1, 2, 3), keepdims=True)
    return values.astype(np.uint8)


def letters(names: str, side: int) -> Images:
    """Letters of several fonts, and drawn with strokes, turned, sheared, and put into the middle by
    their mass as MNIST's digits are: white on black, in a square of 20 pixels.
    """
    import cv2
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    rng = np.random.default_rng(7)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = ["DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif-Italic", "DejaVuSansMono", "STIXGeneral"]
    strokes = [
        cv2.FONT_HERSHEY_SIMPLEX,
        cv2.FONT_HERSHEY_DUPLEX,
        cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
        cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    ]
    made = np.zeros((COUNT, side, side, 1), np.uint8)
    for row in range(COUNT):
        letter = names[row % len(names)]
        if row % 2:
            canvas = np.zeros((160, 160), np.uint8)
            font = strokes[int(rng.integers(len(strokes)))]
            cv2.putText(canvas, letter, (45, 110), font, 3, 255, int(rng.integers(5, 12)))
        else:
            picture = Image.new("L", (160, 160))
            name = fonts[int(rng.integers(len(fonts)))]
            ImageDraw.Draw(picture).text(
                (80, 80), letter, 255, ImageFont.truetype(str(folder / f"{name}.ttf"), 90), "mm"
            )
            canvas = np.array(picture, np.uint8)
        angle, shear = rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.25)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = matrix @ np.array([[1, shear], [0, 1]])
        middle = np.array([80, 80])
        canvas = cv2.warpAffine(
            canvas, np.column_stack([matrix, middle - matrix @ middle]), (160, 160)
        )
        made[row, ..., 0] = as_in_mnist(canvas, side)
    return made


def as_in_mnist(canvas: npt.NDArray[Any], side: int) -> Images:
    """A drawing, its longer side scaled to 20 of 28 pixels, with the centre of its mass in the
    middle.
    """
    import cv2

    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    if not len(rows):
        return np.zeros((side, side), np.uint8)
    cut = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 / 28 * side / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(float)
    y, x = np.indices(small.shape)
    top, left = (side / 2 - (small * places).sum() / small.sum() - 0.5 for places in (y, x))
    placed = cv2.warpAffine(
        small, np.array([[1, 0, round(left)], [0, 1, round(top)]], float), (side,) * 2
    )
    return np.clip(placed, 0, 255).astype(np.uint8)


def photographs(archive: Path, side: int, gray: bool) -> Images:
    """Photographs of an archive, their centre scaled down."""
    from PIL import Image, ImageOps

    made = []
    with tarfile.open(archive) as files:
        names = [m for m in files.getmembers() if m.name.lower().endswith((".jpg", ".png"))]
        for member in names[:: max(1, len(names) // COUNT)][:COUNT]:
            stream = files.extractfile(member)
            assert stream is not None
            picture = Image.open(stream).convert("L" if gray else "RGB")
            pixels = np.asarray(ImageOps.fit(picture, (side, side)))
            made.append(pixels[..., None] if gray else pixels)
    return np.stack(made)


def unknown_images(task: str, data: Path) -> dict[str, Images]:
    """Images of no class of the task, by their kinds."""
    side, channels = (28, 1) if task == "mnist" else (32, 3)
    kinds = ("uniform noise", "Gaussian noise", "binary noise", "smooth noise")
    found = {kind: noise(kind, side, channels) for kind in kinds}
    gray = channels == 1
    found["TrashNet"] = photographs(data / "trashnet-256.tar", side, gray)
    found["signs"] = photographs(data / "sign-digits.tar", side, gray)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    drawn = letters(alphabet, side)
    if gray:
        others = "".join(letter for letter in alphabet if letter not in LIKE_DIGITS)
        found["CIFAR-10"] = photographs(data / "cifar10-jpeg.tar.gz", side, gray)
        found["letters"] = drawn
        found["letters unlike digits"] = letters(others, side)
        found["letters, inverted"] = 255 - drawn
    else:
        found["letters"] = np.repeat(drawn, 3, axis=3)
    return found


def main() -> int:
    """Train, test and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("task", nargs="?", choices=["mnist", "cifar"], default="mnist")
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--reject", type=float, default=0.02)
    parser.add_argument("--keep", type=Path, help="a folder for the models")
    given = parser.parse_args()
    strange = unknown_images(given.task, given.data)
    told: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        source = given.data / "mnist"
        if given.task == "cifar":
            with tarfile.open(given.data / "cifar10-jpeg.tar.gz") as files:
                source = Path(folder) / "cifar10"
                files.extractall(source, filter="data")
        for seed in range(given.first, given.first + given.seeds):
            keep = given.keep or Path(folder)
            model = keep / f"{given.task}-{seed}.safetensors"
            if not model.exists():
                train(source, model, seed, given.epochs, given.reject)
            told.append(test(source, model, strange))
            figures = ", ".join(f"{name} {100 * value:.2f}" for name, value in told[-1].items())
            print(f"seed {seed} (%): {figures}", flush=True)
    for name in told[0]:
        values = [100 * each[name] for each in told]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name:24} {statistics.mean(values):6.2f} ± {spread:.2f} %")
    return 0


def run(*command: object) -> dict[str, Any]:
    """What a command of striate prints as JSON."""
    process = subprocess.run(
        [sys.executable, "-m", "striate", *map(str, command), "--json", "--quiet"],
        capture_output=True,
        text=True,
        env={**os.environ},
    )
    if process.returncode:
        raise RuntimeError(process.stderr)
    found = json.loads(process.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def train(source: Path, model: Path, seed: int, epochs: int | None, reject: float) -> None:
    """Train a model as the command line does by default, with a rejection."""
    more = () if epochs is None else ("--epochs", epochs)
    run("train", source, "--seed", seed, "--reject", reject, "--out", model, *more)


def test(source: Path, model: Path, strange: dict[str, Images]) -> dict[str, float]:
    """Shares of one model, by their names."""
    from striate.network import load

    found = run("evaluate", model, source)
    network = load(model)
    rejection = network.answers.rejection
    assert rejection is not None
    print(f"{rejection.score}, temperature {network.answers.temperature:.3f}", file=sys.stderr)
    shares = {
        "accuracy": found["accuracy"],
        "calibration error": found["calibration_error"],
        "known rejected": found["rejected"]["share"],
    }
    for kind, images in strange.items():
        shares[kind] = float(network.distances(images).unknown.mean())
    return shares


if __name__ == "__main__":
    sys.exit(main())
