"""Where the numbers of a plan's constants come from: which of the network's parameters each is.

A plan copies weights into the order in which its nests read them. Here that is asked instead of
told: the parameters are numbered, and laid out once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.plan.layout import Buffer

Origins = npt.NDArray[np.int32]
# Numbers that 32-bit floating-point ones hold exactly, also with a half added.
_DIGITS = 1 << 14


def origins_of(
    buffers: Iterable[Buffer],
    arrays: Mapping[Buffer, npt.NDArray[np.generic]],
    flat: Floats,
    lay_out: Callable[[], None],
) -> dict[Buffer, Origins]:
    """The place in `flat` of each number of those buffers that hold copies of it; -1 for what is no
    copy.

    Args:
        buffers: the buffers that are asked for.
        arrays: the memory of each.
        flat: all parameters, at most 2²⁸; they are as before afterwards.
        lay_out: fills the buffers from `flat`.
    """
    asked = [buffer for buffer in buffers if arrays[buffer].dtype == np.float32]
    kept = flat.copy()
    numbers = np.arange(flat.size)

    def laid(values: Array) -> dict[Buffer, Array]:
        flat[...] = values
        lay_out()
        return {buffer: arrays[buffer].copy() for buffer in asked}

    # With a half, so that what depends on no parameter is no digit in one of them.
    low, high = laid(numbers % _DIGITS), laid(numbers // _DIGITS + 0.5)
    flat[...] = kept
    lay_out()
    found = {}
    for buffer in asked:
        origins = _decoded(low[buffer], high[buffer] - 0.5, flat.size)
        same = kept[origins].view(np.uint32) == arrays[buffer].view(np.uint32)
        origins[~same] = -1
        if origins.max(initial=-1) >= 0:
            found[buffer] = origins
    return found


def _decoded(low: Array, high: Array, size: int) -> Origins:
    """Numbers below `size` from their digits; -1 where they are none."""
    known = np.ones(low.shape, np.bool_)
    for digit, most in ((low, _DIGITS), (high, size // _DIGITS + 1)):
        known &= (digit >= 0) & (digit < most) & (digit == np.rint(digit))
    low, high = (np.where(known, digit, 0).astype(np.int32) for digit in (low, high))
    found = high * _DIGITS + low
    return np.where(known & (found < size), found, np.int32(-1))
