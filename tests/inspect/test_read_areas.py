"""Areas of pixels that are read, as products of rows and columns, against masks of all values."""

from __future__ import annotations

import time

import numpy as np
import pytest

from striate import Network
from striate.inspect.dependency_masks import trace_back
from striate.inspect.read_areas import area_of_image, lines_read, pixels_in
from striate.inspect.unread_pixels import unread_image
from striate.layers import Add, Concat, Conv2D, Dense, Flatten, Input, MaxPool2D, Node, ReLU


def window(random: np.random.Generator, channels: int) -> Conv2D | MaxPool2D:
    size, stride, dilation, padding = (
        tuple(int(n) for n in random.integers(low, high, 2))
        for low, high in ((1, 4), (1, 5), (1, 3), (0, 3))
    )
    if random.random() < 0.5 and 0 in padding:
        return MaxPool2D(size, stride=stride, uncovered="drop")
    return Conv2D(
        channels, size, stride=stride, dilation=dilation, padding=padding, groups=2,
        uncovered="drop",
    )  # fmt: skip


def random_network(seed: int) -> Network:
    random = np.random.default_rng(seed)
    start = node = Input((int(random.integers(30, 60)), int(random.integers(30, 60)), 4))
    for _ in range(random.integers(1, 3)):
        node = window(random, 4)(node)
    if seed % 3:
        branches: list[Node] = []
        for _ in range(3):
            branch = window(random, 4)(node)
            branches.append(ReLU()(branch))
        same = [branch for branch in branches if branch.shape == branches[0].shape]
        node = same[0]
        if len(same) > 1:
            node = Add()(*same) if seed % 2 else Concat()(*same)
        if seed % 3 == 2:  # one that skips the others
            node = Concat()(Flatten()(node), Flatten()(MaxPool2D(4, uncovered="drop")(start)))
    elif seed % 2:
        node = Dense(3)(Flatten()(node))
    return Network(inputs=start, output=node)


@pytest.mark.parametrize("seed", range(60))
def test_areas_are_those_of_the_masks(seed: int) -> None:
    network = random_network(seed)
    last = len(network.nodes) - 1
    masks = trace_back(network, last, np.ones(network.nodes[last].shape, bool))
    read = masks[-1].any(-1)
    assert (masks[-1] == read[..., None]).all()  # channels need not be told apart
    area = area_of_image(network)
    assert pixels_in(area) == np.count_nonzero(read)
    rows, columns = lines_read(area)
    np.testing.assert_array_equal(rows, read.any(1))
    np.testing.assert_array_equal(columns, read.any(0))


def test_branches_that_read_different_pixels() -> None:
    """Their union is no product: a cross of one row and one column."""
    start = Input((7, 7, 1))
    across, down = Conv2D(1, (1, 7))(start), Conv2D(1, (7, 1))(start)
    first = MaxPool2D((1, 1), stride=(7, 1), uncovered="drop")(across)
    second = MaxPool2D((1, 1), stride=(1, 7), uncovered="drop")(down)
    network = Network(inputs=start, output=Add()(first, second))
    assert network.output_shape == (1, 1, 1)
    unread = unread_image(network)
    assert (unread.rows, unread.columns, unread.pixels) == ((), (), 36)


def test_large_images_and_windows_take_no_time() -> None:
    start = time.monotonic()
    network = Network([MaxPool2D(1000, stride=1001, uncovered="drop")], (40_000, 40_000, 1))
    assert unread_image(network).pixels == 40_000**2 - (39 * 1000) ** 2
    assert time.monotonic() - start < 2
