"""Checks the arrays and sizes that a worked example is given, which must agree with each other."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, as_real_array
from striate.common.errors import StriateValueError
from striate.common.text import sizes

T = TypeVar("T")


def finite(value: npt.ArrayLike | None, what: str, who: str) -> Array | None:
    """The array as float64; None stays None.

    Raises:
        ValueError: a number is not finite.
        TypeError: they are not real numbers.
    """
    if value is None:
        return None
    array = as_real_array(value, what, who)
    if not np.isfinite(array).all():
        raise StriateValueError(f"{who}: {what} must be finite")
    return array.astype(np.float64)


def agreed(who: str, what: str, usual: T, **said: T | None) -> T:
    """The one value that all sources say, or the usual one where none says anything.

    Raises:
        ValueError: two contradict each other; the message names both and their values.
    """
    told = {name: value for name, value in said.items() if value is not None}
    if len(set(told.values())) > 1:
        says = " and ".join(
            f"{sizes(value) if isinstance(value, tuple) else value} of {name}"
            for name, value in told.items()
        )
        raise StriateValueError(
            f"{who}: the {what} is told twice, differently: {says}; leave one out, or make "
            "them agree"
        )
    return next(iter(told.values()), usual)


def with_axes(array: Array, axes: int, what: str, wanted: str, who: str) -> Array:
    """The array with axes of length 1 for channels and filters, where it has none.

    Raises:
        ValueError: it has neither 2 axes nor `axes`, or no numbers.
    """
    if array.ndim not in (2, axes) or not array.size:
        raise StriateValueError(f"{who}: {what} must be {wanted}, got shape {array.shape}")
    return array.reshape(array.shape + (1,) * (axes - array.ndim))
