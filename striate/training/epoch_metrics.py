"""Running loss, accuracy and time of the current epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.training.batches import Batch

# Batches whose right answers are counted together, which takes hardly longer than for one.
_AT_ONCE = 32


class EpochMetrics:
    """Loss and accuracy summed over the batches of one epoch; the time counts from its creation.

    Attributes:
        images: how many have been added.
    """

    def __init__(self, has_classes: bool) -> None:
        self.images = 0
        self._has_classes = has_classes
        self._right = 0
        self._loss = 0.0
        self._weight = 0.0
        self._uncounted: list[tuple[Array, Array]] = []
        self._start = time.perf_counter()

    def add(self, batch: Batch, loss: float, outputs: Array, right: int | None = None) -> None:
        """Add a batch.

        Args:
            batch: the batch.
            loss: its weighted mean loss.
            outputs: of its images, (n, outputs).
            right: how many of its images have the right answer, where that is known; then
                `outputs` are not looked at.
        """
        self.images += batch.size
        self._loss += loss * batch.total_weight
        self._weight += batch.total_weight
        if right is not None:
            self._right += right
        elif self._has_classes:
            self._uncounted.append((outputs, batch.targets))
            if len(self._uncounted) == _AT_ONCE:
                self._count()

    @property
    def loss(self) -> float:
        """The weighted mean loss of the batches added."""
        return self._loss / self._weight

    @property
    def accuracy(self) -> float | None:
        """The share of images added whose class was right; None for regression."""
        self._count()
        return self._right / self.images if self._has_classes else None

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on, JSON-able."""
        self._count()
        return {
            "images": self.images,
            "right": self._right,
            "loss": float(self._loss),
            "weight": float(self._weight),
            "seconds": self.seconds(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was asked for, the time too."""
        self.images, self._right = state["images"], state["right"]
        self._loss, self._weight = state["loss"], state["weight"]
        self._start = time.perf_counter() - state["seconds"]

    def seconds(self) -> float:
        """Seconds since the epoch began; above 0, so that they can be divided by."""
        return max(time.perf_counter() - self._start, 1e-9)

    def _count(self) -> None:
        """Count the right answers of the batches that wait for it."""
        if self._uncounted:
            outputs, targets = map(np.concatenate, zip(*self._uncounted, strict=True))
            self._right += right_answers(outputs, targets)
            self._uncounted.clear()


def right_answers(outputs: Array, targets: Array) -> int:
    """For how many images the largest output is at the true class; both are (n, outputs)."""
    # Smoothed targets have their largest value at the true class too.
    return int((outputs.argmax(axis=1) == targets.argmax(axis=1)).sum())
