"""Networks with branches, and what their units read, found by touching each pixel."""

from types import SimpleNamespace

import numpy as np
import pytest

from striate.layers import (
    Add,
    AvgPool2D,
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
from striate.network import Network


def up_to(network: Network, index: int) -> Network:
    """The part of a network that ends with one of its nodes, with the same weights."""
    needed = {index}
    for node in range(index, -1, -1):
        if node in needed:
            needed |= set(network.nodes[node].inputs)
    kept = sorted(node for node in needed if node >= 0)
    place = {node: at for at, node in enumerate(kept)} | {-1: -1}
    config = network.get_config()
    config["nodes"] = [
        config["nodes"][node] | {"inputs": [place[source] for source in network.nodes[node].inputs]}
        for node in kept
    ]
    part = Network.from_config(config | {"output": len(kept) - 1})
    for name, values in part.parameters.items():
        values[...] = network.parameters[name]
    return part


def all_ones(network: Network) -> None:
    """Weights with which nothing cancels: a unit is above zero where a pixel that it reads is."""
    for name, values in network.parameters.items():
        values[...] = 0 if name.endswith(("bias", "shift")) else 1


def touched(network: Network, index: int, engine: str) -> np.ndarray:
    """Which units of a node change when a pixel of a black image is lit.

    bool (height, width, channels of the image, units).
    """
    count = int(np.prod(network.input_shape))
    images = np.eye(count, dtype=np.float32).reshape(count, *network.input_shape)
    values = up_to(network, index).predict_logits(images, engine=engine, exact=True)
    return (values != 0).reshape(*network.input_shape, -1)


def branching() -> Network:
    """Branches of other sizes, strides, dilations and groups, that meet in Add and in Concat."""
    image = Input((11, 9, 2))
    wide = Conv2D(4, 3, padding=1)(image)
    tall = Conv2D(4, (3, 1), dilation=(2, 1), padding=(2, 0), groups=2)(image)
    both = ReLU()(Concat()(wide, tall))
    strided = Conv2D(4, 3, stride=2, padding=1, groups=4)(both)
    pooled = Conv2D(4, 1)(MaxPool2D(1, stride=2)(both))
    sum_ = BatchNorm()(Add()(strided, pooled))
    features = Concat()(Flatten()(sum_), GlobalAvgPool2D()(both))
    return Network(inputs=image, output=Dense(3)(features))


def uneven() -> Network:
    """Branches whose units lie at other distances, one of which reads padding alone at the ends."""
    image = Input((8, 7, 1))
    far = AvgPool2D((2, 1), stride=2, uncovered="drop")(image)
    near = Conv2D(1, 4)(image)
    near = MaxPool2D((2, 1), stride=1)(near)
    lost = Conv2D(1, 1, padding=2, stride=3, uncovered="drop")(image)
    return Network(inputs=image, output=Concat()(near, far, lost))


def crossing() -> Network:
    """Two branches whose sum reads a cross: neither sees what the other does."""
    image = Input((7, 6, 1))
    level = Conv2D(2, (1, 5), padding=(0, 2))(image)
    upright = Conv2D(2, (3, 1), dilation=(2, 1), padding=(2, 0))(image)
    cross = Add()(level, upright)
    return Network(inputs=image, output=MaxPool2D(2, stride=1)(cross))


@pytest.fixture(scope="session")
def helpers() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        up_to=up_to,
        all_ones=all_ones,
        touched=touched,
        branching=branching,
        uneven=uneven,
        crossing=crossing,
    )
