"""Histories in words: what each figure looks like, and which are left out."""

from __future__ import annotations

import pytest

from striate.training.epoch_metrics import EpochMetrics
from striate.training.history import Epoch, History

FULL = Epoch(1, 2.0, 0.25, 1.5, 0.125, 0.0123456, 1000, 2.5, 12345.6)
LAST = Epoch(2, 0.54321, 0.5, None, None, 1e-6, 1000, 2.5, 400.0)
NUMBERS = Epoch(1, 0.5, None, None, None, 0.1, 9, 1.0, 9.0)


def test_the_table_has_a_column_of_what_was_measured() -> None:
    assert History([FULL, LAST]).table() == [
        ("epoch", "loss", "accuracy", "val loss", "val accuracy", "learning rate", "images/s"),
        ("1", "2.0000", "25.00%", "1.5000", "12.50%", "0.0123", "12,346"),
        ("2", "0.5432", "50.00%", "", "", "1e-06", "400"),
    ]
    assert History([NUMBERS]).table()[0] == ("epoch", "loss", "learning rate", "images/s")
    assert History([FULL, LAST]).curves()["val_loss"] == [1.5, None]


@pytest.mark.parametrize(
    ("history", "text"),
    [
        (History(), "no epochs"),
        (History([LAST, FULL]), "2 epochs, loss 2.0000, accuracy 25.00%, val_loss 1.5000, "
         "val_accuracy 12.50%"),
        (History([FULL, LAST]), "2 epochs, loss 0.5432, accuracy 50.00%"),
        (History([NUMBERS], interrupted=True), "1 epoch, loss 0.5000, interrupted"),
        (History([NUMBERS], stopped_early=True), "1 epoch, loss 0.5000, stopped early"),
    ],
)  # fmt: skip
def test_a_line_tells_the_last_epoch(history: History, text: str) -> None:
    assert repr(history) == f"History({text})"


def test_metrics_go_on_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 5.0

        def perf_counter(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("striate.training.epoch_metrics.time", clock)
    first, second = EpochMetrics(True), EpochMetrics(False)
    assert 0 < first.seconds() < 1e-6, "one can divide by it"
    clock.now += 3
    state = first.state()
    assert state == {"images": 0, "right": 0, "loss": 0.0, "weight": 0.0, "seconds": 3.0}
    clock.now += 100
    second.restore(state | {"images": 8, "loss": 6.0, "weight": 4.0})
    clock.now += 1
    assert (second.images, second.loss, second.seconds()) == (8, 1.5, 4.0)
    assert second.accuracy is None
    first.restore(state | {"images": 8, "right": 6})
    assert first.accuracy == 0.75
