"""Checks of single arguments, with one sentence for each mistake.

`who` names the layer or function in the message, `what` the argument.
"""

from __future__ import annotations

import math
import operator

from striate.common.errors import StriateTypeError, StriateValueError

LARGEST = 2**31 - 1
"""No size, stride or channel count may be larger: compiled code counts with 32 bits."""


def whole_number(value: object, what: str, who: str, minimum: int = 1) -> int:
    """`value` as an int ≥ `minimum`; a bool, a float or text is a TypeError."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise StriateTypeError(
            f"{who}: {what} must be a whole number, got {value!r} ({type(value).__name__})"
        ) from None
    if number < minimum:
        raise StriateValueError(f"{who}: {what} must be at least {minimum}, got {number}")
    if number > LARGEST:
        raise StriateValueError(f"{who}: {what} must be at most {LARGEST}, got a larger number")
    return number


def real_number(value: object, what: str, who: str) -> float:
    """`value` as a finite float; a bool or text is a TypeError."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise StriateTypeError(
            f"{who}: {what} must be a number, got {value!r} ({type(value).__name__})"
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise StriateValueError(f"{who}: {what} must be finite, got {number}")
    return number


def true_or_false(value: object, what: str, who: str) -> bool:
    """`value` if it is a bool, else a TypeError."""
    if not isinstance(value, bool):
        raise StriateTypeError(f"{who}: {what} must be True or False, got {value!r}")
    return value
