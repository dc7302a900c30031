"""What fits into a time: the ladder of trainings, and the sentence about the choice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.training.time_budget import (
    ENOUGH,
    FEWEST,
    MOST,
    Rung,
    filled,
    plan_time,
    rungs_of,
    settled,
    spoken,
    with_speed,
)


def rung(side: int, work: float, *, scale: float = 1.0, epochs: int = 20, **costs: float) -> Rung:
    """An epoch takes a second for each unit of work."""
    given_costs = {"epoch_seconds": work, "other_seconds": 5.0, "testing": 0.5, **costs}
    return Rung(side, side + 8, scale, work, epochs, **given_costs)


LADDER = [rung(64, 1.0, scale=0.5), rung(64, 2.0), rung(96, 4.5), rung(128, 8.0)]


@pytest.mark.parametrize(
    ("seconds", "place", "epochs"),
    [
        (5 + 0.5 + 12, 0, 12),  # 0.6 of 20 epochs
        (5 + 1 + 2 * 11.9, 0, 24),
        (5 + 1 + 2 * 12, 1, 12),
        (5 + 2.25 + 4.5 * 12, 2, 12),
        (5 + 4 + 8 * 12, 3, 12),
        (5 + 4 + 8 * 33.4, 3, 33),
        (5 + 4 + 8 * 33.6, 3, 34),
        (1e9, 3, 80),  # four times the recipe's at most
        (5.0, 0, 3),  # and three at least
        (0.1, 0, 3),
    ],
)
def test_the_highest_rung_that_is_not_cut_short(seconds: float, place: int, epochs: int) -> None:
    plan = plan_time(LADDER, seconds)
    assert plan.rung == LADDER[place]
    assert plan.epochs == epochs
    assert plan.seconds == pytest.approx(5 + (epochs + 0.5) * LADDER[place].work)
    if place == 3:
        assert plan.next is None
    else:
        assert plan.next is not None
        assert plan.next[0] == LADDER[place + 1]
        # With that budget the higher rung is what is chosen, and with a little less it is not.
        assert plan_time(LADDER, plan.next[1] + 1e-6).rung == LADDER[place + 1]
        assert plan_time(LADDER, plan.next[1] - 1e-6).rung != LADDER[place + 1]


def test_epochs_that_are_asked_for() -> None:
    plan = plan_time(LADDER, 5 + 2.25 + 4.5 * 30, epochs=30)
    assert (plan.rung, plan.epochs) == (LADDER[2], 30)
    assert not plan.is_too_long
    plan = plan_time(LADDER, 10, epochs=30)
    assert (plan.rung, plan.epochs) == (LADDER[0], 30)
    assert plan.is_too_long


def test_recipes_of_few_epochs() -> None:
    short = rung(32, 10.0, epochs=2)
    assert plan_time([short], 0.0).epochs == 2
    assert plan_time([short], 1e6).epochs == 8


times = st.floats(0.01, 100)


@given(
    st.lists(st.tuples(times, st.integers(1, 90), times, st.floats(0, 3)), min_size=1, max_size=6),
    st.floats(0.1, 20_000),
)
def test_the_time_is_used(costs: list[tuple[float, int, float, float]], seconds: float) -> None:
    ladder = [
        rung(64 + i, 1.0, epochs=n, epoch_seconds=t, other_seconds=o, testing=d)
        for i, (t, n, o, d) in enumerate(costs)
    ]
    plan = plan_time(ladder, seconds)
    chosen, count = plan.rung, plan.epochs
    assert plan.seconds == pytest.approx(
        chosen.other_seconds + (count + chosen.testing) * chosen.epoch_seconds
    )
    if min(FEWEST, chosen.epochs) < count < math.ceil(MOST * chosen.epochs):
        assert abs(plan.seconds - seconds) <= chosen.epoch_seconds * 0.5 + 1e-6
    # Nothing better had its share of epochs.
    for better in ladder[ladder.index(chosen) + 1 :]:
        assert better.epochs_in(seconds) < ENOUGH * better.epochs


def test_the_ladder() -> None:
    sizes = [(48, 64), (72, 96), (96, 128)]
    made = rungs_of(sizes, scale=None, rung=lambda h, w, s: rung(h, h * w * s, scale=s))
    assert [(one.height, one.scale) for one in made] == [
        (48, 0.25), (48, 0.5), (48, 1), (72, 1), (96, 1), (96, 1.5), (96, 2), (96, 3), (96, 4),
    ]  # fmt: skip
    works = [one.work for one in made]
    assert works == sorted(works)
    made = rungs_of(sizes, scale=1.3, rung=lambda h, w, s: rung(h, 1, scale=s) if h != 72 else None)
    assert [(one.height, one.scale) for one in made] == [(48, 1.3), (96, 1.3)]


def test_one_speed_tells_the_others() -> None:
    found = with_speed(LADDER, LADDER[1], 3.0)
    assert [one.epoch_seconds for one in found] == [1.5, 3.0, 6.75, 12.0]
    assert [one.work for one in found] == [one.work for one in LADDER]


def test_what_is_chosen_has_been_measured() -> None:
    """Larger images take more, for their work, than the first measurement makes likely."""
    ladder = [rung(side, side * side / 4096, epoch_seconds=math.nan) for side in (64, 96, 128, 160)]
    asked: list[int] = []

    def measure(one: Rung) -> float:
        asked.append(one.height)
        return one.work * (1 if one.height < 128 else 3)

    # As if all were as fast as 64 pixels, 128 would do; they are not, and 96 does.
    seconds = 5 + 4.5 * 12.5 + 0.1
    plan = settled(ladder, seconds, measure)
    assert asked == [64, 128, 96]
    assert (plan.rung.height, plan.rung.epoch_seconds) == (96, 2.25)
    asked.clear()
    assert settled(ladder, seconds, measure, most=2).rung.height == 96
    assert asked == [64, 128]
    asked.clear()
    assert settled(ladder, 20, measure).rung.height == 64
    assert asked == [64]
    # What cannot be measured, as memory is too small for it, is not taken.
    for most in (2, 3):
        plan = settled(ladder, 1e9, lambda one: 1.0 if one.height < 96 else math.inf, most=most)
        assert plan.rung.height == 64


def test_the_sentence() -> None:
    plan = plan_time(LADDER, 70)
    assert plan.sentence == (
        "Plan for 1.2 minutes: 14 epochs of 96 × 104 pixels, about 1.2 minutes in all; 1.8 minutes "
        "would do for 128 × 136 pixels"
    )
    assert plan_time(LADDER, 25).sentence == (
        "Plan for 25 seconds: 20 epochs of 64 × 72 pixels with a network 0.5 times as wide, about "
        "26 seconds in all; 30 seconds would do for a network of the usual width"
    )
    assert plan_time(LADDER, 200).sentence == (
        "Plan for 3.3 minutes: 24 epochs of 128 × 136 pixels, about 3.4 minutes in all"
    )
    assert plan_time(LADDER, 7200).sentence == (
        "Plan for 2.0 hours: 80 epochs of 128 × 136 pixels, about 11 minutes in all; more time "
        "would hardly bring more"
    )
    assert plan_time(LADDER, 2).sentence == (
        "2 seconds is too short a time: the least that makes sense is 3 epochs of 64 × 72 pixels "
        "with a network 0.5 times as wide, about 8 seconds in all"
    )
    wider = rung(64, 8.0, scale=2.0)
    assert filled(LADDER[1], [wider], 50).sentence.endswith(
        "; 1.8 minutes would do for a network 2 times as wide"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 seconds"),
        (1, "1 second"),
        (56, "56 seconds"),
        (60, "1 minute"),
        (90, "1.5 minutes"),
        (300, "5 minutes"),
        (287, "4.8 minutes"),
        (594, "9.9 minutes"),
        (600, "10 minutes"),
        (5400, "1.5 hours"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
