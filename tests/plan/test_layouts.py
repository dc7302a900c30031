"""Images in the lanes and channels in the lanes: the same numbers, for every kind of layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from striate import layers
from striate.engines.numpy import NumPyEngine
from striate.layers import (
    ELU,
    GELU,
    LRN,
    Add,
    Affine,
    AvgPool2D,
    BatchNorm,
    ChannelShuffle,
    ChannelSlice,
    Clip,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Crop2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupedDense,
    HardSigmoid,
    HardSwish,
    Layer,
    LayerNorm,
    LeakyReLU,
    LocallyConnected2D,
    MaxPool2D,
    Mish,
    Multiply,
    PassContext,
    PReLU,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
    SumPool2D,
    Tanh,
    ZeroPad2D,
)
from striate.nest.target import host
from striate.network import Input, Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.lowering import dense as lower_dense
from striate.plan.runner import Runner

# Channels in the lanes, and images: as many as a vector has numbers of float64.
LANES = [1, host().lanes(8)]


def agree(actual: np.ndarray, expected: np.ndarray, what: str, tolerance: float = 1e-11) -> None:
    assert actual.shape == expected.shape, what
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-12)
    worst = float(np.abs(actual - expected).max(initial=0.0)) / scale
    assert worst <= tolerance, f"{what}: off by {worst:.1e} of the largest value"


# --- layers alone ------------------------------------------------------------------------------

LAYERS: list[tuple[Layer, tuple[int, ...]]] = [
    (Conv2D(7, (3, 2)), (6, 5, 3)),
    (Conv2D(9, 3, padding=(0, 1, 2, 1)), (5, 7, 17)),
    (Conv2D(5, 3, stride=(3, 2), dilation=(2, 1), padding=2, uncovered="drop"), (9, 8, 4)),
    (Conv2D(6, 3, groups=3, padding="same", bias=False), (4, 5, 9)),
    (Conv2D(17, 3, groups=17, padding=1), (4, 3, 17)),
    (Conv2D(66, 1, stride=2, uncovered="drop"), (3, 5, 31)),
    (Conv2D(128, (2, 3)), (3, 5, 3)),
    (Conv2D(8, (2, 1), groups=2), (3, 4, 192)),
    (LocallyConnected2D(7, (3, 2)), (6, 5, 3)),
    (LocallyConnected2D(9, 3, padding=(0, 1, 2, 1), bias=False), (5, 7, 17)),
    (
        LocallyConnected2D(5, 3, stride=(3, 2), dilation=(2, 1), padding=2, uncovered="drop"),
        (9, 8, 4),
    ),
    (LocallyConnected2D(6, (4, 5), groups=3), (4, 6, 9)),
    (LocallyConnected2D(33, 1), (3, 5, 32)),
    (GroupedDense(24, 4), (33,)),
    (GroupedDense(34, 2, bias=False), (7,)),
    (Dense(17), (33,)),
    (Dense(192, bias=False), (7,)),
    (Dense(3), (130,)),
    (Dense(5), (96,)),
    (MaxPool2D(3, stride=2, padding=1, dilation=(1, 2), uncovered="drop"), (7, 8, 9)),
    (AvgPool2D((2, 3), stride=(1, 2), padding=(1, 0, 1, 1), count_padding=False), (4, 5, 17)),
    (SumPool2D(2, stride=1), (3, 4, 5)),
    (MaxPool2D((2, 3), stride=(2, 4), padding=(1, 0), uncovered="overhang"), (6, 8, 7)),
    (AvgPool2D(3, stride=2, padding=(0, 1, 1, 0), uncovered="overhang"), (6, 5, 15)),
    (
        AvgPool2D(
            (2, 3),
            stride=(3, 2),
            padding=1,
            dilation=(2, 1),
            count_padding=True,
            uncovered="overhang",
        ),
        (7, 6, 16),
    ),
    (AvgPool2D((3, 2), stride=1, dilation=(1, 3), padding=(1, 2)), (5, 6, 8)),
    (SumPool2D(2, stride=(2, 3), dilation=2, uncovered="overhang"), (8, 6, 33)),
    (GlobalAvgPool2D(), (3, 5, 9)),
    (GlobalAvgPool2D(keepdims=True), (5, 3, 17)),
    (GlobalMaxPool2D(), (5, 3, 31)),
    (GlobalMaxPool2D(keepdims=True), (1, 9, 7)),
    (ConvTranspose2D(9, (3, 2), stride=(2, 1), padding=(1, 0, 0, 1)), (4, 3, 17)),
    (ConvTranspose2D(6, 3, stride=2, output_padding=1, groups=3, bias=False), (3, 4, 9)),
    (ConvTranspose2D(8, 3, padding=1, groups=8), (3, 4, 8)),
    (ZeroPad2D((1, 0, 2, 1)), (3, 4, 9)),
    (Crop2D((0, 1, 1, 0)), (3, 4, 9)),
    (BatchNorm(momentum=0.7), (3, 2, 17)),
    (BatchNorm(), (7,)),
    (Flatten(), (3, 2, 5)),
    (LeakyReLU(-0.5), (3, 2, 5)),
    (Tanh(), (9,)),
    (Scale(-0.3), (3, 2, 5)),
    (ReLU6(), (3, 2, 5)),
    (Clip(-0.4, 0.6), (3, 2, 5)),
    (HardSigmoid(0.2, 0.4), (3, 2, 5)),
    (HardSwish(), (9,)),
    (SiLU(), (3, 2, 5)),
    (Mish(), (3, 2, 5)),
    (ELU(), (3, 2, 5)),
    (ELU(-0.5), (7,)),
    (GELU(), (3, 2, 5)),
    (GELU("tanh"), (17,)),
    (PReLU(), (3, 2, 17)),
    (PReLU(shared=True), (3, 2, 5)),
    (Affine(), (3, 2, 17)),
    (Affine(shift=False), (7,)),
    (LayerNorm(), (3, 2, 17)),
    (LayerNorm(), (3, 5, 7)),
    (LayerNorm(), (2, 3, 32)),
    (LayerNorm(), (31,)),
    (LRN(), (3, 2, 17)),
    (LRN(4, 0.6, 0.6, 2.0), (3, 4, 3)),
    (ChannelShuffle(3), (3, 4, 33)),
    (ChannelShuffle(4), (8,)),
    (ChannelSlice(1, 8), (3, 4, 9)),
    (ChannelSlice(2, 30, 3), (2, 3, 31)),
]


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_a_layer(layer: Layer, shape: tuple[int, ...], lanes: int) -> None:
    """Forward and both gradients, by the layer's own NumPy meaning; a batch with room to spare."""
    n, capacity = 11, 13
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, *shape))
    parameters = {p.name: rng.standard_normal(p.shape) for p in layer.parameters(shape)}
    state = {p.name: rng.uniform(0.5, 2.0, p.shape) for p in layer.state(shape)}
    gradient = rng.standard_normal((n, *layer.output_shape(shape)))
    network = Network([layer], shape, seed=None)
    flat, statistics = np.zeros(network.flat.size), np.zeros(network.state_flat.size)
    for slots, target, arrays in (
        (network.slots, flat, parameters),
        (network.state_slots, statistics, state),
    ):
        for slot in slots:
            target[slot.start : slot.stop] = arrays[slot.parameter.name].ravel()
    runner = Runner(
        network,
        batch_size=capacity,
        threads=2,
        training=True,
        loss="given",
        input_gradient=True,
        dtype=np.float64,
        parameters=flat,
        statistics=statistics,
        lanes=lanes,
    )
    actual = runner.run(x, gradient, np.ones(n), np.zeros(n, np.uint32))
    output, saved = layer.forward((x,), parameters, state, PassContext(training=True))
    (dx,), expected = layer.backward(gradient, saved, parameters)
    agree(actual, output, "output")
    agree(runner.input_gradient(n), dx, "input gradient")
    for slot in network.slots:
        found = runner.plan.gradient[slot.start : slot.stop]
        name = slot.parameter.name
        agree(found.reshape(slot.parameter.shape), expected[name], f"gradient of {name}")
    for slot in network.state_slots:
        found = statistics[slot.start : slot.stop].reshape(slot.parameter.shape)
        agree(found, state[slot.parameter.name], f"running {slot.parameter.name}")


