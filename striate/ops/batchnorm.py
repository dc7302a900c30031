"""Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167), over all axes but the last.

    normal = (x - mean) / √(variance + eps)        output = scale · normal + shift

Mean and (biased) variance are those of the batch in training, running averages afterwards.
"""

from __future__ import annotations

import math

import numpy as np

from striate.common.arrays import Array


def batch_norm_loops(x: Array, scale: Array, shift: Array, eps: float) -> Array:
    """Normalise by the batch's own mean and variance, one number at a time, in float64."""
    values = x.reshape(-1, x.shape[-1])
    output = np.zeros(values.shape)
    count = len(values)
    for c in range(values.shape[1]):
        mean = sum(float(values[i, c]) for i in range(count)) / count
        variance = sum((float(values[i, c]) - mean) ** 2 for i in range(count)) / count
        for i in range(count):
            normal = (float(values[i, c]) - mean) / math.sqrt(variance + eps)
            output[i, c] = float(scale[c]) * normal + float(shift[c])
    return output.reshape(x.shape)


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel, (c,) and (c,)."""
    axes = tuple(range(x.ndim - 1))
    return x.mean(axes), x.var(axes)


def normalise(x: Array, mean: Array, variance: Array, eps: float) -> tuple[Array, Array]:
    """(x - mean)·inverse and inverse = 1/√(variance + eps), in the dtype of x."""
    inverse = (1 / np.sqrt(variance + eps)).astype(x.dtype, copy=False)
    return (x - mean.astype(x.dtype, copy=False)) * inverse, inverse


def batch_norm_gradients(
    gradient: Array, normal: Array, inverse: Array, scale: Array, training: bool
) -> tuple[Array, Array, Array]:
    """(∂L/∂x, ∂L/∂scale, ∂L/∂shift).

    In training the batch's mean and variance depend on x too; their share removes from ∂L/∂normal
    its mean and its component along `normal` (section 3 of the paper, simplified). Afterwards
    they are constants and the layer is a multiplication.
    """
    axes = tuple(range(gradient.ndim - 1))
    scale_gradient = (gradient * normal).sum(axes)
    shift_gradient = gradient.sum(axes)
    if training:
        count = gradient.size // gradient.shape[-1]
        shared = shift_gradient + normal * scale_gradient
        gradient = gradient - shared / gradient.dtype.type(count)
    return gradient * (scale * inverse), scale_gradient, shift_gradient
