"""Traces back through a network which values some outputs depend on.

A mask is a bool array (height, width, channels), True for these values; a vector is an image of
one pixel. A value counts if a layer reads it, whatever the weights are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.layers.reads import (
    Concatenation,
    FullyConnected,
    PixelChannels,
    Reads,
    Reshaped,
    TransposedWindow,
    Window,
)
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from striate.model.model import Model

Mask = npt.NDArray[np.bool_]


def as_image(shape: Shape) -> tuple[int, int, int]:
    """(height, width, channels) of a value; (1, 1, features) of a vector."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, shape[0])


def trace_back(network: Model, node: int, wanted: Mask, before: int = -1) -> dict[int, Mask]:
    """The values that some values of a node depend on.

    Args:
        network: the network.
        node: the index of the node.
        wanted: bool, of the node's shape: the values in question.
        before: the earliest node to go back to.

    Returns:
        A mask for each node from which a path leads to `node`; -1 is the network's input.
    """
    masks: dict[int, Mask] = {node: wanted.reshape(as_image(network.nodes[node].shape))}
    for index in range(node, before, -1):
        if index not in masks:
            continue
        vertex, shapes = network.nodes[index], network.input_shapes(index)
        parts = inputs_read(vertex.layer.reads(*shapes), masks[index], shapes)
        for source, part in zip(vertex.inputs, parts, strict=True):
            masks[source] = masks[source] | part if source in masks else part
    return masks


def inputs_read(reads: Reads, wanted: Mask, shapes: tuple[Shape, ...]) -> list[Mask]:
    """The values of each of a layer's inputs that its `wanted` outputs read, as masks."""
    images = [as_image(shape) for shape in shapes]
    if isinstance(reads, Window | TransposedWindow):
        return [_windows(reads, wanted, images[0])]
    if isinstance(reads, FullyConnected):
        return [np.full(image, wanted.any()) for image in images]
    if isinstance(reads, Reshaped):
        return [wanted.reshape(images[0])]
    if isinstance(reads, Concatenation):
        ends = np.cumsum([0, *(image[2] for image in images)]).tolist()
        return [wanted[..., start:stop] for start, stop in pairwise(ends)]
    if isinstance(reads, PixelChannels):
        return [_pixel_channels(reads, wanted, images[0])]
    return [_same_place(wanted, image) for image in images]  # Pointwise, PointwiseMerge


def _same_place(wanted: Mask, image: tuple[int, int, int]) -> Mask:
    """The wanted places; along an axis where the image has one index, that one."""
    axes = tuple(axis for axis in range(3) if image[axis] < wanted.shape[axis])
    place: Mask = np.any(wanted, axes, keepdims=True)
    return place


def _pixel_channels(reads: PixelChannels, wanted: Mask, image: tuple[int, int, int]) -> Mask:
    """The channels that the wanted ones read, counted up where each run of them starts, and down
    where it stops.
    """
    changes = np.zeros((image[2] + 1, *image[:2]), np.int32)
    counts = np.moveaxis(wanted, 2, 0).astype(np.int32)
    np.add.at(changes, np.array([run.start for run in reads.channels]), counts)
    np.subtract.at(changes, np.array([run.stop for run in reads.channels]), counts)
    return np.moveaxis(changes.cumsum(0)[:-1] > 0, 0, 2)


def _windows(reads: Window | TransposedWindow, wanted: Mask, image: tuple[int, int, int]) -> Mask:
    """The pixels that the wanted positions of windows read.

    A window is a product of rows and columns, so the mask is spread along the rows first, and then
    along the columns.
    """
    height, width, channels = image
    rows, columns, outputs = wanted.shape
    groups = reads.groups
    grouped: Mask = np.any(wanted.reshape(rows, columns, groups, outputs // groups), axis=-1)
    tall = lines_read_by(reads, 0, grouped, height)
    wide = lines_read_by(reads, 1, tall.swapaxes(0, 1), width).swapaxes(0, 1)
    return wide.repeat(channels // groups, 2)


def lines_read_by(reads: Window | TransposedWindow, axis: int, wanted: Mask, extent: int) -> Mask:
    """The rows (axis 0) or columns (axis 1) of the input that the wanted ones of the output read.

    Args:
        reads: the windows.
        axis: 0 or 1.
        wanted: bool; its first axis are the rows or columns of the output.
        extent: rows or columns of the input.
    """
    if isinstance(reads, TransposedWindow):
        places = reads.pixels(axis, extent)
        inside = (places >= 0) & (places < len(wanted))
        found = np.asarray(wanted[np.where(inside, places, 0)])
        shown = inside.reshape(*inside.shape, *(1,) * (wanted.ndim - 1))
        return np.asarray((found & shown).any(1))
    before, after = reads.pads[2 * axis : 2 * axis + 2]
    step, start = reads.stride[axis], max(-before, 0)  # windows may begin inside
    mask = np.zeros((extent + max(before, 0) + max(after, 0), *wanted.shape[1:]), bool)
    mask[start : start + (len(wanted) - 1) * step + 1 : step] = wanted
    spread(mask, reads.size[axis], reads.dilation[axis])
    return mask[max(before, 0) :][:extent]


def spread(mask: Mask, size: int, dilation: int) -> None:
    """Spread the first taps of windows along the first axis over all their taps, in place."""
    taps = 1
    while taps < size:  # `taps` taps are there already; as many again lie behind them
        more = min(taps, size - taps)
        mask[more * dilation :] |= mask[: len(mask) - more * dilation].copy()
        taps += more
