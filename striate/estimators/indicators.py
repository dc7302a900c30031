"""Targets of samples with any number of labels: a row of zeros and ones for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils.multiclass import type_of_target

from striate.common.arrays import Floats, refuse_masked
from striate.common.errors import StriateValueError


def is_multilabel(y: Any) -> bool:
    """Return whether targets are of that kind, as scikit-learn tells it."""
    if not issparse(y):
        try:
            y = np.asarray(y)
        except ValueError:  # rows of several lengths
            return False
        if y.ndim != 2 or y.shape[1] < 2:
            return False
    return bool(type_of_target(y) == "multilabel-indicator")


def as_indicators(y: ArrayLike, samples: int) -> Floats:
    """Return such targets as float32 (n, labels).

    Raises:
        ValueError: there are not as many rows as samples.
    """
    refuse_masked(y, "y")
    given: Any = y
    dense = given.toarray() if issparse(y) else given
    labels: Floats = np.ascontiguousarray(dense, np.float32)
    if len(labels) != samples:
        raise StriateValueError(f"X has {samples} samples, but y has {len(labels)}")
    return labels
