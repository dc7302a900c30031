"""Layer normalisation over the channels of each pixel as a function, and its gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import floats, given_arrays, run, run_backward


def layer_norm(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    shift: npt.ArrayLike,
    *,
    eps: float = 1e-6,
    engine: str = "llvm",
) -> Array:
    """scale · (x - mean) / √(variance + eps) + shift, by each pixel's own channels."""
    parameters = given_arrays(scale=scale, shift=shift)
    return run(layers.LayerNorm(eps=eps), (x,), parameters, engine)


class LayerNormGradients(NamedTuple):
    """∂L/∂x like x, ∂L/∂scale and ∂L/∂shift (channels,)."""

    x: Array
    scale: Array
    shift: Array


def layer_norm_gradients(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    *,
    eps: float = 1e-6,
    engine: str = "llvm",
) -> LayerNormGradients:
    """The gradients of `layer_norm` from ∂L/∂output."""
    factors = floats(scale, "scale")
    parameters = {"scale": factors, "shift": np.zeros_like(factors)}
    result = run_backward(layers.LayerNorm(eps=eps), (x,), parameters, gradient, engine)
    return LayerNormGradients(result.inputs[0], **result.parameters)
