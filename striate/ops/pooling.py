"""Pooling: one number for each window of each channel, without weights.

    max:  O[n,y,x,c] = max_{r,s} X[n, y*S + r*D, x*S + s*D, c]   over the window's real pixels
    sum:  O[n,y,x,c] = Σ_{r,s}   X[n, y*S + r*D, x*S + s*D, c]   padding counts as zero
    avg:  the sum divided by the window's pixels

and over the whole image, O[n,c] = max_{h,w} X[n,h,w,c].

The gradient of a maximum goes to the first largest pixel of the window, row by row; the
gradient of a sum to all its pixels. "Pooling discards fluctuations" (*From Convolution to Neural
Network*, section Pooling for robustness).
"""

from __future__ import annotations

import math

import numpy as np

from striate.common.arrays import Array
from striate.ops.conv import NO_PADS, crop, output_size, pad, padded_zeros, taps
from striate.ops.shapes import Pads, Pair

# Textbook loops.


def max_pool2d_loops(
    x: Array, size: Pair, pads: Pads = NO_PADS, stride: Pair = (1, 1), dilation: Pair = (1, 1)
) -> tuple[Array, Array]:
    """The maxima and, for each, its pixel's flat index row*width + column, in float64 and int."""
    count, height, width, channels = x.shape
    rows, columns = output_size((height, width), size, stride, dilation, pads)
    output = np.zeros((count, rows, columns, channels))
    winner = np.zeros(output.shape, int)
    for n, y, x_, c in np.ndindex(output.shape):
        largest, place = -math.inf, -1
        for r in range(size[0]):
            for s in range(size[1]):
                row = y * stride[0] + r * dilation[0] - pads[0]
                column = x_ * stride[1] + s * dilation[1] - pads[2]
                if 0 <= row < height and 0 <= column < width:
                    value = float(x[n, row, column, c])
                    if place < 0 or value > largest:
                        largest, place = value, row * width + column
        output[n, y, x_, c], winner[n, y, x_, c] = largest, place
    return output, winner


def max_pool2d_input_gradient_loops(gradient: Array, winner: Array, image: Pair) -> Array:
    """∂L/∂X: each ∂L/∂O is added to the pixel that won, in float64."""
    count, rows, columns, channels = gradient.shape
    result = np.zeros((count, *image, channels))
    for n, y, x_, c in np.ndindex(count, rows, columns, channels):
        row, column = divmod(int(winner[n, y, x_, c]), image[1])
        result[n, row, column, c] += float(gradient[n, y, x_, c])
    return result


def sum_pool2d_loops(
    x: Array, size: Pair, pads: Pads = NO_PADS, stride: Pair = (1, 1), dilation: Pair = (1, 1)
) -> Array:
    """The sum of each window, in float64."""
    count, height, width, channels = x.shape
    rows, columns = output_size((height, width), size, stride, dilation, pads)
    output = np.zeros((count, rows, columns, channels))
    for n, y, x_, c in np.ndindex(output.shape):
        for r in range(size[0]):
            for s in range(size[1]):
                row = y * stride[0] + r * dilation[0] - pads[0]
                column = x_ * stride[1] + s * dilation[1] - pads[2]
                if 0 <= row < height and 0 <= column < width:
                    output[n, y, x_, c] += float(x[n, row, column, c])
    return output


def sum_pool2d_input_gradient_loops(
    gradient: Array,
    image: Pair,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
) -> Array:
    """∂L/∂X: each ∂L/∂O is added to all pixels of its window, in float64."""
    count, rows, columns, channels = gradient.shape
    result = np.zeros((count, *image, channels))
    for n, y, x_, c in np.ndindex(count, rows, columns, channels):
        for r in range(size[0]):
            for s in range(size[1]):
                row = y * stride[0] + r * dilation[0] - pads[0]
                column = x_ * stride[1] + s * dilation[1] - pads[2]
                if 0 <= row < image[0] and 0 <= column < image[1]:
                    result[n, row, column, c] += float(gradient[n, y, x_, c])
    return result


def window_pixels_loops(
    image: Pair, size: Pair, pads: Pads, stride: Pair, dilation: Pair, counted: Pads
) -> Array:
    """How many taps of each window lie in the image or in the part `counted` of its padding."""
    outputs = output_size(image, size, stride, dilation, pads)
    result = np.zeros((*outputs, 1))
    for y, x_ in np.ndindex(*outputs):
        for r in range(size[0]):
            for s in range(size[1]):
                row = y * stride[0] + r * dilation[0] - pads[0]
                column = x_ * stride[1] + s * dilation[1] - pads[2]
                if (
                    -counted[0] <= row < image[0] + counted[1]
                    and -counted[2] <= column < image[1] + counted[3]
                ):
                    result[y, x_, 0] += 1
    return result


