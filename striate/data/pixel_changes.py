"""What `striate.data.Augment` does to the pixels of images, once the random numbers are drawn.

All functions take images (n, height, width, channels), uint8 or floating, and one number or place
of each image. Where the results are not whole, those of uint8 are rounded and clipped to 0...255.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Images

GRAY = (0.299, 0.587, 0.114)
"""What red, green and blue add to the gray of a pixel, as in JPEG."""


def brighten(images: Images, factors: npt.NDArray[np.float64]) -> Images:
    """Multiply each image by its factor."""
    kind = np.float32 if images.dtype == np.uint8 else images.dtype
    changed: Images = images * factors.astype(kind)[:, None, None, None]
    if images.dtype != np.uint8:
        return changed
    np.rint(changed, out=changed)
    # No value is negative, so only the upper end needs a clip.
    np.minimum(changed, np.float32(255), out=changed)
    return changed.astype(np.uint8)


def move(images: Images, distance: int, fill: str | Array, places: npt.NDArray[np.intp]) -> Images:
    """Cut each image out of a padded copy, at its own place."""
    n, height, width, channels = images.shape
    d = distance
    if isinstance(fill, str):
        sides = ((0, 0), (d, d), (d, d), (0, 0))
        padded = np.pad(images, sides, mode="reflect" if fill == "reflect" else "edge")
    else:
        padded = np.empty((n, height + 2 * d, width + 2 * d, channels), images.dtype)
        padded[:, :d] = padded[:, d + height :] = fill
        padded[:, :, :d] = padded[:, :, d + width :] = fill
        padded[:, d : d + height, d : d + width] = images
    tops, lefts = places.tolist()
    moved = np.empty(images.shape, images.dtype)
    for after, before, y, x in zip(moved, padded, tops, lefts, strict=True):
        after[...] = before[y : y + height, x : x + width]
    return moved


def flip(images: Images, copy: bool, mirrored: npt.NDArray[np.bool_]) -> Images:
    """Mirror some of the images, in place unless a copy is asked for."""
    chosen = np.flatnonzero(mirrored)
    if copy:
        images = images.copy()
    before = images[chosen]
    after = np.empty_like(before)
    if before.shape[3] <= 4:
        # One channel at a time moves long rows instead of a few bytes at each pixel.
        for channel in range(before.shape[3]):
            after[..., channel] = before[:, :, ::-1, channel]
    else:
        after[...] = before[:, :, ::-1]
    images[chosen] = after
    return images


def cut(images: Images, side: int, fill: str | Array, squares: npt.NDArray[np.intp]) -> None:
    """Overwrite a square of each image, in place."""
    starts = np.maximum(squares, 0).T.tolist()
    ends = (squares + side).T.tolist()
    for image, (top, left), (bottom, right) in zip(images, starts, ends, strict=True):
        image[top:bottom, left:right] = fill


def stretch(images: Images, middle: Array, factors: npt.NDArray[np.float64]) -> Images:
    """Multiply the distance of each value from the middle, which is one per image or pixel."""
    kind = np.float32 if images.dtype == np.uint8 else images.dtype
    middle = middle.astype(kind)
    changed: Images = middle + (images - middle) * factors.astype(kind)[:, None, None, None]
    return _as_before(changed, images)


def means(images: Images) -> Array:
    """The mean of all values of each image, (n, 1, 1, 1)."""
    return np.asarray(images.mean(axis=(1, 2, 3), dtype=np.float64, keepdims=True))


def grays(images: Images) -> Array:
    """The gray of each pixel of RGB images, (n, height, width, 1)."""
    return np.asarray(images @ np.array(GRAY, np.float64)[:, None])


def turn(
    images: Images,
    angles: npt.NDArray[np.float64],
    zooms: npt.NDArray[np.float64],
    fill: str | Array,
) -> Images:
    """Turn each image about its middle, anticlockwise, and make it larger.

    A pixel of the result is where a point of the image comes to lie; its value is interpolated
    linearly between the four pixels around that point, of which those outside the image have the
    colour `fill`, or are the "edge" repeated, or the image mirrored ("reflect").

    Args:
        images: what to turn.
        angles: in degrees, (n,).
        zooms: by which factor, above 0, (n,).
        fill: "edge", "reflect" or one value per channel.
    """
    height, width, channels = images.shape[1:]
    kind = np.float32 if images.dtype == np.uint8 else images.dtype
    turned = np.empty(images.shape, kind)
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    down = np.repeat(np.arange(height) - middle_row, width)
    right = np.tile(np.arange(width) - middle_column, height)
    # A frame of the colour stands for all that is outside.
    frame = 0 if isinstance(fill, str) else 1
    framed = np.empty((height + 2 * frame, width + 2 * frame, channels), kind)
    if not isinstance(fill, str):
        framed[...] = fill
    inside = framed[frame : frame + height, frame : frame + width]
    pixels = framed.reshape(-1, channels)
    for image, result, angle, zoom in zip(
        images, turned, np.radians(angles).tolist(), zooms.tolist(), strict=True
    ):
        inside[...] = image
        # From a pixel of the result back to the point of the image: rows go downwards.
        cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
        rows = cosine * down + sine * right + middle_row
        columns = cosine * right - sine * down + middle_column
        tops, lefts = np.floor(rows), np.floor(columns)
        below, beside = (part.astype(kind)[:, None] for part in (rows - tops, columns - lefts))
        upper, lower = (_lines(tops, step, height, fill) * framed.shape[1] for step in (0, 1))
        first, second = (_lines(lefts, step, width, fill) for step in (0, 1))
        high, low = (
            _between(pixels.take(row + first, axis=0), pixels.take(row + second, axis=0), beside)
            for row in (upper, lower)
        )
        result[...] = _between(high, low, below).reshape(result.shape)
    return _as_before(turned, images)


def _between(first: Array, second: Array, share: Array) -> Array:
    """Linearly between two values; the first, to the bit, at a share of 0."""
    second -= first
    second *= share
    second += first
    return second


def _lines(at: Array, step: int, length: int, fill: str | Array) -> Array:
    """Which rows (or columns) stand for those at `at + step` of an image with so many."""
    lines = at.astype(np.intp) + step
    if isinstance(fill, str) and fill == "reflect":
        period = max(2 * (length - 1), 1)
        lines %= period
        return np.minimum(lines, period - lines)
    if isinstance(fill, str):
        return np.clip(lines, 0, length - 1, out=lines)
    return np.clip(lines, -1, length, out=lines) + 1


def _as_before(changed: Images, images: Images) -> Images:
    """In the type that images had."""
    if images.dtype != np.uint8:
        return changed
    np.rint(changed, out=changed)
    return np.clip(changed, 0, 255, out=changed).astype(np.uint8)
