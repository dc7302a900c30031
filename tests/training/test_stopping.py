"""Early stopping by itself: which epoch is the best, and when it has been waited long enough."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from striate.training.history import Epoch
from striate.training.stopping import BestEpoch, EarlyStopping


def weights() -> SimpleNamespace:
    return SimpleNamespace(flat=np.zeros(3, np.float32), state_flat=np.zeros(2, np.float32))


def row(epoch: int, figure: float, monitor: str) -> Epoch:
    figures: dict[str, Any] = {"val_loss": 7.0, "val_accuracy": 0.5} | {monitor: figure}
    return Epoch(epoch, 1.0, 0.5, figures["val_loss"], figures["val_accuracy"], 0.1, 9, 1.0, 9.0)


def course(rule: EarlyStopping, figures: list[float]) -> tuple[list[bool], int | None, float]:
    """Whether to stop after each epoch, the best one, and a weight of it; epoch's are its number"""
    network = weights()
    best = BestEpoch(rule, network)
    asked = []
    for epoch, figure in enumerate(figures, 1):
        network.flat[:] = epoch
        asked.append(best.should_stop(row(epoch, figure, rule.monitor)))
    best.restore()
    return asked, best.epoch, float(network.flat[2])


@pytest.mark.parametrize(
    ("options", "figures", "stops", "best"),
    [
        # Lower losses are better, higher accuracies are.
        ({"patience": 1}, [4.0, 3.0, 3.5], [False, False, True], 2),
        ({"patience": 1, "monitor": "val_accuracy"}, [0.1, 0.3, 0.2], [False, False, True], 2),
        # An equal figure is no improvement; the first epoch is, whatever it is.
        ({"patience": 2}, [3.0, 3.0, 3.0], [False, False, True], 1),
        ({"patience": 1}, [math.inf, 9.0, 9.0], [False, False, True], 2),
        # One begins to wait anew after each improvement.
        ({"patience": 2}, [4.0, 5.0, 3.0, 5.0, 5.0], [False, False, False, False, True], 3),
        # By so much or less is none, and it adds up to one.
        ({"patience": 9, "min_delta": 0.5}, [4.0, 3.5, 3.75], [False] * 3, 1),
        ({"patience": 9, "min_delta": 0.5}, [4.0, 3.75, 3.49], [False] * 3, 3),
        (
            {"patience": 9, "min_delta": 0.25, "monitor": "val_accuracy"},
            [0.25, 0.5, 0.53], [False] * 3, 3,
        ),
        ({}, [1.0] * 6, [False] * 5 + [True], 1),
    ],
)  # fmt: skip
def test_the_best_epoch_and_the_last(
    options: dict[str, Any], figures: list[float], stops: list[bool], best: int
) -> None:
    assert course(EarlyStopping(**options), figures) == (stops, best, best)


def test_without_an_epoch_nothing_is_restored() -> None:
    network = weights()
    best = BestEpoch(EarlyStopping(), network)
    network.flat[:], network.state_flat[:] = 1, 2
    best.restore()
    assert network.flat.tolist() == [1, 1, 1] and network.state_flat.tolist() == [2, 2]
    assert best.state() is None and best.epoch is None


def test_it_goes_on_where_it_was() -> None:
    rule, network = EarlyStopping(patience=3), weights()
    first, second = BestEpoch(rule, network), BestEpoch(rule, network)
    for epoch, loss in enumerate([5.0, 2.0, 3.0], 1):
        assert not first.should_stop(row(epoch, loss, "val_loss"))
    state = first.state()
    assert state == {"best": -2.0, "waited": 1, "epoch": 2}
    second.resume(state)
    assert not second.should_stop(row(4, 2.5, "val_loss"))
    assert second.should_stop(row(5, 2.5, "val_loss")) and second.epoch == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience must be at least 1 epoch, not 0"),
        ({"patience": 2.0}, TypeError, "patience must be an int, not 2.0"),
        ({"patience": True}, TypeError, "patience must be an int, not True"),
        ({"monitor": "loss"}, ValueError, "monitor must be 'val_loss' or 'val_accuracy', not 'los"),
        ({"min_delta": -0.1}, ValueError, "min_delta must be finite and at least 0, not -0.1"),
        ({"min_delta": math.inf}, ValueError, "min_delta must be finite and at least 0, not inf"),
        ({"min_delta": math.nan}, ValueError, "min_delta must be finite and at least 0, not nan"),
    ],
)
def test_wrong_rules(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^early stopping: {message}"):
        EarlyStopping(**options)
    assert EarlyStopping(patience=np.int64(1), min_delta=0).patience == 1
