"""The weights of a Gaussian and its derivatives."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError


def gaussian_weights(sigma: Any, order: int, truncate: float, radius: Any) -> Array:
    """The weights of `gaussian_filter1d` in the order of a correlation.

    With g(x) = exp(-x² / 2σ²), scaled to the sum 1, the derivatives are q(x) g(x), where q is 1 and
    each further one is ``q' - x q / σ²``.

    Raises:
        ValueError: the order or the radius is negative, or the radius no whole number.
    """
    reach = int(truncate * float(sigma) + 0.5) if radius is None else radius
    if not isinstance(reach, numbers.Integral) or reach < 0:
        raise StriateValueError(f"Radius must be a nonnegative integer, not {reach!r}.")
    if order < 0:
        raise StriateValueError(f"order must be non-negative, not {order}")
    variance = sigma * sigma
    x = np.arange(-int(reach), int(reach) + 1)
    weights = np.exp(-0.5 / variance * x**2)
    weights = weights / weights.sum()
    if order:
        q = np.zeros(order + 1)
        q[0] = 1.0
        for _ in range(order):
            slope = np.zeros(order + 1)
            slope[:-1] = q[1:] * np.arange(1, order + 1)
            slope[1:] += q[:-1] * (-1.0 / variance)
            q = slope
        weights = (x[:, None] ** np.arange(order + 1)).dot(q) * weights
    reversed_weights: Array = weights[::-1]
    return reversed_weights
