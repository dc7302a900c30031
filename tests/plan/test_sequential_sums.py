"""Sums over shards that one thread adds as it goes: less memory, the same order."""

from __future__ import annotations

import numpy as np

from striate.layers import BatchNorm, Conv2D, Dense, Flatten, ReLU
from striate.nest.algebra import Accumulator, Constant, Nest, Store, Tensor, strides_of
from striate.nest.target import host
from striate.network import Network
from striate.plan.build.sequential_sums import added_at_once
from striate.plan.layout import Buffer, Location
from striate.plan.plan import Plan
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, Stage


def plan_of(network: Network, batch: int) -> Plan:
    settings = Settings(batch, lanes=1, element="f32", target=host(portable=True), training=True,
                        loss="softmax_cross_entropy", exact=True)  # fmt: skip
    return Plan(network, settings, 1, network.flat, network.state_flat, smallest=True)


def test_no_buffer_is_of_shards_any_more() -> None:
    """Of layers in several stages, as batch normalisation parts them; one has large filters."""
    network = Network(
        [Conv2D(20, 3), BatchNorm(), Conv2D(96, 3), ReLU(), Flatten(), Dense(3)], (6, 7, 2)
    )
    plan = plan_of(network, 6)
    before = plan.recording.all_stages
    of_shards = {
        place.buffer
        for stage in before
        for step in stage.all_steps
        for place in step.places.values()
        if place.buffer.scope in ("shard", "partial")
    }
    assert {buffer.scope for buffer in of_shards} == {"shard", "partial"}
    after, zero = added_at_once(before)
    assert zero == [plan.builder.gradient]
    assert {buffer.scope for buffer in of_shards} == {"temporary"}
    assert len(after) < len(before)
    # Every filter and bias of a convolution is added exactly once.
    added = np.zeros(network.flat.size, int)
    for stage in after:
        for step in stage.ends:
            place, size = step.places["out"], step.nest.extent("e")
            assert place.buffer is plan.builder.gradient
            added[place.offset : place.offset + size] += 1
    convolutions = {"conv2d_1", "conv2d_2"}
    expected = np.zeros(network.flat.size, int)
    for slot in network.slots:
        if network.nodes[slot.node].name in convolutions:
            expected[slot.start : slot.stop] = 1
    np.testing.assert_array_equal(added, expected)


def test_what_a_shard_does_not_begin_with_zero_stays() -> None:
    shards = Buffer("shards", 16, "real", "shard")
    out = Tensor("out", strides_of({"e": 1}))
    filled = BoundNest(Nest((("e", 16),), (Store(out, Constant(1.0)),)), {"out": Location(shards)})
    summed = BoundNest(
        Nest(
            (("e", 16), ("s", 2)), (Store(out, Accumulator()),),
            (Tensor("shards", strides_of({"e": 1, "s": 64})),), ("s",), "sum",
        ),
        {"out": Location(Buffer("sum", 16, "real", "global")), "shards": Location(shards)},
    )  # fmt: skip
    stages = [Stage(2, 2, True, [filled]), Stage(1, 1, False, [summed])]
    after, zero = added_at_once(stages)
    assert after == stages and zero == [] and shards.scope == "shard" and not stages[0].ends
