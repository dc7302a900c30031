"""Transposed convolution: the input gradient of a convolution, as a layer of its own.

With X (n, H, W, C), filters F (r, s, K/groups, C), stride S, dilation D and padding P:

    O[n, h*S + r*D - P, w*S + s*D - P, k] += Σ_c  X[n,h,w,c] · F[r,s,k,c]
    ∂L/∂F[r,s,k,c] = Σ_{n,h,w}   X[n,h,w,c] · ∂L/∂O[n, h*S + r*D - P, w*S + s*D - P, k]
    ∂L/∂X[n,h,w,c] = Σ_{r,s,k} F[r,s,k,c] · ∂L/∂O[n, h*S + r*D - P, w*S + s*D - P, k]

These are the three sums of the convolution from O's shape to X's (`striate.ops.conv`), with the
roles of the images exchanged. O has ``(H - 1)*S + R - P_before - P_after + output_padding`` rows.
What lies in the padding is cut away; the rows of the output padding come behind the others.
(Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.)
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.ops import conv
from striate.ops.shapes import Pads, Pair, extent


def transposed_outputs(
    image: Pair, size: Pair, stride: Pair, dilation: Pair, pads: Pads, output_padding: Pair
) -> Pair:
    """Output (height, width), which are not positive where the padding cuts all away."""
    down, across = (
        (image[axis] - 1) * stride[axis]
        + extent(size[axis], dilation[axis])
        - pads[2 * axis]
        - pads[2 * axis + 1]
        + output_padding[axis]
        for axis in (0, 1)
    )
    return (down, across)


# Textbook loops.


def conv_transpose2d_loops(
    x: Array, filters: Array, output: Pair, pads: Pads, stride: Pair, dilation: Pair, groups: int
) -> Array:
    """O (n, *output, filters), one multiplication at a time, in float64."""
    count, height, width, channels = x.shape
    taps_down, taps_across, share, _ = filters.shape
    result = np.zeros((count, *output, share * groups))
    for n, h, w, c in np.ndindex(count, height, width, channels):
        first = c // (channels // groups) * share
        for r in range(taps_down):
            for s in range(taps_across):
                row = h * stride[0] + r * dilation[0] - pads[0]
                column = w * stride[1] + s * dilation[1] - pads[2]
                if 0 <= row < output[0] and 0 <= column < output[1]:
                    for k in range(share):
                        part = float(x[n, h, w, c]) * float(filters[r, s, k, c])
                        result[n, row, column, first + k] += part
    return result


# Readable NumPy. The frame is all that the windows reach, from which the output is cut.


def conv_transpose2d(
    x: Array, filters: Array, output: Pair, pads: Pads, stride: Pair, dilation: Pair, groups: int
) -> Array:
    """Spread images through filters.

    Args:
        x: (n, height, width, channels).
        filters: (filter height, filter width, filters // groups, channels).
        output: (height, width) of the result.
        pads, stride, dilation, groups: of the convolution whose input gradient this is.

    Returns:
        (n, *output, filters).
    """
    frame = _frame((x.shape[1], x.shape[2]), filters.shape[:2], stride, dilation)
    spread = conv.conv2d_input_gradient(
        x, filters, frame, stride=stride, dilation=dilation, groups=groups
    )
    behind = _behind(frame, output, pads)
    bottom, right = behind
    wider = conv.pad(spread, (0, max(bottom, 0), 0, max(right, 0)))
    top, left = pads[0], pads[2]
    return wider[:, top : top + output[0], left : left + output[1]]


def conv_transpose2d_filter_gradient(
    x: Array, gradient: Array, size: Pair, pads: Pads, stride: Pair, dilation: Pair, groups: int
) -> Array:
    """∂L/∂F (*size, filters // groups, channels) from x and ∂L/∂O."""
    framed = _framed(gradient, (x.shape[1], x.shape[2]), size, pads, stride, dilation)
    return conv.conv2d_filter_gradient(
        framed, x, size, stride=stride, dilation=dilation, groups=groups
    )


def conv_transpose2d_input_gradient(
    gradient: Array, filters: Array, image: Pair, pads: Pads, stride: Pair, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """∂L/∂X (n, *image, channels) from ∂L/∂O and the filters."""
    size = (filters.shape[0], filters.shape[1])
    framed = _framed(gradient, image, size, pads, stride, dilation)
    return conv.conv2d(framed, filters, stride=stride, dilation=dilation, groups=groups)


def _frame(image: Pair, size: tuple[int, ...], stride: Pair, dilation: Pair) -> Pair:
    down, across = (
        (image[axis] - 1) * stride[axis] + extent(size[axis], dilation[axis]) for axis in (0, 1)
    )
    return (down, across)


def _behind(frame: Pair, output: Pair, pads: Pads) -> Pair:
    """How far the output reaches beyond the frame; negative where it ends before."""
    return (pads[0] + output[0] - frame[0], pads[2] + output[1] - frame[1])


def _framed(
    gradient: Array, image: Pair, size: Pair, pads: Pads, stride: Pair, dilation: Pair
) -> Array:
    """∂L/∂O in the frame that it was cut from: zeros where something was cut away."""
    frame = _frame(image, size, stride, dilation)
    bottom, right = _behind(frame, (gradient.shape[1], gradient.shape[2]), pads)
    padded = conv.pad(gradient, (pads[0], max(-bottom, 0), pads[2], max(-right, 0)))
    return padded[:, : frame[0], : frame[1]]
