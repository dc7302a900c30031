"""The samples of a training with their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.short_repr import short_repr


@short_repr
@dataclass(frozen=True)
class Samples:
    """The samples of a training.

    Attributes:
        images: (n, …).
        targets: (n,) or (n, outputs).
        weights: (n,).
    """

    images: Array
    targets: Array
    weights: NDArray[np.float64]

    def without_zero_weights(self) -> Samples:
        """The samples without those of weight 0."""
        kept = self.weights > 0.0
        if kept.all():
            return self
        return Samples(self.images[kept], self.targets[kept], self.weights[kept])

    @unwatched
    def merged(self) -> Samples:
        """The samples with equal ones merged, their weights added, in an order by their content.

        In a batch of all rows this only changes the order in which numbers are added.  With it a
        sample of weight 3 and one that occurs three times give not only the same network up to
        rounding but the same bits, and so does any order of the samples.
        """
        places: dict[bytes, list[int]] = {}
        for index in range(len(self.images)):
            key = self.images[index].tobytes() + self.targets[index].tobytes()
            places.setdefault(key, []).append(index)
        groups = [places[key] for key in sorted(places)]
        first = np.array([group[0] for group in groups], dtype=np.intp)
        # Sorted before they are added, so that the sum does not depend on the order of samples.
        weights = np.array([np.sort(self.weights[group]).sum() for group in groups])
        return Samples(self.images[first], self.targets[first], weights)
