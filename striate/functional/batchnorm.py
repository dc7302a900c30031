"""Batch normalisation as a function, and its gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.functional.single import floats, given_arrays, run, run_backward


def batch_norm(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    shift: npt.ArrayLike,
    mean: npt.ArrayLike | None = None,
    variance: npt.ArrayLike | None = None,
    *,
    eps: float = 1e-5,
    engine: str = "llvm",
) -> Array:
    """scale · (x - mean) / √(variance + eps) + shift, all (channels,).

    Without `mean` and `variance` those of the batch are used, as in training.
    """
    if (mean is None) != (variance is None):
        raise StriateValueError(
            "batch_norm: give both mean and variance, or neither for the batch's own"
        )
    parameters = given_arrays(scale=scale, shift=shift)
    state = given_arrays(mean=mean, variance=variance)
    return run(layers.BatchNorm(eps=eps), (x,), parameters, engine, state)


class BatchNormGradients(NamedTuple):
    """∂L/∂x like x, ∂L/∂scale and ∂L/∂shift (channels,)."""

    x: Array
    scale: Array
    shift: Array


def batch_norm_gradients(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    *,
    eps: float = 1e-5,
    engine: str = "llvm",
) -> BatchNormGradients:
    """The gradients of `batch_norm` by the batch's own mean and variance, from ∂L/∂output."""
    factors = floats(scale, "scale")
    parameters = {"scale": factors, "shift": np.zeros_like(factors)}
    result = run_backward(layers.BatchNorm(eps=eps), (x,), parameters, gradient, engine)
    return BatchNormGradients(result.inputs[0], **result.parameters)
