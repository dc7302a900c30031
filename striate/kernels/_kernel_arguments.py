"""Checks of the arguments that kernels share: sizes, widths and names.

`who` names the kernel in the message, `what` the argument.  All raise a TypeError for a value of
another kind and a ValueError for one out of range.
"""

from __future__ import annotations

from collections.abc import Iterable

from striate.common.arguments import real_number, whole_number
from striate.common.errors import StriateValueError
from striate.common.text import did_you_mean

LONGEST = 2**24
"""Most taps of a kernel for signals."""
WIDEST = 2**12
"""Most taps of a kernel for images, along each axis."""


def check_size(value: object, who: str, *, odd: bool = False, minimum: int = 1) -> int:
    """`value` as the size of a square kernel; with `odd` it must have a middle."""
    return _size(value, who, odd, minimum, WIDEST)


def check_length(value: object, who: str, *, odd: bool = False, minimum: int = 1) -> int:
    """`value` as the size of a kernel for signals; with `odd` it must have a middle."""
    return _size(value, who, odd, minimum, LONGEST)


def positive(value: object, what: str, who: str) -> float:
    """`value` as a float > 0."""
    number = real_number(value, what, who)
    if number <= 0:
        raise StriateValueError(f"{who}: {what} must be more than 0, got {number:g}")
    return number


def width(value: object, what: str, who: str) -> float:
    """`value` as a width in pixels or samples, within what squares and fourth powers can hold."""
    number = positive(value, what, who)
    if not 0.01 <= number <= 1e6:
        raise StriateValueError(f"{who}: {what} must be between 0.01 and 1e6, got {number:g}")
    return number


def one_of(value: object, choices: Iterable[str], what: str, who: str) -> str:
    """`value` if it is one of `choices`, else a ValueError with the nearest."""
    known = tuple(choices)
    if isinstance(value, str) and value in known:
        return value
    hint = did_you_mean(str(value), known)
    raise StriateValueError(f"{who}: {what} must be one of {', '.join(known)}, got {value!r}{hint}")


def _size(value: object, who: str, odd: bool, minimum: int, maximum: int) -> int:
    size = whole_number(value, "size", who, minimum)
    if size > maximum:
        raise StriateValueError(f"{who}: size must be at most {maximum}, got {size}")
    if odd and size % 2 == 0:
        raise StriateValueError(
            f"{who}: size must be odd, so that the kernel has a middle, got {size}; "
            f"use {max(size - 1, minimum)} or {size + 1}"
        )
    return size
