"""Arrays whose rows are made when they are asked for: more images than memory holds.

What takes images takes such an array, too: it has a shape, a dtype and a length, and gives rows as
a plain array. Who needs all of them takes them in chunks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.budget import need
from striate.common.errors import StriateTypeError
from striate.common.text import sizes

Rows = npt.NDArray[np.intp]


class RowsOnDemand(ABC):
    """Rows that are made when they are asked for.

    ``images[rows]`` is an array of these rows, for a slice or whole numbers; ``part`` is a part of
    them that makes none. NumPy makes an array of all, if memory has room for them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def digests(self) -> npt.NDArray[np.uint32] | None:
        """The numbers that tell rows apart, see `striate.data.image_digests`, if they are known."""
        return None

    @property
    def one_colour(self) -> npt.NDArray[np.bool_] | None:
        """Whether all pixels of a row are the same, for each, if that is known."""
        return None

    @abstractmethod
    def read(self, rows: Rows) -> npt.NDArray[Any]:
        """Return these rows, whole numbers of 0 to len - 1, as a new array (n, …)."""

    @abstractmethod
    def part(self, rows: Rows) -> RowsOnDemand:
        """Return these rows, in this order, without making them."""

    def with_rows_of(self, other: RowsOnDemand) -> RowsOnDemand | None:
        """Return these rows and those of another one; None where that cannot be."""
        return None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers all rows have."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def nbytes(self) -> int:
        """How many bytes all rows would have."""
        return self.size * self.dtype.itemsize

    def min(self) -> Any:
        """Return the smallest number."""
        return min(part.min() for part in self.chunks())

    def max(self) -> Any:
        """Return the largest number."""
        return max(part.max() for part in self.chunks())

    def chunks(self, rows: int = 256) -> Iterator[npt.NDArray[Any]]:
        """Yield all rows, so many at a time."""
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        if isinstance(rows, tuple) or rows is None or rows is Ellipsis:
            raise StriateTypeError(
                "these images are read when they are needed, and only whole rows are given: take "
                f"images[rows] first, not images[{rows!r}]"
            )
        chosen = np.arange(len(self))[rows]
        if chosen.ndim:
            return self.read(chosen)
        return self.read(chosen[None])[0]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        for start in range(len(self)):
            yield self[start]

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        need(
            self.nbytes,
            f"to hold {sizes(self.shape)} numbers at once",
            "take some rows at a time: images[rows]",
        )
        whole = self.read(np.arange(len(self)))
        return whole if dtype is None else whole.astype(dtype, copy=False)


def on_demand(images: object) -> bool:
    """Whether images are made when they are asked for."""
    return isinstance(images, RowsOnDemand)


def as_rows(images: object) -> RowsOnDemand | None:
    """Images that are made when they are asked for; None for others."""
    return images if isinstance(images, RowsOnDemand) else None
