"""Traces back through a network which pixels its outputs read, all outputs together.

A window's rows and columns do not depend on each other, so that what a chain of windows reads is
the product of some rows and some columns; where branches meet again, a union of such products. An
area is a list of them: it takes memory for an image's sides, not for its pixels. Channels need not
be told apart: where all outputs are wanted, all channels of a pixel are read, or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from striate.inspect.dependency_masks import lines_read_by
from striate.layers.reads import FullyConnected, Reads, Reshaped, TransposedWindow, Window
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from striate.model.model import Model

Line = npt.NDArray[np.bool_]


class Product(NamedTuple):
    """All pixels of some rows, bool (height,), that are in some columns, bool (width,)."""

    rows: Line
    columns: Line

    def holds(self, other: Product) -> bool:
        """Whether all pixels of another product are in this one."""
        return bool((self.rows >= other.rows).all() and (self.columns >= other.columns).all())


Area = tuple[Product, ...]


def whole(shape: Shape) -> Area:
    """All pixels of a value of this shape; a vector is an image of one."""
    height, width = shape[:2] if len(shape) == 3 else (1, 1)
    return (Product(np.ones(height, bool), np.ones(width, bool)),)


def area_of_image(network: Model) -> Area:
    """The pixels of the image that any output of the network reads."""
    areas = {len(network.nodes) - 1: whole(network.output_shape)}
    for index in range(len(network.nodes) - 1, -1, -1):
        if index not in areas:  # only an auxiliary head reads it
            continue
        vertex, shapes = network.nodes[index], network.input_shapes(index)
        reads = vertex.layer.reads(*shapes)
        for source, shape in zip(vertex.inputs, shapes, strict=True):
            read = through(reads, areas[index], shape)
            areas[source] = _union(areas.get(source, ()), read)
        del areas[index]  # all its readers come after it
    return areas[-1]


def through(reads: Reads, wanted: Area, shape: Shape) -> Area:
    """The pixels of one of a layer's inputs, of this shape, that its `wanted` outputs read."""
    if isinstance(reads, Window | TransposedWindow):
        products = [
            Product(
                *(lines_read_by(reads, axis, line, shape[axis]) for axis, line in enumerate(part))
            )
            for part in wanted
        ]
        return _union((), tuple(products))
    if isinstance(reads, FullyConnected | Reshaped):  # the shape of what is wanted says nothing
        return whole(shape)
    return wanted


def lines_read(area: Area) -> tuple[Line, Line]:
    """The rows and the columns of which any pixel is in the area."""
    rows, columns = np.zeros_like(area[0].rows), np.zeros_like(area[0].columns)
    for product in area:
        if product.rows.any() and product.columns.any():
            rows |= product.rows
            columns |= product.columns
    return rows, columns


def pixels_in(area: Area) -> int:
    """How many pixels are in an area."""
    # Rows that are in the same products have the same pixels.
    kinds, counts = np.unique([product.rows for product in area], axis=1, return_counts=True)
    total = 0
    for kind, count in zip(kinds.T, counts.tolist(), strict=True):
        here = [product.columns for product, inside in zip(area, kind, strict=True) if inside]
        total += count * int(np.count_nonzero(np.any(here, axis=0))) if here else 0
    return total


def _union(one: Area, other: Area) -> Area:
    """The pixels in either, without products that lie in others."""
    kept: list[Product] = list(one)
    for product in other:
        if not any(known.holds(product) for known in kept):
            kept = [known for known in kept if not product.holds(known)] + [product]
    return tuple(kept)
