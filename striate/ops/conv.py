"""Convolution of images and its two gradients.

As in all deep-learning libraries this is *correlation*: the filter is not flipped. With
X (n, H, W, C), filters F (r, s, C/groups, K), stride S, dilation D and padded X:

    O[n,y,x,k]                 = Σ_{r,s,c} X[n, y*S + r*D, x*S + s*D, c] · F[r,s,c,k]
    ∂L/∂F[r,s,c,k]             = Σ_{n,y,x} ∂L/∂O[n,y,x,k] · X[n, y*S + r*D, x*S + s*D, c]
    ∂L/∂X[n, y*S+r*D, x*S+s*D, c] += Σ_k   ∂L/∂O[n,y,x,k] · F[r,s,c,k]

The gradients are the chain rule over the first line; *Convolutional Neural Network* (A. A. Umar)
writes them out for a 3×3 image and a 2×2 filter. With groups, output channel k reads
only the input channels of its own group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.ops.shapes import Pads, Pair, extent

NO_PADS: Pads = (0, 0, 0, 0)


def output_size(image: Pair, size: Pair, stride: Pair, dilation: Pair, pads: Pads) -> Pair:
    """Output (height, width); pixels that do not fill a last stride are left unread."""
    top, bottom, left, right = pads
    return (
        (image[0] + top + bottom - extent(size[0], dilation[0])) // stride[0] + 1,
        (image[1] + left + right - extent(size[1], dilation[1])) // stride[1] + 1,
    )


# Textbook loops.


def conv2d_loops(
    x: Array,
    filters: Array,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """O of the formula above, one multiplication at a time, in float64."""
    count, height, width, _ = x.shape
    taps_down, taps_across, depth, kernels = filters.shape
    rows, columns = output_size((height, width), (taps_down, taps_across), stride, dilation, pads)
    output = np.zeros((count, rows, columns, kernels))
    for n in range(count):
        for y in range(rows):
            for x_ in range(columns):
                for k in range(kernels):
                    first_channel = k // (kernels // groups) * depth
                    total = 0.0
                    for r in range(taps_down):
                        for s in range(taps_across):
                            row = y * stride[0] + r * dilation[0] - pads[0]
                            column = x_ * stride[1] + s * dilation[1] - pads[2]
                            if 0 <= row < height and 0 <= column < width:  # else: padding, zero
                                for c in range(depth):
                                    pixel = float(x[n, row, column, first_channel + c])
                                    total += pixel * float(filters[r, s, c, k])
                    output[n, y, x_, k] = total
    return output


def conv2d_filter_gradient_loops(
    x: Array,
    gradient: Array,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂F, one multiplication at a time, in float64."""
    count, height, width, channels = x.shape
    _, rows, columns, kernels = gradient.shape
    depth = channels // groups
    result = np.zeros((*size, depth, kernels))
    for r in range(size[0]):
        for s in range(size[1]):
            for c in range(depth):
                for k in range(kernels):
                    channel = k // (kernels // groups) * depth + c
                    total = 0.0
                    for n in range(count):
                        for y in range(rows):
                            for x_ in range(columns):
                                row = y * stride[0] + r * dilation[0] - pads[0]
                                column = x_ * stride[1] + s * dilation[1] - pads[2]
                                if 0 <= row < height and 0 <= column < width:
                                    pixel = float(x[n, row, column, channel])
                                    total += float(gradient[n, y, x_, k]) * pixel
                    result[r, s, c, k] = total
    return result


def conv2d_input_gradient_loops(
    gradient: Array,
    filters: Array,
    image: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂X, one multiplication at a time, in float64; `image` is X's (height, width)."""
    count, rows, columns, kernels = gradient.shape
    taps_down, taps_across, depth, _ = filters.shape
    height, width = image
    result = np.zeros((count, height, width, depth * groups))
    for n in range(count):
        for y in range(rows):
            for x_ in range(columns):
                for k in range(kernels):
                    first_channel = k // (kernels // groups) * depth
                    arriving = float(gradient[n, y, x_, k])
                    for r in range(taps_down):
                        for s in range(taps_across):
                            row = y * stride[0] + r * dilation[0] - pads[0]
                            column = x_ * stride[1] + s * dilation[1] - pads[2]
                            if 0 <= row < height and 0 <= column < width:
                                for c in range(depth):
                                    weight = float(filters[r, s, c, k])
                                    result[n, row, column, first_channel + c] += arriving * weight
    return result


# Readable NumPy: the same three sums, one filter tap (r, s) at a time. For one tap the pixels
# that all outputs read form a strided slice of the padded image, so each sum is a matrix product.


def pad(x: Array, pads: Pads, value: float = 0.0) -> Array:
    """`x` (n, h, w, c) with padding that holds `value`."""
    top, bottom, left, right = pads
    if not any(pads):
        return x
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def crop(padded: Array, pads: Pads) -> Array:
    """Undo `pad`: a view without the padding."""
    top, bottom, left, right = pads
    return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]


