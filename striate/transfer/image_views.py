"""Images, and their mirror images, one view after the other, as one array of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.rows_on_demand import Rows, RowsOnDemand


class ImageViews(RowsOnDemand):
    """Views of images, made when they are asked for: of what is as large as the images there is no
    second copy.

    Args:
        images: raw, (n, height, width, channels), or anything of that shape that gives rows.
        rows: which image each row is of.
        mirrored: whether its left and right are exchanged, for each row.
    """

    def __init__(self, images: Array, rows: Rows, mirrored: npt.NDArray[np.bool_]) -> None:
        self._images, self._rows, self._mirrored = images, rows, mirrored
        self.shape = (len(rows), *images.shape[1:])
        self.dtype = images.dtype

    def read(self, rows: Rows) -> npt.NDArray[Any]:
        """Return these rows as an array."""
        found = np.asarray(self._images[self._rows[rows]])  # a copy of its own
        turned = self._mirrored[rows]
        found[turned] = found[turned][:, :, ::-1]
        return found

    def part(self, rows: Rows) -> ImageViews:
        """Return these rows, still to be made."""
        return ImageViews(self._images, self._rows[rows], self._mirrored[rows])


def image_views(images: Array, views: Sequence[bool], rows: Sequence[int]) -> Array:
    """Some of the images in some views: (views · rows, height, width, channels).

    Args:
        images: raw, (n, height, width, channels).
        views: of each whether it is of the mirror images.
        rows: of the images.
    """
    chosen = np.tile(np.asarray(rows, np.intp), len(views))
    if not any(views) and np.array_equal(chosen, np.arange(len(images))):
        return images
    return cast("Array", ImageViews(images, chosen, np.repeat(np.array(views, bool), len(rows))))
