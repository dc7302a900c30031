"""When to stop: early, on the validation figures, or on Ctrl-C."""

from __future__ import annotations

import math
import signal
import threading
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from striate.common.arrays import Floats
from striate.common.text import choices
from striate.training.history import Epoch

MONITORS = ("val_loss", "val_accuracy")


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a validation figure has not improved for ``patience`` epochs.

    ``monitor`` is ``"val_loss"`` (lower is better) or ``"val_accuracy"`` (higher is better); an
    improvement of ``min_delta`` or less does not count.  At the end the weights, and the running
    statistics of batch normalisation, of the best epoch are restored.
    """

    patience: int = 5
    monitor: str = "val_loss"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int | np.integer):
            raise TypeError(f"early stopping: patience must be an int, not {self.patience!r}")
        if self.patience < 1:
            raise ValueError(
                f"early stopping: patience must be at least 1 epoch, not {self.patience!r}"
            )
        if self.monitor not in MONITORS:
            known = choices([*map(repr, MONITORS)])
            raise ValueError(f"early stopping: monitor must be {known}, not {self.monitor!r}")
        if not (math.isfinite(self.min_delta) and self.min_delta >= 0.0):
            raise ValueError(
                f"early stopping: min_delta must be finite and at least 0, not {self.min_delta!r}"
            )


class Snapshot:
    """A copy of a network's weights and of its running statistics."""

    def __init__(self, network: Any) -> None:
        self._buffers: tuple[Floats, ...] = (network.flat, network.state_flat)
        self._copies = tuple(buffer.copy() for buffer in self._buffers)

    def take(self) -> None:
        """Replace the copy by what the network holds now."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            copy[...] = buffer

    def restore(self) -> None:
        """Put the copy back into the network."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            buffer[...] = copy


class BestEpoch:
    """Keeps the best weights so far and says when to stop."""

    def __init__(self, rule: EarlyStopping, network: Any) -> None:
        self._rule = rule
        self._snapshot = Snapshot(network)
        self._best = -math.inf
        self._waited = 0
        self.epoch: int | None = None

    def should_stop(self, row: Epoch) -> bool:
        """Take the figures of an epoch into account; True if it is time to stop."""
        figure = getattr(row, self._rule.monitor)
        score = -figure if self._rule.monitor == "val_loss" else figure
        if self.epoch is None or score > self._best + self._rule.min_delta:
            self._best, self._waited, self.epoch = score, 0, row.epoch
            self._snapshot.take()
            return False
        self._waited += 1
        return self._waited >= self._rule.patience

    def restore(self) -> None:
        """Put the best epoch's weights back, if there is one."""
        if self.epoch is not None:
            self._snapshot.restore()


class Interruption:
    """While it is entered, the first Ctrl-C only sets ``requested``; the second is as always.

    Signals reach the main thread alone, so in other threads it does nothing; nor does it where
    Ctrl-C is ignored, as for a process in the background.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None
        self._installed = False

    def __enter__(self) -> Interruption:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
            self._before = signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before)
            self._installed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
