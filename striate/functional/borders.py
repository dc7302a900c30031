"""Borders of zeros around images, and images without their borders."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import run
from striate.ops.shapes import Padding


def zero_pad2d(x: npt.ArrayLike, padding: Padding, *, engine: str = "llvm") -> Array:
    """Images with zeros around them: see `striate.layers.ZeroPad2D`.

    Its input gradient is `crop2d`.
    """
    return run(layers.ZeroPad2D(padding), (x,), {}, engine)


def crop2d(x: npt.ArrayLike, cropping: Padding, *, engine: str = "llvm") -> Array:
    """The inside of images: see `striate.layers.Crop2D`. Its input gradient is `zero_pad2d`."""
    return run(layers.Crop2D(cropping), (x,), {}, engine)
