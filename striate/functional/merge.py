"""Several arrays made one: their sum, their product, or side by side along the channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.functional.single import floats, run, run_backward


def add(*inputs: npt.ArrayLike, engine: str = "llvm") -> Array:
    """The sum of two or more arrays of the same shape. Its gradient is the same for each."""
    return run(layers.Add(), inputs, {}, engine)


def multiply(*inputs: npt.ArrayLike, engine: str = "llvm") -> Array:
    """The product of two or more arrays, such as images and gates: see `layers.Multiply`."""
    return run(layers.Multiply(), inputs, {}, engine)


def multiply_input_gradients(
    gradient: npt.ArrayLike, *inputs: npt.ArrayLike, engine: str = "llvm"
) -> tuple[Array, ...]:
    """∂L/∂input of each input of `multiply`, from ∂L/∂output."""
    return run_backward(layers.Multiply(), inputs, {}, gradient, engine).inputs


def concat(*inputs: npt.ArrayLike, engine: str = "llvm") -> Array:
    """Two or more arrays side by side along the channels."""
    return run(layers.Concat(), inputs, {}, engine)


def concat_input_gradients(gradient: npt.ArrayLike, channels: Sequence[int]) -> tuple[Array, ...]:
    """∂L/∂input of each input of `concat`, from ∂L/∂output and the inputs' channel counts."""
    arriving = floats(gradient, "gradient")
    if sum(channels) != arriving.shape[-1]:
        raise StriateValueError(
            f"concat_input_gradients: channels {tuple(channels)} make {sum(channels)}, the "
            f"gradient has {arriving.shape[-1]}"
        )
    return tuple(np.split(arriving, np.cumsum(channels)[:-1], axis=-1))
