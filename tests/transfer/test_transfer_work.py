"""Ranks make of a backbone the very network that one process makes of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from striate.common.digests import digest_of
from striate.layers import BatchNorm, Conv2D, Dense, GlobalAvgPool2D, ReLU
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.ranks.agree import DisagreementError
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.transfer.backbone import Backbone
from striate.transfer.fine_tuning import FineTuning
from striate.transfer.kept_features import FeatureExtractor
from striate.transfer.rows_by_ranks import BATCH, rows_by_ranks
from striate.transfer.transfer_targets import ClassTargets
from striate.transfer.transferring import Transfer
from tests.ranks.rank_threads import on_ranks, with_ranks

COUNT, SIZE = 60, (7, 9, 2)


@pytest.fixture(autouse=True)
def no_kept_features(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = partial(FeatureExtractor, kept=False)
    monkeypatch.setattr("striate.transfer.transfer_work.FeatureExtractor", computed)


def backbone() -> Backbone:
    layers = [
        Conv2D(5, 3, name="a"), BatchNorm(name="n"), ReLU(), Conv2D(6, (2, 3), name="b"), ReLU(),
        GlobalAvgPool2D(), Dense(4),
    ]  # fmt: skip
    made = Network(layers, SIZE, seed=2)
    made.state["n/mean"][...] = np.linspace(-0.3, 0.4, 5)
    made.preprocessing = Preprocessing((128.0,) * 2, (64.0,) * 2)
    return Backbone.of(made)


def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Waves of three lengths, which a backbone of random filters hardly tells."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, COUNT)
    waves = np.sin(np.arange(SIZE[1]) * (1 + labels[:, None]) + random.uniform(0, 6, (COUNT, 1)))
    noisy = 128 + 60 * waves[:, None, :, None] + random.normal(0, 20, (COUNT, *SIZE))
    return noisy.clip(0, 255).astype(np.uint8), labels.astype(np.intp)


def made_by(exchange: Exchange, rate: float = 0.03, **options: Any) -> Any:
    """Of the first rank a digest of the network and what was said of it."""
    images, labels = images_and_labels()
    weights = np.linspace(1, 2, COUNT)
    targets = ClassTargets(labels, 3, weights)
    transfer = Transfer(
        backbone(), settings=FineTuning(epochs=4, learning_rate=rate, groups=3), seed=4, threads=1,
        fit_options={"progress": False}, exchange=exchange, **options,
    )  # fmt: skip
    if not exchange.is_first:
        transfer.follow_begin(images, targets)
        return transfer.follow_going_on()
    made = transfer.begin(images, targets)
    transfer.go_on(made)
    return digest_of(made.network.flat, made.network.state_flat), made.notes[1:]


def test_the_same_network() -> None:
    """A trial on some of the images, and a second training with all of them."""
    expected = made_by(ALONE, mirror=True)
    assert ": kept" in "".join(expected[1]), expected
    assert on_ranks(2, lambda exchange: made_by(exchange, mirror=True)) == [expected, None]


def test_training_that_diverges_ends_all() -> None:
    one, two = with_ranks(2, _failing)
    assert isinstance(one, FloatingPointError)
    assert str(two).startswith("rank 0: the loss is not finite")


def _failing(exchange: Exchange) -> Any:
    with exchange.failing_together():
        return made_by(exchange, rate=1e30, tune=True)


def test_other_settings_are_named() -> None:
    def of_others(exchange: Exchange) -> Any:
        return made_by(exchange, tune=False, mirror=False, rate=0.01 * (1 + exchange.rank))

    for error in with_ranks(2, of_others):
        assert isinstance(error, DisagreementError)
        assert "rank 0 has learning rate 0.01, rank 1 has 0.02: give all" in str(error)


@pytest.mark.parametrize("count", [0, 1, BATCH, 3 * BATCH + 5])
def test_rows_come_from_all_in_order(count: int) -> None:
    def rows(exchange: Exchange) -> Any:
        places: list[int] = []

        def compute(some: range) -> np.ndarray:
            places.extend(some)
            return np.array([[place, exchange.rank] for place in some], np.float32)

        return rows_by_ranks(exchange, count, (2,), compute), places

    found = on_ranks(2, rows)
    for every, _ in found:
        assert every[:, 0].tolist() == list(range(count))
    assert sorted(found[0][1] + found[1][1]) == list(range(count))
    assert all(owner == place // BATCH % 2 for place, owner in found[0][0])
