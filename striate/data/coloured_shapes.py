"""Coloured shapes, 32×32×3, drawn from a seed: colour images that always work, as CIFAR-10 has
them, without a file.

A class is a form. Its place, size, turn and colours are drawn by chance, and so are a slope of the
background, two spots and noise. A form may be brighter or darker than what is behind it, so no
weighted sum of pixels tells the classes apart: a network has to find edges first.

Every step is integer arithmetic on numbers of PCG64, or a square root that IEEE 754 rounds, so the
bytes are the same on every machine.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from striate.data.array_source import array_source
from striate.data.dataset import Dataset, LoadOptions

Ints = npt.NDArray[np.int32]

CLASSES: Final = (
    "disc", "ring", "moon", "square", "frame", "triangle", "star", "cross", "stripes", "checks",
)  # fmt: skip
SIDE: Final = 32
PER_CLASS: Final = 400
SEED: Final = 2026

_UNIT = 16  # of a pixel; places and distances are counted in sixteenths of one
_TURNS = (  # (cosine, sine)·1024 of the multiples of 11.25 degrees up to a quarter turn
    (1024, 0), (1004, 200), (946, 392), (851, 569), (724, 724), (569, 851), (392, 946), (200, 1004),
)  # fmt: skip
_CORNERS = ((0, 1024), (887, -512), (-887, -512))  # the directions of a triangle's sides, ·1024
_SMALLEST, _LARGEST = 6 * _UNIT, 12 * _UNIT  # of the half of a form's size
_LEAST_CONTRAST = 48  # in each channel, of 255
_NOISE = 5  # bits: noise is -32…31


def load_shapes(options: LoadOptions) -> Dataset:
    """Return the 4,000 coloured shapes, uint8 (n, 32, 32, 3), with a test part split off."""
    images, labels = coloured_shapes()
    return array_source("shapes", images, labels, CLASSES, options)


def coloured_shapes(
    per_class: int = PER_CLASS, seed: int = SEED
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Draw the images and their labels; the classes take turns.

    Args:
        per_class: how many images each class has.
        seed: of all that is left to chance.

    Returns:
        Images, uint8 (10 · per_class, 32, 32, 3), and labels, int64, indices into `CLASSES`.
    """
    count = per_class * len(CLASSES)
    chance = _Chance(count, seed)
    labels = np.arange(count) % len(CLASSES)
    radius = chance.between(_SMALLEST, _LARGEST)
    turn = np.array(_TURNS, np.int32)[chance.between(0, len(_TURNS))]
    free = SIDE * _UNIT - 2 * radius
    centre = [radius + chance.between(0, 1 << 16) * free // (1 << 16) for _ in range(2)]
    u, v = _turned(_from(centre[0]), _from(centre[1]), turn)
    inside = np.empty((count, SIDE, SIDE), np.int32)
    for label, name in enumerate(CLASSES):
        rows = slice(label, None, len(CLASSES))
        inside[rows] = _covered(_distance(name, u[rows], v[rows], radius[rows, None, None]))
    images = _coloured(inside, chance)
    return images, labels


class _Chance:
    """Whole numbers from a stream that NumPy promises never to change."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._bits = np.random.PCG64(seed)

    def between(self, low: int, high: int) -> Ints:
        """Return a number of low…high-1 for each image."""
        raw = self._bits.random_raw(self._count) >> np.uint64(32)
        return (low + (raw * np.uint64(high - low) >> np.uint64(32)).astype(np.int64)).astype(
            np.int32
        )

    def noise(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """Return bytes, each equally likely."""
        size = int(np.prod(shape))
        raw = self._bits.random_raw(-(-size // 8)).astype("<u8")
        return raw.view(np.uint8)[:size].reshape(shape)


def _from(middle: Ints) -> Ints:
    """Return how far each row or column of pixels lies from the middle of each image's form."""
    centres = np.arange(SIDE, dtype=np.int32) * _UNIT + _UNIT // 2
    return centres - middle[:, None]


def _turned(down: Ints, right: Ints, turn: Ints) -> tuple[Ints, Ints]:
    """Return the places of all pixels, (n, 32, 32) each, along and across a turned form."""
    y, x = down[:, :, None], right[:, None, :]
    cosine, sine = turn[:, 0, None, None], turn[:, 1, None, None]
    return (cosine * x + sine * y) >> 10, (cosine * y - sine * x) >> 10


def _length(u: Ints, v: Ints) -> Ints:
    return np.sqrt((u * u + v * v).astype(np.float64)).astype(np.int32)


def _triangle(u: Ints, v: Ints, radius: Ints) -> Ints:
    """Return the distance from an equilateral triangle whose corners are `radius` away."""
    sides = [((a * u + b * v) >> 10) for a, b in _CORNERS]
    farthest: Ints = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
    return farthest - radius // 2


def _distance(name: str, u: Ints, v: Ints, radius: Ints) -> Ints:
    """Return how far each pixel lies outside a form (inside: less than 0), in sixteenths."""
    if name in ("square", "frame", "cross", "checks"):
        a, b = np.abs(u), np.abs(v)
        half = radius * 3 // 4  # the corners of the square reach beyond, to about the radius
        box: Ints = np.maximum(a, b) - half
        if name == "square":
            return box
        if name == "frame":
            return np.asarray(np.maximum(box, half // 2 - np.maximum(a, b)))
        if name == "checks":
            cell = half // 2
            odd = (u // cell + v // cell) & 1
            return np.where(odd == 1, np.maximum(box, -_UNIT), _UNIT)
        arm = radius // 4
        return np.asarray(
            np.minimum(np.maximum(a - radius, b - arm), np.maximum(b - radius, a - arm))
        )
    if name == "triangle":
        return _triangle(u, v, radius)
    if name == "star":
        return np.asarray(np.minimum(_triangle(u, v, radius), _triangle(u, -v, radius)))
    length = _length(u, v)
    disc = length - radius
    if name == "ring":
        return np.asarray(np.maximum(disc, radius // 2 - length))
    if name == "moon":
        return np.asarray(np.maximum(disc, radius * 7 // 8 - _length(u - radius // 2, v)))
    if name == "stripes":
        width = radius // 3
        return np.asarray(np.maximum(disc, np.abs(v % (2 * width) - width) - width // 2))
    return disc


def _covered(distance: Ints) -> Ints:
    """Return how much of each pixel a form covers, in sixteenths; the edge is a pixel wide."""
    return np.clip(_UNIT // 2 - distance, 0, _UNIT)


def _coloured(inside: Ints, chance: _Chance) -> npt.NDArray[np.uint8]:
    """Return the images: forms on a sloping background, with spots and noise."""
    count = len(inside)
    spots = np.zeros_like(inside)
    for _ in range(2):
        places = [chance.between(0, SIDE * _UNIT) for _ in range(2)]
        size = chance.between(_UNIT, 3 * _UNIT)[:, None, None]
        y, x = _from(places[0])[:, :, None], _from(places[1])[:, None, :]
        spots = np.maximum(spots, _covered(_length(x, y) - size))
    slope = [chance.between(-48, 49)[:, None] * np.arange(-SIDE, SIDE, 2) for _ in "yx"]
    ramp = (slope[0][:, :, None] + slope[1][:, None, :]) >> 6
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for channel in range(3):
        behind = chance.between(0, 256)
        span = 256 - 2 * _LEAST_CONTRAST
        form = (behind + _LEAST_CONTRAST + chance.between(0, span)) & 255
        spot = chance.between(0, 256)
        value = behind[:, None, None] + ramp
        for colour, cover in ((spot, spots), (form, inside)):
            value = value + ((colour[:, None, None] - value) * cover >> 4)
        noise = (chance.noise(inside.shape) >> (8 - _NOISE - 1)).astype(np.int32) - (1 << _NOISE)
        images[..., channel] = np.clip(value + noise, 0, 255)
    return images
