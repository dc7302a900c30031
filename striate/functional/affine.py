"""A factor and an addend for each channel as a function, and its gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import given_arrays, run, run_backward


def affine(
    x: npt.ArrayLike,
    scale: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    *,
    engine: str = "llvm",
) -> Array:
    """x · scale + shift, (channels,) each; at least one of them is given."""
    layer = layers.Affine(scale is not None, shift is not None)
    return run(layer, (x,), given_arrays(scale=scale, shift=shift), engine)


class AffineGradients(NamedTuple):
    """∂L/∂x like x, ∂L/∂scale and ∂L/∂shift (channels,)."""

    x: Array
    scale: Array
    shift: Array


def affine_gradients(
    gradient: npt.ArrayLike, x: npt.ArrayLike, scale: npt.ArrayLike, *, engine: str = "llvm"
) -> AffineGradients:
    """The gradients of `affine` from ∂L/∂output; they do not depend on the shift."""
    parameters = given_arrays(scale=scale, shift=scale)
    result = run_backward(layers.Affine(), (x,), parameters, gradient, engine)
    return AffineGradients(result.inputs[0], **result.parameters)
