"""Loss, accuracy and speed of the epoch that is under way."""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import NDArray

from striate.training.batches import Batch


class Tally:
    """Sums over the batches of one epoch; its clock starts when it is made."""

    def __init__(self, has_classes: bool) -> None:
        self.images = 0
        self._has_classes = has_classes
        self._right = 0
        self._loss = 0.0
        self._weight = 0.0
        self._start = time.perf_counter()

    def add(self, batch: Batch, loss: float, outputs: NDArray[Any]) -> None:
        """Count a batch, with its weighted mean loss and its outputs ``(n, outputs)``."""
        self.images += len(outputs)
        self._loss += loss * batch.total_weight
        self._weight += batch.total_weight
        if self._has_classes:
            # Smoothed targets have their largest value at the true class too.
            hits = outputs.argmax(axis=1) == batch.targets.argmax(axis=1)
            self._right += int(hits.sum())

    @property
    def loss(self) -> float:
        """The weighted mean loss so far."""
        return self._loss / self._weight

    @property
    def accuracy(self) -> float | None:
        """The share of images with the right class so far; None without classes."""
        return self._right / self.images if self._has_classes else None

    def seconds(self) -> float:
        """Since the epoch began; never quite 0, so that it can be divided by."""
        return max(time.perf_counter() - self._start, 1e-9)