# --- networks ----------------------------------------------------------------------------------


def branches() -> Network:
    """Every layer with several inputs, every activation, values that many read."""
    image = Input((6, 5, 3))
    x = Conv2D(8, 3, padding=1)(image)
    y = Tanh()(BatchNorm()(x))
    z = Sigmoid()(Conv2D(8, 3, padding=1, groups=2)(x))
    joined = LeakyReLU(0.2)(Add()(y, z, x))
    pooled = AvgPool2D(3, stride=1, padding=1)(x)
    wide = Concat()(joined, MaxPool2D(3, stride=1, padding=1)(y), pooled)
    small = Dropout(0.3)(Conv2D(9, 2, stride=(2, 1), uncovered="drop")(ReLU()(wide)))
    flat = Concat()(Flatten()(small), GlobalAvgPool2D()(wide))
    return Network(inputs=image, output=Dense(4)(flat))


def row() -> Network:
    """No batch normalisation: for single images too."""
    return Network(
        [
            Conv2D(8, 3, padding=1), ReLU(), Conv2D(6, 3, groups=2), Tanh(), MaxPool2D(2),
            Flatten(), Dense(20), Dropout(0.4), LeakyReLU(-0.3), Dense(5),
        ],
        (6, 8, 3),
    )  # fmt: skip


