"""Layer normalisation over the channels of each pixel (Ba, Kiros, Hinton 2016, arXiv:1607.06450).

    normal = (x - mean) / √(variance + eps)        output = scale · normal + shift

Mean and (biased) variance are those of one pixel's channels, in training and afterwards.
"""

from __future__ import annotations

import math

import numpy as np

from striate.common.arrays import Array


def layer_norm_loops(x: Array, scale: Array, shift: Array, eps: float) -> Array:
    """One pixel at a time, in float64."""
    output = np.zeros(x.shape)
    channels = x.shape[-1]
    for pixel in np.ndindex(x.shape[:-1]):
        values = [float(value) for value in x[pixel]]
        mean = sum(values) / channels
        variance = sum((value - mean) ** 2 for value in values) / channels
        for c, value in enumerate(values):
            normal = (value - mean) / math.sqrt(variance + eps)
            output[(*pixel, c)] = float(scale[c]) * normal + float(shift[c])
    return output


def normalise_pixels(x: Array, eps: float) -> tuple[Array, Array]:
    """(x - mean)·inverse, and inverse = 1/√(variance + eps) with one number for each pixel."""
    mean = x.mean(-1, keepdims=True)
    inverse = 1 / np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(eps))
    return (x - mean) * inverse, inverse


def layer_norm_gradients(
    gradient: Array, normal: Array, inverse: Array, scale: Array
) -> tuple[Array, Array, Array]:
    """(∂L/∂x, ∂L/∂scale, ∂L/∂shift).

    A pixel's mean and variance depend on its channels: their share removes from ∂L/∂normal its
    mean over the channels and its component along `normal`.
    """
    axes = tuple(range(gradient.ndim - 1))
    to_normal = gradient * scale
    along = (to_normal * normal).mean(-1, keepdims=True)
    to_x = (to_normal - to_normal.mean(-1, keepdims=True) - normal * along) * inverse
    return to_x, (gradient * normal).sum(axes), gradient.sum(axes)
