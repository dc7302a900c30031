"""Handwritten digits for the rooms that show small images."""

from __future__ import annotations

from typing import Any

import numpy as np


def digit_images() -> list[dict[str, Any]]:
    """The first digit of each class of scikit-learn's digits: 8×8, from 0 to 16, row by row."""
    from striate.data.dataset import LoadOptions
    from striate.data.digits import load_digits

    digits = load_digits(LoadOptions())
    found = []
    for name in range(10):
        where = int(np.flatnonzero(digits.train_labels == name)[0])
        pixels = digits.train_images[where].reshape(8, 8).astype(int)
        found.append({"rows": 8, "columns": 8, "values": pixels.ravel().tolist()})
    return found
