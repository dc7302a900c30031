"""Networks cut in two: both halves together compute what the whole does."""

from __future__ import annotations

import numpy as np
import pytest

from striate import architectures
from striate.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from striate.model.cuts import cuts, extended, rest, to_vector
from striate.network import Network

RANDOM = np.random.default_rng(5)


def branched() -> Network:
    x = image = Input((9, 8, 3))
    x = ReLU(name="a")(Conv2D(5, 3, padding="same", name="conv")(x))
    left = Conv2D(5, 3, padding="same", name="left")(x)
    x = Add(name="sum")(left, x)
    shared = Conv2D(5, 3, padding="same", name="shared")
    x = shared(x)
    x = ReLU(name="between")(x)
    x = shared(x)
    x = BatchNorm(name="norm")(x)
    x = Concat(name="both")(MaxPool2D(2, uncovered="drop", name="p")(x),
                            MaxPool2D(2, uncovered="drop", name="q")(x))  # fmt: skip
    return Network(inputs=image, output=Dense(4, name="end")(Flatten(name="flat")(x)))


def randomise(network: Network) -> Network:
    network.flat[:] = RANDOM.normal(0, 0.3, network.flat.size)
    network.state_flat[:] = RANDOM.uniform(0.5, 1.5, network.state_flat.size)
    return network


def test_where_a_network_can_be_cut() -> None:
    network = branched()
    names = [network.nodes[index].name for index in cuts(network.nodes)]
    # Not where "a" is still read, nor between two places of one layer, nor inside the branches.
    assert names == ["conv", "a", "sum", "shared@2", "norm", "both", "flat"]


def test_an_input_that_is_read_again_allows_no_cut() -> None:
    x = image = Input((6, 6, 2))
    x = Conv2D(2, 3, padding="same", name="c")(x)
    x = ReLU(name="r")(x)
    x = Add(name="s")(x, image)
    network = Network(inputs=image, output=Dense(3)(Flatten(name="f")(x)))
    assert [network.nodes[index].name for index in cuts(network.nodes)] == ["s", "f"]


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_both_halves_compute_what_the_whole_does(engine: str) -> None:
    network = randomise(branched())
    network.classes = list("wxyz")
    images = RANDOM.random((5, 9, 8, 3), dtype=np.float32)
    whole = network.predict_logits(images, engine=engine)
    for node in cuts(network.nodes):
        before, after = extended(network, node), rest(network, node)
        assert after.classes == network.classes
        between = before.predict_logits(images, engine=engine)
        np.testing.assert_allclose(
            after.predict_logits(between, engine=engine), whole, rtol=2e-4, atol=2e-5
        )


@pytest.mark.parametrize(
    ("name", "least"),
    [("resnet18", 12), ("mobilenet_v2", 20), ("densenet121", 5), ("squeezenet1_1", 10)],
)
def test_architectures_have_places_to_cut(name: str, least: int) -> None:
    network = getattr(architectures, name)(classes=7, image=(64, 64, 3), seed=None)
    found = cuts(network.nodes)
    assert len(found) >= least
    # Read and computed apart: no edge and no shared weights lead across.
    for node in found:
        for index, vertex in enumerate(network.nodes):
            if index > node:
                assert all(source >= node for source in vertex.inputs)
                assert vertex.shares is None or vertex.shares > node


def test_layers_behind_a_cut() -> None:
    network = randomise(branched())
    node = cuts(network.nodes)[2]
    made = extended(
        network, node, [*to_vector(network.nodes[node].shape), Dense(2, name="sum"), ReLU()]
    )
    names = [vertex.name for vertex in made.nodes[node + 1 :]]
    assert names[1] == "sum_2" and len(names) == 3  # the name "sum" is taken
    assert not made.parameters["sum_2/weights"].any()
    name = "left/filters"
    np.testing.assert_array_equal(made.parameters[name], network.parameters[name])
    assert to_vector((7,)) == []
    assert isinstance(to_vector((3, 2, 7))[0], GlobalAvgPool2D)
    assert isinstance(to_vector((1, 1, 7))[0], Flatten)
