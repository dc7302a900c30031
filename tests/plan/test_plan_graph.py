"""What the plan does not compute because nobody reads it, and that nothing else changes by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    SumPool2D,
)
from striate.network import Input, Network
from striate.ops.shapes import Shape
from striate.plan.analysis.operations import analyse
from striate.plan.lowering.shard_gradients import shards_of
from striate.plan.runner import Runner

POOL = MaxPool2D(2, uncovered="drop")


def shapes(network: Network, training: bool = True) -> list[Shape]:
    """What is there of the value of each operation."""
    return [operation.shape for operation in analyse(network, training).operations]


def test_rows_and_columns_that_no_window_reads_are_left_out_up_to_the_images() -> None:
    layers = [
        *(Conv2D(32, 3), ReLU(), MaxPool2D(2)),
        *(Conv2D(64, 3), ReLU(), POOL),
        *(Flatten(), Dense(10)),
    ]
    network = Network(layers, (28, 28, 1))
    assert network.input_shapes(3) == ((13, 13, 32),)
    first, pool, second, *_ = analyse(network, True).operations
    assert (first.shape, pool.shape, second.shape) == ((24, 24, 32), (12, 12, 32), (10, 10, 64))
    assert (pool.shapes, second.shapes) == ((first.shape,), (pool.shape,))
    # The images are there in any case.
    assert first.shapes == ((28, 28, 1),)
    assert second.multiply_adds == 9 * 32 * 64 * 10 * 10


def test_what_is_read_further_on_is_computed() -> None:
    """By a reader that needs all of it, as the output, or where too little would be spared."""
    convolution = Conv2D(4, 3)
    for layers in (
        [convolution, BatchNorm(), POOL],
        [convolution],
        [convolution, MaxPool2D(2, padding=(0, 1, 0, 1))],
        [convolution, MaxPool2D(11, stride=1)],
        [LocallyConnected2D(4, 3), POOL],
    ):
        assert shapes(Network(layers, (13, 13, 2)))[0] == (11, 11, 4)
    assert shapes(Network([convolution, POOL], (35, 35, 2)))[0] == (33, 33, 4)
    image = Input((13, 13, 2))
    x = convolution(image)
    both = Add()(GlobalAvgPool2D()(x), GlobalAvgPool2D()(POOL(x)))
    assert shapes(Network(inputs=image, output=both))[0] == (11, 11, 4)
    # In use, batch normalisation is a part of the convolution: `analysis.batchnorm_folding`.
    assert shapes(Network([convolution, BatchNorm(), POOL], (13, 13, 2)), False)[0] == (11, 11, 4)


def test_of_two_readers_the_one_that_reads_more_decides() -> None:
    image = Input((14, 12, 3))
    x = Conv2D(4, 3)(image)  # 12 × 10
    near = Conv2D(5, 3, stride=4, uncovered="drop")(x)  # reads 11 × 7
    far = MaxPool2D((4, 3), stride=(4, 6), uncovered="drop")(x)  # 12 × 9
    joined = Add()(Dense(3)(Flatten()(near)), Dense(3)(Flatten()(far)))
    assert shapes(Network(inputs=image, output=joined))[0] == (12, 9, 4)


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Layer], Shape]:
    """Windows after windows, of which many leave something unread."""
    shape = (draw(st.integers(9, 30)), draw(st.integers(9, 30)), draw(st.sampled_from([1, 3, 16])))
    layers: list[Layer] = []
    here: Shape = shape
    for _ in range(draw(st.integers(2, 5))):
        size = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
        size = draw(st.sampled_from([size, (3, 3), (2, 2)]))
        stride = draw(st.sampled_from([1, 1, 2, 3, (2, 1)]))
        padding = draw(st.sampled_from([0, 0, "same", (1, 0, 0, 1)]))
        dilation = draw(st.sampled_from([1, 1, 2]))
        kind = draw(st.sampled_from([Conv2D, Conv2D, MaxPool2D, AvgPool2D, SumPool2D]))
        layer: Layer
        if kind is Conv2D:
            filters = draw(st.sampled_from([3, 16, 33]))
            layer = Conv2D(
                filters,
                size,
                stride=stride,
                padding=padding,
                dilation=dilation,
                uncovered="drop",
            )
        else:
            layer = kind(size, stride=stride, padding=padding, uncovered="drop")
        try:
            here = layer.output_shape(here)
        except ValueError:  # the window is larger than what is left
            break
        layers.append(layer)
        if draw(st.booleans()):
            layers.append(ReLU())
    return [*layers, Flatten(), Dense(3)], shape


def results(
    network: Network, images: np.ndarray, lanes: int, exact: bool, trimmed: bool
) -> list[np.ndarray]:
    """Output, gradient of the images, gradients of the parameters, in float64."""
    with pytest.MonkeyPatch.context() as patch:
        if not trimmed:
            patch.setattr("striate.plan.analysis.operations._SPARED", 1.0)
        runner = Runner(
            network,
            batch_size=len(images),
            threads=2,
            training=True,
            loss="given",
            input_gradient=True,
            dtype=np.float64,
            parameters=network.flat.astype(np.float64),
            statistics=network.state_flat.astype(np.float64),
            lanes=lanes,
            exact=exact,
        )
    n = len(images)
    slopes = np.random.default_rng(5).standard_normal((n, *network.output_shape))
    outputs = runner.run(images, slopes, np.ones(n), np.zeros(n, np.uint32))
    return [outputs, runner.input_gradient(n), runner.plan.gradient.copy()]


@settings(max_examples=12, deadline=None)
@given(
    chain=chains(),
    lanes=st.sampled_from([1, 8]),
    exact=st.booleans(),
    spared=st.sampled_from([0.0, 1 / 16]),
)
def test_nothing_changes_by_what_is_left_out(
    chain: tuple[list[Layer], Shape], lanes: int, exact: bool, spared: float
) -> None:
    layers, shape = chain
    network = Network(layers, shape, seed=1)
    images = np.random.default_rng(2).standard_normal((5, *shape))
    whole = results(network, images, lanes, exact, trimmed=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("striate.plan.analysis.operations._SPARED", spared)
        some = results(network, images, lanes, exact, trimmed=True)
    for actual, expected in zip(some, whole, strict=True):
        scale = max(float(np.abs(expected).max()), 1e-300)
        assert float(np.abs(actual - expected).max()) <= 1e-10 * scale


@pytest.mark.parametrize("engine_lanes", ["channels", "images"])
def test_a_layer_that_reads_less_than_another_has_zeros_for_the_rest(engine_lanes: str) -> None:
    """Two readers: one leaves rows unread that the other reads; in strips and in tiles too."""
    channels, lanes = (24, 1) if engine_lanes == "channels" else (3, 8)
    image = Input((15, 17, channels))
    x = ReLU()(Conv2D(channels, 3)(image))  # 13 × 15
    near = MaxPool2D(4, uncovered="drop")(Conv2D(channels, 3)(x))  # reads 10 × 14
    far = MaxPool2D(3, stride=3, uncovered="drop")(x)  # reads 12 × 15
    joined = Add()(Dense(3)(Flatten()(near)), Dense(3)(Flatten()(far)))
    network = Network(inputs=image, output=joined, seed=3)
    assert shapes(network)[0] == (12, 15, channels)
    images = np.random.default_rng(4).standard_normal((5, 15, 17, channels))
    pairs = zip(
        results(network, images, lanes, False, trimmed=True),
        results(network, images, lanes, True, trimmed=False),
        strict=True,
    )
    for actual, expected in pairs:
        assert np.abs(actual - expected).max() <= 1e-10 * np.abs(expected).max()


def test_steps_of_little_work_have_fewer_shards() -> None:
    graph = analyse(Network([Conv2D(32, 3), POOL, Flatten(), Dense(10)], (28, 28, 16)), True)
    work = 3 * sum(operation.multiply_adds for operation in graph.operations)
    most = int(640e6 // work)
    assert (shards_of(graph, most), shards_of(graph, most + 1)) == (8, 16)
