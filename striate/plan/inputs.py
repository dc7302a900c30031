"""Images as a plan takes them: read in place from the user's array, and augmented on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.nest.algebra import Element


def rounded_batch(batch_size: int) -> int:
    """The batch size that a plan for predictions is made for, `batch_size` or a little more.

    Images that are not there are no work for it, so there need not be a plan for every size: those
    are 1, 2, 3, 4, 6, 8, 12, 16, 24 … 64, and from there on eight of each magnitude.
    """
    whole = 1 << max(batch_size - 1, 0).bit_length()
    step = whole // 16 if whole > 64 else max(whole // 4, 1)
    return -(-batch_size // step) * step


@dataclass(frozen=True)
class InputFormat:
    """How images come in: what an input step is made for.

    Attributes:
        element: what a number of an image is: "u8" or "real".
        direct: whether images are read where they lie; else they are copied to the plan's own
            memory.
        margin: how many pixels an image may be moved, or None: rows and columns stay where they
            are.
        reflect: whether what is beyond the edge is a mirror image; else the edge, repeated.
        brightness, padded, cut: whether images are multiplied, have new pixels of a colour, or a
            square of one.
    """

    element: Element = "real"
    direct: bool = False
    margin: int | None = None
    reflect: bool = False
    brightness: bool = False
    padded: bool = False
    cut: bool = False


COPIED = InputFormat()


@dataclass(frozen=True)
class ImageChanges:
    """What is done to each of n images, in this order; None or False where nothing is.

    Attributes:
        factors: float32 (n,), to multiply by.
        margin, places: images get so many pixels on each side, and from there on row `places[0]`
            and column `places[1]`, (2, n) of 0 … 2 margin, are what is left of them.
        reflect, padding: what these pixels are: see `InputFormat`; or one value per channel.
        mirrored: bool (n,): left and right change places.
        squares, side, colour: where a square begins, (2, n), maybe outside the image; its side, and
            its value per channel.
    """

    factors: Floats | None = None
    margin: int = 0
    places: npt.NDArray[np.intp] | None = None
    reflect: bool = False
    padding: Array | None = None
    mirrored: npt.NDArray[np.bool_] | None = None
    squares: npt.NDArray[np.intp] | None = None
    side: int = 0
    colour: Array | None = None


UNCHANGED = ImageChanges()


@dataclass(frozen=True)
class ImagesInPlace:
    """Some images of an array, to be read where they lie.

    Attributes:
        images: uint8 or float32 (N, …): see `can_be_read_in_place`.
        rows: which of them, (n,), in this order.
        changes: what is done to them on their way in.
    """

    images: Array
    rows: npt.NDArray[np.intp]
    changes: ImageChanges = UNCHANGED

    def __post_init__(self) -> None:
        if not can_be_read_in_place(self.images):
            raise ValueError(
                "images can be read where they lie if they are uint8 or float32 and the numbers "
                f"of each follow each other, not {self.images.dtype} with strides of "
                f"{self.images.strides} bytes"
            )
        # As numbers without a sign, rows below 0 are very large.
        if len(self.rows) and self.rows.view(np.uintp).max() >= len(self.images):
            raise IndexError(
                f"rows {self.rows.min()} to {self.rows.max()} of {len(self.images)} images"
            )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def loading(self) -> InputFormat:
        """What the input step must be able to do."""
        changes = self.changes
        moved = changes.places is not None or changes.mirrored is not None
        return InputFormat(
            "u8" if self.images.dtype == np.uint8 else "real",
            direct=True,
            margin=changes.margin if moved else None,
            reflect=changes.reflect,
            brightness=changes.factors is not None,
            padded=changes.places is not None and changes.padding is not None,
            cut=changes.squares is not None,
        )

    def find(self, addresses: npt.NDArray[np.int64]) -> None:
        """Write down where each image begins, (n,)."""
        np.multiply(self.rows, self.images.strides[0], out=addresses)
        addresses += self.images.__array_interface__["data"][0]


class BatchInput(NamedTuple):
    """What a batch, or a group of one, is to learn from.

    Attributes:
        images: n of them.
        targets: float32 (n, outputs).
        weights: float32 (n,): the loss is Σ weight·loss of the image.
        keys: uint32 (n,), one random key per image, for dropout.
    """

    images: ImagesInPlace
    targets: Array
    weights: Array
    keys: npt.NDArray[np.uint32]


def can_be_read_in_place(images: Array) -> bool:
    """Whether images can be read where they lie: bytes or float32, each image without gaps."""
    known = images.dtype in (np.uint8, np.float32) and images.dtype.isnative
    # Images that are read on demand lie nowhere.
    return bool(
        isinstance(images, np.ndarray)
        and known
        and images.flags.aligned
        and images[:1].flags.c_contiguous
    )
