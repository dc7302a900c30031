"""A sweep in canonical form: planes, rows, columns and channels, whatever the array's axes were.

The compiled engine is written for this form alone.  Which axis of an array becomes which of them
is decided here: `choose_axes` gives each axis of the array its role, `describe_axis` says what an
axis is in that role, and a `SweepDescriptor` holds them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.nest.algebra import Element
from striate.nest.ir import Number
from striate.signal.geometry import AxisWindow

_MOST_CHANNELS = 16  # more than these are columns of their own, not parts of a pixel


@dataclass(frozen=True)
class AxisDescriptor:
    """One axis of a sweep in canonical form.  An axis that is not swept has one tap.

    Attributes:
        length: elements of the input.
        window: what the outputs read.
        taps: elements of the kernel.
        border: what lies beyond the ends.
        source_stride: bytes from one element of the input to the next.
        output_stride: bytes from one element of the output to the next.
    """

    length: int
    window: AxisWindow
    taps: int
    border: str
    source_stride: int
    output_stride: int


@dataclass(frozen=True)
class SweepDescriptor:
    """All that the code of a sweep depends on, without addresses, weights and fill value.

    Attributes:
        z, y, x: planes, rows and columns.  Columns lie side by side in input and output.
        channels: numbers of a pixel, which lie side by side within a column.
        batch: the axes that are not swept: (length, bytes from one to the next in the input, and
            in the output) for each.
        source_element: how the numbers of the input are stored.
        output_element: how those of the output are stored.
        element: what is computed in.
        clip: each sum is rounded to the nearest whole number and clipped to this range.
    """

    z: AxisDescriptor
    y: AxisDescriptor
    x: AxisDescriptor
    channels: int
    batch: tuple[tuple[int, int, int], ...]
    source_element: Element
    output_element: Element
    element: Number
    clip: tuple[float, float] | None = None


@dataclass(frozen=True)
class AxisRoles:
    """Which axes of an array are planes, rows, columns and channels; the others are batches.

    None stands for an axis of length 1 that the array does not have.
    """

    z: int | None
    y: int | None
    x: int
    channels: int | None
    batch: tuple[int, ...]


def choose_axes(shape: Sequence[int], swept: Sequence[int]) -> AxisRoles | None:
    """Roles for the axes of a C-ordered array; None if it must be rearranged first."""
    last = len(shape) - 1
    rest = [axis for axis in range(last + 1) if axis not in swept]
    channels = None
    if last in swept:
        x = last
    elif last - 1 in swept and (shape[last] <= _MOST_CHANNELS or len(swept) == 3):
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
    return AxisRoles(z, y, x, channels, tuple(rest))


def is_dense(array: Array, roles: AxisRoles) -> bool:
    """Whether the numbers of a row lie side by side."""
    width = 1 if roles.channels is None else array.shape[roles.channels]
    wanted = [(roles.x, width * array.itemsize)]
    if roles.channels is not None:
        wanted.append((roles.channels, array.itemsize))
    return array.flags.aligned and all(
        array.shape[axis] == 1 or array.strides[axis] == stride for axis, stride in wanted
    )


def describe_axis(
    axis: int | None,
    f: Array,
    out: Array,
    swept: Sequence[int],
    windows: Sequence[AxisWindow],
    borders: Sequence[str],
    taps: Sequence[int],
) -> AxisDescriptor:
    """What an axis of the arrays, or one that they do not have (None), is in canonical form.

    Args:
        axis: the axis of `f` and `out`.
        f, out: input and output.
        swept: the axes that are swept.
        windows, borders, taps: of each of them, what is read, what lies beyond the ends, and how
            many elements the kernel has.
    """
    if axis is None:
        return AxisDescriptor(1, AxisWindow(0, 1), 1, "fill", 0, 0)
    length, strides = f.shape[axis], (f.strides[axis], out.strides[axis])
    if axis not in swept:
        return AxisDescriptor(length, AxisWindow(0, length), 1, "fill", *strides)
    i = list(swept).index(axis)
    return AxisDescriptor(length, windows[i], taps[i], borders[i], *strides)


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
