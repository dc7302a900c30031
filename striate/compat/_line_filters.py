"""Filters that are done along one axis after the other: smoothing, gradients, derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.compat._basic_filters import correlate_line
from striate.compat._scipy_arguments import checked_axis, each, new_output
from striate.signal.output_arrays import aligned_empty

T = TypeVar("T")


@unwatched
def correlate_lines(
    f: Array, lines: Sequence[tuple[Array, int, Any]], out: Array, cval: Any
) -> Array:
    """Correlate with one-dimensional weights along one axis after the other; without any, copy.

    Args:
        f: the input.
        lines: weights, axis and mode of each filter.
        out: where to write; it may be `f`.
        cval: what the mode "constant" holds.

    Returns:
        `out`.
    """
    if not lines:
        out[...] = f[...]
    for target, (weights, axis, mode) in ping_pong(out, lines):
        correlate_line(f, weights, axis, target, mode, cval, 0)
        f = target
    return out


def ping_pong(out: Array, steps: Sequence[T]) -> Iterator[tuple[Array, T]]:
    """Where each step is to write: the last one to `out`, none to where it reads from."""
    other = aligned_empty(out.shape, out.dtype, out) if len(steps) > 1 else out
    for left, step in zip(range(len(steps), 0, -1), steps, strict=True):
        yield (out if left % 2 else other), step


def smoothed_difference(
    input: npt.ArrayLike, axis: int, output: Any, mode: Any, cval: Any, smooth: Sequence[float]
) -> Array:
    """The difference -1, 0, 1 along `axis`, weighted by `smooth` along the others."""
    f = np.asarray(input)
    axis = checked_axis(axis, f.ndim)
    out = new_output(output, f, stacklevel=4)
    modes = each(mode, f.ndim)
    lines = [(np.array((-1.0, 0.0, 1.0)), axis, modes[axis])]
    weights = np.array(smooth)
    lines += [(weights, other, modes[other]) for other in range(f.ndim) if other != axis]
    return correlate_lines(f, lines, out, cval)


@unwatched
def sum_of_derivatives(
    f: Array,
    out: Array,
    derivative: Callable[..., Array],
    mode: Any,
    cval: Any,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any] | None,
    chosen: Sequence[int],
    *,
    squared: bool,
) -> Array:
    """The sum of derivatives along some axes, or of their squares; without any axis, a copy.

    Args:
        f: the input.
        out: where to write; it may be `f`.
        derivative: called as
            ``derivative(f, axis, output, mode, cval, *arguments, **keywords)``.
        mode: one for all axes, or one for each.
        cval: what the mode "constant" holds.
        arguments, keywords: what the function takes besides.
        chosen: the axes, counted from the front.
        squared: whether the derivatives are squared before they are added.

    Returns:
        `out`.
    """
    if not chosen:
        out[...] = f[...]
        return out
    modes = each(mode, len(chosen))
    # A later axis would read what an earlier one has written, were the input its own output.
    if len(chosen) > 1 and np.may_share_memory(f, out):
        f = f.copy()
    for i, (axis, name) in enumerate(zip(chosen, modes, strict=True)):
        given = (cval, *arguments)
        if i == 0:
            derivative(f, axis, out, name, *given, **(keywords or {}))
            part = out
        else:
            part = derivative(f, axis, out.dtype, name, *given, **(keywords or {}))
        if squared:
            np.multiply(part, part, out=part)
        if i > 0:
            out += part
    return out
