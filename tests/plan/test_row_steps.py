"""Some rows through several layers, in strips or on several threads: the same outputs as ever."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Input,
    MaxPool2D,
    Multiply,
    Node,
    ReLU,
    ReLU6,
    Sigmoid,
    ZeroPad2D,
)
from striate.network import Network
from striate.plan.build import axis_split, depth_first

SHAPE = (24, 10, 5)


def _inverted_residuals(x: Node) -> Node:
    for stride, channels in ((2, 8), (1, 8), (1, 6)):
        y = ReLU6()(BatchNorm()(Conv2D(20, 1)(x)))
        y = ReLU6()(Conv2D(20, 3, stride=stride, padding=1, groups=20, uncovered="drop")(y))
        y = Conv2D(channels, 1)(y)
        x = Add()(x, y) if stride == 1 and channels == 8 else y
    return x


def _windows(x: Node) -> Node:
    """Tall windows, dilation, uneven padding, rows that nothing reads."""
    x = ReLU()(Conv2D(17, (7, 3), padding=(3, 3, 1, 1))(x))
    x = ReLU()(Conv2D(9, 3, padding=(3, 1, 2, 2), dilation=2)(x))
    x = MaxPool2D(3, stride=2, padding=1, uncovered="drop")(x)
    return Conv2D(4, (4, 2), stride=3, uncovered="drop")(x)


def _branches(x: Node) -> Node:
    """A value with several readers, one of which comes late, and joined ones."""
    first = ReLU()(Conv2D(16, 1)(x))
    second = ReLU()(Conv2D(16, 3, padding=1)(first))
    third = Conv2D(16, 5, padding=2, groups=4)(second)
    joined = Concat()(Add()(first, third), Conv2D(7, 1)(first))
    return AvgPool2D(2, uncovered="drop")(Multiply()(joined, Sigmoid()(Conv2D(23, 1)(joined))))


def _up(x: Node) -> Node:
    """Layers that make more rows than they read."""
    x = ReLU()(ConvTranspose2D(12, 2, stride=2)(x))
    x = ZeroPad2D((2, 1, 0, 3))(Conv2D(6, 3, padding=1)(x))
    x = ReLU()(ConvTranspose2D(8, 3, stride=2)(x))
    return Conv2D(3, 3, stride=2)(x)


BODIES = (_inverted_residuals, _windows, _branches, _up)


def _network(body: Callable[[Node], Node], shape: tuple[int, ...]) -> Network:
    image = Input(shape)
    network = Network(inputs=image, output=body(image))
    rng = np.random.default_rng(5)
    network.flat[:] = rng.standard_normal(network.flat.size) * 0.3
    for name, values in network.state.items():
        values[...] = rng.uniform(0.5 if name.endswith("variance") else -0.5, 1.5, values.shape)
    return network


@pytest.fixture(params=[(1, 8), (1, 5), (3, 6)])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image counts as large, strips have few rows, and the cache holds little."""
    rows, small = request.param
    monkeypatch.setattr(depth_first, "_LARGE", 0.0)
    monkeypatch.setattr(depth_first, "_ROWS_OF_STRIP", rows)
    monkeypatch.setattr(depth_first, "_NEAR", 1 / 2**small)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("shape", [SHAPE, (36, 7, 3)])
def test_same_outputs(
    body: Callable[[Node], Node], shape: tuple[int, ...], exact: bool, small: None
) -> None:
    network = _network(body, shape)
    images = np.random.default_rng(6).standard_normal((5, *shape)).astype(np.float32)
    expected = network.predict_logits(images, engine="numpy")
    found = [
        np.array(network.compile(batch_size=5, threads=threads, exact=exact)(images))
        for threads in (1, 2)
    ]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=2e-5 * abs(expected).max())


def test_strips_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers of a chain follow each other strip by strip, each no further than it must."""
    monkeypatch.setattr(depth_first, "_LARGE", 0.0)
    monkeypatch.setattr(depth_first, "_ROWS_OF_STRIP", 1)
    monkeypatch.setattr(depth_first, "_NEAR", 1 / 2**6)
    compiled = _network(_inverted_residuals, SHAPE).compile(batch_size=5, threads=1)
    compiled(np.zeros((5, *SHAPE), np.float32))
    steps = [step for stage in compiled._runner("real").plan.stages for step in stage.steps]
    labels = [step.label.split()[0] for step in steps]
    expand, window = "conv2d_1", "conv2d_2"
    assert labels.count(expand) == labels.count(window) > 2
    # A window of 3 rows and a stride of 2 reads no row of the next strip, but one of the last.
    assert [label for label in labels if label in (expand, window)][:4] == [expand, window] * 2
    second, third = "conv2d_4", "conv2d_5"  # with a stride of 1 it reads one row of the next
    places = [label for label in labels if label in (second, third)]
    assert places[:4] == [second, second, third, second]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("shape", [SHAPE, (36, 7, 3)])
def test_threads_share_the_rows_of_one_image(
    body: Callable[[Node], Node],
    shape: tuple[int, ...],
    exact: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However little the work: the same bits for any number of threads."""
    monkeypatch.setattr(axis_split, "_WORTH", 1)
    monkeypatch.setattr(axis_split, "_FROM_OTHERS", 1e6)  # so that waiting never pays
    monkeypatch.setattr("striate.plan.inference._SMALL", 0)
    network = _network(body, shape)
    image = np.random.default_rng(7).standard_normal((1, *shape)).astype(np.float32)
    expected = network.predict_logits(image, engine="numpy")
    found = [
        np.array(network.compile(batch_size=1, threads=threads, exact=exact)(image))
        for threads in (1, 2, 3)
    ]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=2e-5 * abs(expected).max())


def test_threads_wait_once_for_several_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of three layers and a sum is one stage for each thread."""
    monkeypatch.setattr(axis_split, "_WORTH", 1)
    monkeypatch.setattr(axis_split, "_FROM_OTHERS", 1e6)
    monkeypatch.setattr("striate.plan.inference._SMALL", 0)
    compiled = _network(_inverted_residuals, SHAPE).compile(batch_size=1, threads=2)
    compiled(np.zeros((1, *SHAPE), np.float32))
    planned = compiled._runner("real").plan.stages
    stages = [[step.label.split()[0] for step in stage.steps] for stage in planned]
    block = ["conv2d_4", "conv2d_5", "conv2d_6"]
    with_it = [labels for labels in stages if set(labels) & {*block}]
    assert len(with_it) == 2
    assert all(labels[:3] == block for labels in with_it)
