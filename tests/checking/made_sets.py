"""Sets of images like those of clothes, drawn by a script: no two alike, and nothing wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from striate.data.dataset import Dataset

NAMES = ["bag", "dress", "shirt", "shoe", "trousers"]
SIDE = 28
Pixels = npt.NDArray[np.uint8]

_SHAPES: dict[str, list[list[tuple[float, float]]]] = {
    "bag": [[(0.2, 0.4), (0.8, 0.4), (0.9, 0.85), (0.1, 0.85)], [(0.35, 0.2), (0.65, 0.2),
            (0.7, 0.4), (0.62, 0.4), (0.58, 0.27), (0.42, 0.27), (0.38, 0.4), (0.3, 0.4)]],
    "dress": [[(0.4, 0.1), (0.6, 0.1), (0.57, 0.4), (0.8, 0.9), (0.2, 0.9), (0.43, 0.4)]],
    "shirt": [[(0.3, 0.2), (0.7, 0.2), (0.95, 0.5), (0.83, 0.58), (0.7, 0.42), (0.7, 0.85),
              (0.3, 0.85), (0.3, 0.42), (0.17, 0.58), (0.05, 0.5)]],
    "shoe": [[(0.1, 0.5), (0.3, 0.48), (0.45, 0.62), (0.9, 0.7), (0.92, 0.8), (0.1, 0.8)]],
    "trousers": [[(0.35, 0.1), (0.65, 0.1), (0.7, 0.9), (0.54, 0.9), (0.5, 0.4), (0.46, 0.9),
                 (0.3, 0.9)]],
}  # fmt: skip


def picture(name: str, rng: np.random.Generator, side: int = SIDE, colour: bool = False) -> Pixels:
    """One piece: at some place, of some size, slant, cut and cloth."""
    wide = 4 * side
    canvas = Image.new("L", (wide, wide), 0)
    draw = ImageDraw.Draw(canvas)
    size, slant = rng.uniform(0.75, 1.1), rng.uniform(-0.12, 0.12)
    move, stretch = rng.uniform(-0.07, 0.07, 2), rng.uniform(0.85, 1.1)
    for shape in _SHAPES[name]:
        cut = np.array(shape) + rng.uniform(-0.04, 0.04, (len(shape), 2))
        x = 0.5 + size * stretch * (cut[:, 0] - 0.5 + slant * (cut[:, 1] - 0.5)) + move[0]
        y = 0.5 + size / stretch * (cut[:, 1] - 0.5) + move[1]
        draw.polygon([*zip((x * wide).tolist(), (y * wide).tolist(), strict=True)], fill=255)
    mask = np.asarray(canvas.resize((side, side), Image.Resampling.BOX), np.float64) / 255
    place = np.arange(side) / side
    waves = rng.uniform(1, 5, 2)
    cloth = rng.uniform(110, 230) + rng.uniform(5, 25) * np.sin(
        2 * np.pi * (waves[0] * place[:, None] + waves[1] * place) + rng.uniform(0, 6)
    )
    gray = mask * cloth
    if not colour:
        return (gray + mask * rng.normal(0, 4, gray.shape)).clip(0, 255).astype(np.uint8)
    tint = rng.uniform(0.5, 1, 3)
    ground = rng.uniform(20, 90, 3) + rng.normal(0, 6, (side, side, 3))
    return (gray[..., None] * tint + (1 - mask[..., None]) * ground).clip(0, 255).astype(np.uint8)


def images_and_labels(
    each: int, seed: int = 0, side: int = SIDE, colour: bool = False
) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """`each` pieces of each kind: (n, side, side, 1 or 3) and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(each * len(NAMES)) % len(NAMES)
    made = np.stack([picture(NAMES[label], rng, side, colour) for label in labels])
    return made if colour else made[..., None], labels.astype(np.int64)


def as_dataset(
    images: npt.NDArray[np.generic], labels: npt.NDArray[np.int64], tests: int = 0
) -> Dataset:
    """A data set of arrays, of which the last `tests` are the test part."""
    stop = len(images) - tests
    return Dataset(
        images[:stop], labels[:stop], images[stop:], labels[stop:], list(NAMES), "clothes",
        resize={"height": images.shape[1], "width": images.shape[2], "mode": "crop"},
    )  # fmt: skip


def write_folder(
    folder: Path,
    each: int,
    seed: int = 0,
    *,
    parts: tuple[str, ...] = ("",),
    side: int = 48,
    colour: bool = True,
) -> Path:
    """A folder of class folders of PNG files, or one with parts above them."""
    rng = np.random.default_rng(seed)
    for part in parts:
        for name in NAMES:
            (folder / part / name).mkdir(parents=True)
            for number in range(each):
                Image.fromarray(picture(name, rng, side, colour)).save(
                    folder / part / name / f"{name}{number}.png"
                )
    return folder
