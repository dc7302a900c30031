"""Loss, accuracy and speed of the epoch that is under way."""

from __future__ import annotations

import time

import numpy as np

from striate.common.arrays import Array
from striate.training.batches import Batch

# Batches that are counted together, as that takes hardly longer than one.
_AT_ONCE = 32


class Tally:
    """Sums over the batches of one epoch; its clock starts when it is made."""

    def __init__(self, has_classes: bool) -> None:
        self.images = 0
        self._has_classes = has_classes
        self._right = 0
        self._loss = 0.0
        self._weight = 0.0
        self._uncounted: list[tuple[Array, Array]] = []
        self._start = time.perf_counter()

    def add(self, batch: Batch, loss: float, outputs: Array) -> None:
        """Count a batch, with its weighted mean loss and its outputs ``(n, outputs)``."""
        self.images += len(outputs)
        self._loss += loss * batch.total_weight
        self._weight += batch.total_weight
        if self._has_classes:
            self._uncounted.append((outputs, batch.targets))
            if len(self._uncounted) == _AT_ONCE:
                self._count()

    @property
    def loss(self) -> float:
        """The weighted mean loss so far."""
        return self._loss / self._weight

    @property
    def accuracy(self) -> float | None:
        """The share of images with the right class so far; None without classes."""
        self._count()
        return self._right / self.images if self._has_classes else None

    def seconds(self) -> float:
        """Since the epoch began; never quite 0, so that it can be divided by."""
        return max(time.perf_counter() - self._start, 1e-9)

    def _count(self) -> None:
        """Of the batches at hand the images with the right class."""
        if self._uncounted:
            outputs, targets = map(np.concatenate, zip(*self._uncounted, strict=True))
            # Smoothed targets have their largest value at the true class too.
            self._right += int((outputs.argmax(axis=1) == targets.argmax(axis=1)).sum())
            self._uncounted.clear()
