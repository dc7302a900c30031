"""Early stopping by the validation loss or accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Floats
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import choices
from striate.training.history import Epoch

MONITORS = ("val_loss", "val_accuracy")


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a validation figure has not improved for some epochs.

    At the end the weights, and the running statistics of batch normalisation, of the best epoch
    are restored.

    Args:
        patience: for how many epochs to wait, at least 1.
        monitor: "val_loss" (lower is better) or "val_accuracy" (higher is better).
        min_delta: an improvement of this or less does not count, at least 0.
    """

    patience: int = 5
    monitor: str = "val_loss"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int | np.integer):
            raise StriateTypeError(
                f"early stopping: patience must be an int, not {self.patience!r}"
            )
        if self.patience < 1:
            raise StriateValueError(
                f"early stopping: patience must be at least 1 epoch, not {self.patience!r}"
            )
        if self.monitor not in MONITORS:
            known = choices([*map(repr, MONITORS)])
            raise StriateValueError(
                f"early stopping: monitor must be {known}, not {self.monitor!r}"
            )
        if not (math.isfinite(self.min_delta) and self.min_delta >= 0.0):
            raise StriateValueError(
                f"early stopping: min_delta must be finite and at least 0, not {self.min_delta!r}"
            )


class Snapshot:
    """A copy of a network's weights and of its running statistics."""

    def __init__(self, network: Any) -> None:
        self._buffers: tuple[Floats, ...] = (network.flat, network.state_flat)
        self._copies = tuple(buffer.copy() for buffer in self._buffers)

    def take(self) -> None:
        """Replace the copy by the network's present values."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            copy[...] = buffer

    def arrays(self) -> tuple[Floats, ...]:
        """The copies: of the weights, of the running statistics."""
        return self._copies

    def put(self, weights: Floats, statistics: Floats) -> None:
        """Replace the copies."""
        for copy, given in zip(self._copies, (weights, statistics), strict=True):
            copy[...] = given

    def restore(self) -> None:
        """Copy the values back into the network."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            buffer[...] = copy


class BestEpoch:
    """Keeps the best weights so far, and decides when to stop.

    Attributes:
        epoch: the number of the best epoch so far; None before the first one.
    """

    def __init__(self, rule: EarlyStopping, network: Any) -> None:
        self._rule = rule
        self.snapshot = Snapshot(network)
        self._best = -math.inf
        self._waited = 0
        self.epoch: int | None = None

    def should_stop(self, row: Epoch) -> bool:
        """Compare an epoch with the best one so far; True if training should stop."""
        figure = getattr(row, self._rule.monitor)
        score = -figure if self._rule.monitor == "val_loss" else figure
        if self.epoch is None or score > self._best + self._rule.min_delta:
            self._best, self._waited, self.epoch = score, 0, row.epoch
            self.snapshot.take()
            return False
        self._waited += 1
        return self._waited >= self._rule.patience

    def restore(self) -> None:
        """Restore the weights of the best epoch, if there is one."""
        if self.epoch is not None:
            self.snapshot.restore()

    def state(self) -> dict[str, Any] | None:
        """What `resume` needs besides the weights, JSON-able; None before the first epoch."""
        if self.epoch is None:
            return None
        return {"best": float(self._best), "waited": self._waited, "epoch": self.epoch}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was asked for."""
        self._best, self._waited, self.epoch = state["best"], state["waited"], state["epoch"]
