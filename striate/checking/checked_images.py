"""The images that are checked: all parts of a data set, one row after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images
from striate.common.short_repr import short_repr
from striate.data.dataset import Dataset
from striate.data.part import Labels, Part

Rows = npt.NDArray[np.intp]

_MOST_IMAGES, _MOST_VALUES = 1024, 1 << 24  # that are looked at together


@short_repr
@dataclass(frozen=True, eq=False)
class CheckedImages:
    """Images with labels, in one or more parts, as a network would see them.

    Rows count on from one part to the next: training images first, then those for validation and
    tests.

    Attributes:
        parts: by name, of which none is empty.
        classes: the names of the classes.
        name: of the source.
        folder: in which the files of the images lie; None where they come from no files.
        white: the value of white, None where the values are not brightnesses.
        resize: how a file became such an image; see `Dataset`.
        bad_files: the files that could not be read, each with the sentence that tells why.
    """

    parts: dict[str, Part]
    classes: list[str]
    name: str
    folder: str | None = None
    white: float | None = None
    resize: dict[str, Any] | None = None
    bad_files: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, dataset: Dataset) -> CheckedImages:
        """All images of a dataset."""
        found = dataset.parts
        order = ("train", "validation", "test")
        parts = {
            str(name): found[name] for name in order if name in found and len(found[name].images)
        }
        white = None if dataset.resize is None else float(dataset.resize.get("maximum", 255))
        return cls(
            parts,
            list(dataset.classes),
            dataset.name,
            dataset.folder,
            white,
            dataset.resize,
            tuple(dataset.bad_files),
        )

    def __len__(self) -> int:
        return int(self.starts[-1])

    @cached_property
    def starts(self) -> npt.NDArray[np.intp]:
        """The first row of each part, and the number of rows: (parts + 1,)."""
        lengths = [len(part.images) for part in self.parts.values()]
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image."""
        height, width, channels = next(iter(self.parts.values())).images.shape[1:]
        return int(height), int(width), int(channels)

    @cached_property
    def labels(self) -> Labels:
        """The class of each image, int64 (n,)."""
        return np.concatenate([part.labels for part in self.parts.values()])

    @cached_property
    def part_numbers(self) -> npt.NDArray[np.int8]:
        """For each image which of the parts it is in, counted from 0."""
        lengths = np.diff(self.starts)
        return np.repeat(np.arange(len(lengths), dtype=np.int8), lengths)

    @cached_property
    def paths(self) -> list[str] | None:
        """The file of each image; None where they come from no files."""
        if any(part.paths is None for part in self.parts.values()):
            return None
        return [path for part in self.parts.values() for path in part.paths or ()]

    def images(self, rows: Rows) -> Images:
        """The images of these rows, in their order, (n, height, width, channels)."""
        rows = np.asarray(rows, np.intp)
        found = np.empty((len(rows), *self.shape), next(iter(self.parts.values())).images.dtype)
        for number, part in enumerate(self.parts.values()):
            inside = self.part_numbers[rows] == number
            if inside.any():
                found[inside] = part.images[rows[inside] - self.starts[number]]
        return found

    @property
    def chunk(self) -> int:
        """How many images are looked at together: fewer if they are large."""
        height, width, channels = self.shape
        return min(max(_MOST_VALUES // (height * width * channels), 1), _MOST_IMAGES)

    def chunks(self) -> Iterator[tuple[int, Images]]:
        """(first row, images) of some images at a time, all in turn."""
        size = self.chunk
        for start, part in zip(self.starts[:-1].tolist(), self.parts.values(), strict=True):
            for first in range(0, len(part.images), size):
                yield start + first, part.images[first : first + size]

    def part_of(self, row: int) -> str:
        """The name of the part that an image is in."""
        return list(self.parts)[int(self.part_numbers[row])]

    def row_in_part(self, row: int) -> int:
        """The row of an image in its part."""
        return row - int(self.starts[self.part_numbers[row]])

    def class_of(self, row: int) -> str:
        """The name of an image's class."""
        return self.classes[int(self.labels[row])]

    def path_of(self, row: int) -> str | None:
        """The file of an image below the folder, with "/" on all systems; None without files."""
        if self.paths is None or self.folder is None:
            return None
        return self.below(self.paths[row])

    def below(self, path: str) -> str:
        """A file's name below the folder, with "/" between folders on all systems."""
        return os.path.relpath(path, self.folder or ".").replace(os.sep, "/")

    def called(self, row: int) -> str:
        """What messages call an image: its file, or its part and its row there."""
        return self.path_of(row) or f"{self.part_of(row)} image {self.row_in_part(row)}"
