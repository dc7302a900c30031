"""The training history: loss, accuracy and learning rate of each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from striate.common.short_repr import short_repr
from striate.common.tables import html_table, ruled
from striate.common.text import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 20
"""The epochs that a notebook shows in a table: of more only the first and the last."""
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
"""The figures of each epoch that a model file keeps."""


@short_repr
@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch, which is one pass over the training images.

    Attributes:
        epoch: its number, from 1.
        loss, accuracy: means over the epoch, while the weights changed, with augmentation and
            dropout; accuracy is None for regression. With auxiliary heads the loss is the output's
            and theirs, times their weights; all other figures are of the output alone.
        val_loss, val_accuracy: of the network at the end of the epoch, on the validation images;
            None without these, and the accuracy for regression.
        learning_rate: of the last step.
        images: how many images were trained on.
        seconds: with validation.
        images_per_second: of training alone.
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
        """The figures as JSON-able values."""
        return asdict(self)


@short_repr
@dataclass
class History:
    """The epochs of one call of `fit`, as a sequence.

    Attributes:
        rows: the figures of each epoch.
        interrupted: whether a signal stopped training, perhaps within an epoch.
        stopped_early: whether early stopping or `on_epoch` ended it before the last epoch.
        stopped_by: what did: "SIGINT" (Ctrl-C), "SIGTERM", "SIGHUP", "early stopping" or
            "on_epoch"; None if all epochs were done.
        best_epoch: the epoch whose weights were restored; None without early stopping.
        seconds: of the whole training.
    """

    rows: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False
    stopped_by: str | None = None
    best_epoch: int | None = None
    seconds: float = 0.0

    def column(self, name: str) -> list[Any]:
        """One figure of all epochs, such as ``history.column("val_loss")``."""
        return [getattr(row, name) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """All epochs as JSON-able values."""
        return {
            "epochs": [row.to_dict() for row in self.rows],
            "interrupted": self.interrupted,
            "stopped_early": self.stopped_early,
            "stopped_by": self.stopped_by,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
        }

    def curves(self) -> dict[str, list[Any]]:
        """The figures of all epochs by name, as model files keep them.

        There are no times among them, so that the same training gives the same file, and no
        figures that were never measured.
        """
        columns = {name: self.column(name) for name in CURVES}
        return {
            name: values
            for name, values in columns.items()
            if any(value is not None for value in values)
        }

    def plot(self) -> Figure:
        """Loss, accuracy and learning rate over the epochs, as a figure of matplotlib.

        ``history.plot().savefig("curves.png")`` writes it.
        """
        from striate.training import curves

        return curves.plot(self.curves())

    def table(self) -> list[tuple[str, ...]]:
        """The figures of the epochs as cells of text, below a row of names."""
        names = [*self.curves()]
        rows = [("epoch", *(name.replace("_", " ") for name in names), "images/s")]
        for row in self.rows:
            cells = [_cell(name, getattr(row, name)) for name in names]
            rows.append((f"{row.epoch}", *cells, f"{row.images_per_second:,.0f}"))
        return rows

    def __str__(self) -> str:
        if not self.rows:
            return "no epochs"
        return ruled(self.table())

    def _brief(self) -> str:
        if not self.rows:
            return "no epochs"
        last = self.rows[-1]
        figures = {name: getattr(last, name) for name in CURVES[:4]}
        parts = [
            f"{name} {_cell(name, value)}" for name, value in figures.items() if value is not None
        ]
        parts += ["interrupted"] * self.interrupted + ["stopped early"] * self.stopped_early
        return ", ".join([counted(len(self.rows), "epoch"), *parts])

    def _repr_html_(self) -> str:
        from striate.training import curves

        drawn = (curves.draw(self.curves(), name) for name in ("loss", "accuracy"))
        return html_table(self.table(), left=0, most=ROWS) + "".join(svg for svg in drawn if svg)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Epoch:
        return self.rows[index]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith("accuracy"):
        return f"{value:.2%}"
    return f"{value:.3g}" if name == "learning_rate" else f"{value:.4f}"
