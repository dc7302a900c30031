"""Which pixel each weight of a locally connected layer is multiplied with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from striate.layers import LocallyConnected2D
from striate.ops.shapes import Shape


class Reads(NamedTuple):
    """The pixel under each tap of each window, in the letters of `striate.ops.shapes`.

    Attributes:
        rows: the row of the pixel, int (y, r); outside the image in the padding.
        columns: its column, int (x, s).
        inside: whether it lies in the image, bool (y, x, r, s).
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]


class WeightIndices(NamedTuple):
    """The places of all weights of one tap and one group of channels.

    Attributes:
        weights: their index in the layer's weights.
        matrix: their index in a matrix of axes (row, column, channel, output row, output column,
            filter).
    """

    weights: tuple[Any, ...]
    matrix: tuple[Any, ...]


def reads_of(layer: LocallyConnected2D, image: Shape) -> Reads:
    """The pixels under the windows of a layer on images (height, width, channels)."""
    window, windows = layer.reads(image), layer.windows(image)
    met, valid = [], []
    for axis in (0, 1):
        pixels = window.pixels(axis, windows[axis])
        met.append(pixels)
        valid.append((pixels >= 0) & (pixels < image[axis]))
    inside = valid[0][:, None, :, None] & valid[1][None, :, None, :]
    return Reads(met[0], met[1], inside)


def connections(layer: LocallyConnected2D, image: Shape) -> Iterator[WeightIndices]:
    """All weights that are multiplied with a pixel, each once."""
    reads = reads_of(layer, image)
    depth, share = image[2] // layer.groups, layer.filters // layer.groups
    for r, s in np.ndindex(*layer.size):
        y, x = np.nonzero(reads.inside[:, :, r, s])
        for group in range(layer.groups):
            channels = slice(group * depth, (group + 1) * depth)
            filters = slice(group * share, (group + 1) * share)
            pixels = (reads.rows[y, r], reads.columns[x, s], channels)
            yield WeightIndices((y, x, r, s, slice(None), filters), (*pixels, y, x, filters))
