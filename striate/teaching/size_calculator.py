"""The size rule as a calculator: given some of its six quantities, it finds the others.

Along one axis, with a window that spans R = dilation·(F - 1) + 1 pixels,

    O = (I - R + P_before + P_after) / S + 1

of the input I, the filter's size F, the stride S, the padding P on both sides, the dilation and
the output O (*From Convolution to Neural Network*, section Hyperparameters; the article's D is the
depth: see `size_volume`). All are whole numbers. Where nothing fits, the error shows the rule with
the numbers put in, and the nearest values that would fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from striate.common.errors import StriateValueError
from striate.common.text import choices
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair, extent
from striate.teaching.size_answer import AxisSizes, Fit, Sizes
from striate.teaching.size_errors import QUANTITIES, Values, explain, plain
from striate.teaching.size_volume import split_depths, volume_of

USUAL: dict[str, Any] = {"stride": 1, "padding": (0, 0), "dilation": 1}
# Where several quantities are unknown, the first of SOLVED that is unknown is computed, and all
# values up to these are tried for the others; of the padding, both sides together.
TRIED = {"input": 64, "filter": 11, "stride": 8, "padding": 10, "dilation": 4, "output": 64}
SOLVED = ("output", "padding", "input", "filter", "stride", "dilation")
ANY = "any"
FARTHEST = (10_000, 50)
"""How far from a given value the nearest one that fits is searched: with one unknown quantity, and
with several."""

Size = int | Pair | str | None
Volume = Size | tuple[int, int, int]


class SizeError(StriateValueError):
    """Sizes that do not fit.

    Attributes:
        nearest: for each axis that does not fit, by its index, what would fit with one of the
            given quantities changed alone: the nearest below and above, as far as there are.
        dropped: the sizes along each axis if the last pixels were left unread; () where that makes
            no window either, or more than the output is unknown.
    """

    def __init__(
        self,
        message: str,
        nearest: dict[int, dict[str, tuple[Any, ...]]],
        dropped: tuple[Fit, ...] = (),
    ) -> None:
        super().__init__(message)
        self.nearest = nearest
        self.dropped = dropped


def size(
    input: Volume = None,
    filter: Size = None,
    *,
    stride: Size = None,
    padding: Padding | None = None,
    dilation: Size = None,
    output: Volume = None,
    filters: int | None = None,
) -> Sizes:
    """Solve the size rule for the quantities that are not given, or say why nothing fits.

    Each quantity is one number, or (height, width). Input, filter and output are unknown where
    they are left out. Stride, padding and dilation are 1, 0 and 1 where they are left out; but if
    input, filter and output are all given and none of these three is, stride and padding are
    unknown. "any" makes a quantity unknown in any case.

    Args:
        input: pixels; (height, width, depth) of a volume.
        filter: taps of the window.
        stride, dilation: as in `striate.Conv2D`.
        padding: as in `striate.Conv2D`; also "any". An odd total has its extra pixel after.
        output: positions of the window; (height, width, depth) of a volume, whose depth is the
            number of filters.
        filters: how many there are.

    Returns:
        For one unknown its one exact solution. For several, all solutions with filters up to 11,
        strides up to 8, dilations up to 4 and paddings below the window, smallest first.

    Example:
        >>> import striate
        >>> print(striate.size(13, 3, stride=2))
        output 6:  (I - R + P_before + P_after)/S + 1 = (13 - 3 + 0 + 0)/2 + 1 = 6

    Raises:
        SizeError: nothing fits; the message shows the rule with the numbers put in, and the
            nearest values that fit.
        ValueError, TypeError: a quantity is not a whole number of at least 1 (0 for padding), or
            too few are given.
    """
    input, output, depths = split_depths(input, output, filters)
    given = {
        "input": input, "filter": filter, "stride": stride, "padding": padding,
        "dilation": dilation, "output": output,
    }  # fmt: skip
    axes = _axes(given)
    found: list[AxisSizes] = []
    wrong: dict[int, dict[str, tuple[Any, ...]]] = {}
    messages: list[str] = []
    for axis, values in enumerate(axes):
        unknown = tuple(name for name in QUANTITIES if values[name] is None)
        fits = tuple(sorted(set(_solutions(values, unknown)), key=_order))
        found.append(AxisSizes(unknown, fits))
        if not fits:
            wrong[axis] = {name: _nearest(values, unknown, name) for name in QUANTITIES}
            where = f" along the {shapes.AXES[axis]}" * (len(axes) > 1)
            messages.append(explain(values, unknown, where) + _proposal(values, wrong[axis]))
    if wrong:
        told = f"size: {'; '.join(dict.fromkeys(messages))}"
        raise SizeError(told, wrong, _dropped(axes, found))
    if depths is None:
        return Sizes(tuple(found))
    first = [axis.fits[0] for axis in found]
    volume = volume_of(depths, [fit.filter for fit in first], [fit.output for fit in first])
    return Sizes(tuple(found), volume)


# What was given.


def _axes(given: dict[str, Any]) -> list[Values]:
    """Check the quantities and split them by axis; None stands for an unknown one."""
    who = "size"
    checked: Values = {}
    two = False
    for name, value in given.items():
        if value is None or value == ANY:
            checked[name] = value
        elif name == "padding":
            checked[name] = shapes.check_padding(value, who)
            two = two or isinstance(value, (tuple, list))
        else:
            checked[name] = shapes.pair(value, name, who)
            two = two or isinstance(value, (tuple, list))
    ends = [checked[name] in (None, ANY) for name in ("input", "filter", "output")]
    if sum(ends) > 1 and checked["input"] in (None, ANY) and checked["output"] in (None, ANY):
        raise StriateValueError(f"{who}: give the input, or the output, or both")
    if not any(ends) and all(checked[name] is None for name in USUAL):
        checked["stride"] = checked["padding"] = ANY
    axes = []
    for axis in range(2 if two else 1):
        values: Values = {}
        for name in QUANTITIES:
            value = checked[name]
            if value == ANY or (value is None and name not in USUAL):
                values[name] = None
            elif value is None:
                values[name] = USUAL[name]
            elif name == "padding":
                values[name] = value
                if value != "same":
                    pads = shapes.resolve_pads(value, (1, 1), (1, 1), (1, 1))
                    values[name] = (pads[2 * axis], pads[2 * axis + 1])
            else:
                values[name] = value[axis]
        axes.append(values)
    return axes


# Solutions.


def _solutions(values: Values, unknown: Sequence[str]) -> Iterator[Fit]:
    """All solutions: one unknown is computed, for every trial of the others."""
    solved = next((name for name in SOLVED if name in unknown), None)
    tried = [name for name in unknown if name != solved]
    for trial in product(*(_trials(name) for name in tried)):
        tries = values | dict(zip(tried, trial, strict=True))
        for value in [None] if solved is None else _solve(tries, solved):
            fit = _fit(tries if solved is None else tries | {solved: value})
            if fit is None:
                continue
            # Nobody wants a window that could lie wholly in the padding.
            beyond = max(fit.padding) >= extent(fit.filter, fit.dilation)
            if not (beyond and len(unknown) > 1 and "padding" in unknown):
                yield fit


def _trials(name: str) -> Sequence[Any]:
    """The values that are tried for a quantity which is not computed."""
    if name == "padding":
        return [_sides(total) for total in range(TRIED[name] + 1)]
    return range(1, TRIED[name] + 1)


def _solve(values: Values, name: str) -> Iterator[Any]:
    """Candidates for the one unknown quantity, each still to be tested."""
    pixels, taps, step, padding, gap, outputs = (values[name] for name in QUANTITIES)
    if padding == "same":  # (O - 1)·S < I ≤ O·S, whatever the window
        if name == "output":
            yield -(-pixels // step)
        elif name == "input":
            yield from range((outputs - 1) * step + 1, outputs * step + 1)
        elif name == "stride":
            yield from range(-(-pixels // outputs), pixels + 1)
        else:
            yield from range(1, TRIED[name] + 1)
        return
    around = 0 if padding is None else sum(padding)
    if name == "output":
        yield (pixels - extent(taps, gap) + around) // step + 1
    elif name == "input":
        yield (outputs - 1) * step + extent(taps, gap) - around
    elif name == "padding":
        yield _sides((outputs - 1) * step + extent(taps, gap) - pixels)
    elif name == "filter":
        yield (pixels + around - (outputs - 1) * step - 1) // gap + 1
    elif name == "stride":
        yield (pixels - extent(taps, gap) + around) // (outputs - 1) if outputs > 1 else 1
    else:
        yield (pixels + around - (outputs - 1) * step - 1) // (taps - 1) if taps > 1 else 1


def _fit(values: Values) -> Fit | None:
    """All six quantities as a `Fit`, or None if they do not fit."""
    pixels, taps, step, padding, gap, outputs = (values[name] for name in QUANTITIES)
    if min(pixels, taps, step, gap, outputs) < 1:
        return None
    reach = extent(taps, gap)
    if padding == "same":
        padding = _sides(max((-(-pixels // step) - 1) * step + reach - pixels, 0))
        # With a stride larger than the window, "same" may leave pixels after the last one unread.
        room = (outputs - 1) * step if outputs == -(-pixels // step) else -1
    else:
        room = pixels - reach + sum(padding)
    if min(padding) < 0 or room != (outputs - 1) * step:
        return None
    return Fit(pixels, taps, step, padding, gap, outputs)


def _sides(total: int) -> Pair:
    return (total // 2, total - total // 2)


def _order(fit: Fit) -> tuple[int, ...]:
    return (fit.dilation, fit.filter, fit.stride, fit.output, fit.input, *fit.padding)


# What does not fit.


def _dropped(axes: Sequence[Values], found: Sequence[AxisSizes]) -> tuple[Fit, ...]:
    """Along each axis the fit, or the sizes with the last pixels left unread; () if there is an
    axis with neither.
    """
    laid: list[Fit] = []
    for values, axis in zip(axes, found, strict=True):
        if axis.fits:
            laid.append(axis.fits[0])
            continue
        known = {name: value for name, value in values.items() if name != "output"}
        if None in known.values() or "same" in known.values():
            return ()
        (outputs,) = _solve(values | {"output": None}, "output")
        if outputs < 1:
            return ()
        laid.append(Fit(**known, output=outputs))
    return tuple(laid)


def _nearest(values: Values, unknown: Sequence[str], name: str) -> tuple[Any, ...]:
    """The nearest values below and above a given quantity with which everything would fit."""
    if name in unknown or values[name] == "same":
        return ()
    pads = name == "padding"
    now = sum(values[name]) if pads else values[name]
    found: list[Any] = []
    for way in (-1, 1):
        for steps in range(1, FARTHEST[len(unknown) > 1]):
            value = now + way * steps
            if value < (0 if pads else 1):
                break
            tried = values | {name: _sides(value) if pads else value}
            if next(_solutions(tried, unknown), None) is not None:
                found.append(tried[name])
                break
    return tuple(found)


def _proposal(values: Values, nearest: dict[str, tuple[Any, ...]]) -> str:
    """The end of the error's sentence: the values that would fit."""
    ways = [
        f"{name} {choices([plain(value) for value in fitting])}"
        for name, fitting in nearest.items()
        if fitting
    ]
    none = [name for name in QUANTITIES if values[name] is not None and not nearest[name]]
    end = f" (no other {choices(none)} would do alone)" if none and ways else ""
    if not ways:
        return ". No single change makes it fit"
    return f". Changed alone, what would fit: {'; '.join(ways)}{end}"
