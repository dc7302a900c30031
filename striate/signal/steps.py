"""`striate.steps`: every sum of a small convolution, and what was multiplied with what.

The indices come from the same windows and borders as those of the engines, so what is shown is
what is computed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import counted
from striate.signal.geometry import AxisWindow, border_indices
from striate.signal.sweep_arguments import Ints, SweepArguments
from striate.signal.written_steps import Index, Step, Steps, Term

MOST_TERMS = 5_000
"""Most terms that are written out; a single output may be had of inputs of any size."""


@unwatched
def steps(
    f: npt.ArrayLike,
    g: npt.ArrayLike,
    mode: str = "full",
    *,
    border: str | Sequence[str] = "fill",
    fill_value: complex = 0,
    origin: str | Ints = "center",
    stride: Ints = 1,
    dilation: Ints = 1,
    correlate: bool = False,
    at: int | Sequence[int] | None = None,
) -> Steps:
    """Write out the sums of a convolution of one or two dimensions, term by term.

    Args:
        f, g, mode, border, fill_value, origin, stride, dilation: as for `striate.convolve`.
        correlate: do not flip g, as `striate.correlate`.
        at: the one output that is wanted, such as ``(1, 1)``. Default: all.

    Returns:
        A sequence of steps with a readable `str()`:

        >>> import striate
        >>> print(striate.steps([1, 2, 3], [1, 0, -1], at=2))
        y(n) = Σ f(i)·g(n - i)    a convolution: g is flipped
        f = 1  2  3
        g = 1  0  -1,  flipped: -1  0  1
        <BLANKLINE>
        f is defined for 0 ≤ i ≤ 2 and g for 0 ≤ n - i ≤ 2.
        Beyond its ends g is 0: those terms are left out.
        <BLANKLINE>
        f          f(0) = 1   f(1) = 2  f(2) = 3
        g flipped  g(2) = -1  g(1) = 0  g(0) = 1
        product          -1         0         3
        <BLANKLINE>
        y(2) = f(0)·g(2) + f(1)·g(1) + f(2)·g(0)
             = 1·(-1) + 2·0 + 3·1
             = -1 + 0 + 3
             = 2

    Raises:
        ValueError: as `striate.convolve`; f has more than two dimensions, `at` is no output, or
            there are more than 5,000 terms.
        TypeError: as `striate.convolve`.
    """
    call = SweepArguments(
        "steps", f, g, mode, border, origin, stride, dilation, None, flip=not correlate
    )
    if call.f.ndim > 2:
        raise StriateValueError(
            f"steps: f must have one or two dimensions, got shape {call.f.shape}"
        )
    windows = tuple(axis.window for axis in call.axes)
    borders = tuple(axis.border for axis in call.axes)
    positions = _positions(at, tuple(window.size for window in windows), call.weights.size)
    reader = _Reader(call.f, call.weights, windows, borders, fill_value, call.dtype, not correlate)
    return Steps(
        f=call.f,
        g=np.asarray(g),
        flip=not correlate,
        borders=borders,
        fill_value=fill_value,
        windows=windows,
        origin=_origin(mode, windows, call.weights.shape, not correlate),
        steps=tuple(reader.step(position) for position in positions),
        dtype=call.dtype,
    )


def _positions(at: int | Sequence[int] | None, shape: Index, taps: int) -> list[Index]:
    """The outputs that are wanted, checked."""
    if at is None:
        if math.prod(shape) * taps > MOST_TERMS:
            raise StriateValueError(
                f"steps: {math.prod(shape):,} sums of up to {taps:,} terms are too many to read; "
                f"choose one of them, such as at={_plain(tuple(n // 2 for n in shape))}, or a "
                "smaller input"
            )
        return list(np.ndindex(shape))
    try:
        position = tuple(operator.index(value) for value in np.atleast_1d(at).tolist())
    except TypeError:
        raise StriateTypeError(f"steps: at must be whole numbers, got {at!r}") from None
    if len(position) != len(shape):
        raise StriateValueError(
            f"steps: at must have {counted(len(shape), 'number')}, one for each "
            f"dimension, got {_plain(position)}"
        )
    if not all(0 <= value < size for value, size in zip(position, shape, strict=True)):
        last = tuple(size - 1 for size in shape)
        raise StriateValueError(
            f"steps: there is no output {_plain(position)}; the last one is {_plain(last)}"
        )
    return [position]


def _plain(index: Index) -> str:
    """(1, 2) as it is, (1,) as 1."""
    return str(index if len(index) > 1 else index[0])


def _origin(mode: str, windows: Sequence[AxisWindow], taps: Index, flip: bool) -> Index:
    """The element of g that is g(0) of the formula; only mode "same" has a choice."""
    if mode != "same":
        return (0,) * len(taps)
    before = [-window.start // window.dilation for window in windows]
    return tuple(n - 1 - b if flip else b for n, b in zip(taps, before, strict=True))


class _Reader:
    """Reads f, border included, as the windows say."""

    def __init__(
        self,
        f: Array,
        weights: Array,
        windows: Sequence[AxisWindow],
        borders: Sequence[str],
        fill_value: complex,
        dtype: np.dtype[Any],
        flip: bool,
    ) -> None:
        self.f = f.astype(dtype)
        self.weights = weights.astype(dtype)
        self.windows = windows
        self.fill = np.asarray(fill_value).astype(dtype)[()]
        self.flip = flip
        self.sources = [
            border_indices(border, length, *window.reach(taps))
            for border, length, window, taps in zip(
                borders, f.shape, windows, weights.shape, strict=True
            )
        ]

    def step(self, position: Index) -> Step:
        """The sum of one output."""
        terms: list[Term] = []
        for place in np.ndindex(self.weights.shape):  # in the order of f
            index: list[int] = []
            source: list[int] = []
            for axis, window in enumerate(self.windows):
                offset = position[axis] * window.stride + place[axis] * window.dilation
                index.append(window.start + offset)
                source.append(int(self.sources[axis][offset]))
            inside = -1 not in source
            if not inside and not self.fill:
                continue  # so that an infinite weight does no harm there, as in convolve()
            terms.append(
                Term(
                    index=tuple(index),
                    source=tuple(source) if inside else None,
                    tap=self._tap(place),
                    value=self.f[tuple(source)] if inside else self.fill,
                    weight=self.weights[place],
                )
            )
        # As arrays, in which integers wrap silently and booleans are "or" and "and".
        values = np.array([term.value for term in terms], self.f.dtype)
        products = values * np.array([term.weight for term in terms], self.f.dtype)
        return Step(position, tuple(terms), np.add.reduce(products, dtype=self.f.dtype))

    def _tap(self, place: Index) -> Index:
        """Where in g the weight at `place` of the correlation comes from."""
        if not self.flip:
            return place
        return tuple(n - 1 - i for n, i in zip(self.weights.shape, place, strict=True))
