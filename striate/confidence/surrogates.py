"""Images that are of no class, made of those of the training, to choose a score by.

What a network will be shown is not known; these are wrong in several ways, and none of them needs
images from elsewhere. Some may be of the known kind after all, as a mirrored photograph of a cat:
whoever uses them must look whether they can be told from known ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from striate.common.arrays import Array, Images

Generator = np.random.Generator

# Of bent images, as parts of a side: how far the most moved part moves, and how far one must go
# until parts move in another way (a standard deviation).
_FARTHEST, _SMOOTH = 0.28, 0.14


def surrogates(images: Images, labels: Array, count: int, rng: Generator) -> dict[str, Images]:
    """Images that are of no class, `count` of each kind, by the names of the kinds.

    Args:
        images: of the training, raw, (n, height, width, channels), two or more.
        labels: their class indices, (n,).
        count: how many to make of each kind.
        rng: the source of randomness.
    """
    white = float(images.max())
    made: dict[str, Images] = {}
    for name, maker in _MAKERS.items():
        rows = rng.integers(0, len(images), count)
        others = _of_other_classes(labels, rows, rng)
        changed = maker(images[rows], images[others], white, rng)
        made[name] = _like(changed, images.dtype, white)
    return made


def _of_other_classes(labels: Array, rows: Array, rng: Generator) -> Array:
    """For each of these rows one of another class, where there is one."""
    found = rng.integers(0, len(labels), len(rows))
    for _ in range(20):
        same = labels[found] == labels[rows]
        found[same] = rng.integers(0, len(labels), int(same.sum()))
    return found


def _noise(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Noise of several kinds: uniform, of the pixels of the images, coarse, smooth."""
    count, height, width, channels = images.shape
    made = np.empty(images.shape, np.float64)
    for row in range(count):
        kind = row % 4
        if kind == 0:
            made[row] = rng.uniform(0, white, (height, width, channels))
        elif kind == 1:
            pixels = images[row].reshape(-1, channels)
            made[row] = pixels[rng.permutation(len(pixels))].reshape(height, width, channels)
        else:
            cell = int(rng.integers(2, max(3, min(height, width) // 2 + 1)))
            coarse = rng.uniform(
                0, white, (-(-height // cell) + 1, -(-width // cell) + 1, channels)
            )
            made[row] = _enlarged(coarse, cell, smooth=kind == 3)[:height, :width]
    return made


def _permuted(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Squares of each image in another order."""
    made = np.asarray(images, np.float64).copy()
    _, height, width, _ = images.shape
    for image in made:
        parts = int(rng.integers(2, 5))
        tall, wide = height // parts, width // parts
        if not tall or not wide:
            continue
        cells = [(y * tall, x * wide) for y in range(parts) for x in range(parts)]
        before = image.copy()
        for (y, x), place in zip(cells, rng.permutation(len(cells)), strict=True):
            top, left = cells[place]
            image[y : y + tall, x : x + wide] = before[top : top + tall, left : left + wide]
    return made


def _inverted(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Black for white."""
    return white - np.asarray(images, np.float64)


def _blended(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Two images of different classes over each other: their mean, or the brighter pixels."""
    one, other = np.asarray(images, np.float64), np.asarray(others, np.float64)
    mean = (np.arange(len(one)) % 2 == 0)[:, None, None, None]
    return np.where(mean, (one + other) / 2, np.maximum(one, other))


def _joined(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """One half of an image and the other half of another class."""
    made, other = np.asarray(images, np.float64).copy(), np.asarray(others, np.float64)
    _, height, width, _ = made.shape
    for row, image in enumerate(made):
        if row % 2:
            image[height // 2 :] = other[row, height // 2 :]
        else:
            image[:, width // 2 :] = other[row, :, width // 2 :]
    return made


def _scaled(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """A quarter of the image made as large as all of it, or four of it side by side."""
    made = np.asarray(images, np.float64).copy()
    _, height, width, _ = made.shape
    for row, image in enumerate(made):
        before = image.copy()
        if row % 2:
            small = before[::2, ::2]
            tiled = np.tile(small, (2, 2, 1))
            image[...] = tiled[:height, :width]
        else:
            top = int(rng.integers(0, height - height // 2 + 1)) if height > 1 else 0
            left = int(rng.integers(0, width - width // 2 + 1)) if width > 1 else 0
            part = before[top : top + max(1, height // 2 + 1), left : left + max(1, width // 2 + 1)]
            large = _enlarged(part, 2, smooth=False)
            image[: large.shape[0], : large.shape[1]] = large[:height, :width]
    return made


def _turned(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Turned by one, two or three quarters; by two where the sides are of different length."""
    made = np.asarray(images, np.float64).copy()
    square = made.shape[1] == made.shape[2]
    for row, image in enumerate(made):
        image[...] = np.rot90(images[row], 1 + row % 3 if square else 2)
    return made


def _mirrored(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Left and right exchanged, or top and bottom."""
    across = (np.arange(len(images)) % 2 == 0)[:, None, None, None]
    return np.where(across, images[:, :, ::-1], images[:, ::-1]).astype(np.float64)


def _bent(images: Array, others: Array, white: float, rng: Generator) -> Array:
    """Every part of the image moved, by up to some quarter of its size, neighbours alike."""
    made = np.empty(images.shape, np.float64)
    _, height, width, channels = images.shape
    places = np.indices((height, width)).astype(np.float64)
    for row, image in enumerate(images):
        moved = places.copy()
        for axis, side in enumerate((height, width)):
            shift = gaussian_filter(rng.normal(size=(height, width)), _SMOOTH * side)
            moved[axis] += _FARTHEST * side * shift / max(float(np.abs(shift).max()), 1e-30)
        for channel in range(channels):
            made[row, ..., channel] = map_coordinates(
                image[..., channel].astype(np.float64), moved, order=1, mode="nearest"
            )
    return made


_MAKERS: dict[str, Callable[[Array, Array, float, Generator], Array]] = {
    "noise": _noise,
    "squares in another order": _permuted,
    "inverted": _inverted,
    "two blended": _blended,
    "two halves": _joined,
    "another scale": _scaled,
    "turned": _turned,
    "mirrored": _mirrored,
    "bent": _bent,
}
KINDS = tuple(_MAKERS)
"""The names of the kinds."""


def _enlarged(image: Array, by: int, *, smooth: bool) -> Array:
    """An image (height, width, channels) that is larger by a whole factor; `smooth`: interpolated
    linearly between the pixels.
    """
    if not smooth:
        return image.repeat(by, axis=0).repeat(by, axis=1)
    for axis in (0, 1):
        length = image.shape[axis]
        places = np.linspace(0, length - 1, (length - 1) * by + 1)
        low = np.minimum(places.astype(np.intp), length - 1)
        part = (places - low).reshape(-1, *([1] * (image.ndim - axis - 1)))
        near = np.take(image, low, axis=axis)
        far = np.take(image, np.minimum(low + 1, length - 1), axis=axis)
        image = near * (1 - part) + far * part
    return image


def _like(images: Array, dtype: np.dtype[Any], white: float) -> Images:
    """Values of 0...white in the type of the images."""
    if dtype.kind in "bui":
        return np.clip(np.rint(images), 0, white).astype(dtype)
    return images.astype(dtype)
