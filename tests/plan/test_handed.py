"""Gradients of sums that are handed on without a copy: the same bits as with copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from striate.layers import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, Node, ReLU
from striate.nest.target import host
from striate.network import Network
from striate.plan.lowering import elementwise
from striate.plan.runner import Runner

LANES = [1, host().lanes(4)]


def normalised(x: Node) -> Node:
    return BatchNorm()(Conv2D(5, 3, padding=1, bias=False)(x))


def block(x: Node) -> Node:
    """The usual block of a residual network: what is normalised, and what goes past it."""
    return Add()(normalised(ReLU()(normalised(x))), x)


def projected(x: Node) -> Node:
    """Two that nobody else reads."""
    return Add()(normalised(x), BatchNorm()(Conv2D(5, 1)(x)))


def read_too_late(x: Node) -> Node:
    """What goes past is read after what is normalised, so its gradient grows too early."""
    normal = normalised(x)
    beside = Conv2D(5, 3, padding=1)(x)
    return Add()(Add()(normal, x), beside)


def twice(x: Node) -> Node:
    return Add()(x, x)


def active(x: Node) -> Node:
    """An activation's gradient is another one."""
    return Add()(ReLU()(normalised(x)), x)


def nested(x: Node) -> Node:
    """Sums of sums, and one that is read by two."""
    inner = Add()(normalised(x), x)
    return Add()(normalised(inner), inner, normalised(x))


# A graph, and how many gradients of the inputs of its sums are the sum's own.
CASES = [
    (block, 2),
    (projected, 2),
    (read_too_late, 1),
    (twice, 0),
    (active, 1),
    (nested, 4),
]


def network(graph: Callable[[Node], Node]) -> Network:
    image = Input((6, 5, 3))
    x = ReLU()(graph(ReLU()(normalised(image))))
    made = Network(inputs=image, output=Dense(4)(GlobalAvgPool2D()(Conv2D(6, 1)(x))))
    made.initialise(3)
    return made


def gradient(graph: Callable[[Node], Node], lanes: int) -> tuple[bytes, Runner]:
    rng = np.random.default_rng(0)
    made = Runner(
        network(graph),
        batch_size=40,
        threads=2,
        training=True,
        loss="softmax_cross_entropy",
        lanes=lanes,
    )
    made.run(
        rng.standard_normal((33, 6, 5, 3)).astype("f"),
        np.eye(4, dtype="f")[rng.integers(0, 4, 33)],
        np.full(33, 1 / 33, "f"),
        np.zeros(33, np.uint32),
    )
    return made.plan.gradient.tobytes(), made


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize(("graph", "shared"), CASES, ids=[graph.__name__ for graph, _ in CASES])
def test_bits_are_those_of_copies(
    graph: Callable[[Node], Node], shared: int, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, made = gradient(graph, lanes)
    builder = made.plan.builder
    sums = [o for o in builder.graph.operations if isinstance(o.layer, Add)]
    same = [
        value
        for operation in sums
        for value in set(operation.inputs)
        if builder.gradients[value] is builder.gradients[operation.node]
    ]
    assert len(same) == shared
    monkeypatch.setattr(elementwise, "alias_gradients", lambda builder, operation: set())
    copied, made = gradient(graph, lanes)
    gradients = made.plan.builder.gradients
    assert len({image.buffer for image in gradients.values()}) == len(gradients)
    assert found == copied
