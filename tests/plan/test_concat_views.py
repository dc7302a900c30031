"""Concatenation without copies: the same outputs, and no step that copies."""

from __future__ import annotations

import numpy as np
import pytest

from striate.layers import (
    LAYERS,
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPool2D,
    Node,
    ReLU,
    Sigmoid,
)
from striate.nest.target import host
from striate.network import Network
from tests.small_networks import CASES, IMAGE, case_id, randomise, read_by

SHAPE = (13, 10, 3)


def _dense_block(image: Node) -> Node:
    """Each layer reads all before it: joined images inside joined images."""
    x: Node = Conv2D(5, 3, padding=1)(image)
    for channels in (7, 16, 9):
        y = ReLU()(BatchNorm()(x))
        x = Concat()(x, Conv2D(channels, 3, padding=1)(y))
    return x


def _with_other_readers(image: Node) -> Node:
    """A joined value that is also added, pooled with padding, and joined once more."""
    left = ReLU()(Conv2D(17, 1)(image))
    right = ReLU()(Conv2D(17, (3, 5), padding=(1, 1, 2, 2))(image))
    joined = Concat()(left, right)
    pooled = MaxPool2D(3, stride=1, padding=1)(joined)
    again = Concat()(Add()(left, right), left, pooled)
    return Conv2D(6, 5, padding=2)(again)


def _twice(image: Node) -> Node:
    """One value twice, the input itself, and an activation behind the joined image."""
    x = Conv2D(8, 3, padding=1)(image)
    return Sigmoid()(Concat()(x, image, x))


def _strided(image: Node) -> Node:
    """What reads the joined image goes down, and parts come from pooling."""
    x = Concat()(MaxPool2D(3, stride=2, padding=1, uncovered="drop")(image),
                 Conv2D(33, 3, stride=2, padding=1, uncovered="drop")(image))  # fmt: skip
    return AvgPool2D(2, uncovered="drop")(x)


BODIES = (_dense_block, _with_other_readers, _twice, _strided)


def _network(body, ends_in_image: bool) -> Network:
    image = Input(SHAPE)
    x = body(image)
    network = Network(inputs=image, output=x if ends_in_image else Dense(4)(Flatten()(x)))
    rng = np.random.default_rng(3)
    network.flat[:] = rng.standard_normal(network.flat.size) * 0.2
    for name, values in network.state.items():
        low = 0.5 if name.endswith("variance") else -0.5
        values[...] = rng.uniform(low, 1.5, values.shape)
    return network


@pytest.mark.parametrize("ends_in_image", [False, True])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("count", [1, 3])
def test_same_outputs(body, count: int, ends_in_image: bool) -> None:
    network = _network(body, ends_in_image)
    images = np.random.default_rng(4).standard_normal((count, *SHAPE)).astype(np.float32)
    expected = network.predict_logits(images, engine="numpy")
    found = [
        np.array(network.compile(batch_size=count, threads=threads)(images)) for threads in (1, 2)
    ]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=2e-5 * abs(expected).max())


def test_nothing_is_copied() -> None:
    compiled = _network(_dense_block, True).compile(batch_size=1, threads=1)
    compiled(np.zeros((1, *SHAPE), np.float32))
    stages = compiled._runner("real").plan.stages
    labels = {step.label for stage in stages for step in stage.all_steps}
    assert not [label for label in labels if "concat" in label]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=case_id)
def test_every_layer_reads_and_writes_a_part(name: str, arguments: dict) -> None:
    image = Input(IMAGE)
    part = Conv2D(6, 3, padding=1)(image)
    joined = Concat()(part, Conv2D(3, 1)(part))
    x = read_by(LAYERS[name](**arguments), part)
    if len(x.shape) == 3:
        x = Flatten()(Concat()(Conv2D(5, 1)(x), x))
    network = randomise(Network(inputs=image, output=Concat()(x, Flatten()(joined))))
    images = np.random.default_rng(4).standard_normal((2, *IMAGE)).astype(np.float32)
    expected = network.predict_logits(images, engine="numpy")
    tolerance = 2e-5 * abs(expected).max()
    for count in (1, 2):
        found = np.array(network.compile(batch_size=count, threads=1)(images[:count]))
        np.testing.assert_allclose(found, expected[:count], rtol=0, atol=tolerance)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("exact", [False, True])
def test_same_gradients(body, exact: bool) -> None:
    network = _network(body, False)
    rng = np.random.default_rng(8)
    images, labels = rng.standard_normal((3, *SHAPE)).astype(np.float32), rng.integers(0, 4, 3)
    _same_gradients(network, images, labels, exact)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=case_id)
def test_every_layer_learns_between_parts(name: str, arguments: dict) -> None:
    image = Input(IMAGE)
    part = Conv2D(6, 3, padding=1)(image)
    joined = BatchNorm()(Concat()(part, Conv2D(3, 1)(part)))
    x = read_by(LAYERS[name](**arguments) if name != "Dropout" else Dropout(0.0), part)
    if len(x.shape) == 3:
        x = Flatten()(Concat()(BatchNorm()(Conv2D(5, 1)(x)), x))
    network = randomise(Network(inputs=image, output=Dense(4)(Concat()(x, Flatten()(joined)))))
    rng = np.random.default_rng(8)
    images, labels = rng.standard_normal((3, *IMAGE)).astype(np.float32), rng.integers(0, 4, 3)
    _same_gradients(network, images, labels, exact=False)


def _same_gradients(network: Network, images, labels, exact: bool) -> None:
    loss, found = network.gradients(images, labels, exact=exact)
    expected_loss, expected = network.gradients(images, labels, engine="numpy")
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for name, gradient in expected.items():
        tolerance = 2e-4 * max(abs(gradient).max(), 0.05)
        np.testing.assert_allclose(found[name], gradient, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_in_bfloat16(size: int) -> None:
    """Pairs of numbers are packed from whole images."""
    if not host().bfloat16:
        pytest.skip("this processor does not multiply in bfloat16")
    image = Input((14, 15, 64))
    part = Conv2D(64, 1)(image)
    x = Conv2D(96, size, padding=size // 2)(part)
    network = randomise(Network(inputs=image, output=Concat()(Conv2D(32, 1)(image), part, x)))
    images = np.random.default_rng(4).standard_normal((2, 14, 15, 64)).astype(np.float32)
    expected = network.predict_logits(images, engine="numpy")
    found = np.array(network.compile(batch_size=2, threads=1, bfloat16=True)(images))
    assert 1e-4 < abs(found - expected).max() / abs(expected).max() < 2e-2
