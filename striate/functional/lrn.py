"""Local response normalisation as a function, and its gradient."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import run, run_backward


def lrn(
    x: npt.ArrayLike,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
    *,
    engine: str = "llvm",
) -> Array:
    """x / (bias + alpha/size · Σ x²)^beta over neighbouring channels: see `striate.layers.LRN`."""
    return run(layers.LRN(size, alpha, beta, bias), (x,), {}, engine)


def lrn_input_gradient(
    gradient: npt.ArrayLike,
    x: npt.ArrayLike,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
    *,
    engine: str = "llvm",
) -> Array:
    """∂L/∂x of `lrn` from ∂L/∂output."""
    return run_backward(layers.LRN(size, alpha, beta, bias), (x,), {}, gradient, engine).inputs[0]
