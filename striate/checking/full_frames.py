"""Whole pictures, where images were made of files by cutting the centre out or adding borders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.file_headers import FileHeaders
from striate.common.arrays import Images
from striate.common.short_repr import short_repr
from striate.data import decode, worker_pool
from striate.data.dataset import MAX_PIXELS, OnProgress

SIDE = 32
"""Rows and columns to which whole pictures are stretched."""
_CHUNK = 1024
_NOTHING = 0.02
"""By how much an aspect may differ, as a share, before a picture is decoded once more."""


@short_repr
@dataclass(frozen=True, eq=False)
class FullFrames:
    """Whole pictures of some images.

    Attributes:
        rows: of the images, ascending.
        images: uint8 (rows, SIDE, SIDE, channels), each file stretched.
    """

    rows: Rows
    images: npt.NDArray[np.uint8]

    def chunks(self) -> Iterator[tuple[Rows, Images]]:
        """(rows, images) of some pictures at a time."""
        for start in range(0, len(self.rows), _CHUNK):
            yield self.rows[start : start + _CHUNK], self.images[start : start + _CHUNK]


def full_frames(
    checked: CheckedImages,
    headers: FileHeaders | None,
    progress: OnProgress | None = None,
    max_pixels: int = MAX_PIXELS,
) -> FullFrames | None:
    """Decode the files once more whose aspect is not that of the images; None if there are none.

    A copy of a picture in another aspect is cut elsewhere; as whole pictures they are the same.
    """
    if headers is None or checked.paths is None or (checked.resize or {}).get("mode") == "stretch":
        return None
    height, width, channels = checked.shape
    aspect = headers.heights / np.maximum(headers.widths, 1)
    differs = np.abs(np.log(np.maximum(aspect, 1e-9) * width / height)) > _NOTHING
    rows = headers.rows[differs & (headers.heights > 0)]
    if not len(rows) or channels not in (1, 3):
        return None
    target = decode.WantedImages(
        SIDE, SIDE, channels, mode="stretch", convert=True, max_pixels=max_pixels
    )
    files = [checked.paths[row] for row in rows.tolist()]
    images = np.zeros((len(files), SIDE, SIDE, channels), np.uint8)
    done = np.zeros(len(files), np.bool_)

    def take(start: int, chunk: decode.Chunk) -> None:
        stop = start + len(chunk.states)
        good = chunk.states == decode.DONE
        images[start:stop][good] = chunk.images[good]
        done[start:stop] = good
        if progress is not None:
            progress(stop, len(files), "reading whole pictures")

    workers, processes = worker_pool.crew(files)
    worker_pool.decode_all(files, target, take, workers=workers, processes=processes)
    return FullFrames(rows[done], images[done])
