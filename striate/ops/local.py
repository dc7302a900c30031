"""The locally connected layer: a convolution whose filters are not shared between positions.

With padded X (n, H, W, C), weights W (rows, columns, r, s, C/groups, K), stride S and dilation D:

    O[n,y,x,k]         = Σ_{r,s,c} X[n, y*S + r*D, x*S + s*D, c] · W[y,x,r,s,c,k]
    ∂L/∂W[y,x,r,s,c,k] = Σ_n ∂L/∂O[n,y,x,k] · X[n, y*S + r*D, x*S + s*D, c]
    ∂L/∂X[n, y*S+r*D, x*S+s*D, c] += Σ_k ∂L/∂O[n,y,x,k] · W[y,x,r,s,c,k]

The formulas of `striate.ops.conv` with y, x as two more axes of the filters: what a convolution
sums over positions stays apart here. As there, the filters are not flipped.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.ops.conv import NO_PADS, crop, output_size, pad, padded_zeros, taps
from striate.ops.row_products import times_each_row
from striate.ops.shapes import Pads, Pair

# Textbook loops.


def local2d_loops(
    x: Array,
    weights: Array,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """O of the formula above, one multiplication at a time, in float64."""
    count, height, width, _ = x.shape
    rows, columns, taps_down, taps_across, depth, kernels = weights.shape
    output = np.zeros((count, rows, columns, kernels))
    for n in range(count):
        for y in range(rows):
            for x_ in range(columns):
                for k in range(kernels):
                    first_channel = k // (kernels // groups) * depth
                    for r in range(taps_down):
                        for s in range(taps_across):
                            row = y * stride[0] + r * dilation[0] - pads[0]
                            column = x_ * stride[1] + s * dilation[1] - pads[2]
                            if 0 <= row < height and 0 <= column < width:  # else: padding, zero
                                for c in range(depth):
                                    pixel = float(x[n, row, column, first_channel + c])
                                    weight = float(weights[y, x_, r, s, c, k])
                                    output[n, y, x_, k] += pixel * weight
    return output


def local2d_weight_gradient_loops(
    x: Array,
    gradient: Array,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂W, one multiplication at a time, in float64; zero where a weight meets only padding."""
    count, height, width, channels = x.shape
    _, rows, columns, kernels = gradient.shape
    depth = channels // groups
    result = np.zeros((rows, columns, *size, depth, kernels))
    for y in range(rows):
        for x_ in range(columns):
            for r in range(size[0]):
                for s in range(size[1]):
                    row = y * stride[0] + r * dilation[0] - pads[0]
                    column = x_ * stride[1] + s * dilation[1] - pads[2]
                    if 0 <= row < height and 0 <= column < width:
                        for c in range(depth):
                            for k in range(kernels):
                                channel = k // (kernels // groups) * depth + c
                                for n in range(count):
                                    pixel = float(x[n, row, column, channel])
                                    arriving = float(gradient[n, y, x_, k])
                                    result[y, x_, r, s, c, k] += arriving * pixel
    return result


def local2d_input_gradient_loops(
    gradient: Array,
    weights: Array,
    image: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂X, one multiplication at a time, in float64; `image` is X's (height, width)."""
    count, rows, columns, kernels = gradient.shape
    taps_down, taps_across, depth = weights.shape[2:5]
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
                                    weight = float(weights[y, x_, r, s, c, k])
                                    result[n, row, column, first_channel + c] += arriving * weight
    return result


# Readable NumPy: one filter tap (r, s) at a time, and for one tap a small matrix product at every
# position and group: (images × channels) · (channels × outputs).


def _by_position(values: Array, groups: int) -> Array:
    """(n, y, x, c) -> (y, x, groups, n, c/groups): a matrix for each position and group."""
    count, rows, columns, channels = values.shape
    apart = values.reshape(count, rows, columns, groups, channels // groups)
    return apart.transpose(1, 2, 3, 0, 4)


def _images_of(values: Array) -> Array:
    """(y, x, groups, n, c/groups) -> (n, y, x, c): `_by_position` undone."""
    rows, columns, groups, count, share = values.shape
    return values.transpose(3, 0, 1, 2, 4).reshape(count, rows, columns, groups * share)


def _weights_of(weights: Array, groups: int) -> Array:
    """(y, x, c, k) -> (y, x, groups, c, k/groups): the weights of one tap as matrices."""
    rows, columns, depth, kernels = weights.shape
    return weights.reshape(rows, columns, depth, groups, kernels // groups).swapaxes(2, 3)


def local2d(
    x: Array,
    weights: Array,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Correlate every window of the images with filters of its own.

    Args:
        x: (n, height, width, channels).
        weights: (rows, columns, filter height, filter width, channels // groups, outputs).

    Returns:
        (n, rows, columns, outputs) in the dtype of the arguments.
    """
    size = (weights.shape[2], weights.shape[3])
    rows, columns = output_size(x.shape[1:3], size, stride, dilation, pads)
    dtype = np.result_type(x, weights)
    total = np.zeros((rows, columns, groups, len(x), weights.shape[5] // groups), dtype)
    for r, s, pixels in taps(pad(x, pads), size, stride, dilation):
        total += times_each_row(
            _by_position(pixels, groups), _weights_of(weights[:, :, r, s], groups)
        )
    return _images_of(total)


def local2d_weight_gradient(
    x: Array,
    gradient: Array,
    size: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂W (rows, columns, *size, channels // groups, outputs) from x and ∂L/∂O (n, rows, …)."""
    _, rows, columns, kernels = gradient.shape
    depth = x.shape[3] // groups
    result = np.empty((rows, columns, *size, depth, kernels), np.result_type(x, gradient))
    arriving = _by_position(gradient, groups)
    for r, s, pixels in taps(pad(x, pads), size, stride, dilation):
        products = _by_position(pixels, groups).swapaxes(3, 4) @ arriving  # (y, x, g, depth, k/g)
        result[:, :, r, s] = products.swapaxes(2, 3).reshape(rows, columns, depth, kernels)
    return result


def local2d_input_gradient(
    gradient: Array,
    weights: Array,
    image: Pair,
    pads: Pads = NO_PADS,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """∂L/∂X (n, *image, channels) from ∂L/∂O (n, rows, columns, outputs) and the weights."""
    size, depth = (weights.shape[2], weights.shape[3]), weights.shape[4]
    dtype = np.result_type(gradient, weights)
    result = padded_zeros(len(gradient), image, depth * groups, pads, dtype)
    arriving = _by_position(gradient, groups)
    for r, s, pixels in taps(result, size, stride, dilation):
        shares = arriving @ _weights_of(weights[:, :, r, s], groups).swapaxes(3, 4)
        pixels += _images_of(shares)  # writes through to `result`
    return crop(result, pads)
