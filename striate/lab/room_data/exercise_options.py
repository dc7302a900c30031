"""What an exercise of each kind may say in a set, with what holds where it says nothing.

striate/lab/web/maths/exercises/kinds.js draws the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from striate.common.errors import StriateValueError
from striate.common.text import counted, did_you_mean, listed, sizes

MOST_SIDE = 12
"""The most rows and columns of a matrix: larger ones are nothing to be computed by hand."""
MOST_COUNT = 100_000
MOST_NUMBER = 1_000_000


@dataclass(frozen=True)
class Option:
    """One thing that an exercise may say.

    Attributes:
        read: returns what is kept of a value of the file; an error's message ends a sentence that
            begins with the option's name and "is …".
        default: where the exercise says nothing.
    """

    read: Callable[[Any], Any]
    default: Any


def whole(default: int, least: int, most: int) -> Option:
    """A whole number within bounds."""

    def read(value: Any) -> int:
        if not _is_whole(value) or not least <= value <= most:
            raise StriateValueError(f"{value!r}; give a whole number from {least} to {most:,}")
        return int(value)

    return Option(read, default)


def sides(default: tuple[int, int]) -> Option:
    """Rows and columns."""

    def read(value: Any) -> list[int]:
        if not _is_pair(value) or not all(1 <= side <= MOST_SIDE for side in value):
            raise StriateValueError(
                f"{value!r}; give rows and columns, such as {list(default)}, each from 1 to "
                f"{MOST_SIDE}"
            )
        return list(value)

    return Option(read, list(default))


def bounds(default: tuple[int, int], least: int, most: int) -> Option:
    """The smallest and the largest number that are drawn."""

    def read(value: Any) -> list[int]:
        if not _is_pair(value) or not least <= value[0] <= value[1] <= most:
            raise StriateValueError(
                f"{value!r}; give the smallest and the largest that may be drawn, such as "
                f"{list(default)}, within {least:,} and {most:,}"
            )
        return list(value)

    return Option(read, list(default))


def matrix() -> Option:
    """Rows of numbers, which are drawn where they are left out."""

    def read(value: Any) -> list[list[float]]:
        rows = value if isinstance(value, list) else []
        if not rows or not all(isinstance(row, list) and row for row in rows):
            raise StriateValueError(f"{value!r}; give rows of numbers, such as [[1, 2], [3, 4]]")
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise StriateValueError(
                f"of rows of {' and '.join(map(str, sorted(lengths)))} numbers; give rows of the "
                "same length"
            )
        if max(len(rows), *lengths) > MOST_SIDE:
            raise StriateValueError(
                f"{sizes((len(rows), *lengths))}; the most rows and columns are {MOST_SIDE}"
            )
        for number in (number for row in rows for number in row):
            if not _is_number(number) or abs(number) > MOST_NUMBER:
                raise StriateValueError(
                    f"with {number!r} in it; give numbers from -{MOST_NUMBER:,} to {MOST_NUMBER:,}"
                )
        return [list(row) for row in rows]

    return Option(read, None)


def word(default: str, *others: str) -> Option:
    """One of some words."""
    words = (default, *others)

    def read(value: Any) -> str:
        if value not in words:
            near = did_you_mean(value, words) if isinstance(value, str) else ""
            raise StriateValueError(f"{value!r}{near}; give one of {listed(words, 9)}")
        return str(value)

    return Option(read, default)


def flag(default: bool) -> Option:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise StriateValueError(f"{value!r}; give true or false")
        return value

    return Option(read, default)


def rates(default: Sequence[float]) -> Option:
    """Numbers above 0, one of which is drawn."""

    def read(value: Any) -> list[float]:
        if (
            not isinstance(value, list)
            or not 1 <= len(value) <= 20
            or not all(_is_number(rate) and 0 < rate <= MOST_NUMBER for rate in value)
        ):
            raise StriateValueError(
                f"{value!r}; give numbers above 0, of which one is drawn, such as {list(default)}"
            )
        return list(value)

    return Option(read, list(default))


def text(most: int) -> Option:
    """A line of text."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= most:
            raise StriateValueError(f"{value!r}; give a text of at most {most:,} characters")
        return value.strip()

    return Option(read, None)


def texts(most: int) -> Option:
    """Some lines of text."""

    def read(value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > most:
            raise StriateValueError(f"{value!r}; give a list of at most {most} texts")
        return [text(1000).read(one) for one in value]

    return Option(read, [])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))


# --- kinds ---------------------------------------------------------------------------------------

_ASK = word("one", "all")
_NUMBERS = bounds((-4, 5), -MOST_NUMBER, MOST_NUMBER)
_CONVOLUTION = {
    "input": sides((4, 5)),
    "filter": sides((2, 2)),
    "stride": whole(1, 1, MOST_SIDE),
    "padding": whole(0, 0, MOST_SIDE),
    "dilation": whole(1, 1, MOST_SIDE),
    "flip": flag(False),
    "numbers": _NUMBERS,
    "ask": _ASK,
    "X": matrix(),
    "F": matrix(),
}

