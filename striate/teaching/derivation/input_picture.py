"""The image on which the stages are computed: a bundled digit, or a file of the user's."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.ops.shapes import Shape

_DIGIT = 2  # the class of the digit: a "2", as in *From Convolution to Neural Network*


@short_repr
@dataclass(frozen=True)
class InputPicture:
    """An image in the requested size.

    Attributes:
        name: its source, and how it was resized.
        pixels: float64 (height, width, channels), from 0, black, to 1; numbers that the user gave
            may lie elsewhere.
    """

    name: str
    pixels: Array


def picture(image: Shape, on: str | os.PathLike[str] | None = None) -> InputPicture:
    """Load the image file `on`, or else a handwritten "2", stretched to the size of `image`.

    With one channel it is gray, with three it is in colour, with any other number each channel is
    the gray image.

    Raises:
        DataError: the file cannot be read.
    """
    height, width, channels = image
    colour = "rgb" if channels == 3 else "gray"
    if on is not None:
        from striate.data.images import decode_images

        decoded = decode_images(
            [os.fspath(on)], size=(height, width), colour=colour, mode="stretch"
        )
        pixels, name = decoded.images[0] / 255, f"{os.fspath(on)}"
    else:
        pixels, name = _digit((height, width), colour), "a handwritten 2 of the digits"
    real = np.asarray(pixels, np.float64)
    if channels not in (1, 3):
        real = np.repeat(real, channels, axis=2)
    return InputPicture(f"{name}, resized to {height}×{width}×{channels}", real)


def picture_of(values: Array, image: Shape) -> InputPicture:
    """The user's own numbers (height, width) or (height, width, channels) as the image."""
    return InputPicture("the given numbers", np.asarray(values, np.float64).reshape(image))


def _digit(size: tuple[int, int], colour: str) -> Array:
    from striate.data.dataset import LoadOptions
    from striate.data.digits import load_digits
    from striate.data.images import refit

    digits = load_digits(LoadOptions())
    where = int(np.flatnonzero(digits.train_labels == _DIGIT)[0])
    one = digits.train_images[where : where + 1].astype(np.float32) / 16
    return np.asarray(refit(one, size, colour, "stretch")[0])
