"""Short numbers that tell images apart by their pixels."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images

Digests = npt.NDArray[np.uint32]


def digests(images: Images) -> Digests:
    """Return the CRC-32 (n,) of the bytes of each image, (n, height, width, channels).

    Images that differ in one value have different numbers; of any two others, one pair in 2³² has
    the same. The numbers are the same on all machines and in all versions.
    """
    rows = (np.ascontiguousarray(image).reshape(-1).view(np.uint8).data for image in images)
    return np.fromiter(map(zlib.crc32, rows), np.uint32, len(images))


def one_colour(images: Images) -> npt.NDArray[np.bool_]:
    """Return for each image (n, height, width, channels) whether all its pixels are the same."""
    count, height, width = images.shape[:3]
    flat = np.ones(count, np.bool_)
    # Along the diagonal first, where most images give away that they are more than one colour.
    steps = np.linspace(0, 1, 8)
    for step in steps:
        y, x = int(step * (height - 1)), int(step * (width - 1))
        flat &= (images[:, y, x] == images[:, 0, 0]).all(axis=1)
    for index in np.flatnonzero(flat):
        flat[index] = bool((images[index] == images[index, :1, :1]).all())
    return flat
