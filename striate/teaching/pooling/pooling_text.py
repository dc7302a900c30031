"""Writes a pooling as text: the planes, each window with its winner or sum, the gradient's way."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.tables import ROWS, VALUES
from striate.common.text import bracketed, choices, number, percent, plural, sizes
from striate.teaching.number_text import WIDTH, both, equation, paragraph, planes
from striate.teaching.pooling.pooled_windows import Pooled, PooledWindow

WRITTEN = 36
"""Windows, and gradients, that are written out at most, if none are named."""
_PLANES, _TERMS = 6, 30
_RULES = {
    "max": "The output of a window is its largest number; it does not say where that was. Of equal "
    "numbers the first wins.",
    "average": "The output of a window is the mean of its numbers.",
    "sum": "The output of a window is the sum of its numbers.",
}
_BACK = {
    "max": "All of ∂L/∂O goes to the winner of its window: the other numbers could change a "
    "little, and O would not.",
    "average": "Each number of a window gets an equal share of ∂L/∂O.",
    "sum": "Each number of a window gets all of ∂L/∂O: O changes by as much as it does.",
}


def text(pooled: Pooled, only: Sequence[str] = ()) -> str:
    """All of it, or the windows `only`, as lines of text.

    Raises:
        ValueError: there is no window of such a name.
    """
    windows = named(pooled, only) if only else [*_first(pooled)]
    notes = [f"{title(pooled)}.", _RULES[pooled.kind], _padding_note(pooled), _amount(pooled)]
    lines = [line for note in notes for line in textwrap.wrap(note, WIDTH)] + [""]
    lines += _planes(pooled, [("X", pooled.x), ("O", pooled.output)])
    lines += ["", *(line for window in windows for line in _window_lines(pooled, window))]
    hidden = pooled.count - len(windows)
    if hidden and not only:
        lines.append(f"… {hidden:,} more")
    if pooled.gradient is not None:
        lines += ["", *_gradient_lines(pooled, windows, not only and not hidden)]
    return "\n".join([*lines, "", _checked(pooled)])


def title(pooled: Pooled) -> str:
    """The sizes in one line, with the size rule."""
    layer, shape = pooled.layer, pooled.x.shape
    pads = layer.given_pads(shape)
    around = str(pads[0]) if len(set(pads)) == 1 else f"{pads} (top, bottom, left, right)"
    spread = f", dilation {both(layer.dilation)}" * (layer.dilation != (1, 1))
    of = f", of {pooled.source}" * bool(pooled.source)
    return (
        f"{pooled.kind.capitalize()} pooling of an input X of {_size(shape)}{of}, in windows of "
        f"{sizes(layer.size)}, stride {both(layer.stride)}, padding {around}{spread}: outputs O "
        f"of {_size(pooled.output.shape)}"
    )


def named(pooled: Pooled, only: Sequence[str]) -> list[PooledWindow]:
    """The windows of these outputs, such as "O_11".

    Raises:
        ValueError: there is no such output.
    """
    rows, columns, channels = pooled.output.shape
    places = {
        str(pooled.name("O", (row, column), channel)): (row, column, channel)
        for channel in range(channels)
        for row in range(rows)
        for column in range(columns)
    }
    found = []
    for name in only:
        place = places.get(name.removeprefix("∂L/∂"))
        if place is None:
            known = [*places]
            raise StriateValueError(
                f"pool: there is no output {name!r}; they are {known[0]} to {known[-1]}"
            )
        found.append(pooled.window(*place))
    return found


def _first(pooled: Pooled) -> list[PooledWindow]:
    return [window for window, _ in zip(pooled.windows(), range(WRITTEN), strict=False)]


def _padding_note(pooled: Pooled) -> str:
    if not any(pooled.pads):
        return ""
    if pooled.kind == "max":
        return "Padding is no number, and never wins."
    if pooled.kind == "sum":
        return "Padding adds nothing."
    if any(pooled.layer.given_pads(pooled.x.shape)) and getattr(
        pooled.layer, "count_padding", False
    ):
        return "Padding counts as zeros."
    return "Padding does not count: at the border a mean is of fewer numbers."


def _amount(pooled: Pooled) -> str:
    before, after = pooled.x.size, pooled.output.size
    change = f"{percent(1 - after / before, '.4g')} fewer" if after < before else "no fewer"
    rows, columns = pooled.layer.dropped(pooled.x.shape)
    unread = [
        f"the last {count} {plural(count, what)}"
        for count, what in ((rows, "row"), (columns, "column"))
        if count
    ]
    end = f" No window reads {' and '.join(unread)}." * bool(unread)
    return f"{before:,} numbers become {after:,}, {change}. Pooling has no weights to learn.{end}"


def _planes(pooled: Pooled, arrays: Sequence[tuple[str, Array]]) -> list[str]:
    """The arrays next to each other, if they can be read; else a line that says why not."""
    height, width, channels = pooled.x.shape
    if height > ROWS or width > VALUES or channels > _PLANES:
        return [f"{choices([name for name, _ in arrays], 'and')} are too large to be printed."]
    return paragraph([block for name, array in arrays for block in planes(name, array)])


def _window_lines(pooled: Pooled, window: PooledWindow) -> list[str]:
    """An output as names, as numbers and as a number."""
    row, column, channel = window.place
    output = str(pooled.name("O", (row, column), channel))
    names = [str(pooled.name("X", place, channel)) for place in window.pixels]
    result = number(window.value)
    if window.winner is not None:
        equal = window.values.count(max(window.values))
        wins = f"{names[window.winner]} wins" + f", the first of {equal} equal" * (equal > 1)
        values = [number(value) for value in window.values]
        names, values = _few(names), _few(values)
        ways = [_enclosed(names, "max(", ")"), _enclosed(values, "max(", ")")]
        return equation(output, [*ways, [f"{result}: {wins}"]], ", ")
    values = _few([bracketed(number(value)) for value in window.values])
    names = _few(names)
    if window.divisor == 1:
        return equation(output, [names, values, [result]])
    end = f")/{window.divisor}"
    return equation(output, [*(_enclosed(way, "(", end) for way in (names, values)), [result]])


def _few(terms: list[str]) -> list[str]:
    """The terms; of very many the first and the last."""
    return terms if len(terms) <= _TERMS else [*terms[:3], "…", terms[-1]]


def _enclosed(terms: Sequence[str], before: str, after: str) -> list[str]:
    """Terms with something before the first and after the last."""
    enclosed = [*terms]
    enclosed[0] = before + enclosed[0]
    enclosed[-1] += after
    return enclosed


def _gradient_lines(pooled: Pooled, windows: Sequence[PooledWindow], whole: bool) -> list[str]:
    if pooled.gradient is None or pooled.input_gradient is None:
        return []
    arrays = [("∂L/∂O", pooled.gradient), ("∂L/∂X", pooled.input_gradient)]
    lines = [
        "The gradient's way back",
        "",
        *textwrap.wrap(_BACK[pooled.kind], WIDTH),
        "",
        *_planes(pooled, arrays),
        "",
    ]
    arriving: dict[tuple[int, int, int], list[tuple[str, float]]] = {}
    for window in windows:
        row, column, channel = window.place
        name = f"∂L/∂{pooled.name('O', (row, column), channel)}"
        name += f"/{window.divisor}" * (window.divisor > 1)
        for index, pixel in enumerate(window.pixels):
            if slope := window.slope(index):
                sent = float(pooled.gradient[window.place]) * slope
                arriving.setdefault((*pixel, channel), []).append((name, sent))
    places = sorted(arriving, key=lambda at: (at[2], at[0], at[1]))
    for place in places[:WRITTEN]:
        terms = arriving[place]
        ways = [_few([term for term, _ in terms])]
        if len(terms) > 1:
            ways.append(_few([bracketed(number(value)) for _, value in terms]))
        ways.append([number(math.fsum(value for _, value in terms))])
        lines += equation(f"∂L/∂{pooled.name('X', place[:2], place[2])}", ways)
    if len(places) > WRITTEN:
        lines.append(f"… {len(places) - WRITTEN:,} more")
    if whole and (others := pooled.x.size - len(places)):
        lines.append(f"The other {others:,} of X get 0.")
    elif not whole:
        lines.append("Only what these windows send is written here.")
    return lines


def _checked(pooled: Pooled) -> str:
    found = [f"{name} {difference:.2g}" for name, difference in pooled.checked.items()]
    of = "" if pooled.compared == pooled.count else f" of the first {pooled.compared:,} windows"
    return f"Checked: the largest differences{of} from the kernels (float64): {', '.join(found)}"


def _size(shape: Sequence[int]) -> str:
    """4×4, or 4×4×3 where there are channels."""
    return sizes(shape[:2] if shape[2] == 1 else shape)
