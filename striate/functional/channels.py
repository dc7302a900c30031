"""Choices of channels as functions, and their gradients."""

from __future__ import annotations

import numpy.typing as npt

from striate import layers
from striate.common.arrays import Array
from striate.functional.single import floats, linear_input_gradient, run


def channel_shuffle(x: npt.ArrayLike, groups: int, *, engine: str = "llvm") -> Array:
    """Channel i·(channels/groups) + j goes to j·groups + i."""
    return run(layers.ChannelShuffle(groups), (x,), {}, engine)


def channel_shuffle_input_gradient(
    gradient: npt.ArrayLike, groups: int, *, engine: str = "llvm"
) -> Array:
    """∂L/∂x of `channel_shuffle` from ∂L/∂output: each channel goes back."""
    arriving = floats(gradient, "gradient")
    layer = layers.ChannelShuffle(groups)
    return linear_input_gradient(layer, {}, arriving, arriving.shape[1:], engine)


def channel_slice(
    x: npt.ArrayLike, start: int, stop: int, step: int = 1, *, engine: str = "llvm"
) -> Array:
    """The channels from `start` to `stop`, which is not among them."""
    return run(layers.ChannelSlice(start, stop, step), (x,), {}, engine)


def channel_slice_input_gradient(
    gradient: npt.ArrayLike,
    channels: int,
    start: int,
    stop: int,
    step: int = 1,
    *,
    engine: str = "llvm",
) -> Array:
    """∂L/∂x of `channel_slice` from ∂L/∂output: 0 for all other of so many `channels`."""
    arriving = floats(gradient, "gradient")
    shape = (*arriving.shape[1:-1], channels)
    layer = layers.ChannelSlice(start, stop, step)
    return linear_input_gradient(layer, {}, arriving, shape, engine)
