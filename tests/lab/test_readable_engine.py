"""The engine by which the lab trains edited networks, against striate's NumPy engine."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.random_bits import uniform_bits
from striate.engines.numpy import NumPyEngine
from striate.lab.room_data.training_room import described
from striate.layers import (
    ELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Tanh,
)
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import AdamW
from striate.training.random_streams import Stream, image_keys
from tests.lab.node_functions import called, needs_node

pytestmark = needs_node

HELP = str(Path(__file__).with_name("edited_course.mjs"))
CLASSES = 5


def networks() -> list[Network]:
    """All kinds of layers, with uneven sides, strides, padding, dilation and groups."""
    chains: list[list[Layer]] = [
        [
            Conv2D(6, (3, 2), stride=(2, 1), padding=(1, 2, 0, 1), groups=2, uncovered="drop"),
            BatchNorm(momentum=0.8, eps=1e-3),
            LeakyReLU(0.1),
            AvgPool2D((2, 3), stride=(1, 2), padding=1, uncovered="drop", count_padding=True),
            Dropout(0.3),
            ELU(0.7),
            MaxPool2D(2, stride=1, padding=(1, 0)),
            SiLU(),
            Conv2D(4, 2, dilation=(1, 2), uncovered="drop", bias=False),
            Tanh(),
            Flatten(),
            Dense(7),
            BatchNorm(),
            Sigmoid(),
            Dropout(0.5),
            Dense(CLASSES),
        ],
        [
            AvgPool2D((3, 2), stride=2, padding=(1, 0), uncovered="drop"),
            Conv2D(8, 3, padding="same", stride=(1, 2), groups=4),
            ReLU6(),
            MaxPool2D((2, 1), stride=(2, 3), uncovered="drop"),
            BatchNorm(),
            ReLU(),
            Conv2D(CLASSES, 1),
            GlobalAvgPool2D(),
        ],
    ]
    rng = np.random.default_rng(8)
    made = [Network(chain, input_shape=(9, 11, 4), seed=3) for chain in chains]
    for network in made:
        network.preprocessing = replace(
            network.preprocessing, mean=(1.0, 2.0, 0.3, 4.0), std=(1.5, 2.0, 3.0, 0.7)
        )
        network.flat[...] = rng.normal(0, 0.5, network.flat.size)
        network.state_flat[...] = rng.uniform(0.5, 1.5, network.state_flat.size)
    return made


def state_of(network: Network) -> Any:
    return np.concatenate([network.flat, network.state_flat])


def batch_of(images: int, seed: int = 2) -> tuple[Any, Any, Any, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 17, (images, 9, 11, 4)).astype(np.float32)
    labels = rng.integers(0, CLASSES, images)
    keys = rng.integers(0, 2**32, images).astype(np.uint32)
    return pixels, labels, keys, {"images": pixels.ravel().tolist(), "labels": labels.tolist()}


@pytest.mark.parametrize("number", [0, 1])
def test_a_batch_goes_through_as_in_the_numpy_engine(number: int) -> None:
    network, count = networks()[number], 5
    pixels, labels, keys, batch = batch_of(count)
    shape, state = described(network), state_of(network)
    (found,) = called(
        "maths/network/readable_network.js",
        "trainingPassOf",
        [[shape, state.tolist(), batch, keys.tolist()]],
    )
    (answered,) = called(
        "maths/network/readable_network.js",
        "passOf",
        [[shape, state.tolist(), pixels[0].ravel().tolist(), int(labels[0])]],
    )
    loss = SoftmaxCrossEntropy()
    for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 2e-3)):
        engine = NumPyEngine(network, batch_size=count, loss=loss, dtype=dtype)
        np.testing.assert_allclose(
            answered["values"][-1], engine.forward(pixels[:1])[0], rtol=tolerance, atol=tolerance
        )
        # Predictions keep statistics in float32; in training all is in float64.
        tolerance = 1e-11 if dtype is np.float64 else tolerance
        mean, outputs = engine.step(
            pixels, loss.targets(labels, CLASSES), np.full(count, 1 / count), keys
        )
        assert found["loss"] == pytest.approx(mean, rel=tolerance)
        np.testing.assert_allclose(
            np.reshape(found["values"][-1], outputs.shape), outputs, rtol=tolerance, atol=tolerance
        )
        largest = np.abs(engine.gradient).max()
        np.testing.assert_allclose(found["weights"], engine.gradient, atol=tolerance * largest)
        network.state_flat[...] = state[network.flat.size :]


def test_images_are_dropped_and_drawn_as_in_numpy() -> None:
    keys = np.array([0, 7, 2**32 - 1, 123456789], np.uint32)
    cases = [[int(key), salt, place] for key in keys for salt in (0, 3, 300) for place in (0, 99)]
    assert called("maths/network/layers/dropout.js", "randomBits", cases) == [
        int(uniform_bits(np.array([key], np.uint32), salt, place + 1)[0, place])
        for key, salt, place in cases
    ]
    seeds = [[0, 0], [3, 12], [2**40 + 1, 5]]
    for seed, numbers in zip(
        seeds, called(HELP, "normals", [[seed, 20_000] for seed in seeds]), strict=True
    ):
        expected = np.random.default_rng(seed).standard_normal(20_000)
        np.testing.assert_allclose(numbers, expected, rtol=1e-12)
        assert np.array_equal(np.float32(numbers), np.float32(expected))
        assert np.abs(numbers).max() > 3.66  # the tail was drawn, too


def test_the_update_is_striates_to_the_bit() -> None:
    rng = np.random.default_rng(4)
    rule = AdamW(weight_decay=0.03)
    weights = rng.normal(0, 1, 200).astype(np.float32)
    gradients = (rng.normal(0, 1, (7, 200)) * 10.0 ** rng.integers(-6, 2, (7, 200))).astype("f4")
    decays = rng.integers(0, 2, 200).astype(np.float32)
    given = [weights.tolist(), gradients.tolist(), decays.tolist(), 0.013, rule.hyperparameters()]
    (found,) = called(HELP, "moved", [given])
    for gradient in gradients:
        rule.apply(weights, gradient, decays, 0.013)
    for name, expected in (
        ("weights", weights), ("mean", rule.state[0]), ("square", rule.state[1]),
    ):  # fmt: skip
        assert np.array_equal(np.float32(found[name]), expected), name


def test_an_epoch_is_that_of_fit() -> None:
    rng = np.random.default_rng(6)
    layers: list[Layer] = [
        Conv2D(4, 3, padding="same", bias=False),  # normalised, a bias has no gradient but noise
        BatchNorm(),
        ReLU(),
        AvgPool2D(2, uncovered="drop"),
        Dropout(0.2),
        Conv2D(6, (1, 2), stride=(1, 2), uncovered="drop"),
        SiLU(),
        Flatten(),
        Dense(CLASSES),
    ]
    images = rng.integers(0, 256, (53, 6, 7, 2)).astype(np.uint8)
    labels = rng.integers(0, CLASSES, 53)
    images[np.arange(53), 0, labels] = 255  # something to learn
    network = Network(layers, input_shape=(6, 7, 2), seed=9)
    first = described(network)
    losses: list[float] = []
    network.fit(
        images, labels, epochs=2, batch_size=16, optimizer="adamw", learning_rate=0.02, warmup=0.3,
        seed=9, engine="numpy", progress=lambda now: losses.append(now.loss),
    )  # fmt: skip
    known = network.preprocessing
    shape = {**first, "mean": list(known.mean), "std": list(known.std)}
    data = {"images": images.ravel().tolist(), "labels": labels.tolist()}
    recipe = {
        "epochs": 2, "batch": 16, "rate": 0.02, "peak": 0.3, "start": 25.0, "final": 1e4,
        "optimizer": AdamW().hyperparameters(),
    }  # fmt: skip
    (found,) = called(HELP, "trained", [[shape, data, data, recipe, 9]])
    assert found["epochs"][0]["loss"] > found["epochs"][1]["loss"]
    assert found["epochs"][-1]["loss"] == pytest.approx(losses[-1], rel=1e-4)
    np.testing.assert_allclose(found["state"], state_of(network), atol=2e-4)
    right = network.predict_logits(images).argmax(1) == labels
    assert found["epochs"][-1]["accuracy"] == pytest.approx(right.mean(), abs=0.02)


def test_the_first_weights_are_striates() -> None:
    cases = [(network, seed) for seed in (0, 5, 999_999_999) for network in networks()]
    given = [[described(network), seed] for network, seed in cases]
    found = called("maths/network/initial_weights.js", "initialState", given)
    for (network, seed), state in zip(cases, found, strict=True):
        network.flat[...] = network.state_flat[...] = 0  # also between the arrays
        network.initialise(seed)
        assert np.array_equal(np.float32(state), state_of(network))


def test_keys_of_dropout_reach_the_engine() -> None:
    """Another epoch drops other values, and so gives another loss."""
    network = networks()[0]
    _, _, _, batch = batch_of(5)
    state = state_of(network).tolist()
    keys = [image_keys(0, Stream.DROPOUT, epoch, np.arange(5)).tolist() for epoch in (0, 1)]
    calls = [[described(network), state, batch, one] for one in (*keys, keys[0])]
    losses = [
        one["loss"] for one in called("maths/network/readable_network.js", "trainingPassOf", calls)
    ]
    assert losses[0] == losses[2] != losses[1]


def test_the_ways_through_a_batch_normalisation_are_finite_differences() -> None:
    """Each way alone: the mean held, the variance held, both held; in float64, written out here."""
    rng = np.random.default_rng(12)
    network = Network([BatchNorm(eps=1e-3), Flatten(), Dense(3)], input_shape=(2, 3, 2))
    network.flat[...] = rng.normal(0, 1, network.flat.size)
    count = 4
    x = rng.normal(1, 2, (count, 2, 3, 2)).astype(np.float32).astype(np.float64)
    labels = rng.integers(0, 3, count)
    batch = {"images": x.ravel().tolist(), "labels": labels.tolist()}
    state = state_of(network).tolist()
    (ways,) = called(HELP, "batchNormWays", [[described(network), state, batch, [0] * count, 0]])

    gamma, beta = (network.parameters_of(0)[name].astype(float) for name in ("scale", "shift"))
    matrix, bias = (network.parameters_of(2)[name].astype(float) for name in ("weights", "bias"))

    def loss(own: Any, in_mean: Any, in_variance: Any) -> float:
        """The loss where x is `own` in its own place, and others in mean and variance."""
        mean = in_mean.mean((0, 1, 2))
        # With the mean held, the variance is taken about it.
        variance = ((in_variance - x.mean((0, 1, 2))) ** 2).mean((0, 1, 2))
        normal = (own - mean) / np.sqrt(variance + 1e-3)
        logits = (gamma * normal + beta).reshape(count, -1) @ matrix + bias
        shifted = logits - logits.max(1, keepdims=True)
        rows = shifted[np.arange(count), labels]
        return float(np.mean(np.log(np.exp(shifted).sum(1)) - rows))

    step = 1e-5
    for place in (0, 5, 17, 30, 47):
        moved = [x.copy(), x.copy()]
        for sign, one in zip((1, -1), moved, strict=True):
            one.reshape(-1)[place] += sign * step
        for name, given in (
            ("direct", lambda one: (one, x, x)),
            ("throughMean", lambda one: (x, one, x)),
            ("throughVariance", lambda one: (x, x, one)),
        ):
            up, down = (loss(*given(one)) for one in moved)
            slope = (up - down) / (2 * step)
            assert ways[place][name] == pytest.approx(slope, rel=1e-4, abs=1e-8), (place, name)


@pytest.mark.parametrize(
    ("number", "index"), [(0, 0), (0, 3), (0, 8), (0, 11), (1, 0), (1, 1), (1, 3), (1, 7)]
)
def test_the_terms_of_sums_add_up(number: int, index: int) -> None:
    """Of layers that are sums of products, for a batch of one image."""
    network = networks()[number]
    for layer in (vertex.layer for vertex in network.nodes):  # one image has no batch statistics
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    _, _, keys, batch = batch_of(1, seed=index)
    state = state_of(network).tolist()
    (found,) = called(
        HELP, "addedTerms", [[described(network), state, batch, keys.tolist(), index]]
    )
    whole = found["pass"]
    np.testing.assert_allclose(found["values"], whole["values"][index + 1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["below"], whole["gradients"][index], rtol=1e-9, atol=1e-12)
    for place, value in found["weights"].items():
        assert value == pytest.approx(whole["weights"][int(place)], rel=1e-9, abs=1e-12)
    expected = sum(math.prod(one.parameter.shape) for one in network.slots if one.node == index)
    assert len(found["weights"]) == expected