def dense_only() -> Network:
    return Network([Dense(70), BatchNorm(), Sigmoid(), Dense(9), ReLU(), Dense(3)], (19,))


def between() -> Network:
    """What lies between a dense layer and a convolution; its normalised input is found again."""
    image = Input((6, 5, 3))
    x = BatchNorm()(LocallyConnected2D(8, 3, padding=1)(image))
    y = LocallyConnected2D(8, (3, 2), padding=(1, 1, 1, 0), groups=2)(x)
    z = LocallyConnected2D(20, (6, 5))(ReLU()(Add()(x, y)))
    wide = Tanh()(GroupedDense(36, 4)(Dropout(0.3)(Flatten()(z))))
    return Network(inputs=image, output=Dense(4)(GroupedDense(10, 2)(wide)))


def normalised() -> Network:
    """Normalised values that are computed again when gradients need them."""
    image = Input((5, 4, 3))
    x = LeakyReLU(0.1)(BatchNorm()(Conv2D(8, 3, padding=1)(image)))
    y = ReLU()(BatchNorm()(Conv2D(9, (1, 3))(x)))
    z = BatchNorm()(Conv2D(9, 1)(AvgPool2D((1, 3), stride=1)(BatchNorm()(x))))
    return Network(inputs=image, output=Dense(4)(GlobalAvgPool2D()(Add()(y, z))))


def residual() -> Network:
    """Sums that normalise what they add: both branches, one, one twice; and those that must not,
    as others read the branch, or an activation lies between.
    """
    image = Input((6, 5, 3))
    x = Conv2D(9, 3, padding=1)(image)
    x = ReLU()(
        Add()(BatchNorm()(Conv2D(9, 1)(x)), BatchNorm()(Conv2D(9, (3, 1), padding=(1, 1, 0, 0))(x)))
    )
    branch = BatchNorm()(x)
    x = Add()(branch, branch)
    x = LeakyReLU(0.1)(Add()(x, Tanh()(BatchNorm()(Conv2D(9, 1)(x))), BatchNorm(momentum=0.3)(x)))
    shared = BatchNorm()(x)
    x = Add()(x, shared, Conv2D(9, (1, 3), padding=(0, 0, 1, 1))(shared))
    return Network(inputs=image, output=Dense(4)(GlobalAvgPool2D()(x)))


def maxima() -> Network:
    """Values that maxima are taken of, with other borders, and alone or not."""
    image = Input((9, 7, 3))
    x = Conv2D(8, 3, padding=1)(image)
    y = MaxPool2D(3, stride=2, padding=(1, 0, 0, 1), uncovered="drop")(x)
    z = MaxPool2D((2, 3), stride=(2, 3), padding=(0, 1, 1, 1), uncovered="overhang")(x)
    w = ReLU()(Conv2D(9, 3, padding=1)(y))
    w = Add()(MaxPool2D(3, stride=1, padding=1)(w), Conv2D(9, 3, padding=1)(w))
    sums = Add()(Sigmoid()(w), w)
    pooled = GlobalMaxPool2D()(MaxPool2D(3, stride=1, padding=1)(sums))
    flat = Concat()(pooled, GlobalAvgPool2D()(z))
    return Network(inputs=image, output=Dense(4)(flat))