def padded_zeros(count: int, image: Pair, channels: int, pads: Pads, dtype: np.dtype[Any]) -> Array:
    """`count` images of zeros with their padding, to which gradients are added tap by tap."""
    top, bottom, left, right = pads
    return np.zeros((count, image[0] + top + bottom, image[1] + left + right, channels), dtype)


def taps(
    padded: Array, size: Pair, stride: Pair, dilation: Pair
) -> Iterator[tuple[int, int, Array]]:
    """Each tap of a window with a view of the padded images.

    Yields:
        (r, s, view): view[n, y, x] is the pixel that output (y, x) reads at tap (r, s).
    """
    rows, columns = output_size(padded.shape[1:3], size, stride, dilation, NO_PADS)
    for r, s in product(range(size[0]), range(size[1])):
        top, left = r * dilation[0], s * dilation[1]
        yield (
            r,
            s,
            padded[
                :,
                top : top + (rows - 1) * stride[0] + 1 : stride[0],
                left : left + (columns - 1) * stride[1] + 1 : stride[1],
            ],
        )


def _by_group(values: Array, groups: int) -> Array:
    """(n, y, x, c) -> (groups, n*y*x, c/groups): one matrix per group."""
    channels = values.shape[-1]
    rows = math.prod(values.shape[:-1])
    return values.reshape(rows, groups, channels // groups).swapaxes(0, 1)


def _by_image(values: Array, groups: int) -> Array:
    """(n, y, x, c) -> (n, groups, y*x, c/groups): one matrix per image and group."""
    count, rows, columns, channels = values.shape
    apart = values.reshape(count, rows * columns, groups, channels // groups)
    return apart.swapaxes(1, 2)


def conv2d(
    x: Array,
    filters: Array,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Correlate images with filters.

    Args:
        x: (n, height, width, channels).
        filters: (filter height, filter width, channels // groups, outputs).

    Returns:
        (n, output height, output width, outputs) in the dtype of the arguments.
    """
    count, height, width, _ = x.shape
    size, kernels = (filters.shape[0], filters.shape[1]), filters.shape[3]
    rows, columns = output_size((height, width), size, stride, dilation, pads)
    # One product for each image, so that its bits do not depend on the images beside it.
    total = np.zeros((count, groups, rows * columns, kernels // groups), np.result_type(x, filters))
    for r, s, pixels in taps(pad(x, pads), size, stride, dilation):
        total += _by_image(pixels, groups) @ _by_group(filters[r, s], groups)
    return total.swapaxes(1, 2).reshape(count, rows, columns, kernels)


def conv2d_filter_gradient(
    x: Array,
    gradient: Array,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂F (*size, channels // groups, outputs) from x and ∂L/∂O (n, rows, columns, outputs)."""
    depth, kernels = x.shape[3] // groups, gradient.shape[3]
    result = np.empty((*size, depth, kernels), np.result_type(x, gradient))
    arriving = _by_group(gradient, groups)
    for r, s, pixels in taps(pad(x, pads), size, stride, dilation):
        products = _by_group(pixels, groups).swapaxes(1, 2) @ arriving  # (groups, depth, k/groups)
        result[r, s] = products.swapaxes(0, 1).reshape(depth, kernels)
    return result


def conv2d_input_gradient(
    gradient: Array,
    filters: Array,
    image: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂X (n, *image, channels) from ∂L/∂O (n, rows, columns, outputs) and the filters."""
    size, depth = (filters.shape[0], filters.shape[1]), filters.shape[2]
    dtype = np.result_type(gradient, filters)
    result = padded_zeros(len(gradient), image, depth * groups, pads, dtype)
    arriving = _by_group(gradient, groups)
    for r, s, pixels in taps(result, size, stride, dilation):
        shares = arriving @ _by_group(filters[r, s], groups).swapaxes(1, 2)
        pixels += shares.swapaxes(0, 1).reshape(pixels.shape)  # writes through to `result`
    return crop(result, pads)
