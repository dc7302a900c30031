"""A sweep brought into one form: planes, rows and columns, whatever the array's axes were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.nest.algebra import Element
from striate.nest.ir import Number
from striate.signal.geometry import AxisWindow

_CHANNELS = 16  # more than these are columns of their own, not parts of a pixel


@dataclass(frozen=True)
class Role:
    """An axis of the problem.  An axis that is not swept has one tap.

    `source` and `target` are the bytes from one element to the next, in input and output.
    """

    length: int
    window: AxisWindow
    taps: int
    border: str
    source: int
    target: int


@dataclass(frozen=True)
class Problem:
    """All that a plan depends on, without addresses and values.

    Columns lie side by side in input and output, `channels` numbers each.
    """

    z: Role
    y: Role
    x: Role
    channels: int
    batch: tuple[tuple[int, int, int], ...]  # (length, source bytes, target bytes)
    source: Element
    target: Element
    element: Number
    clip: tuple[float, float] | None = None


@dataclass(frozen=True)
class Axes:
    """Which axes of the array are planes, rows, columns and channels; the others are batches.

    None stands for an axis of length 1 that the array does not have.
    """

    z: int | None
    y: int | None
    x: int
    channels: int | None
    batch: tuple[int, ...]


def choose_axes(shape: Sequence[int], swept: Sequence[int]) -> Axes | None:
    """Roles for the axes of a C-ordered array; None if it must be rearranged first."""
    last = len(shape) - 1
    rest = [axis for axis in range(last + 1) if axis not in swept]
    channels = None
    if last in swept:
        x = last
    elif last - 1 in swept and (shape[last] <= _CHANNELS or len(swept) == 3):
        x, channels = last - 1, last
        rest.remove(last)
    elif len(swept) < 3:
        x = last
        rest.remove(last)
    else:
        return None
    ahead = [axis for axis in sorted(swept) if axis != x]
    if not ahead and rest:
        ahead = [rest.pop()]  # batches are rows: a tile of them shares each weight
    y = ahead.pop() if ahead else None
    z = ahead.pop() if ahead else None
    return Axes(z, y, x, channels, tuple(rest))


def is_dense(array: Array, axes: Axes) -> bool:
    """Whether the numbers of a row lie side by side."""
    width = 1 if axes.channels is None else array.shape[axes.channels]
    wanted = [(axes.x, width * array.itemsize)]
    if axes.channels is not None:
        wanted.append((axes.channels, array.itemsize))
    return array.flags.aligned and all(
        array.shape[a] == 1 or array.strides[a] == stride for a, stride in wanted
    )


def role(
    axis: int | None,
    f: Array,
    out: Array,
    swept: Sequence[int],
    windows: Sequence[AxisWindow],
    borders: Sequence[str],
    taps: Sequence[int],
) -> Role:
    """What an axis of the array, or one that it does not have, is in the problem."""
    if axis is None:
        return Role(1, AxisWindow(0, 1), 1, "fill", 0, 0)
    length, strides = f.shape[axis], (f.strides[axis], out.strides[axis])
    if axis not in swept:
        return Role(length, AxisWindow(0, length), 1, "fill", *strides)
    i = list(swept).index(axis)
    return Role(length, windows[i], taps[i], borders[i], *strides)


_ELEMENTS: dict[str, Element] = {
    "bool": "u8",
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "float32": "f32",
    "float64": "f64",
}


def element_of(dtype: np.dtype[Any]) -> Element | None:
    """The compiler's name of a storage type; None if it has none."""
    return _ELEMENTS.get(dtype.name) if dtype.isnative else None


def number_of(dtype: np.dtype[Any]) -> Number | None:
    """What the compiler computes in for results of `dtype`; None if it cannot.

    Whole numbers are computed in words of 32 or 64 bits: cut to the result's width they are what
    arithmetic of that width gives, since all of it is modulo a power of two.
    """
    if dtype.kind == "f":
        return {4: "f32", 8: "f64"}.get(dtype.itemsize)  # type: ignore[return-value]
    if dtype.kind in "iu":
        return "i64" if dtype.itemsize == 8 else "i32"
    return None