def gated() -> Network:
    """Products with gates of channels and of pixels, halves of channels, normalised channels."""
    image = Input((6, 5, 3))
    x = SiLU()(BatchNorm()(Conv2D(8, 3, padding=1)(image)))
    gate = Sigmoid()(Dense(8)(PReLU()(Dense(3)(GlobalAvgPool2D()(x)))))
    mask = HardSigmoid()(Conv2D(1, (3, 1), padding=(1, 1, 0, 0))(x))
    x = HardSwish()(Multiply()(gate, x, mask))
    y = GELU()(Conv2D(7, 1)(LayerNorm()(ChannelSlice(0, 4)(x))))
    y = Affine()(Conv2D(4, (1, 3), padding=(0, 0, 1, 1))(y))
    x = ChannelShuffle(2)(Concat()(ChannelSlice(4, 8)(x), ELU()(y)))
    x = MaxPool2D(2, stride=(2, 1))(Mish()(Conv2D(6, 1)(LRN(3, 0.5)(x))))
    x = Multiply()(x, x, Clip(-1.0, 1.0)(ReLU6()(Affine(scale=False)(Conv2D(6, 1)(x)))))
    return Network(inputs=image, output=Dense(4)(Flatten()(x)))


def batch(network: Network, n: int, seed: int = 1) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    outputs = network.output_shape[0]
    weights = rng.uniform(0.2, 1.0, n)
    # Numbers of float32, as which the readable engine takes them in.
    images = rng.standard_normal((n, *network.input_shape)).astype(np.float32)
    return (
        images.astype(np.float64),
        np.eye(outputs)[rng.integers(0, outputs, n)],
        weights / weights.sum(),
        rng.integers(0, 2**32, n, dtype=np.uint32),
    )


class Pair:
    """One network in float64, compiled with so many images in the lanes, and in NumPy."""

    def __init__(self, network: Network, lanes: int, capacity: int, threads: int = 2) -> None:
        rng = np.random.default_rng(7)
        network.flat[:] = 0.3 * rng.standard_normal(network.flat.size)
        self.network, self.lanes, self.capacity, self.threads = network, lanes, capacity, threads
        self.statistics = network.state_flat.astype(np.float64)
        self.runner = self._runner("softmax_cross_entropy")

    def _runner(self, loss: str | None) -> Runner:
        return Runner(
            self.network,
            batch_size=self.capacity,
            threads=self.threads,
            training=loss is not None,
            loss=loss,
            dtype=np.float64,
            parameters=self.network.flat.astype(np.float64),
            statistics=self.statistics,
            lanes=self.lanes,
        )

    @property
    def grains(self) -> set[int]:
        stages = self.runner.plan.recording.stages
        return {stage.grain for stage in stages if stage.by_block}

    def step(self, n: int, seed: int = 1) -> None:
        data = batch(self.network, n, seed)
        readable = NumPyEngine(
            self.network, batch_size=n, loss=SoftmaxCrossEntropy(), dtype=np.float64
        )
        self.statistics[:] = self.network.state_flat
        loss, outputs = readable.step(*data)
        actual = self.runner.run(*data)
        assert self.runner.batch.losses.sum() == pytest.approx(loss, rel=1e-11)
        agree(actual, outputs, "output")
        agree(self.runner.plan.gradient, readable.gradient, "gradient", 1e-10)
        # The readable engine keeps them in float32.
        agree(self.statistics, self.network.state_flat, "statistics", 1e-6)

    def use(self, *counts: int) -> None:
        runner = self._runner(None)
        self.statistics[:] = self.network.state_flat
        readable = NumPyEngine(self.network, batch_size=64, dtype=np.float64)
        for n in counts:
            images = batch(self.network, n, seed=n)[0]
            # The readable engine takes roots of running variances in float32.
            tolerance = 1e-7 if self.statistics.size else 1e-11
            agree(runner.run(images), readable.forward(images), f"{n} in use", tolerance)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize(
    "make", [branches, row, dense_only, between, normalised, residual, maxima, gated]
)
def test_a_network(make: Callable[[], Network], lanes: int) -> None:
    """Batches smaller than the plan was made for, one after the other, leave nothing behind."""
    pair = Pair(make(), lanes, 21)
    for seed, n in enumerate((21, 2, 17, 7, 20)):
        pair.step(n, seed)
    pair.use(21, 1, 16, 5, 20)


