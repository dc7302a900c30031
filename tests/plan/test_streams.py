"""Large values made at hand and copied out: which, and that it changes no bit.

That no number is read before it is written is what `test_memory` checks, with all values large.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from striate.layers import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.nest.target import host
from striate.network import Input, Network
from striate.plan.memory import non_temporal
from striate.plan.runner import Runner
from striate.plan.stage import BoundNest, Stage

LANES = [1, host().lanes(4)]
SHAPE = (9, 6, 3)


def network() -> Network:
    """Values that statistics read, sums that more than one layer adds to, and halos."""
    image = Input(SHAPE)
    x = ReLU()(BatchNorm()(Conv2D(8, 3, padding=1, bias=False)(image)))
    y = BatchNorm()(Conv2D(8, 3, padding=1, bias=False)(ReLU()(BatchNorm()(Conv2D(8, 1)(x)))))
    z = MaxPool2D(2, padding=(0, 1, 0, 0))(ReLU()(Add()(x, y)))
    return Network(inputs=image, output=Dense(4)(GlobalAvgPool2D()(Conv2D(5, 3)(z))))


def runner(lanes: int, batch_size: int = 40) -> Runner:
    made = network()
    made.initialise(3)
    return Runner(
        made,
        batch_size=batch_size,
        threads=2,
        training=True,
        loss="softmax_cross_entropy",
        lanes=lanes,
    )


def copies(made: Runner) -> Iterator[tuple[Stage, BoundNest]]:
    for stage in made.plan.recording.stages:
        for step in stage.all_steps:
            if {*step.nest.buffers} == {"near", "out"}:
                yield stage, step


def names(made: Runner) -> list[str]:
    return sorted(step.places["out"].buffer.name for _, step in copies(made))


def stepped(made: Runner, count: int) -> list[np.ndarray]:
    """What two steps on `count` images leave."""
    rng = np.random.default_rng(count)
    for _ in range(2):
        images = rng.standard_normal((count, *SHAPE)).astype("f")
        targets = np.eye(4, dtype="f")[rng.integers(0, 4, count)]
        keys = rng.integers(0, 2**32, count, dtype=np.uint32)
        made.run(images, targets, np.full(count, 1 / count, "f"), keys)
    builder, arrays = made.plan.builder, made.plan.memory.arrays
    return [arrays[b].copy() for b in (builder.gradient, builder.statistics)]


@pytest.mark.parametrize("lanes", LANES)
def test_it_changes_no_bit(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = runner(lanes)
    assert not names(plain)
    monkeypatch.setattr(non_temporal, "_AWAY", 0)
    copied = runner(lanes)
    assert names(copied)
    monkeypatch.setattr(non_temporal, "_PAST", 0)
    past = runner(lanes)
    for count in (40, 23):
        expected = stepped(plain, count)
        for other in (copied, past):
            for left, right in zip(expected, stepped(other, count), strict=True):
                np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("lanes", LANES)
def test_copies_end_the_stage_that_begins_a_value(
    lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(non_temporal, "_AWAY", 0)
    made = runner(lanes)
    stages = made.plan.recording.stages
    for stage, step in copies(made):
        near, out = step.places["near"].buffer, step.places["out"].buffer
        users = [
            (other, one)
            for other in stages
            for one in other.all_steps
            if {near, out} & {place.buffer for place in one.places.values()}
        ]
        assert users[0][0] is stage
        assert out.form is None  # all of it is written: no halo ties its memory to others of a form
        for other, one in users:
            used = {place.buffer for place in one.places.values()}
            if one is step:
                assert all(
                    {*later.nest.buffers} == {"near", "out"}
                    for later in stage.steps[stage.steps.index(step) :]
                )
            else:
                # Inside the stage it is the one at hand, and behind it the other one.
                assert used & {near, out} == ({near} if other is stage else {out})


def test_what_statistics_read_is_made_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs of the convolutions in front of batch normalisation, and the gradients of its
    own; of a sum of gradients no part that another stage has begun."""
    monkeypatch.setattr(non_temporal, "_AWAY", 0)
    made = runner(1)
    found = names(made)
    values = {made.network.nodes[int(n.split()[-1])].layer for n in found if n.startswith("value")}
    assert sum(isinstance(layer, Conv2D) for layer in values) == 3
    assert any(name.startswith("gradient") for name in found)
    assert len(found) == len(set(found))


def test_small_values_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 40 * 448 * 4  # 9 * 6 * 8 numbers of each image, from cache lines on
    monkeypatch.setattr(non_temporal, "_AWAY", size + 1)
    assert not [name for name in names(runner(1)) if name.startswith("value")]
    monkeypatch.setattr(non_temporal, "_AWAY", size)
    assert [name for name in names(runner(1)) if name.startswith("value")]


@pytest.mark.parametrize("large", [True, False])
def test_copies_of_large_values_go_past_the_caches(
    large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(non_temporal, "_AWAY", 0)
    monkeypatch.setattr(non_temporal, "_PAST", 0 if large else 1 << 40)
    made = runner(1)
    stores = [
        store
        for job in made.plan.program.jobs
        for call in job.calls
        if "near" in call.kernel.nest.buffers and call.kernel.nest.extent("e") % 16 == 0
        for store in call.kernel.nest.stores
    ]
    assert stores
    assert {store.streaming for store in stores} == {large}
