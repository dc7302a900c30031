"""Numbers in C, with all their bits of 32."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from striate.common.arrays import Array

_NAMED = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
"""Numbers that C has no digits for: their names are in <math.h>."""


def c_float(number: float) -> str:
    """A number as a constant of C's type float: with as few digits as tell it from all others."""
    (found,) = c_floats(np.asarray([number], np.float32))
    return found


def c_floats(numbers: Array) -> Iterable[str]:
    """`c_float` of each of many numbers."""
    for text in np.asarray(numbers, np.float32).ravel().astype(str).tolist():
        yield _NAMED.get(text) or (text if "." in text or "e" in text else f"{text}.0") + "f"


def is_named(text: str) -> bool:
    """Whether a constant has a name of <math.h> in it."""
    return text in _NAMED.values()
