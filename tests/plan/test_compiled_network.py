"""Whole networks, compiled: the same numbers as the NumPy engine in float64, and the same bits
for any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.engines.llvm import CompiledEngine
from striate.engines.numpy import NumPyEngine
from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Layer,
    LeakyReLU,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Scale,
    Sigmoid,
    SumPool2D,
    Tanh,
)
from striate.model.preprocessing import Preprocessing
from striate.nest.thread_pool import thread_pool
from striate.network import Input, Network, Node
from striate.optim.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from striate.optim.optimizers import SGD, AdamW, Optimizer
from striate.plan.update.optimizer_step import decay_of_lines


def lenet() -> Network:
    return Network(
        [
            Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2),
            Conv2D(16, 5), ReLU(), MaxPool2D(2),
            Flatten(), Dense(32), ReLU(), Dense(10),
        ],
        (16, 20, 1),
    )  # fmt: skip


def strided() -> Network:
    return Network(
        [
            Conv2D(6, (3, 5), padding=(1, 0, 2, 1), stride=(2, 1), uncovered="drop"), ReLU(),
            MaxPool2D(3, stride=2, padding=1, uncovered="drop"),
            Conv2D(8, 3, padding="same", groups=2), Tanh(),
            Flatten(), Dropout(0.4), Dense(12), Sigmoid(), Dense(7),
        ],
        (13, 11, 3),
    )  # fmt: skip


def normalised() -> Network:
    return Network(
        [
            Conv2D(6, 3, dilation=2, stride=2, uncovered="drop"), LeakyReLU(0.1), BatchNorm(),
            AvgPool2D(2, padding=1, stride=1), Dropout(0.3), Conv2D(4, 2), BatchNorm(), ReLU(),
            GlobalAvgPool2D(), Dense(7),
        ],
        (16, 15, 3),
    )  # fmt: skip


def flattened_early() -> Network:
    """Layers after Flatten that are not Dense: a view will not do."""
    return Network(
        [
            Conv2D(3, 3, padding=1), SumPool2D(2), Flatten(), BatchNorm(), ReLU(),
            Dropout(0.5), Dense(5), LeakyReLU(-0.5), Dense(4), Scale(0.2),
        ],
        (6, 4, 2),
    )  # fmt: skip


def residual() -> Network:
    image = Input((8, 9, 3))
    first = ReLU()(Conv2D(4, 3, padding=1)(image))
    second = BatchNorm()(Conv2D(4, 3, padding=1)(first))
    joined = ReLU()(Add()(second, first, first))
    wide = Concat()(joined, Conv2D(5, 1)(first), image, MaxPool2D(3, stride=1, padding=1)(first))
    small = Conv2D(6, 1, stride=2, uncovered="drop")(wide)
    return Network(inputs=image, output=Dense(5)(GlobalAvgPool2D()(small)))


def shared_values() -> Network:
    """Values read by activations, pools and Flatten at once: what must not be fused, is not."""
    image = Input((6, 6, 2))
    x = Conv2D(4, 3, padding=1)(image)
    pooled = MaxPool2D(2)(ReLU()(x))
    other = MaxPool2D(2)(Tanh()(x))
    flat = Flatten()(x)
    both = Flatten()(Add()(pooled, other))
    return Network(inputs=image, output=Dense(3)(Concat()(flat, both, Sigmoid()(flat))))


def fused_and_shared() -> Network:
    """A fused activation with several readers: its derivative must be applied once."""
    image = Input((6, 5, 2))
    x = Tanh()(Conv2D(3, 3, padding=1)(image))
    y = Sigmoid()(Conv2D(3, 3, padding=1)(x))
    return Network(inputs=image, output=Dense(4)(Flatten()(Add()(Conv2D(3, 1)(y), x, y))))


def no_parameters_first() -> Network:
    return Network([AvgPool2D(2), ReLU(), Flatten(), Dense(3)], (4, 6, 2))


def between() -> Network:
    """What lies between a dense layer and a convolution, and is read twice."""
    image = Input((7, 6, 3))
    x = ReLU()(LocallyConnected2D(4, 3, padding=1)(image))
    y = BatchNorm()(LocallyConnected2D(4, (3, 2), padding=(1, 1, 0, 1), groups=2)(x))
    z = LocallyConnected2D(5, (6, 5))(ReLU()(Add()(x, y)))
    wide = Tanh()(GroupedDense(24, 6)(Flatten()(z)))
    return Network(inputs=image, output=Dense(5)(GroupedDense(10, 2)(wide)))


def uncovered() -> Network:
    """Windows that leave rows and columns unread, one after the other."""
    return Network(
        [
            Conv2D(16, 3), ReLU(), MaxPool2D(2), Dropout(0.2),
            Conv2D(5, 3), ReLU(), Conv2D(16, 3), ReLU(), MaxPool2D(2, uncovered="drop"),
            Flatten(), Dense(7),
        ],
        (24, 28, 1),
    )  # fmt: skip


NETWORKS = [
    uncovered, between, lenet, strided, normalised, flattened_early, residual, shared_values,
    fused_and_shared, no_parameters_first,
]  # fmt: skip


def batch(
    network: Network, n: int, loss: Loss, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((n, *network.input_shape)).astype("f")
    outputs = network.output_shape[0]
    if isinstance(loss, SoftmaxCrossEntropy):
        targets = loss.targets(rng.integers(0, outputs, n), outputs)
    else:
        targets = rng.standard_normal((n, outputs)).astype("f")
    weights = rng.uniform(0.2, 1.0, n).astype("f")
    return images, targets, weights / weights.sum(), rng.integers(0, 2**32, n, dtype=np.uint32)


def randomise(network: Network) -> None:
    rng = np.random.default_rng(7)
    for slot in network.slots:
        network.flat[slot.start : slot.stop] = 0.3 * rng.standard_normal(slot.stop - slot.start)


def close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 5e-6) -> None:
    scale = float(np.abs(expected).max(initial=1e-9))
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("n", [40, 23, 1])
def test_a_step_is_the_numpy_engines(make: object, n: int) -> None:
    network, loss = make(), SoftmaxCrossEntropy(label_smoothing=0.1)  # type: ignore[operator]
    randomise(network)
    if n == 1 and any(isinstance(vertex.layer, BatchNorm) for vertex in network.nodes):
        n = 2
    data = batch(network, n, loss)
    statistics = network.state_flat.copy()
    readable = NumPyEngine(network, batch_size=40, loss=loss, dtype=np.float64)
    expected_loss, expected = readable.step(*data)
    expected_statistics = network.state_flat.copy()
    network.state_flat[:] = statistics
    engine = CompiledEngine(network, batch_size=40, loss=loss, threads=2)
    actual_loss, actual = engine.step(*data)
    assert actual_loss == pytest.approx(expected_loss, rel=2e-6)
    close(actual, expected)
    close(engine.gradient, readable.gradient)
    close(network.state_flat, expected_statistics)
    close(engine.forward(data[0]), readable.forward(data[0]))


@pytest.mark.parametrize("first", [ReLU, LeakyReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("second", [ReLU, LeakyReLU, Sigmoid, Tanh])
def test_activations_after_activations(first: type[Layer], second: type[Layer]) -> None:
    network = Network([Dense(6), first(), second(), Tanh(), first(), Dense(3)], (5,))
    loss = SoftmaxCrossEntropy()
    data = batch(network, 9, loss)
    readable = NumPyEngine(network, batch_size=9, loss=loss, dtype=np.float64)
    engine = CompiledEngine(network, batch_size=9, loss=loss)
    expected_loss, expected = readable.step(*data)
    actual_loss, actual = engine.step(*data)
    assert actual_loss == pytest.approx(expected_loss, rel=1e-5)
    close(actual, expected)
    close(engine.gradient, readable.gradient)


def test_a_layer_of_ones_own_is_not_taken_for_another() -> None:
    class ReLU6(ReLU):
        pass

    network = Network([Dense(6), ReLU6(), Dense(3)], (5,))
    engine = CompiledEngine(network, batch_size=4)
    with pytest.raises(ValueError, match=r"ReLU6.*no loop nests.*engine=\"numpy\""):
        engine.forward(np.zeros((1, 5)))


def test_an_optimizer_of_ones_own_is_followed() -> None:
    class Backwards(SGD):
        def apply(self, flat, gradient, decay_mask, learning_rate):  # type: ignore[no-untyped-def]
            flat += learning_rate * gradient

    network, loss = lenet(), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=16, loss=loss)
    engine.step(*batch(network, 16, loss))
    expected = network.flat + np.float32(0.5) * engine.gradient
    engine.update(Backwards(), 0.5)
    np.testing.assert_array_equal(network.flat, expected)
    with pytest.raises(ValueError, match="learning rate must be finite"):
        engine.update(SGD(), float("nan"))
    engine.gradient = engine.gradient.astype(np.float64)
    with pytest.raises(ValueError, match="gradient must be float32"):
        engine.update(SGD(), 0.1)


def test_what_is_no_number_is_seen() -> None:
    network, loss = lenet(), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=16, loss=loss)
    images, *rest = batch(network, 16, loss)
    images[3, 5, 5, 0] = np.nan
    value, outputs = engine.step(images, *rest)
    assert np.isnan(value)
    assert np.isnan(outputs[3]).all()
    assert np.isfinite(np.delete(outputs, 3, axis=0)).all()
    assert np.isnan(engine.forward(images)[3]).all()


def test_large_logits_and_pixels_lose_nothing() -> None:
    network = Network([Dense(2)], (2,))
    network.parameters["dense_1/weights"][:] = np.eye(2)
    network.preprocessing = Preprocessing(mean=(30000.0, 0.0), std=(7.0, 1.0))
    loss = SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=1, loss=loss)
    assert engine.forward(np.array([[30001.0, 0.0]]))[0, 0] == pytest.approx(1 / 7, rel=1e-6)
    network.preprocessing = Preprocessing()
    engine = CompiledEngine(network, batch_size=1, loss=loss)
    images, targets = np.array([[10000.0, 9993.0]]), np.array([[1, 0]], np.float32)
    value, _ = engine.step(images, targets, np.ones(1, "f"), np.zeros(1, np.uint32))
    assert value == pytest.approx(np.log1p(np.exp(-7.0)), rel=1e-4)


def test_mean_squared_error() -> None:
    network, loss = lenet(), MeanSquaredError()
    data = batch(network, 21, loss)
    readable = NumPyEngine(network, batch_size=32, loss=loss, dtype=np.float64)
    engine = CompiledEngine(network, batch_size=32, loss=loss)
    expected_loss, _ = readable.step(*data)
    actual_loss, _ = engine.step(*data)
    assert actual_loss == pytest.approx(expected_loss, rel=2e-6)
    close(engine.gradient, readable.gradient)


def test_batches_of_changing_size_leave_nothing_behind() -> None:
    network, loss = normalised(), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=70, loss=loss, threads=2)
    for n in (70, 5, 33, 64, 2, 70):
        data = batch(network, n, loss, seed=n)
        readable = NumPyEngine(network, batch_size=70, loss=loss, dtype=np.float64)
        state = network.state_flat.copy()
        expected, _ = readable.step(*data)
        network.state_flat[:] = state
        actual, outputs = engine.step(*data)
        assert outputs.shape == (n, 7)
        assert actual == pytest.approx(expected, rel=2e-6)
        close(engine.gradient, readable.gradient)
        images = data[0][: max(1, n // 3)]
        close(engine.forward(images), readable.forward(images))


@pytest.mark.parametrize("optimizer", [SGD(0.9, True, 1e-3), SGD(0.0, False), AdamW()])
def test_an_update_is_the_optimizers(optimizer: Optimizer) -> None:
    import copy

    network, loss = residual(), SoftmaxCrossEntropy()
    twin, other = copy.deepcopy(network), copy.deepcopy(optimizer)
    engine = CompiledEngine(network, batch_size=16, loss=loss, threads=2)
    rng = np.random.default_rng(0)
    for step in range(4):
        engine.step(*batch(network, 16, loss, seed=step))
        gradient = engine.gradient.copy()
        gradient += 0  # keep what the step found; both optimisers see the same
        rate = float(rng.uniform(0.01, 0.1))
        other.apply(twin.flat, gradient, twin.decay_mask, rate)
        engine.update(optimizer, rate)
        close(network.flat, twin.flat, 1e-6)
        assert optimizer.steps == other.steps == step + 1
    # Another optimiser on the same engine starts with its own state.
    engine.update(SGD(0.5, False), 0.0)
    close(network.flat, twin.flat, 1e-6)


def test_decay_of_lines_is_that_of_their_parameters() -> None:
    network = residual()
    lines = np.repeat(decay_of_lines(network), 16)
    assert set(lines) == {0, 1}
    for slot in network.slots:
        assert (lines[slot.start : slot.stop] == slot.parameter.decay).all()


@pytest.mark.parametrize("make", [strided, normalised, residual])
def test_the_same_bits_for_any_number_of_threads(make: object) -> None:
    results = []
    for threads in (1, 2, 3, 5):
        network, loss = make(), SoftmaxCrossEntropy()  # type: ignore[operator]
        engine = CompiledEngine(network, batch_size=100, loss=loss, threads=threads)
        optimizer = AdamW()
        for step in range(3):
            engine.step(*batch(network, 100 - 30 * step, loss, seed=step))
            engine.update(optimizer, 0.01)
        results.append((network.flat.tobytes(), network.state_flat.tobytes()))
    assert len(set(results)) == 1


def test_an_interruption_leaves_the_engine_usable() -> None:
    """Ctrl-C as the threads start: the others must not wait for ever, nor be out of step."""
    network, loss = residual(), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=64, loss=loss, threads=3)
    data = batch(network, 64, loss)
    expected = engine.step(*data)[0]
    (runner,) = engine._runners.values()
    program, start = runner.plan.program, runner.plan.program.start

    def once(after: bool) -> Callable[[int, int, int], None]:
        """A start that is interrupted, before or after it was made."""
        interrupted: list[int] = []

        def start_once(boxes: int, helpers: int, ticket: int) -> None:
            if not interrupted:
                interrupted.append(ticket)
                if after:
                    start(boxes, helpers, ticket)
                raise KeyboardInterrupt
            start(boxes, helpers, ticket)

        return start_once

    for after in (False, True):
        program.start = once(after)  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            thread_pool().run(program)
        del program.start  # type: ignore[attr-defined]
        assert engine.step(*data)[0] == expected
    # After its part was done, another call of it does nothing.
    thread_pool().run(program)
    program.run(0)
    assert engine.step(*data)[0] == expected


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("moment", ["before", "begun", "done"])
def test_an_interrupted_update_is_made_once_or_not_at_all(
    threads: int, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, loss = residual(), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=64, loss=loss, threads=threads)
    optimizer = AdamW()
    data = batch(network, 64, loss)
    for _ in range(2):
        engine.step(*data)
        engine.update(optimizer, 0.01)
    start, state = network.flat.copy(), [part.copy() for part in optimizer.state]
    engine.update(optimizer, 0.01)
    whole = network.flat.copy()
    network.flat[...] = start
    for part, before in zip(optimizer.state, state, strict=True):
        part[...] = before
    optimizer.steps = 2
    update = engine._update
    assert update is not None
    name = "prepare" if moment == "before" else "start"
    real, calls = getattr(update.program, name), []

    def interrupted(*arguments: int) -> None:
        calls.append(arguments)
        if calls != [arguments] or moment == "done":
            real(*arguments)
        if calls == [arguments]:
            raise KeyboardInterrupt

    monkeypatch.setattr(update.program, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.update(optimizer, 0.01)
    if moment == "before":
        assert optimizer.steps == 2
        assert np.array_equal(network.flat, start)
    else:
        assert optimizer.steps == 3
        assert np.array_equal(network.flat, whole)


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "import test_compiled_network as t\n"
        "from striate.nest.compiler import counts\n"
        "network, loss = t.normalised(), t.SoftmaxCrossEntropy()\n"
        "engine = t.CompiledEngine(network, batch_size=32, loss=loss)\n"
        "data = t.batch(network, 32, loss)\n"
        "engine.step(*data); engine.update(t.SGD(), 0.1); engine.forward(data[0])\n"
        "print(counts['compiled'], counts['found'])\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    environment = {**os.environ, "STRIATE_CACHE": str(tmp_path)}
    outputs = [
        subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
        for _ in range(2)
    ]
    (compiled, found), again = outputs[0].split(), outputs[1].split()
    assert int(compiled) > 20
    assert int(found) == 0
    assert again == ["0", compiled]


def test_bytes_and_preprocessing() -> None:
    network = lenet()
    network.preprocessing = Preprocessing(mean=(30.0,), std=(70.0,))
    images = np.random.default_rng(0).integers(0, 256, (19, 16, 20, 1), dtype=np.uint8)
    engine = CompiledEngine(network, batch_size=8)
    expected = NumPyEngine(network, batch_size=8, dtype=np.float64).forward(images)
    close(engine.forward(images), expected)
    close(engine.forward(images.astype(np.float64)), expected)


def test_errors() -> None:
    network = lenet()
    engine = CompiledEngine(network, batch_size=8)
    data = batch(network, 9, SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match="made without a loss"):
        engine.step(*data)
    engine = CompiledEngine(network, batch_size=8, loss=SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match="batches of 1 to 8 images, got 9"):
        engine.step(*data)
    few = batch(network, 5, SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match=r"targets must have shape \(8, 10\), got \(5, 10\)"):
        engine.step(data[0][:8], few[1], data[2][:8], data[3][:8])
    with pytest.raises(ValueError, match=r"keys must have shape \(5,\), got \(9,\)"):
        engine.step(*few[:3], data[3])
    with pytest.raises(ValueError, match=r"reads images of shape \(n, 16, 20, 1\)"):
        engine.forward(np.zeros((2, 20, 16, 1)))


def grown(values: list[Node], kind: str, pick: int) -> Node:
    """One more layer on one of the values."""
    x = values[pick % len(values)]
    same = [v for v in values if v.shape == x.shape]
    beside = [v for v in values if v.shape[:2] == x.shape[:2]]
    if kind in ("strided", "pool") and min(x.shape[:2]) < 3:
        kind = "relu"
    if kind == "add":
        return Add()(x, same[pick % len(same)])
    if kind == "concat":
        return Concat()(x, beside[pick % len(beside)])
    layers: dict[str, Layer] = {
        "conv": Conv2D(3 + pick, 3, padding=1),
        "strided": Conv2D(4, 3, stride=2, padding="same"),
        "relu": ReLU(),
        "tanh": Tanh(),
        "pool": MaxPool2D(2, uncovered="drop"),
        "norm": BatchNorm(),
        "drop": Dropout(0.3),
        "avg": AvgPool2D(3, stride=1, padding=1),
    }
    return layers[kind](x)


CHOICES = ["conv", "strided", "relu", "tanh", "pool", "norm", "drop", "add", "concat", "avg"]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.sampled_from(CHOICES), st.integers(0, 5)), min_size=1, max_size=7),
    n=st.integers(2, 20),
)
def test_any_graph(steps: list[tuple[str, int]], n: int) -> None:
    """Layers at random on values at random: fusing, views and fan-out in every combination."""
    image = Input((7, 6, 2))
    values: list[Node] = [image]
    for kind, pick in steps:
        values.append(grown(values, kind, pick))
    output = Dense(4)(
        Concat()(Flatten()(values[-1]), GlobalAvgPool2D()(values[pick % len(values)]))
    )
    network, loss = Network(inputs=image, output=output), SoftmaxCrossEntropy()
    data = batch(network, n, loss)
    readable = NumPyEngine(network, batch_size=20, loss=loss, dtype=np.float64)
    expected_loss, expected = readable.step(*data)
    engine = CompiledEngine(network, batch_size=20, loss=loss, threads=2)
    actual_loss, actual = engine.step(*data)
    close(actual, expected, 2e-5)
    assert actual_loss == pytest.approx(expected_loss, rel=1e-5)
    close(engine.gradient, readable.gradient, 1e-4)


@pytest.mark.parametrize("factor", [0.3, -0.3])
def test_a_factor_before_pooling(factor: float) -> None:
    # A positive one is moved behind the maximum, which a negative one would turn into a minimum.
    network = Network(
        [Conv2D(6, 3), Scale(factor), MaxPool2D(2), Flatten(), Dense(3), Scale(factor)], (8, 6, 2)
    )
    loss = SoftmaxCrossEntropy()
    data = batch(network, 9, loss)
    readable = NumPyEngine(network, batch_size=9, loss=loss, dtype=np.float64)
    engine = CompiledEngine(network, batch_size=9, loss=loss)
    expected_loss, expected = readable.step(*data)
    actual_loss, actual = engine.step(*data)
    assert actual_loss == pytest.approx(expected_loss, rel=1e-5)
    close(actual, expected)
    close(engine.gradient, readable.gradient)
