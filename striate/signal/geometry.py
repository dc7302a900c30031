"""Where a sweep reads: windows on an axis, and borders, which say what lies beyond its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import cut, quoted
from striate.common.words import known_as

Border = Literal["fill", "nearest", "reflect", "mirror", "wrap"]
Mode = Literal["full", "same", "valid"]
BORDERS: tuple[str, ...] = get_args(Border)
MODES: tuple[str, ...] = get_args(Mode)


@dataclass(frozen=True)
class AxisWindow:
    """How a kernel slides along one axis, in correlation order.

    Output n reads element ``start + n * stride + i * dilation`` of the input for each tap i of
    the kernel.  Elements before 0 and from the axis' length on are the border's.

    Attributes:
        start: the element that tap 0 of output 0 reads; negative where it lies in the border.
        size: how many outputs there are.
        stride: elements from one output's window to the next.
        dilation: elements from one tap to the next.
    """

    start: int
    size: int
    stride: int = 1
    dilation: int = 1

    def reach(self, taps: int) -> tuple[int, int]:
        """The first element that is read, and the one behind the last."""
        last = self.start + (self.size - 1) * self.stride + (taps - 1) * self.dilation
        return self.start, last + 1


def window(
    mode: str, length: int, taps: int, origin: int, stride: int, dilation: int, flip: bool
) -> AxisWindow:
    """The window of `mode` over `length` elements, for a kernel given in correlation order.

    With ``span = (taps - 1) * dilation``, and before a stride takes every stride-th output:

    - "full": ``length + span`` outputs, every position where kernel and input meet;
    - "same": ``length`` outputs; output n has the kernel's `origin` on element n;
    - "valid": ``length - span`` outputs, those that read nothing beyond the ends.

    Args:
        mode: one of `MODES`.
        length: elements of the input along the axis.
        taps: elements of the kernel along the axis.
        origin: which element of the kernel, as the user gave it, lies on the output sample in
            mode "same".
        stride: elements from one output's window to the next.
        dilation: elements from one tap to the next.
        flip: whether the kernel was reversed to come into correlation order (a convolution).
    """
    span = (taps - 1) * dilation
    if mode == "full":
        start, size = -span, length + span
    elif mode == "same":
        before = taps - 1 - origin if flip else origin
        start, size = -before * dilation, length
    else:
        start, size = 0, length - span
    return AxisWindow(start, -(-size // stride), stride, dilation)


def border_indices(border: str, length: int, first: int, stop: int) -> npt.NDArray[np.intp]:
    """Which element of an axis stands at positions `first` … `stop` - 1; -1 for the fill value.

    Extensions of ``abcd`` by three on each side::

        fill      k k k|a b c d|k k k      (k is the fill value)
        nearest   a a a|a b c d|d d d
        reflect   c b a|a b c d|d c b
        mirror    d c b|a b c d|c b a
        wrap      b c d|a b c d|a b c
    """
    at = np.arange(first, stop)
    if border == "nearest":
        return np.clip(at, 0, length - 1)
    if border == "wrap":
        return at % length
    if border == "reflect":
        at %= 2 * length
        return np.minimum(at, 2 * length - 1 - at)
    if border == "mirror":
        if length == 1:
            return np.zeros_like(at)
        at %= 2 * length - 2
        return np.minimum(at, 2 * length - 2 - at)
    return np.where((at >= 0) & (at < length), at, -1)


def pad(
    f: Array,
    taps: Sequence[int],
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    borders: Sequence[str],
    fill_value: Any,
) -> Array:
    """`f` with its borders laid out in memory: all that the windows read, and nothing else.

    Args:
        f: the array.
        taps: elements of the kernel along each of `axes`.
        windows: what is read along each of `axes`.
        axes: the axes of `f` that are swept.
        borders: a border for each of `axes`; "" leaves that axis as it is.
        fill_value: what the border "fill" holds.

    Returns:
        A copy of f's dtype, or a view where no border is read.
    """
    for axis, window, border, count in zip(axes, windows, borders, taps, strict=True):
        if not border:
            continue
        first, stop = window.reach(count)
        length = f.shape[axis]
        if first >= 0 and stop <= length:
            f = f[(slice(None),) * (axis % f.ndim) + (slice(first, stop),)]
            continue
        shape = list(f.shape)
        shape[axis] = stop - first
        padded = np.empty(shape, f.dtype)
        source, target = np.moveaxis(f, axis, 0), np.moveaxis(padded, axis, 0)
        low, high = min(max(first, 0), stop), max(min(stop, length), first)
        target[low - first : high - first] = source[low:high]
        for start, end in ((first, min(low, stop)), (max(high, low), stop)):
            outside = slice(start - first, end - first)
            if border == "fill":
                target[outside] = fill_value
            else:
                target[outside] = source[border_indices(border, length, start, end)]
        f = padded
    return f


def check_name(
    what: str, value: object, known: tuple[str, ...], others: Mapping[str, str] | None = None
) -> str:
    """`value`, if it is one of `known`; `others` has what other libraries call these.

    Raises:
        ValueError: it is not; the message has the nearest of them.
    """
    if isinstance(value, str) and value in known:
        return value
    hint = known_as(value, known, others or {})
    raise StriateValueError(
        f"{what} must be one of {', '.join(map(quoted, known))}, got {cut(repr(value), 80)}{hint}"
    )
