"""Where decoded images go: into an array of all, while several passes decode them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images
from striate.common.budget import need
from striate.common.text import counted
from striate.data.dataset import DataError
from striate.data.decode import WantedImages
from striate.data.rows import keep_rows
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange

SPLIT = 1.25
"""Images are held while they are split, when some of them are there twice for a moment."""


class ImageStorage(ABC):
    """What decoded images are given to, in any order.

    Attributes:
        shape: of all images, (n, height, width, channels).
        exchange: connects ranks of which each is given a share of the images.
    """

    shape: tuple[int, ...]
    exchange: Exchange = ALONE

    @abstractmethod
    def restart(self, shape: tuple[int, ...]) -> None:
        """Make room for images of this shape; what was given is not needed any more."""

    @abstractmethod
    def put(self, rows: npt.NDArray[Any], pixels: npt.NDArray[np.uint8]) -> None:
        """Take images (m, height, width, channels) for these rows."""

    @abstractmethod
    def join(self, rows: npt.NDArray[np.intp]) -> None:
        """Take over what the other ranks have been given of these rows."""

    @abstractmethod
    def widen(self) -> bool:
        """Have three channels from now on; return whether what was given is still there."""

    @abstractmethod
    def taken(self, kept: npt.NDArray[np.int64], target: WantedImages, *, gray: bool) -> Images:
        """Return the images of the rows `kept`, ascending, for the first channel only if `gray`.

        Args:
            kept: which rows.
            target: what they were decoded to.
            gray: whether the three channels of all images are equal.
        """


class HeldImages(ImageStorage):
    """Holds them in one array."""

    def __init__(self, count: int) -> None:
        self._images: npt.NDArray[np.uint8] = np.empty((count, 0, 0, 1), np.uint8)
        self.shape = self._images.shape

    def restart(self, shape: tuple[int, ...]) -> None:
        """Make the array."""
        self._images = self._images[:0]  # what is there is not needed any more
        _weigh(shape)
        try:
            # Memory that is not yet written to costs nothing on most systems.
            self._images = np.empty(shape, np.uint8)
        except MemoryError as error:
            raise DataError(
                f"{counted(shape[0], 'image')} of {shape[1]} × {shape[2]} pixels do not fit into "
                "memory: choose a smaller size (--size)"
            ) from error
        self.shape = shape

    def put(self, rows: npt.NDArray[Any], pixels: npt.NDArray[np.uint8]) -> None:
        """Write them to their rows."""
        self._images[rows] = pixels

    def join(self, rows: npt.NDArray[np.intp]) -> None:
        """There are no other ranks: each that holds images holds all."""

    def widen(self) -> bool:
        """Repeat the gray of all images."""
        shape = (*self.shape[:3], 3)
        _weigh(shape)
        self._images = np.repeat(self._images, 3, axis=3)
        self.shape = shape
        return True

    def taken(self, kept: npt.NDArray[np.int64], target: WantedImages, *, gray: bool) -> Images:
        """Return the array, which is used up."""
        images = keep_rows(self._images, kept)
        return np.ascontiguousarray(images[..., :1]) if gray else images


def _weigh(shape: tuple[int, ...]) -> None:
    """Raise unless so many images fit into memory; shape (n, height, width, channels)."""
    need(
        int(math.prod(shape) * SPLIT),
        f"to hold {counted(shape[0], 'image')} of {shape[1]} × {shape[2]} pixels",
        "choose a smaller size (--size) or fewer images",
        error=DataError,
    )
