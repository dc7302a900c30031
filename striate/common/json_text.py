"""Reading JSON of any origin: nothing in it is deeper or larger than can be worked with."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from striate.common.errors import StriateValueError

MOST_DEEP = 100
"""The most lists and objects in each other: what walks through a value may call itself."""
_LARGEST = 2**63
_MOST_DIGITS = 20


def parse(text: str | bytes) -> Any:
    """Return the value that a JSON `text` holds.

    Raises:
        ValueError: it is no JSON, holds a number that is not finite or a whole number beyond 64
            bits, or is nested more than `MOST_DEEP` times; the message is a clause.
    """
    try:
        value = json.loads(
            text, parse_constant=_no_constant, parse_int=_whole_number, parse_float=_real_number
        )
    except RecursionError:
        raise StriateValueError(_TOO_DEEP) from None
    _check_depth(value)
    return value


_TOO_DEEP = f"lists and objects are in each other more than {MOST_DEEP} times"


def _check_depth(value: Any) -> None:
    layer = [value]
    for _ in range(MOST_DEEP + 1):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, list | dict)
        ]
        if not layer:
            return
    raise StriateValueError(_TOO_DEEP)


def _no_constant(name: str) -> NoReturn:
    raise StriateValueError(f"{name} is not JSON")


def _whole_number(digits: str) -> int:
    number = int(digits) if len(digits) <= _MOST_DIGITS else _LARGEST
    if abs(number) >= _LARGEST:
        raise StriateValueError(f"the number {digits[:_MOST_DIGITS]}… is too large")
    return number


def _real_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise StriateValueError(f"the number {digits[:_MOST_DIGITS]} is too large")
    return number
