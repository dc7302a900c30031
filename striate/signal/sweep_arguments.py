"""The arguments of `convolve` and `correlate`, checked and brought into one form."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from striate.common import words
from striate.common.arrays import Array, as_array, refuse_masked
from striate.common.errors import StriateTypeError, StriateValueError
from striate.signal.geometry import BORDERS, MODES, AxisWindow, check_name, window
from striate.signal.request import Request

Ints = int | Sequence[int]


class SweptAxis(NamedTuple):
    """One axis that is swept: which one of f's it is, its border, and what is read."""

    axis: int
    border: str
    window: AxisWindow


class SweepArguments:
    """One call's arguments, checked and brought into correlation order.

    Attributes:
        who: the function that was called, for messages.
        f: the input.
        weights: the kernel in correlation order: flipped for a convolution, else conjugated.
        axes: the axes of f that are swept, in the order of the kernel's.
        dtype: of the result.
    """

    def __init__(
        self,
        who: str,
        f: npt.ArrayLike,
        g: npt.ArrayLike,
        mode: str,
        border: str | Sequence[str],
        origin: str | Ints,
        stride: Ints,
        dilation: Ints,
        axes: Ints | None,
        *,
        flip: bool,
    ) -> None:
        self.who = who
        self.f, kernel = _array(f, f"{who}: f"), _array(g, f"{who}: g")
        check_name(f"{who}: mode", mode, MODES)
        chosen = _axes(who, self.f, kernel, axes)
        count = len(chosen)
        borders = (border,) * count if np.ndim(border) == 0 else _each(who, "border", border, count)
        strides = _positive(who, "stride", stride, count)
        dilations = _positive(who, "dilation", dilation, count)
        origins = _origins(who, origin, kernel.shape, flip)
        self.dtype = np.result_type(self.f, kernel)
        self.weights = kernel[(slice(None, None, -1),) * count] if flip else kernel.conj()
        self.axes = [
            SweptAxis(
                axis,
                check_name(f"{who}: border", borders[i], BORDERS, words.BORDERS),
                window(
                    mode, self.f.shape[axis], kernel.shape[i], origins[i], strides[i],
                    dilations[i], flip,
                ),
            )
            for i, axis in enumerate(chosen)
        ]  # fmt: skip
        if any(axis.window.size < 1 for axis in self.axes):
            lengths = tuple(self.f.shape[axis] for axis in chosen)
            spans = tuple((n - 1) * d + 1 for n, d in zip(kernel.shape, dilations, strict=True))
            raise StriateValueError(
                f'{who}: in mode "valid" the kernel must fit into f, but it spans {spans} and f '
                f'has {lengths}; use mode "same" or "full", or a smaller kernel'
            )

    def request(self, fill_value: complex) -> Request:
        """What the engines are asked for."""
        fill_value = _fill(self.who, fill_value, self.dtype)
        ordered = sorted(range(len(self.axes)), key=lambda i: self.axes[i].axis)
        return Request(
            self.f,
            self.weights.astype(self.dtype, copy=False).transpose(ordered),
            tuple(self.axes[i].window for i in ordered),
            tuple(self.axes[i].axis for i in ordered),
            tuple(self.axes[i].border for i in ordered),
            fill_value,
        )

    def check_out(self, out: Array) -> None:
        """Check that the result can be written to `out`.

        Raises:
            ValueError: it is no array of the result's shape, is read-only, or hides elements.
            TypeError: its dtype cannot hold the result's.
        """
        shape = list(self.f.shape)
        for axis in self.axes:
            shape[axis.axis] = axis.window.size
        if not isinstance(out, np.ndarray) or out.shape != tuple(shape):
            got = getattr(out, "shape", type(out).__name__)
            raise StriateValueError(
                f"{self.who}: out must be an array of shape {tuple(shape)}, got {got}"
            )
        refuse_masked(out, f"{self.who}: out")
        if not np.can_cast(self.dtype, out.dtype, "same_kind"):
            raise StriateTypeError(f"{self.who}: out of dtype {out.dtype} cannot hold {self.dtype}")
        if not out.flags.writeable:
            raise StriateValueError(f"{self.who}: out is read-only")


