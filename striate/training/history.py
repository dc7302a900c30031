"""What happened during training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
"""What a model file keeps of each epoch."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images.

    ``loss`` and ``accuracy`` are means over the epoch, taken while the network was changing (and
    with augmentation and dropout); ``val_loss`` and ``val_accuracy`` are of the network as it was
    at the end.  Accuracies are None for regression, validation figures where there was none.
    """

    epoch: int
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    images: int
    seconds: float
    images_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        return asdict(self)


@dataclass
class History:
    """The epochs of one call of ``fit``.

    ``interrupted``: stopped by Ctrl-C, perhaps within an epoch.  ``stopped_early``: the validation
    figure stopped improving.  ``best_epoch``: the epoch whose weights were restored or, where
    early stopping was not asked for, None.
    """

    rows: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False
    best_epoch: int | None = None
    seconds: float = 0.0

    def column(self, name: str) -> list[Any]:
        """One figure of all epochs, such as ``history.column("val_loss")``."""
        return [getattr(row, name) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can hold."""
        return {
            "epochs": [row.to_dict() for row in self.rows],
            "interrupted": self.interrupted,
            "stopped_early": self.stopped_early,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
        }

    def curves(self) -> dict[str, list[Any]]:
        """The figures of all epochs by name, as model files keep them: without seconds, so that
        the same training gives the same file, and without figures that were never measured."""
        columns = {name: self.column(name) for name in CURVES}
        return {
            name: values
            for name, values in columns.items()
            if any(value is not None for value in values)
        }

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Epoch:
        return self.rows[index]
