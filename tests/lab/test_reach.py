"""What a value sees and moves: against what changes when numbers are changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from striate.lab.room_data.training_room import described
from striate.layers import AvgPool2D, Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.network import Network
from tests.lab.node_functions import called, needs_node

PLACES = str(Path(__file__).with_name("reached_places.mjs"))


def shapes_of(network: Network) -> list[tuple[int, ...]]:
    """Of the image, and of each layer's output."""
    return [network.input_shape, *(node.shape for node in network.nodes)]


def moves(network: Network, first: int, last: int) -> np.ndarray:
    """Whether each number of the input of layer `first` moves each output of layer `last`."""
    layers = [network.nodes[index].layer for index in range(first, last + 1)]
    shape = shapes_of(network)[first]
    part = Network(layers, shape, seed=0)
    part.flat[...] = np.random.default_rng(7).uniform(0.5, 1.5, part.flat.shape)  # nothing cancels
    size = int(np.prod(shape))
    x = np.tile(np.random.default_rng(1).uniform(1, 1.01, size).astype(np.float32), (size + 1, 1))
    np.fill_diagonal(x, 9)  # the largest of each window that has it; the last image has none
    found = part.predict_logits(x.reshape(size + 1, *shape), engine="numpy").reshape(size + 1, -1)
    return found[:-1] != found[-1]


@needs_node
def test_all_that_moves_is_reached_and_nothing_else() -> None:
    network = Network(
        [
            Conv2D(4, (3, 2), stride=(2, 1), padding=(1, 0, 0, 1), groups=2), ReLU(),
            MaxPool2D((1, 2), padding=(0, 0, 1, 1)), Conv2D(3, 2, dilation=(1, 2)),
            AvgPool2D(2, stride=1), Flatten(), Dense(5),
        ],
        (10, 8, 2),
        seed=2,
    )  # fmt: skip
    rng, data = np.random.default_rng(3), described(network)
    count = len(network.nodes)
    sizes = [int(np.prod(shape)) for shape in shapes_of(network)]
    picked = [
        (layer, int(rng.integers(sizes[layer + 1]))) for layer in range(-1, count) for _ in range(2)
    ]
    found = called(PLACES, "places", [[data, layer, place] for layer, place in picked])
    pairs = {(a, b): moves(network, a, b) for a in range(count) for b in range(a, count)}
    for (layer, place), areas in zip(picked, found, strict=True):
        assert sorted(map(int, areas)) == list(range(-1, count))
        for other, area in areas.items():
            at = int(other)
            if at == layer:
                assert area == [place]
                continue
            pattern = pairs[layer + 1, at][place] if at > layer else pairs[at + 1, layer][:, place]
            assert area == np.flatnonzero(pattern).tolist(), (layer, place, at)
