"""How fast steps are: counted by a clock of the test, and on real engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from striate.ranks.exchange import Exchange
from striate.training.step_timing import MOST_BYTES, _some, time_steps
from striate.training.training_settings import TrainingSettings
from tests.ranks.rank_threads import on_ranks


class Clock:
    """Each look at it takes a second; the first step two more."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks + 2.0 * (self.looks > 1)


@pytest.mark.parametrize(
    ("images", "batch_size", "seconds", "expected"),
    [
        (96, 16, 5.0, 1 / 16),
        (96, 96, 5.0, 1 / 96),
        (10, 16, 5.0, 1 / 10),  # all images are one batch
    ],
)
def test_seconds_for_each_image(
    problem: Callable[..., Any],
    make_network: Callable[..., Any],
    images: int,
    batch_size: int,
    seconds: float,
    expected: float,
) -> None:
    pixels, labels = problem(images)
    settings = TrainingSettings(batch_size=batch_size)
    clock = Clock()
    found = time_steps(
        make_network(), pixels, labels, settings, seconds=seconds, clock=clock, engine="numpy"
    )
    assert found.image_seconds == pytest.approx(expected)
    assert found.compiling_seconds == 3.0
    assert clock.looks == 7  # the start, the first step, five seconds of others


def test_a_network_that_is_timed_learns_nothing(
    problem: Callable[..., Any], make_network: Callable[..., Any], engine: str
) -> None:
    pixels, labels = problem(40)
    network = make_network(batch_norm=True, dropout=0.1)
    before = network.flat.copy()
    found = time_steps(
        network,
        pixels,
        labels,
        TrainingSettings(batch_size=8, augment={"shift": 1}),
        seconds=0.01,
        engine=engine,
    )
    assert 0 < found.image_seconds < 1
    assert found.compiling_seconds > 0
    assert np.array_equal(network.flat, before)


def test_ranks_stop_when_the_first_says_so(
    problem: Callable[..., Any], make_network: Callable[..., Any]
) -> None:
    """The clocks of the others go slower, or not at all; each image is counted once."""
    pixels, labels = problem(96)

    def timed(exchange: Exchange) -> Any:
        clock, pace = Clock(), 1 - exchange.rank / 2
        return time_steps(
            make_network(), pixels, labels, TrainingSettings(batch_size=16, groups=2), seconds=5.0,
            clock=lambda: pace * clock(), engine="numpy", exchange=exchange,
        ), clock.looks  # fmt: skip

    (first, looks), *others = on_ranks(3, timed)
    assert first.image_seconds == pytest.approx(1 / 16)
    assert looks == 7 and [count for _, count in others] == [7, 7]


def test_some_images_of_many() -> None:
    many = _some(10**6, 64, 10**5)
    assert len(many) == MOST_BYTES // 10**5 // 64 * 64
    assert many[0] == 0 and many[-1] == 10**6 - 1
    assert (np.diff(many) >= 1).all()
    # Of large images two batches at least, and of few all.
    assert len(_some(10**6, 64, 10**9)) == 128
    assert _some(10, 16, 10**9).tolist() == list(range(10))
