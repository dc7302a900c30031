"""Rows and their weights, before training begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array


@dataclass(frozen=True)
class Samples:
    """Images ``(n, …)``, their targets ``(n,)`` or ``(n, outputs)``, and weights ``(n,)``."""

    images: Array
    targets: Array
    weights: NDArray[np.float64]

    def without_zero_weights(self) -> Samples:
        """The same without the rows whose weight is 0: they are as if they were not there."""
        kept = self.weights > 0.0
        if kept.all():
            return self
        return Samples(self.images[kept], self.targets[kept], self.weights[kept])

    def merged(self) -> Samples:
        """Equal rows as one row with the sum of their weights, in an order of their own.

        In a batch of all rows this changes nothing but the order in which numbers are added.  So
        a weight of 3 and a row that comes three times give not only the same network up to
        rounding, but the same bits; and so does any order of the rows.
        """
        places: dict[bytes, list[int]] = {}
        for index in range(len(self.images)):
            key = self.images[index].tobytes() + self.targets[index].tobytes()
            places.setdefault(key, []).append(index)
        groups = [places[key] for key in sorted(places)]
        first = np.array([group[0] for group in groups], dtype=np.intp)
        # Sorted before they are added: their order must not show in the last bit.
        weights = np.array([np.sort(self.weights[group]).sum() for group in groups])
        return Samples(self.images[first], self.targets[first], weights)