KINDS: Mapping[str, Mapping[str, Option]] = {
    "output": _CONVOLUTION,
    "filter-gradient": {**_CONVOLUTION, "dO": matrix()},
    "input-gradient": {**_CONVOLUTION, "dO": matrix()},
    "pool": {
        "input": sides((4, 6)),
        "window": sides((2, 2)),
        "stride": whole(2, 1, MOST_SIDE),
        "how": word("max", "average", "sum"),
        "numbers": _NUMBERS,
        "ask": _ASK,
        "X": matrix(),
    },
    "update": {
        "filter": sides((2, 2)),
        "rates": rates((0.1, 0.2, 0.5)),
        "numbers": _NUMBERS,
        "ask": _ASK,
        "F": matrix(),
        "dF": matrix(),
    },
    "size": {
        "inputs": bounds((6, 32), 1, MOST_COUNT),
        "filters": bounds((2, 7), 1, MOST_COUNT),
        "strides": bounds((1, 3), 1, MOST_COUNT),
        "paddings": bounds((0, 2), 0, MOST_COUNT),
        "dilations": bounds((1, 1), 1, MOST_COUNT),
        "fits": flag(True),
    },
    "weights": {
        "layer": word("convolution", "dense", "local"),
        "heights": bounds((8, 32), 1, MOST_COUNT),
        "widths": bounds((8, 32), 1, MOST_COUNT),
        "channels": bounds((1, 3), 1, MOST_COUNT),
        "outputs": bounds((2, 16), 1, MOST_COUNT),
        "window": sides((3, 3)),
        "bias": flag(True),
    },
    "kernel": {
        "finds": word("vertical edges", "horizontal edges", "mean"),
        "filter": sides((3, 3)),
        "input": sides((7, 9)),
    },
    "program": {
        "of": word("filter-gradient", "input-gradient", "output"),
        "stride": whole(1, 1, 3),
    },
}
"""The options of each kind, beside `COMMON`."""

COMMON: Mapping[str, Option] = {
    "title": text(100),
    "question": text(2000),
    "hints": texts(8),
}
"""What an exercise of any kind may say: its own title, question and first hints."""


def read_exercise(table: Mapping[str, Any]) -> dict[str, Any]:
    """An exercise of a set with all its options.

    Raises:
        ValueError: something in it is not known, or no number, or does not fit; the message is
            the end of a sentence that has said which exercise it is.
    """
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        near = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
        said = "it has no kind" if kind is None else f"there is no kind {kind!r}{near}"
        raise StriateValueError(f"{said}; the kinds are {listed(list(KINDS), 20)}")
    known = {**KINDS[kind], **COMMON}
    for name in table:
        if name != "kind" and name not in known:
            raise StriateValueError(
                f"{kind} has no {name!r}{did_you_mean(name, known)}; it has "
                f"{listed(list(known), 20)}"
            )
    found: dict[str, Any] = {"kind": kind}
    for name, option in known.items():
        try:
            found[name] = option.read(table[name]) if name in table else option.default
        except StriateValueError as error:
            raise StriateValueError(f"{name} is {error}") from None
    _check_shapes(found, table)
    return found


def _check_shapes(found: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Check that the matrices of an exercise fit each other; their sizes are those of its numbers.

    Raises:
        ValueError: they do not.
    """
    for letter, name in (("X", "input"), ("F", "filter")):
        numbers = found.get(letter)
        if numbers is None:
            continue
        shape = [len(numbers), len(numbers[0])]
        if name in given and given[name] != shape:
            raise StriateValueError(
                f"{letter} has {sizes(shape)} numbers, and {name} says {sizes(given[name])}; leave "
                f"{name} out, or make them the same"
            )
        found[name] = shape
    kind = found["kind"]
    if kind in ("output", "filter-gradient", "input-gradient"):
        outputs = _outputs(found, found["filter"], found["padding"], found["dilation"])
        _check_same(found, "dO", outputs, "the output has")
    elif kind == "pool":
        _outputs(found, found["window"], 0, 1)
    elif kind == "update":
        _check_same(found, "dF", found["filter"], "the filter has")
    elif kind == "kernel":
        _check_kernel(found)
    elif kind == "weights" and found["layer"] != "dense":
        for side, window in zip(("heights", "widths"), found["window"], strict=True):
            if found[side][0] < window:
                raise StriateValueError(
                    f"{side} is {found[side]}, and the window takes {window}; draw no fewer"
                )


def _outputs(found: Mapping[str, Any], window: list[int], padding: int, dilation: int) -> list[int]:
    """Rows and columns of the output, which must fit."""
    shape = []
    for side, taps, what in zip(found["input"], window, ("rows", "columns"), strict=True):
        stride = found["stride"]
        free = side + 2 * padding - dilation * (taps - 1) - 1
        if free < 0:
            raise StriateValueError(
                f"the window takes {dilation * (taps - 1) + 1} {what}, and the input has "
                f"{side + 2 * padding}; make the input larger, or the window smaller"
            )
        if free % stride:
            raise StriateValueError(
                f"{counted(free % stride, what[:-1])} would be read by no window, as "
                f"({side + 2 * padding} - {dilation * (taps - 1) + 1})/{stride} is not whole; give "
                f"an input of {side - free % stride} or {side + stride - free % stride} {what}"
            )
        shape.append(free // stride + 1)
    return shape


def _check_same(found: Mapping[str, Any], name: str, shape: list[int], of: str) -> None:
    numbers = found.get(name)
    if numbers is not None and [len(numbers), len(numbers[0])] != shape:
        raise StriateValueError(
            f"{name} has {sizes((len(numbers), len(numbers[0])))} numbers, and {of} {sizes(shape)}"
        )


def _check_kernel(found: Mapping[str, Any]) -> None:
    rows, columns = found["filter"]
    across = {"vertical edges": columns, "horizontal edges": rows}.get(found["finds"], 2)
    if across < 2:
        raise StriateValueError(
            f"a kernel of {rows}×{columns} finds no {found['finds']}; it must compare two places "
            "that lie side by side across the edge"
        )
    height, width = found["input"]
    if min(height, width) < 6 or height < rows + 2 or width < columns + 2:
        raise StriateValueError(
            f"input is {sizes((height, width))}; the picture needs at least 6 rows and columns, "
            "and two more than the kernel"
        )
