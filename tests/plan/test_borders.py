"""Borders of zeros and crops, compiled: as copies, and as padding of the layers that read them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from striate.layers import (
    Add,
    AvgPool2D,
    Conv2D,
    Crop2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Sigmoid,
    SumPool2D,
    ZeroPad2D,
)
from striate.network import Input, Network
from striate.plan.analysis.operations import analyse
from tests.plan.test_compiled_layers import check
from tests.plan.test_layouts import LANES, Pair

COPIES = [
    (ZeroPad2D(1), (3, 4, 7)),
    (ZeroPad2D((0, 2)), (5, 3, 8)),
    (ZeroPad2D((3, 0, 0, 1)), (2, 5, 17)),
    (ZeroPad2D((0, 0, 2, 0)), (1, 6, 31)),
    (ZeroPad2D(0), (4, 3, 2)),
    (Crop2D(1), (4, 5, 7)),
    (Crop2D((0, 2)), (3, 6, 9)),
    (Crop2D((2, 0, 1, 3)), (3, 5, 16)),
    (Crop2D((0, 3, 0, 0)), (4, 3, 33)),
    (Crop2D(0), (4, 3, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), COPIES, ids=str)
def test_copies(layer: Layer, shape: tuple[int, ...]) -> None:
    check(layer, shape, 19)


def copies() -> Network:
    """Behind borders lies what no zeros may be padding of; a fused activation is not 0 at 0."""
    image = Input((5, 6, 3))
    x = Sigmoid()(ZeroPad2D((1, 0, 2, 1))(Sigmoid()(Conv2D(8, 3, padding=1)(image))))
    y = MaxPool2D(2)(ZeroPad2D((0, 0, 1, 2))(x))
    z = ReLU()(Crop2D((0, 0, 1, 1))(MaxPool2D(2, uncovered="drop")(Conv2D(8, 2)(x))))
    z = ZeroPad2D((0, 1, 2, 2))(z)
    averages = AvgPool2D(2, stride=(1, 2))(ZeroPad2D((1, 0, 1, 2))(x))
    return Network(
        inputs=image,
        output=Dense(4)(
            Add()(Dense(9)(Flatten()(y)), Dense(9)(Flatten()(z)), Dense(9)(Flatten()(averages)))
        ),
    )


def merged() -> Network:
    """Borders that are padding: of the image itself, of one before another, of several readers."""
    image = Input((7, 6, 3))
    first = ZeroPad2D((2, 1, 0, 3))(image)
    x = ReLU()(Conv2D(8, 3, padding=(1, 0, 0, 1))(first))
    same = Conv2D(8, 3, padding="same", stride=2)(ZeroPad2D((0, 1, 1, 0))(x))
    both = ZeroPad2D((1, 0, 2, 1))(Dropout(0.2)(ZeroPad2D((0, 1, 0, 0))(same)))
    sums = SumPool2D((2, 3), stride=(1, 2), uncovered="drop")(both)
    mean = AvgPool2D((2, 3), stride=(1, 2), count_padding=True, uncovered="drop")(both)
    y = Conv2D(8, (2, 3), stride=(1, 2), uncovered="drop", groups=2)(both)
    return Network(inputs=image, output=Dense(4)(Flatten()(Add()(sums, mean, y))))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("make", [copies, merged])
def test_a_network(make: Callable[[], Network], lanes: int) -> None:
    pair = Pair(make(), lanes, 21)
    for seed, n in enumerate((21, 2, 17)):
        pair.step(n, seed)
    pair.use(21, 1, 5)


def kinds(network: Network, training: bool = True) -> list[str]:
    return [type(operation.layer).__name__ for operation in analyse(network, training).operations]


def test_borders_are_padding_where_all_readers_can_take_them() -> None:
    assert "ZeroPad2D" not in kinds(merged(), training=False)
    # In training there is a dropout between two of them, which draws numbers for the border too.
    assert kinds(merged()).count("ZeroPad2D") == 1
    assert kinds(copies()).count("ZeroPad2D") == 4


@pytest.mark.parametrize(
    ("reader", "alone"),
    [
        (Conv2D(4, 3), True),
        (Conv2D(4, 3, padding="same", stride=2), True),
        (SumPool2D(2, stride=1), True),
        (AvgPool2D(2, stride=1, count_padding=True), True),
        (AvgPool2D(2, stride=1), False),
        (AvgPool2D(2, count_padding=True, uncovered="overhang"), False),
        (MaxPool2D(2, stride=1), False),
        (LocallyConnected2D(4, 3), False),
        (ReLU(), False),
        (Flatten(), False),
    ],
    ids=str,
)
def test_what_can_take_a_border_as_padding(reader: Layer, alone: bool) -> None:
    image = Input((5, 6, 4))
    x = reader(ZeroPad2D((1, 2, 1, 0))(Conv2D(4, 1)(image)))
    network = Network(inputs=image, output=Dense(4)(Flatten()(x)))
    assert ("ZeroPad2D" not in kinds(network)) == alone
    for lanes in LANES:
        pair = Pair(network, lanes, 5)
        pair.step(5)
        pair.use(5)


def test_a_border_that_leaves_the_network_is_a_value() -> None:
    image = Input((3, 4, 2))
    network = Network(inputs=image, output=ZeroPad2D((1, 0, 0, 2))(Conv2D(3, 2)(image)))
    images = np.random.default_rng(0).standard_normal((5, 3, 4, 2)).astype(np.float32)
    compiled = network.predict_logits(images)
    np.testing.assert_allclose(
        compiled, network.predict_logits(images, engine="numpy"), rtol=1e-5, atol=1e-6
    )
    assert (compiled[:, 0] == 0).all()
    assert (compiled[:, 1:, 3:] == 0).all()


def test_one_reader_that_cannot_take_it_is_enough() -> None:
    image = Input((5, 6, 4))
    border = ZeroPad2D(1)(Conv2D(4, 1)(image))
    x, y = Conv2D(4, 3)(border), Crop2D(1)(border)
    network = Network(inputs=image, output=Dense(4)(Flatten()(Add()(x, y))))
    assert kinds(network).count("ZeroPad2D") == 1
    Pair(network, 1, 5).step(5)
