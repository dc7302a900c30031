"""Which pixels the windows of a layer read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from striate.layers import LocallyConnected2D
from striate.ops.shapes import Shape


class Reads(NamedTuple):
    """The pixel that each tap of each window meets: its row (rows, height) and its column
    (columns, width), and whether it is in the image (rows, columns, height, width)."""

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]


class WeightIndices(NamedTuple):
    """The indices of the weights of one tap and one group: in those of the layer, and in a matrix
    of axes (row, column, channel, output row, output column, filter)."""

    weights: tuple[Any, ...]
    matrix: tuple[Any, ...]


def reads_of(layer: LocallyConnected2D, image: Shape) -> Reads:
    """What the windows meet on images (height, width, channels)."""
    pads, windows = layer.pads(image), layer.windows(image)
    met, valid = [], []
    for axis in (0, 1):
        first = np.arange(windows[axis])[:, None] * layer.stride[axis] - pads[2 * axis]
        pixels = first + np.arange(layer.size[axis]) * layer.dilation[axis]
        met.append(pixels)
        valid.append((pixels >= 0) & (pixels < image[axis]))
    inside = valid[0][:, None, :, None] & valid[1][None, :, None, :]
    return Reads(met[0], met[1], inside)


def connections(layer: LocallyConnected2D, image: Shape) -> Iterator[WeightIndices]:
    """All weights that meet a pixel, each once."""
    reads = reads_of(layer, image)
    depth, share = image[2] // layer.groups, layer.filters // layer.groups
    for r, s in np.ndindex(*layer.size):
        y, x = np.nonzero(reads.inside[:, :, r, s])
        for group in range(layer.groups):
            channels = slice(group * depth, (group + 1) * depth)
            filters = slice(group * share, (group + 1) * share)
            pixels = (reads.rows[y, r], reads.columns[x, s], channels)
            yield WeightIndices((y, x, r, s, slice(None), filters), (*pixels, y, x, filters))
