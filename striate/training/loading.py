"""Loads and augments the images of a batch, in one of two ways that give the same images.

An engine that reads in place (`reads_in_place`) takes images from the user's own array and augments
them in the same pass that normalises them: here only the random numbers are drawn. For any other
engine, and for augmentations that such an engine does not know, such as a user's own function,
the images are gathered and augmented here with NumPy. Images that are read on demand become an
array of their batch first.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Images
from striate.common.ordered_work import in_order
from striate.common.rows_on_demand import on_demand
from striate.common.short_repr import short_repr
from striate.data.augment import CHANGES, FUSED, Augment, Draw, Fill, fill_values
from striate.data.mixing import Mixing
from striate.plan.inputs import ImageChanges, ImagesInPlace, can_be_read_in_place
from striate.training.random_streams import Stream, generator, image_keys

Augmentation = Callable[[Images, np.random.Generator], Images]
# Images that are changed together by one thread; of fewer bytes one thread changes all.
_AT_ONCE = 8
_LARGE = 8192
# The bytes of a page of memory, which the system reads from a file at once.
_PAGE = 4096


def gather(images: Images, rows: NDArray[np.intp] | slice) -> Images:
    """Some of the images, in a dtype that the engines read."""
    return engine_dtype(images[rows])


def engine_dtype(images: Images) -> Images:
    """Images as C-contiguous uint8 (also for bool) or, for all other dtypes, float32."""
    if images.dtype == np.bool_:
        return np.ascontiguousarray(images).view(np.uint8)
    dtype = np.uint8 if images.dtype == np.uint8 else np.float32
    return np.ascontiguousarray(images, dtype=dtype)


def select(images: Images, rows: NDArray[np.intp], reads_in_place: bool) -> Images | ImagesInPlace:
    """Some of the images; without a copy if the engine reads in place and their layout allows."""
    if on_demand(images):
        return gather(images, rows)
    bits = _as_bytes(images) if reads_in_place else images
    return (
        ImagesInPlace(bits, rows)
        if reads_in_place and can_be_read_in_place(bits)
        else gather(images, rows)
    )


@short_repr
@dataclass
class Loader:
    """Loads and augments the images of one batch after the other.

    Args:
        images: all images, (n, height, width, channels).
        augment: the augmentation, or None.
        seed: of the random numbers of the augmentation.
        reads_in_place: whether the engine reads images from the user's array.
    """

    images: Images
    augment: Augmentation | None
    seed: int
    reads_in_place: bool = False

    def __post_init__(self) -> None:
        self._on_demand = on_demand(self.images)
        self._bits = self.images if self._on_demand else _as_bytes(self.images)
        readable = self._on_demand or can_be_read_in_place(self._bits)
        self._direct = self.reads_in_place and readable and self._can_draw()
        self._in_file = self._direct and not self._on_demand and _is_mapped(self._bits)
        self._sums: NDArray[np.int64] | None = None  # -1: not yet known
        self._colours: dict[Fill, Images] = {}
        self._keys: NDArray[np.uint32] | None = None
        if isinstance(self.augment, Augment) and self.augment.flip == "alternate":
            # The same in all epochs, so that each image is mirrored in every second one.
            self._keys = image_keys(self.seed, Stream.FLIP, 0, np.arange(len(self.images)))

    @property
    def is_light(self) -> bool:
        """Whether a batch is so little work that a background thread would only slow it down."""
        return self._direct and not self._in_file and not self._on_demand

    def mixing(self, epoch: int, index: int, count: int) -> Mixing | None:
        """How the images of batch `index` of an epoch are mixed; None if they are not."""
        augment = self.augment
        if not isinstance(augment, Augment) or not augment.mixes:
            return None
        height, width = self._bits.shape[1:3]
        rng = generator(self.seed, Stream.MIX, epoch, index)
        return augment.draw_mixing(count, height, width, rng)

    def __call__(
        self, epoch: int, index: int, rows: NDArray[np.intp], mixing: Mixing | None = None
    ) -> Images | ImagesInPlace:
        """The images of batch `index` of an epoch."""
        if self._in_file:
            self._touch(rows)
        augment = self.augment
        if augment is None:
            return self._in_place(rows) if self._direct else gather(self.images, rows)
        rng = generator(self.seed, Stream.AUGMENT, epoch, index)
        given: dict[str, Any] = {}
        if self._keys is not None:
            given = {"epoch": epoch, "keys": self._keys[rows]}
        if not (self._direct and isinstance(augment, Augment)):
            images = gather(self.images, rows)
            if type(augment) is Augment:
                images = _changed(augment, images, rng, given)
            elif mixing is None or not isinstance(augment, Augment):
                images = augment(images, rng, **given)
            else:
                images = augment.changed(images, rng, **given)
            return engine_dtype(images if mixing is None else mixing.images(images))
        height, width = self._bits.shape[1:3]
        draw = augment.draw(len(rows), height, width, rng, **given)
        found = self._in_place(rows)
        return replace(found, changes=self._changes(augment, draw, rows, found))

    def _in_place(self, rows: NDArray[np.intp]) -> ImagesInPlace:
        """Some images where they lie; those that are read on demand are read here."""
        if not self._on_demand:
            return ImagesInPlace(self._bits, rows)
        return ImagesInPlace(gather(self.images, rows), np.arange(len(rows)))

    def _can_draw(self) -> bool:
        """Whether the engine can carry out the augmentation from random numbers drawn here."""
        augment = self.augment
        if augment is None:
            return True
        if type(augment) is not Augment or self._bits.ndim != 4:
            return False
        augment.check(self._bits[:0])
        if any(getattr(augment, name) for name in CHANGES if name not in FUSED):
            return False
        fills = [augment.fill] * bool(augment.shift) + [augment.padding] * bool(augment.crop)
        fills += [augment.cutout_fill] * bool(augment.cutout)
        # A mean of floats depends on the order of its sum, which the engine would change.
        exact = self._bits.dtype == np.uint8 or "mean" not in fills
        return exact and not (augment.shift and augment.crop)

    def _changes(
        self, augment: Augment, draw: Draw, rows: NDArray[np.intp], found: ImagesInPlace
    ) -> ImageChanges:
        """The drawn random numbers in the form that the engine reads."""
        moved, fill = (
            (draw.shifts, augment.fill) if augment.shift else (draw.crops, augment.padding)
        )
        words = ("edge", "reflect")
        factors = None if draw.factors is None else draw.factors.astype(np.float32)
        return ImageChanges(
            factors=factors,
            margin=augment.shift or augment.crop,
            places=moved,
            reflect=moved is not None and fill == "reflect",
            padding=None if moved is None or fill in words else self._colour(fill, rows, found),
            mirrored=draw.mirrored,
            squares=draw.squares,
            side=augment.cutout,
            colour=None if draw.squares is None else self._colour(augment.cutout_fill, rows, found),
        )

    def _colour(self, fill: Fill, rows: NDArray[np.intp], found: ImagesInPlace) -> Images:
        """The fill colour: one value per channel."""
        if isinstance(fill, str):
            total = self._channel_sums(rows, found).sum(axis=0)
            return fill_values(total / (len(rows) * np.prod(self._bits.shape[1:3])), self._bits[:0])
        if fill not in self._colours:
            self._colours[fill] = fill_values(fill, self._bits[:0])
        return self._colours[fill]

    def _channel_sums(self, rows: NDArray[np.intp], found: ImagesInPlace) -> NDArray[np.int64]:
        """The sum of the pixels of each image and channel, computed when first needed."""
        if self._sums is None:
            self._sums = np.full((len(self._bits), self._bits.shape[3]), -1)
        new = rows[self._sums[rows, 0] < 0]
        if len(new):
            # First over the rows of an image: sums of long contiguous rows are faster.
            bits = found.images if self._on_demand else self._bits[new]
            columns = bits.sum(axis=1, dtype=np.uint32)
            self._sums[rows if self._on_demand else new] = columns.sum(axis=1, dtype=np.int64)
        return self._sums[rows]

    def _touch(self, rows: NDArray[np.intp]) -> None:
        """Read the pages of some images of a mapped file before the engine's threads need them."""
        flat = self._bits.reshape(len(self._bits), -1).view(np.uint8)
        flat[rows, ::_PAGE].max(initial=0)
        flat[rows, -1].max(initial=0)


def _changed(
    augment: Augment, images: Images, rng: np.random.Generator, given: dict[str, Any]
) -> Images:
    """The images changed by NumPy and Pillow, on all cores; as ``augment(images, rng)`` does it."""
    augment.check(images)
    count, height, width = images.shape[:3]
    draw = augment.draw(count, height, width, rng, **given)
    fills = augment.fills(images)

    def change(start: int) -> Images:
        stop = start + _AT_ONCE
        return augment.apply(images[start:stop], draw.rows(start, stop), fills)

    parallel = images[:1].nbytes >= _LARGE
    starts = range(0, count, _AT_ONCE if parallel else count)
    if len(starts) < 2:
        return augment.apply(images, draw, fills)
    return np.concatenate(list(in_order(change, starts, parallel=parallel)))


def _as_bytes(images: Images) -> Images:
    """Bool images as uint8, without a copy; others as they are."""
    if images.dtype == np.bool_ and can_be_read_in_place(images.view(np.uint8)):
        return images.view(np.uint8)
    return images


def _is_mapped(images: Images) -> bool:
    """Whether an array is a view of a file."""
    base: Any = images
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)
