"""How fast steps are: counted by a clock of the test, and on real engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from striate.training.step_timing import MOST_BYTES, _some, time_steps
from striate.training.training_settings import TrainingSettings


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


def test_some_images_of_many() -> None:
    many = _some(10**6, 64, 10**5)
    assert len(many) == MOST_BYTES // 10**5 // 64 * 64
    assert many[0] == 0 and many[-1] == 10**6 - 1
    assert (np.diff(many) >= 1).all()
    # Of large images two batches at least, and of few all.
    assert len(_some(10**6, 64, 10**9)) == 128
    assert _some(10, 16, 10**9).tolist() == list(range(10))
