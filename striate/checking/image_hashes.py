"""Perceptual hashes: what an image looks like at low frequencies, as a vector.

The two-dimensional cosine transform of the gray image (DCT-II), its lowest frequencies without the
mean, is what the usual perceptual hashes keep the signs of (Zauner, "Implementation and
benchmarking of perceptual image hash functions", 2010). The numbers themselves tell more than their
signs, and their products are the similarities of all pairs. Frequencies count waves per image, so
copies of other sizes have the same vector, but for rounding; copies that were compressed differ in
the high frequencies most; and in a mirror image the odd horizontal frequencies change their signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.full_frames import FullFrames
from striate.common.arrays import Floats, Images
from striate.common.short_repr import short_repr
from striate.data.dataset import OnProgress

COARSE = 8
"""Frequencies in each direction by which pairs are found."""
FINE = 16
"""Frequencies in each direction by which they are compared."""
COLOURS = 4
"""Frequencies in each direction of the two differences of colours."""
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)


@short_repr
@dataclass(frozen=True, eq=False)
class ImageHashes:
    """Low frequencies of images, in levels of 0...255.

    Attributes:
        gray: (n, FINE, FINE) float32, of which [:, 0, 0] is the mean; less of small images.
        colour: (n, 2, COLOURS, COLOURS) float32, red and blue less gray; (n, 0, ...) of gray ones.
    """

    gray: Floats
    colour: Floats

    def __len__(self) -> int:
        return len(self.gray)

    def coarse(self) -> Floats:
        """The lowest frequencies but the mean, of length 1, (n, at most COARSE² - 1).

        All are 0 where the image has nothing at these frequencies.
        """
        low = self.gray[:, :COARSE, :COARSE].reshape(len(self), -1)[:, 1:]
        return _unit(low)

    def coarse_signs(self) -> Floats:
        """What each of the `coarse` numbers is multiplied by in a mirror image: 1 or -1."""
        _, high, wide = self.gray[:1, :COARSE, :COARSE].shape
        return np.tile(_alternating(wide), high)[1:]

    def contrast(self) -> Floats:
        """The standard deviation of the coarse image, (n,)."""
        low = self.gray[:, :COARSE, :COARSE].reshape(len(self), -1)[:, 1:]
        contrast: Floats = np.sqrt(np.einsum("nk,nk->n", low, low))
        return contrast


def image_hashes(
    checked: CheckedImages,
    frames: FullFrames | None = None,
    progress: OnProgress | None = None,
    rows: Rows | None = None,
) -> ImageHashes:
    """Return the hashes of all images.

    Args:
        checked: the images.
        frames: the whole pictures of those that were cut or padded to their size.
        progress: called with (done, total, text).
        rows: ascending, of the images to look at; all numbers of the others are 0, as those of
            images without contrast. None for all.
    """
    high, wide, channels = checked.shape
    count = len(checked)
    made = np.empty if rows is None else np.zeros
    gray = made((count, min(FINE, high), min(FINE, wide)), np.float32)
    colours = 2 if channels == 3 else 0
    colour = made((count, colours, min(COLOURS, high), min(COLOURS, wide)), np.float32)
    scale = _scale(checked)
    for start, images in checked.chunks():
        stop = start + len(images)
        some: slice | Rows = slice(start, stop)
        if rows is not None:
            some = rows[slice(*np.searchsorted(rows, (start, stop)))]
            if not len(some):
                continue
            if len(some) < len(images):
                images = images[some - start]
        gray[some], colour[some] = _transformed(images, scale, gray.shape[1:], colour.shape[2:])
        if progress is not None:
            progress(stop, count, "hashing images")
    if frames is not None:
        for places, images in frames.chunks():
            # The same frequencies as those of the others, which may be smaller.
            gray[places], colour[places] = _transformed(
                images, 1.0, gray.shape[1:], colour.shape[2:]
            )
    return ImageHashes(gray, colour)


def _scale(checked: CheckedImages) -> float:
    """What values are multiplied by to be of 0...255, or of about that."""
    if checked.white is not None:
        return 255 / checked.white
    largest = max(
        (float(np.abs(images).max()) for _, images in checked.chunks() if images.size), default=1.0
    )
    return 255 / (largest or 1.0)


def _transformed(
    images: Images,
    scale: float,
    frequencies: tuple[int, ...],
    of_colour: tuple[int, ...],
) -> tuple[Floats, Floats]:
    """Return `ImageHashes.gray` and `.colour` of some images, (n, height, width, channels): the
    squares of the numbers are the shares of the variance, and [:, 0, 0] is the mean.
    """
    count, height, width, channels = images.shape
    (high, wide), (high_colour, wide_colour) = frequencies, of_colour
    # Channels are mixed and rows transformed by one product: it reads the pixels once.
    mixed, tints = (_GRAY, np.eye(3, dtype=np.float32)[[0, 2]] - _GRAY) if channels == 3 else (
        np.full(channels, 1 / channels, np.float32), np.empty((0, channels), np.float32)
    )  # fmt: skip
    numbers = [(mixed, wide), *((tint, wide_colour) for tint in tints)]
    matrix = np.concatenate(
        [np.kron(_cosines(width, each).T, weights[:, None]) for weights, each in numbers], axis=1
    )
    values = images.reshape(count * height, width * channels).astype(np.float32)
    across = (values @ (matrix * np.float32(scale))).reshape(count, height, matrix.shape[1])
    down = _cosines(height, high)
    gray: Floats = np.matmul(down, across[:, :, :wide])
    of_tints = np.matmul(down[:high_colour], across[:, :, wide:])
    colour = of_tints.reshape(count, high_colour, len(tints), wide_colour).transpose(0, 2, 1, 3)
    return gray, colour


def _cosines(length: int, frequencies: int) -> Floats:
    """The rows of the orthonormal DCT-II, divided by the root of its length."""
    places = (np.arange(length) + 0.5) * (np.pi / length)
    rows = np.cos(np.arange(frequencies)[:, None] * places)
    rows *= np.where(np.arange(frequencies) == 0, 1.0, np.sqrt(2.0))[:, None] / length
    return rows.astype(np.float32)


def _alternating(count: int) -> Floats:
    """1, -1, 1, ...: what a mirror makes of the frequencies across."""
    return np.where(np.arange(count) % 2, -1, 1).astype(np.float32)


def mirrored(numbers: Floats) -> Floats:
    """The low frequencies (..., high, wide) of the mirror images."""
    return numbers * _alternating(numbers.shape[-1])


def _unit(vectors: Floats) -> Floats:
    """Vectors (n, k) of length 1; those that are nearly 0 become 0."""
    lengths = np.sqrt(np.einsum("nk,nk->n", vectors, vectors))[:, None]
    return np.where(lengths > LEAST_CONTRAST, vectors / np.maximum(lengths, 1e-6), 0)


LEAST_CONTRAST = 1.0
"""Levels of standard deviation below which an image is too flat to be told from others."""
