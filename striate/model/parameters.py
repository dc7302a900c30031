"""All parameters of a network in one flat buffer: the place of each, and its initial values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats
from striate.common.budget import MOST_PARAMETERS, at_most, need
from striate.common.memory import aligned_zeros, whole_lines
from striate.layers import Parameter

# Numbers drawn at once.
_DRAWN = 1 << 16


@dataclass(frozen=True)
class Slot:
    """The place of a parameter in the flat buffer: ``flat[start:stop]``.

    Attributes:
        node: the index of the node whose parameter it is.
        parameter: its description.
        start, stop: its place.
    """

    node: int
    parameter: Parameter
    start: int
    stop: int


def lay_out(needs: Iterable[tuple[int, Iterable[Parameter]]]) -> tuple[Slot, ...]:
    """A place for each parameter of each (node, parameters), in order; each starts at a new cache
    line.
    """
    slots: list[Slot] = []
    end = 0
    for index, parameters in needs:
        for parameter in parameters:
            start = _round_up(end)
            end = start + math.prod(parameter.shape)
            slots.append(Slot(index, parameter, start, end))
    return tuple(slots)


def views(slots: Iterable[Slot], flat: Floats, names: Sequence[str]) -> dict[str, Floats]:
    """The parameters as arrays by name, "conv2d_1/filters"; `names` are those of the nodes."""
    return {
        f"{names[slot.node]}/{slot.parameter.name}": flat[slot.start : slot.stop].reshape(
            slot.parameter.shape
        )
        for slot in slots
    }


def _round_up(count: int) -> int:
    return whole_lines(4 * count) // 4


def zeros(slots: Sequence[Slot]) -> Floats:
    """A buffer of zeros for all of these; StriateMemoryError if it does not fit in memory."""
    count = _round_up(slots[-1].stop) if slots else 0
    at_most(count, MOST_PARAMETERS, "parameters", "Network", "use fewer or smaller layers")
    what = f"Network: its {count:,} parameters do not fit in memory: to have them"
    need(4 * count, what, "use fewer or smaller layers")
    return aligned_zeros(count)


@unwatched
def draw(parameter: Parameter, seed: int, index: int, into: Floats) -> None:
    """Draw the initial values of a parameter into its part of the buffer.

    They are drawn in parts, because each number is a float64 before it becomes a float32.
    """
    random = np.random.default_rng([seed, index])
    for start in range(0, into.size, _DRAWN):
        part = into[start : start + _DRAWN]
        part[:] = initial(parameter, random, part.size)


def initial(parameter: Parameter, random: np.random.Generator, count: int) -> Array | float:
    """`count` initial values of a parameter, or the one value that all of them have."""
    if parameter.initial in ("he_normal", "identity"):
        return random.standard_normal(count) * math.sqrt(2 / parameter.fan_in)
    if parameter.initial == "glorot_uniform":
        limit = math.sqrt(6 / (parameter.fan_in + parameter.fan_out))
        return random.uniform(-limit, limit, count)
    return {"zeros": 0.0, "ones": 1.0, "quarters": 0.25}[parameter.initial]


def set_identity_filters(parameter: Parameter, filters: Array) -> None:
    """Make filter i of each group copy channel i, as far as there are both; in place."""
    height, width, channels, count = filters.shape
    share = parameter.fan_out // (height * width)
    for first in range(0, count, share):
        same = np.arange(min(channels, share))
        filters[..., first + same] = 0.0
        filters[(height - 1) // 2, (width - 1) // 2, same, first + same] = 1.0