def _array(value: npt.ArrayLike, what: str) -> Array:
    """`value` as an array that holds numbers."""
    array = as_array(value, what)
    if array.dtype.kind not in "buifcO":
        raise StriateTypeError(f"{what} must hold numbers, got dtype {array.dtype}")
    if array.size == 0:
        raise StriateValueError(f"{what} is empty: its shape is {array.shape}")
    return array


def _axes(who: str, f: Array, g: Array, axes: Ints | None) -> list[int]:
    """The axes of f that are swept, counted from the front."""
    if axes is None:
        if f.ndim != g.ndim:
            raise StriateValueError(
                f"{who}: f has {f.ndim} dimensions and g {g.ndim}; say which axes of f are "
                f"convolved, such as axes={tuple(range(-g.ndim, 0)) if g.ndim else 0}"
            )
        chosen = list(range(f.ndim))
    else:
        chosen = list(_integers(who, "axes", axes, np.size(axes)))
        if wrong := [axis for axis in chosen if not -f.ndim <= axis < f.ndim]:
            raise StriateValueError(f"{who}: f has {f.ndim} dimensions, so no axis {wrong[0]}")
        chosen = [axis % f.ndim for axis in chosen]
        if len(set(chosen)) < len(chosen):
            raise StriateValueError(f"{who}: axes {tuple(chosen)} name an axis twice")
        if len(chosen) != g.ndim:
            raise StriateValueError(
                f"{who}: g must have one dimension for each of the axes {tuple(chosen)}, but has "
                f"shape {g.shape}"
            )
    if not 1 <= len(chosen) <= 3:
        raise StriateValueError(
            f"{who}: 1 to 3 axes can be convolved, not {len(chosen)}; f has shape {f.shape}"
        )
    return chosen


def _fill(who: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """The fill value as a number that `dtype` holds."""
    given = as_array(value, "fill_value", who)
    if given.ndim or given.dtype.kind not in ("buifcO" if dtype.kind == "O" else "buifc"):
        raise StriateTypeError(f"{who}: fill_value must be a number, got {value!r}")
    number = given.item()
    if dtype.kind in "buif" and isinstance(number, complex):
        raise StriateTypeError(f"{who}: fill_value {number!r} does not fit {dtype}")
    if dtype.kind in "bui":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not low <= number <= high or number != int(number):
            raise StriateValueError(
                f"{who}: fill_value {number!r} does not fit {dtype}, whole numbers from {low} to "
                f"{high}"
            )
        return int(number)
    return number


def _each(who: str, what: str, values: Any, count: int) -> tuple[Any, ...]:
    """One value for each axis."""
    given = tuple(values)
    if len(given) != count:
        raise StriateValueError(
            f"{who}: {what} needs one value for each of {count} axes, got {given}"
        )
    return given


def _integers(who: str, what: str, value: Any, count: int) -> tuple[int, ...]:
    """A whole number for each axis, from one for all or one for each."""
    values = (value,) * count if np.ndim(value) == 0 else _each(who, what, value, count)
    try:
        return tuple(operator.index(v) for v in values)
    except TypeError:
        raise StriateTypeError(f"{who}: {what} must be whole numbers, got {value!r}") from None


def _positive(who: str, what: str, value: Ints, count: int) -> tuple[int, ...]:
    """A positive whole number for each axis, from one for all or one for each."""
    values = _integers(who, what, value, count)
    if min(values) < 1:
        raise StriateValueError(f"{who}: {what} must be at least 1, got {value!r}")
    return values


def _origins(who: str, origin: str | Ints, taps: Sequence[int], flip: bool) -> tuple[int, ...]:
    """Which element of the kernel, as the user gave it, is its origin along each axis."""
    if isinstance(origin, str):
        check_name(f"{who}: origin", origin, ("center", "corner"))
        if origin == "corner":
            return (0,) * len(taps)
        return tuple((n - 1) // 2 if flip else n // 2 for n in taps)
    values = _integers(who, "origin", origin, len(taps))
    for value, count in zip(values, taps, strict=True):
        if not 0 <= value < count:
            raise StriateValueError(
                f"{who}: origin must be an index of the kernel, 0 to {count - 1}, got {value}"
            )
    return values
