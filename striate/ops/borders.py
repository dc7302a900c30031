"""Rows and columns put around images, or cut away from them.

    pad:   O[n, y+top, x+left, c] = X[n,y,x,c], and zero around it
    crop:  O[n,y,x,c] = X[n, y+top, x+left, c]

The gradient of each is the other: what was put around gets none, what was cut away gets zeros.
NumPy's forms of both are `striate.ops.conv.pad` and `striate.ops.conv.crop`.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.ops.shapes import Pads


def zero_pad2d_loops(x: Array, pads: Pads) -> Array:
    """Zeros around each image, in float64."""
    count, height, width, channels = x.shape
    top, bottom, left, right = pads
    output = np.zeros((count, top + height + bottom, left + width + right, channels))
    for n, h, w, c in np.ndindex(x.shape):
        output[n, top + h, left + w, c] = float(x[n, h, w, c])
    return output


def crop2d_loops(x: Array, pads: Pads) -> Array:
    """The inside of each image, in float64."""
    count, height, width, channels = x.shape
    top, bottom, left, right = pads
    output = np.zeros((count, height - top - bottom, width - left - right, channels))
    for n, y, x_, c in np.ndindex(output.shape):
        output[n, y, x_, c] = float(x[n, top + y, left + x_, c])
    return output
