"""What a module does to the images before anything else, as the preprocessing of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import fx

from striate.common.arrays import Array
from striate.importing.torch_trace import Known, TracedModule
from striate.importing.torch_values import as_array, operator_name
from striate.model.preprocessing import Preprocessing

_CASTS = ("to", "_to_copy", "contiguous", "clone", "detach", "alias")


def read_preprocessing(traced: TracedModule) -> tuple[fx.Node, Preprocessing | None]:
    """The additions and multiplications at the begin, by numbers that do not learn.

    Returns:
        The node whose value the preprocessing gives, and the preprocessing: the images and None if
        there is none.
    """
    channels = traced.image.meta["val"].shape[1]
    mean, std = np.zeros(channels), np.ones(channels)
    node = traced.image
    while len(node.users) == 1:
        (user,) = node.users
        if operator_name(user) not in _CASTS:
            step = _step(traced, node, user, channels)
            if step is None:
                break
            what, numbers = step
            # (raw - mean) / std, followed by one more step.
            if what == "sub":
                mean = mean + numbers * std
            else:
                std = std * numbers
        node = user
    if (mean == 0).all() and (std == 1).all():
        return traced.image, None
    if not (std > 0).all() or not np.isfinite([mean, std]).all():
        return traced.image, None
    return node, Preprocessing(mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def _step(
    traced: TracedModule, node: fx.Node, user: fx.Node, channels: int
) -> tuple[str, Array] | None:
    """A subtraction or division by numbers per channel that do not learn."""
    operator = operator_name(user)
    if operator not in ("add", "sub", "mul", "div") or len(user.args) != 2 or user.kwargs:
        return None
    one, other = user.args
    if one is not node and (operator in ("sub", "div") or other is not node):
        return None
    numbers = _numbers(traced, other if one is node else one, len(node.meta["val"].shape), channels)
    if numbers is None:
        return None
    if operator == "add":
        return "sub", -numbers
    if operator == "mul":
        with np.errstate(divide="ignore"):
            return "div", 1 / numbers
    return operator, numbers


def _numbers(traced: TracedModule, given: Any, rank: int, channels: int) -> Array | None:
    """One number per channel in float64, or None if it is anything else."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return np.full(channels, float(given))
    known = traced.known.get(given) if isinstance(given, fx.Node) else None
    if not isinstance(known, Known) or known.learned:
        return None
    array = as_array(known.tensor).astype(np.float64)
    if array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    if any(extent != 1 for axis, extent in enumerate(shape) if axis != 1):
        return None
    return np.broadcast_to(array.reshape(-1), (channels,)).copy()
