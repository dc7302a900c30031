"""RandAugment: some operations out of fourteen, drawn for each image, all of one strength.

E. D. Cubuk, B. Zoph, J. Shlens and Q. V. Le, "RandAugment: Practical automated data augmentation
with a reduced search space" (arXiv:1909.13719). Operations and their strengths are those of
torchvision's RandAugment, which are carried out by Pillow there, too: strength 0 leaves the image
nearly as it is, 30 is the most.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Images

if TYPE_CHECKING:
    from PIL import Image as Pillow

MOST = 30
"""The largest magnitude."""

Picture: TypeAlias = "Pillow.Image"
Operation: TypeAlias = Callable[[Picture, float, tuple[int, ...]], Picture]


def draw_operations(count: int, images: int, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """Draw `count` operations for each of some images, (images, count).

    Each is its place in `OPERATIONS` and one more, negative where it goes the other way, as every
    second one of those does that can.
    """
    chosen = rng.integers(1, len(OPERATIONS) + 1, (images, count), dtype=np.int8)
    other_way = rng.random((images, count)) < 0.5
    return np.where(other_way, -chosen, chosen).astype(np.int8)


def apply_operations(
    images: Images, operations: npt.NDArray[np.int8], magnitude: int, fill: Array
) -> Images:
    """Return changed copies of images.

    Args:
        images: uint8 (n, height, width, 1 or 3).
        operations: (n, count); see `draw_operations`.
        magnitude: 0...30.
        fill: uint8, one value per channel, of new pixels.
    """
    from PIL import Image

    result = np.empty_like(images)
    colour = tuple(fill.tolist())
    for image, chosen, after in zip(images, operations.tolist(), result, strict=True):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        for number in chosen:
            name, strength, signed = OPERATIONS[abs(number) - 1]
            amount = strength(magnitude / MOST, image.shape)
            picture = _CHANGES[name](picture, -amount if signed and number < 0 else amount, colour)
        after[...] = np.asarray(picture).reshape(after.shape)
    return result


def _affine(picture: Picture, amount: float, fill: tuple[int, ...], *, place: int) -> Picture:
    """The affine map (1, 0, 0, 0, 1, 0), from a pixel of the result to one of the picture, with
    the amount at a place.
    """
    from PIL import Image

    numbers = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    numbers[place] = amount
    colour = fill if picture.mode == "RGB" else fill[0]
    return picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        tuple(numbers),
        resample=Image.Resampling.NEAREST,
        fillcolor=colour,
    )


def _moved(picture: Picture, amount: float, fill: tuple[int, ...], *, place: int) -> Picture:
    return _affine(picture, -float(int(amount)), fill, place=place)


def _rotated(picture: Picture, amount: float, fill: tuple[int, ...]) -> Picture:
    return picture.rotate(amount, fillcolor=fill if picture.mode == "RGB" else fill[0])


def _enhanced(picture: Picture, amount: float, fill: tuple[int, ...], *, what: str) -> Picture:
    from PIL import ImageEnhance

    changed: Picture = getattr(ImageEnhance, what)(picture).enhance(1.0 + amount)
    return changed


def _changed(picture: Picture, amount: float, fill: tuple[int, ...], *, what: str) -> Picture:
    from PIL import ImageOps

    operation = getattr(ImageOps, what)
    if what == "posterize":
        picture = operation(picture, int(amount))
    elif what == "solarize":
        picture = operation(picture, amount)
    else:
        picture = operation(picture)
    return picture


def _same(picture: Picture, amount: float, fill: tuple[int, ...]) -> Picture:
    return picture


_CHANGES: dict[str, Operation] = {
    "identity": _same,
    "shear x": partial(_affine, place=1),
    "shear y": partial(_affine, place=3),
    "translate x": partial(_moved, place=2),
    "translate y": partial(_moved, place=5),
    "rotate": _rotated,
    "brightness": partial(_enhanced, what="Brightness"),
    "colour": partial(_enhanced, what="Color"),
    "contrast": partial(_enhanced, what="Contrast"),
    "sharpness": partial(_enhanced, what="Sharpness"),
    "posterize": partial(_changed, what="posterize"),
    "solarize": partial(_changed, what="solarize"),
    "auto contrast": partial(_changed, what="autocontrast"),
    "equalize": partial(_changed, what="equalize"),
}

# Of each operation: its name; its amount for a strength of 0...1 and the shape of the image; and
# whether it goes both ways. Moves are up to 150 pixels of 331, as in the paper's networks.
OPERATIONS: tuple[tuple[str, Callable[[float, tuple[int, ...]], float], bool], ...] = (
    ("identity", lambda strength, shape: 0.0, False),
    ("shear x", lambda strength, shape: 0.3 * strength, True),
    ("shear y", lambda strength, shape: 0.3 * strength, True),
    ("translate x", lambda strength, shape: 150 / 331 * shape[1] * strength, True),
    ("translate y", lambda strength, shape: 150 / 331 * shape[0] * strength, True),
    ("rotate", lambda strength, shape: 30.0 * strength, True),
    ("brightness", lambda strength, shape: 0.9 * strength, True),
    ("colour", lambda strength, shape: 0.9 * strength, True),
    ("contrast", lambda strength, shape: 0.9 * strength, True),
    ("sharpness", lambda strength, shape: 0.9 * strength, True),
    ("posterize", lambda strength, shape: 8.0 - round(4 * strength), False),
    ("solarize", lambda strength, shape: 255.0 * (1 - strength), False),
    ("auto contrast", lambda strength, shape: 0.0, False),
    ("equalize", lambda strength, shape: 0.0, False),
)
"""The operations of RandAugment."""