def global_max_pool2d_loops(x: Array) -> tuple[Array, Array]:
    """The largest pixel of each channel (n, channels), and its flat index row*width + column."""
    count, height, width, channels = x.shape
    output, winner = np.zeros((count, channels)), np.zeros((count, channels), int)
    for n, c in np.ndindex(count, channels):
        largest, place = -math.inf, -1
        for row in range(height):
            for column in range(width):
                value = float(x[n, row, column, c])
                if place < 0 or value > largest:
                    largest, place = value, row * width + column
        output[n, c], winner[n, c] = largest, place
    return output, winner


# Readable NumPy, one tap of the window at a time (see striate.ops.conv).


def max_pool2d(
    x: Array, size: Pair, pads: Pads = NO_PADS, stride: Pair = (1, 1), dilation: Pair = (1, 1)
) -> tuple[Array, Array]:
    """The largest real pixel of each window.

    Args:
        x: (n, height, width, channels).

    Returns:
        The maxima (n, rows, columns, channels) and the tap r*size[1] + s that each came from.
    """
    views = taps(pad(x, pads, -np.inf), size, stride, dilation)
    output = next(views)[2].copy()
    winner = np.zeros(output.shape, np.int32)
    for r, s, pixels in views:
        winner[pixels > output] = r * size[1] + s  # strictly: the first of equals stays
        np.maximum(output, pixels, out=output)
    return output, winner


def max_pool2d_input_gradient(
    gradient: Array,
    winner: Array,
    image: Pair,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
) -> Array:
    """∂L/∂X (n, *image, channels) from ∂L/∂O and the taps that won."""
    result = padded_zeros(len(gradient), image, gradient.shape[3], pads, gradient.dtype)
    for r, s, pixels in taps(result, size, stride, dilation):
        pixels += np.where(winner == r * size[1] + s, gradient, gradient.dtype.type(0))
    return crop(result, pads)


def sum_pool2d(
    x: Array, size: Pair, pads: Pads = NO_PADS, stride: Pair = (1, 1), dilation: Pair = (1, 1)
) -> Array:
    """The sum of each window, (n, rows, columns, channels)."""
    views = taps(pad(x, pads), size, stride, dilation)
    output = next(views)[2].copy()
    for _, _, pixels in views:
        output += pixels
    return output


def sum_pool2d_input_gradient(
    gradient: Array,
    image: Pair,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
) -> Array:
    """∂L/∂X (n, *image, channels) from ∂L/∂O."""
    result = padded_zeros(len(gradient), image, gradient.shape[3], pads, gradient.dtype)
    for _, _, pixels in taps(result, size, stride, dilation):
        pixels += gradient
    return crop(result, pads)


def window_pixels(
    image: Pair,
    size: Pair,
    pads: Pads,
    stride: Pair,
    dilation: Pair = (1, 1),
    counted: Pads = NO_PADS,
) -> Array:
    """How many pixels each average divides by, float64 (rows, columns, 1).

    Args:
        image, size, stride, dilation: of the windows.
        pads: all that windows read around the image.
        counted: the part of it that counts as pixels, at the image's side.
    """
    around = tuple(whole - part for whole, part in zip(pads, counted, strict=True))
    top, bottom, left, right = counted
    wider = (image[0] + top + bottom, image[1] + left + right)
    rest: Pads = (around[0], around[1], around[2], around[3])
    return np.asarray(sum_pool2d(np.ones((1, *wider, 1)), size, rest, stride, dilation)[0])


def global_max_pool2d(x: Array) -> tuple[Array, Array]:
    """The largest pixel of each channel, (n, channels), and its flat index row*width + column."""
    pixels = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
    winner = pixels.argmax(1)
    return np.take_along_axis(pixels, winner[:, None], 1)[:, 0], winner


def global_max_pool2d_input_gradient(gradient: Array, winner: Array, image: Pair) -> Array:
    """∂L/∂X (n, *image, channels): each ∂L/∂O goes to the pixel that won."""
    count, channels = gradient.shape
    result = np.zeros((count, image[0] * image[1], channels), gradient.dtype)
    np.put_along_axis(result, winner[:, None], gradient[:, None], 1)
    return result.reshape(count, *image, channels)