@pytest.mark.parametrize("n", [1, 2, 5, 16, 50])
@pytest.mark.parametrize("make", [row, between, gated])
def test_several_images_a_task(
    make: Callable[[], Network], n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one image in a block, a task takes several: as many as divide the batch."""
    monkeypatch.setattr(lower_dense, "_MANY", 0)
    pair = Pair(make(), 1, n)
    pair.step(n)
    pair.step(max(n // 3, 1), seed=2)
    pair.use(n, max(n - 1, 1), 1)
    divides = any(n % grain == 0 for grain in range(2, n // 8 + 1))
    assert (max(pair.grains) > 1) >= divides


def test_several_blocks_of_images_a_task() -> None:
    lanes = LANES[1]
    pair = Pair(row(), lanes, 16 * lanes)
    assert max(pair.grains) > 1
    pair.step(16 * lanes)
    pair.step(9 * lanes + 3, seed=2)


@pytest.mark.parametrize("lanes", LANES)
def test_statistics_of_several_images_a_task(lanes: int) -> None:
    pair = Pair(dense_only(), lanes, 16 * lanes)
    assert max(pair.grains) > 1
    pair.step(16 * lanes)
    pair.step(13 * lanes, seed=2)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("make", [branches, between, residual, maxima, gated])
def test_the_same_bits_for_any_number_of_threads(make: Callable[[], Network], lanes: int) -> None:
    found = set()
    for threads in (1, 2, 3, 5):
        pair = Pair(make(), lanes, 5 * lanes + 11, threads)
        parts = []
        for n in (5 * lanes + 11, 9):
            outputs = pair.runner.run(*batch(pair.network, n))
            parts += [outputs.tobytes(), pair.runner.plan.gradient.tobytes()]
        found.add((*parts, pair.statistics.tobytes()))
    assert len(found) == 1


def test_every_layer_is_here() -> None:
    """A new kind of layer must be compared in both layouts too."""
    compared = {type(layer) for layer, _ in LAYERS}
    compared |= {type(node.layer) for make in (branches, row, gated) for node in make().nodes}
    named = (getattr(layers, name) for name in layers.__all__)
    kinds = {kind for kind in named if isinstance(kind, type) and issubclass(kind, Layer)}
    assert kinds - {Layer} <= compared


# --- plans of networks that no longer change ---------------------------------------------------


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
@pytest.mark.parametrize("make", [row, gated])
def test_a_frozen_network_on_more_threads_than_blocks(
    make: Callable[[], Network], lanes: int, blocks: int
) -> None:
    network, n = make(), blocks * lanes
    rng = np.random.default_rng(7)
    network.flat[:] = 0.3 * rng.standard_normal(network.flat.size)
    images = batch(network, n)[0]
    runner = Runner(
        network,
        batch_size=n,
        threads=4,
        dtype=np.float64,
        parameters=network.flat.astype(np.float64),
        statistics=network.state_flat.astype(np.float64),
        lanes=lanes,
        frozen=True,
    )
    expected = NumPyEngine(network, batch_size=n, dtype=np.float64).forward(images)
    # The readable engine takes roots of running variances in float32.
    tolerance = 1e-7 if network.state_flat.size else 1e-11
    agree(runner.infer(images), expected, "output", tolerance)


def buffers(network: Network, training: bool) -> set[str]:
    loss = "softmax_cross_entropy" if training else None
    made = Runner(network, batch_size=2, threads=1, training=training, loss=loss, lanes=1)
    stages = made.plan.recording.stages
    steps = [step for stage in stages for step in stage.all_steps]
    return {place.buffer.name for step in steps for place in step.places.values()}


def test_what_a_sum_normalises_is_stored_nowhere() -> None:
    network = residual()
    kinds = {i: type(node.layer) for i, node in enumerate(network.nodes)}
    norms = [i for i, kind in kinds.items() if kind is BatchNorm]
    stored = [f"value {i}" in buffers(network, training=True) for i in norms]
    # Both of the first sum; the branch that is added twice; the one before tanh; the one with a
    # momentum; the one that a convolution reads, too.
    assert stored == [False, False, False, True, False, True]


@pytest.mark.parametrize("training", [False, True])
def test_only_what_others_read_too_is_copied_into_a_border(training: bool) -> None:
    pools = [n.name for n in maxima().nodes if type(n.layer) is MaxPool2D]
    found = [name for name in buffers(maxima(), training) if name.startswith("bordered")]
    assert len(pools) == 4 and len(found) == 1
