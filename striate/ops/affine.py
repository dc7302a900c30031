"""A learned factor and a learned addend for each channel: output = x · scale + shift."""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array


def affine_loops(x: Array, scale: Array | None, shift: Array | None) -> Array:
    """One number at a time, in float64; None for a factor of 1, or an addend of 0."""
    output = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = float(x[index])
        if scale is not None:
            value *= float(scale[index[-1]])
        if shift is not None:
            value += float(shift[index[-1]])
        output[index] = value
    return output


def affine(x: Array, scale: Array | None, shift: Array | None) -> Array:
    """x · scale + shift, without what is None."""
    output = x if scale is None else x * scale
    return output if shift is None else output + shift


def affine_parameter_gradients(gradient: Array, x: Array) -> tuple[Array, Array]:
    """(∂L/∂scale, ∂L/∂shift), (channels,) each."""
    axes = tuple(range(gradient.ndim - 1))
    return (gradient * x).sum(axes), gradient.sum(axes)
