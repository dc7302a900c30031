"""Random changes to training images that leave their class as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Images
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.short_repr import short_repr

Fill = float | str | tuple[float, ...]


@short_repr
@dataclass(frozen=True)
class Draw:
    """What was drawn for each of n images; None where nothing was to be drawn.

    Attributes:
        factors: to multiply by, (n,).
        shifts, crops: first row and column of what is cut out of the padded image, (2, n).
        mirrored: whether left and right change places, (n,).
        squares: first row and column of what is overwritten, maybe outside the image, (2, n).
    """

    factors: npt.NDArray[np.float64] | None = None
    shifts: npt.NDArray[np.intp] | None = None
    crops: npt.NDArray[np.intp] | None = None
    mirrored: npt.NDArray[np.bool_] | None = None
    squares: npt.NDArray[np.intp] | None = None


@dataclass(frozen=True)
class Augment:
    """Changes images at random, each by its own draw, in the order of the attributes.

    Attributes:
        brightness: multiply by a factor drawn from 1 ± this, 0...1; uint8 is rounded and clipped.
        shift: move by up to this many pixels each way; new pixels get `fill`.
        crop: the same with `padding`: what is known as padding by so many pixels on each side
            and cutting out the old size anywhere. "reflect" mirrors about the edge pixel.
        flip: mirror left and right, every second image on average; or "alternate": each image in
            every second epoch, one half of them beginning mirrored, so that both views of every
            image are seen in any two epochs (Jordan, arXiv:2404.00498, section 3.6). Not for
            digits and letters.
        cutout: overwrite a square of this side with `cutout_fill`. Its centre may be any pixel,
            so that the square may reach over the edge (DeVries and Taylor, arXiv:1708.04552).
        fill, padding: "edge" (repeat the edge), "reflect", "mean" (of each channel over the
            batch), a number, or one number per channel, in the unit of the raw pixels.
        cutout_fill: the same without "edge" and "reflect".

    Raises:
        ValueError, TypeError: an attribute is out of range or of another type.
    """

    shift: int = 0
    flip: bool | Literal["alternate"] = False
    crop: int = 0
    cutout: int = 0
    brightness: float = 0.0
    fill: Fill = 0.0
    padding: Fill = 0.0
    cutout_fill: Fill = "mean"

    def __post_init__(self) -> None:
        for name in ("shift", "crop", "cutout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise StriateTypeError(f"Augment: {name} must be a whole number, got {value!r}")
            if value < 0:
                raise StriateValueError(f"Augment: {name} must be 0 or more pixels, got {value}")
            object.__setattr__(self, name, int(value))
        if isinstance(self.flip, str):
            if self.flip != "alternate":
                raise StriateValueError(
                    f'Augment: flip must be True, False or "alternate", got {self.flip!r}'
                )
        elif not isinstance(self.flip, (bool, np.bool_)):
            raise StriateTypeError(
                f'Augment: flip must be True, False or "alternate", got {self.flip!r}'
            )
        else:
            object.__setattr__(self, "flip", bool(self.flip))
        object.__setattr__(self, "brightness", _number(self.brightness, "brightness"))
        if not 0 <= self.brightness <= 1:
            raise StriateValueError(f"Augment: brightness must be of 0...1, got {self.brightness}")
        moving = ("mean", "edge", "reflect")
        for name, words in (("fill", moving), ("padding", moving), ("cutout_fill", ("mean",))):
            object.__setattr__(self, name, _fill(getattr(self, name), name, words))

    @property
    def changes_nothing(self) -> bool:
        """True if images come back as they are."""
        return not (self.shift or self.flip or self.crop or self.cutout or self.brightness)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description; ``Augment(**description)`` reads it back."""
        names = ("shift", "flip", "crop", "cutout", "brightness", "fill", "padding", "cutout_fill")
        values = {name: getattr(self, name) for name in names}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}

    def __call__(
        self,
        images: Images,
        rng: np.random.Generator,
        *,
        epoch: int | None = None,
        keys: Array | None = None,
    ) -> Images:
        """Return changed copies of the images; the input stays as it is.

        Args:
            images: uint8 or floating, (n, height, width, channels), in raw pixel units.
            rng: the source of randomness: the same state gives the same images.
            epoch, keys: for flip="alternate": the number of the epoch, and a whole number of each
                image, the same in all epochs; an odd one begins mirrored. Training gives both.

        Returns:
            An array of the same shape and dtype; `images` itself where nothing is changed.

        Raises:
            ValueError, TypeError: images of another shape or type, or too small for `shift` or
                `crop`; no epoch or keys where they are needed.
        """
        self.check(images)
        if self.changes_nothing or not len(images):
            return images
        height, width = images.shape[1:3]
        draw = self.draw(len(images), height, width, rng, epoch=epoch, keys=keys)
        return self.apply(images, draw)

    def draw(
        self,
        count: int,
        height: int,
        width: int,
        rng: np.random.Generator,
        *,
        epoch: int | None = None,
        keys: Array | None = None,
    ) -> Draw:
        """Draw for `count` images of a size; see `__call__` for the arguments."""
        factors = shifts = crops = mirrored = squares = None
        if self.brightness:
            factors = rng.uniform(1 - self.brightness, 1 + self.brightness, count)
        if self.shift:
            shifts = rng.integers(0, 2 * self.shift + 1, (2, count))
        if self.crop:
            crops = rng.integers(0, 2 * self.crop + 1, (2, count))
        if self.flip == "alternate":
            if epoch is None or keys is None:
                raise StriateValueError(
                    'Augment: flip="alternate" needs the epoch and a key of each image, which '
                    "training gives it; elsewhere pass epoch and keys, or use flip=True"
                )
            mirrored = (np.asarray(keys) + epoch) % 2 == 1
        elif self.flip:
            mirrored = rng.random(count) < 0.5
        if self.cutout:
            # With an even side there is no middle pixel: the centre is the one below the middle.
            centres = [rng.integers(0, height, count), rng.integers(0, width, count)]
            squares = np.stack(centres) - self.cutout // 2
        return Draw(factors, shifts, crops, mirrored, squares)

    def apply(self, images: Images, draw: Draw) -> Images:
        """Return copies of the images, changed as was drawn.

        It is the textbook of what the compiled engine does while it loads a batch.
        """
        source = images
        if draw.factors is not None:
            images = _brighten(images, draw.factors)
        if draw.shifts is not None:
            images = _move(images, self.shift, _values(self.fill, source), draw.shifts)
        if draw.crops is not None:
            images = _move(images, self.crop, _values(self.padding, source), draw.crops)
        if draw.mirrored is not None:
            images = _flip(images, images is source, draw.mirrored)
        if draw.squares is not None:
            images = images.copy() if images is source else images
            _cut(images, self.cutout, _values(self.cutout_fill, source), draw.squares)
        return images

    def check(self, images: Images) -> None:
        """Raise ValueError or TypeError if images are not of a shape and type to be changed."""
        if not isinstance(images, np.ndarray) or images.ndim != 4:
            shape = getattr(images, "shape", type(images).__name__)
            raise StriateValueError(
                f"Augment: images must have the shape (n, height, width, channels), got {shape}"
            )
        if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
            raise StriateTypeError(f"Augment: images must be uint8 or floating, got {images.dtype}")
        for name in ("shift", "crop"):
            distance = getattr(self, name)
            if distance and distance >= min(images.shape[1:3]):
                raise StriateValueError(
                    f"Augment: {name}={distance} moves images of {images.shape[1]} × "
                    f"{images.shape[2]} pixels out of sight; it must be below "
                    f"{min(images.shape[1:3])}"
                )


