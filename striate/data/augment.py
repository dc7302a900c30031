"""Random changes to training images that leave their class as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Images
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.short_repr import short_repr
from striate.data.mixing import Mixing, draw_mixing
from striate.data.photo_changes import cut_and_resize, draw_parts, turn_hues
from striate.data.pixel_changes import brighten, cut, flip, grays, means, move, stretch, turn
from striate.data.randaugment import MOST as MOST_MAGNITUDE
from striate.data.randaugment import apply_operations, draw_operations

Fill = float | str | tuple[float, ...]

CHANGES = (
    "brightness", "contrast", "saturation", "hue", "rotate", "zoom", "resized_crop", "shift",
    "crop", "flip", "randaugment", "cutout", "mixup", "cutmix",
)  # fmt: skip
"""The attributes of `Augment` that change images, unless they are 0 or False."""
FUSED = ("brightness", "shift", "crop", "flip", "cutout")
"""Those that the compiled engine knows."""
MIXING = ("mixup", "cutmix")
"""Those that mix images, and their targets with them."""
_MOST = {
    "brightness": 1, "contrast": 1, "saturation": 1, "rotate": 180, "zoom": 3, "hue": 0.5,
    "resized_crop": 1, "mixup": 100, "cutmix": 100,
}  # fmt: skip
_MOST_OPERATIONS = 14


@short_repr
@dataclass(frozen=True)
class Draw:
    """What was drawn for each of n images; None where nothing was to be drawn.

    Attributes:
        factors: to multiply by, (n,).
        contrasts, saturations: to multiply distances from the mean and from gray by, (n,).
        angles, zooms: degrees, anticlockwise, and a factor, (n,); both or none.
        shifts, crops: first row and column of what is cut out of the padded image, (2, n).
        mirrored: whether left and right change places, (n,).
        squares: first row and column of what is overwritten, maybe outside the image, (2, n).
        hues: by which share of the circle of colours, (n,).
        parts: top, left, height and width of what becomes the whole image, (n, 4).
        operations: of RandAugment, (n, their number); see `striate.data.randaugment`.
    """

    factors: npt.NDArray[np.float64] | None = None
    shifts: npt.NDArray[np.intp] | None = None
    crops: npt.NDArray[np.intp] | None = None
    mirrored: npt.NDArray[np.bool_] | None = None
    squares: npt.NDArray[np.intp] | None = None
    contrasts: npt.NDArray[np.float64] | None = None
    saturations: npt.NDArray[np.float64] | None = None
    angles: npt.NDArray[np.float64] | None = None
    zooms: npt.NDArray[np.float64] | None = None
    hues: npt.NDArray[np.float64] | None = None
    parts: npt.NDArray[np.intp] | None = None
    operations: npt.NDArray[np.int8] | None = None

    def rows(self, start: int, stop: int) -> Draw:
        """What was drawn for the images from `start` up to `stop`."""
        both = ("shifts", "crops", "squares")  # rows and columns come first
        drawn = {field.name: getattr(self, field.name) for field in fields(self)}
        return Draw(
            **{
                name: value[:, start:stop] if name in both else value[start:stop]
                for name, value in drawn.items()
                if value is not None
            }
        )


@dataclass(frozen=True)
class Augment:
    """Changes images at random, each by its own draw, in the order of `CHANGES`.

    Values of uint8 images are rounded and clipped to 0...255 after each step.

    Attributes:
        brightness: multiply by a factor drawn from 1 ± this, 0...1.
        contrast: multiply the distance of each value from the mean of its image by a factor drawn
            from 1 ± this, 0...1.
        saturation: multiply the distance of each value from the gray of its pixel (0.299 red +
            0.587 green + 0.114 blue) by a factor drawn from 1 ± this, 0...1; for 3 channels only.
        rotate: turn about the middle by an angle drawn from ± this many degrees, 0...180; values
            between pixels are interpolated linearly, new pixels get `fill`.
        zoom: make larger or smaller, about the middle, by a factor from 1 / (1 + this) to 1 + this,
            0...3, whose logarithm is uniform: 0.25 is from 80 % to 125 %. In one step with
            `rotate`.
        shift: move by up to this many pixels each way; new pixels get `fill`.
        crop: the same with `padding`: what is known as padding by so many pixels on each side
            and cutting out the old size anywhere. "reflect" mirrors about the edge pixel.
        flip: mirror left and right, every second image on average; or "alternate": each image in
            every second epoch, one half of them beginning mirrored, so that both views of every
            image are seen in any two epochs (Jordan, arXiv:2404.00498, section 3.6). Not for
            digits and letters.
        cutout: overwrite a square of this side with `cutout_fill`. Its centre may be any pixel,
            so that the square may reach over the edge (DeVries and Taylor, arXiv:1708.04552).
        hue: turn the hue of all pixels by a share of the circle of colours drawn from ± this,
            0...0.5; for 3 channels only.
        resized_crop: cut out a part of this share of the area, 0...1, up to all of it, of an aspect
            (width / height) from 3/4 to 4/3, and bring it to the size of the image; 0 leaves the
            image whole, and 0.08 is usual for photographs (Szegedy and others, arXiv:1409.4842).
        randaugment: so many operations of RandAugment (Cubuk and others, arXiv:1909.13719), such
            as shearing, turning, colours and contrast; for uint8 images of 1 or 3 channels.
        magnitude: how strong these are, 0...30.
        mixup: blend each image with another one of its batch, targets alike, by a share drawn from
            the beta distribution of this and this, 0...100 (Zhang and others, arXiv:1710.09412);
            0.2 is usual.
        cutmix: paste a rectangle of another image into each, and mix the targets by the area (Yun
            and others, arXiv:1905.04899); the share is drawn as for mixup, and 1 is usual. With
            mixup each image is mixed by one of the two, which is drawn.
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
    rotate: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    resized_crop: float = 0.0
    randaugment: int = 0
    magnitude: int = 9
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name in ("shift", "crop", "cutout", "randaugment", "magnitude"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise StriateTypeError(f"Augment: {name} must be a whole number, got {value!r}")
            limit = {"randaugment": _MOST_OPERATIONS, "magnitude": MOST_MAGNITUDE}.get(name)
            if limit is not None and not 0 <= value <= limit:
                raise StriateValueError(f"Augment: {name} must be of 0...{limit}, got {value}")
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
        for name, most in _MOST.items():
            value = _number(getattr(self, name), name)
            if not 0 <= value <= most:
                raise StriateValueError(f"Augment: {name} must be of 0...{most}, got {value}")
            object.__setattr__(self, name, value)
        moving = ("mean", "edge", "reflect")
        for name, words in (("fill", moving), ("padding", moving), ("cutout_fill", ("mean",))):
            object.__setattr__(self, name, _fill(getattr(self, name), name, words))

    @property
    def changes_nothing(self) -> bool:
        """True if images come back as they are."""
        return not any(getattr(self, name) for name in CHANGES)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description; ``Augment(**description)`` reads it back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}

    @unwatched
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
                `crop`; no epoch or keys where they are needed; mixup or cutmix.
        """
        if self.mixes:
            raise StriateValueError(
                "Augment: mixup and cutmix mix the targets, too: give it to training as `augment`, "
                "or take `changed`, then `draw_mixing`"
            )
        return self.changed(images, rng, epoch=epoch, keys=keys)

    def changed(
        self,
        images: Images,
        rng: np.random.Generator,
        *,
        epoch: int | None = None,
        keys: Array | None = None,
    ) -> Images:
        """Return changed copies, which are not mixed; see `__call__`."""
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
        contrasts = saturations = angles = zooms = hues = parts = operations = None
        if self.brightness:
            factors = rng.uniform(1 - self.brightness, 1 + self.brightness, count)
        if self.contrast:
            contrasts = rng.uniform(1 - self.contrast, 1 + self.contrast, count)
        if self.saturation:
            saturations = rng.uniform(1 - self.saturation, 1 + self.saturation, count)
        if self.rotate or self.zoom:
            angles = self.rotate * rng.uniform(-1.0, 1.0, count)
            zooms = np.exp(math.log1p(self.zoom) * rng.uniform(-1.0, 1.0, count))
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
        # What was added later is drawn later: other numbers stay what they were.
        if self.hue:
            hues = rng.uniform(-self.hue, self.hue, count)
        if self.resized_crop:
            parts = draw_parts(self.resized_crop, count, height, width, rng)
        if self.randaugment:
            operations = draw_operations(self.randaugment, count, rng)
        return Draw(
            factors, shifts, crops, mirrored, squares, contrasts, saturations, angles, zooms,
            hues, parts, operations,
        )  # fmt: skip

    @property
    def mixes(self) -> bool:
        """True if images and their targets are mixed."""
        return bool(self.mixup or self.cutmix)

    def draw_mixing(
        self, count: int, height: int, width: int, rng: np.random.Generator
    ) -> Mixing | None:
        """Draw how `count` changed images of a size are mixed; None without mixup and cutmix."""
        if not self.mixes or count < 2:
            return None
        return draw_mixing(self.mixup, self.cutmix, count, height, width, rng)

    def fills(self, images: Images) -> dict[str, str | Array]:
        """What `fill`, `padding` and `cutout_fill` stand for in a batch."""
        used = {
            "fill": self.shift or self.rotate or self.zoom or self.randaugment,
            "padding": self.crop,
            "cutout_fill": self.cutout,
        }
        return {name: _values(getattr(self, name), images) for name, use in used.items() if use}

    def apply(
        self, images: Images, draw: Draw, fills: dict[str, str | Array] | None = None
    ) -> Images:
        """Return copies of the images, changed as was drawn.

        It is the textbook of what the compiled engine does while it loads a batch; what that does
        not know (all that is not in `FUSED`) is always done here.

        Args:
            images: (n, height, width, channels).
            draw: for each of them.
            fills: those of the batch that they are a part of; of these images by default.
        """
        source = images
        fills = self.fills(images) if fills is None else fills
        if draw.factors is not None:
            images = brighten(images, draw.factors)
        if draw.contrasts is not None:
            images = stretch(images, means(images), draw.contrasts)
        if draw.saturations is not None:
            images = stretch(images, grays(images), draw.saturations)
        if draw.hues is not None:
            images = turn_hues(images, draw.hues)
        if draw.angles is not None and draw.zooms is not None:
            images = turn(images, draw.angles, draw.zooms, fills["fill"])
        if draw.parts is not None:
            images = cut_and_resize(images, draw.parts)
        if draw.shifts is not None:
            images = move(images, self.shift, fills["fill"], draw.shifts)
        if draw.crops is not None:
            images = move(images, self.crop, fills["padding"], draw.crops)
        if draw.mirrored is not None:
            images = flip(images, images is source, draw.mirrored)
        if draw.operations is not None:
            fill = fills["fill"]
            colour = np.zeros(images.shape[3], np.uint8) if isinstance(fill, str) else fill
            images = apply_operations(images, draw.operations, self.magnitude, colour)
        if draw.squares is not None:
            images = images.copy() if images is source else images
            cut(images, self.cutout, fills["cutout_fill"], draw.squares)
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
        for name in ("saturation", "hue"):
            if getattr(self, name) and images.shape[3] != 3:
                raise StriateValueError(
                    f"Augment: {name} needs images of 3 channels (red, green, blue), got "
                    f"{images.shape[3]}: leave {name} at 0"
                )
        if self.randaugment and (images.dtype != np.uint8 or images.shape[3] not in (1, 3)):
            raise StriateValueError(
                "Augment: randaugment needs uint8 images of 1 or 3 channels, got "
                f"{images.dtype} and {images.shape[3]}: leave randaugment at 0"
            )
        for name in ("shift", "crop"):
            distance = getattr(self, name)
            if distance and distance >= min(images.shape[1:3]):
                raise StriateValueError(
                    f"Augment: {name}={distance} moves images of {images.shape[1]} × "
                    f"{images.shape[2]} pixels out of sight; it must be below "
                    f"{min(images.shape[1:3])}"
                )


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
