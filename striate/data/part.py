"""Images with labels: what a dataset has in each of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images
from striate.common.short_repr import short_repr
from striate.data.rows import rows_of

Labels = npt.NDArray[Any]
"""Of classes int64 (n,), of labels float32 (n, labels), of numbers float64 (n, numbers)."""


@short_repr
@dataclass(frozen=True, eq=False)
class Part:
    """Some images with their labels.

    Attributes:
        images: (n, height, width, channels).
        labels: of classes int64 (n,), indices; else as `Labels` says.
        paths: the files of the images, None where they come from no image files.
    """

    images: Images
    labels: Labels
    paths: list[str] | None = None

    def rows(self, rows: npt.NDArray[np.intp]) -> Part:
        """Return the images in these rows; they are copied, if they are held."""
        paths = None if self.paths is None else [self.paths[row] for row in rows.tolist()]
        return Part(rows_of(self.images, rows), self.labels[rows], paths)