def _brighten(images: Images, factors: npt.NDArray[np.float64]) -> Images:
    kind = np.float32 if images.dtype == np.uint8 else images.dtype
    changed: Images = images * factors.astype(kind)[:, None, None, None]
    if images.dtype != np.uint8:
        return changed
    np.rint(changed, out=changed)
    # No value is negative, so only the upper end needs a clip.
    np.minimum(changed, np.float32(255), out=changed)
    return changed.astype(np.uint8)


def _move(images: Images, distance: int, fill: str | Array, places: npt.NDArray[np.intp]) -> Images:
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


def _flip(images: Images, copy: bool, mirrored: npt.NDArray[np.bool_]) -> Images:
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


def _cut(images: Images, side: int, fill: str | Array, squares: npt.NDArray[np.intp]) -> None:
    """Overwrite a square of each image, in place."""
    starts = np.maximum(squares, 0).T.tolist()
    ends = (squares + side).T.tolist()
    for image, (top, left), (bottom, right) in zip(images, starts, ends, strict=True):
        image[top:bottom, left:right] = fill


def _values(fill: Fill, images: Images) -> str | Array:
    """Return what a fill stands for: "edge", "reflect" or one value per channel."""
    channels = images.shape[3]
    if fill == "mean":
        # Summed over the images first, as that adds long rows; in a type that cannot overflow.
        wide = np.uint32 if images.dtype == np.uint8 else np.float64
        sums = np.add.reduce(images, axis=0, dtype=wide).reshape(-1, channels).sum(axis=0)
        return fill_values(sums / (images.size / channels), images)
    return str(fill) if isinstance(fill, str) else fill_values(fill, images)


def fill_values(fill: float | tuple[float, ...] | Array, images: Images) -> Array:
    """Return one value per channel, as such images hold it, for a number or one per channel."""
    channels = images.shape[3]
    values = np.atleast_1d(np.asarray(fill, dtype=np.float64))
    if len(values) not in (1, channels):
        raise StriateValueError(
            f"Augment: the fill {fill} is for {len(values)} channels, the images have {channels}"
        )
    if images.dtype == np.uint8:
        values = np.clip(np.rint(values), 0, 255)
    return np.broadcast_to(values.astype(images.dtype), (channels,))


def _number(value: Any, name: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise StriateTypeError(f"Augment: {name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise StriateValueError(f"Augment: {name} must be finite, got {value!r}")
    return float(value)


def _fill(value: Any, name: str, words: tuple[str, ...]) -> Fill:
    if isinstance(value, str):
        if value not in words:
            known = ", ".join(f'"{word}"' for word in words)
            raise StriateValueError(f"Augment: {name} must be {known} or numbers, got {value!r}")
        return value
    if isinstance(value, (Sequence, np.ndarray)):
        if not len(value):
            raise StriateValueError(
                f"Augment: {name} must have a number for each channel, got none"
            )
        return tuple(_number(part, name) for part in value)
    return _number(value, name)
