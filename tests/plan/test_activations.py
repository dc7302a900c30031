"""A new activation is one row of `ACTIVATIONS`: here SiLU, which falls, then rises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.engines.llvm import CompiledEngine
from striate.engines.numpy import NumPyEngine
from striate.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Scale, Sigmoid
from striate.nest.algebra import Constant, sigmoid
from striate.network import Input, Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.analysis.activations import ACTIVATIONS, Activation, fusible
from striate.plan.analysis.operations import analyse
from striate.plan.lowering.elementwise import activation_backward, activation_forward
from striate.plan.lowering.protocol import Lowering
from striate.plan.lowering.table import LOWERINGS


class SiLU(Layer):
    """x · sigmoid(x)."""

    kind = "silu"

    def output_shape(self, *inputs: Any) -> Any:
        return inputs[0]

    def forward(self, inputs: Any, parameters: Any, state: Any, run: Any) -> Any:
        (x,) = inputs
        return x / (1 + np.exp(-x)), x

    def backward(self, gradient: Any, saved: Any, parameters: Any) -> Any:
        part = 1 / (1 + np.exp(-saved))
        return (gradient * (part + saved * part * (1 - part)),), {}


@pytest.fixture
def silu(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Constant(1.0)
    row = Activation[SiLU](
        lambda layer, x: x * sigmoid(x),
        lambda layer, x, gradient: gradient * (sigmoid(x) * (one + x * (one - sigmoid(x)))),
    )
    monkeypatch.setitem(ACTIVATIONS, SiLU, row)  # type: ignore[arg-type]
    lowering = Lowering(activation_forward, activation_backward, rereads=True)
    monkeypatch.setitem(LOWERINGS, SiLU, lowering)


def network() -> Network:
    """SiLU after a convolution and before max-pooling, after another activation and before one."""
    x = Input((9, 7, 2))
    y = SiLU()(Conv2D(5, 3, padding="same")(x))
    y = MaxPool2D(2, uncovered="drop")(y)
    y = SiLU()(Sigmoid()(Conv2D(6, 2)(y)))
    y = Dense(4)(ReLU()(SiLU()(Dense(7)(Flatten()(y)))))
    return Network(inputs=x, output=y, seed=3)


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=5e-6)


@pytest.mark.parametrize("n", [40, 3])
@pytest.mark.usefixtures("silu")
def test_a_new_activation_computes_what_its_layer_does(n: int) -> None:
    net, loss = network(), SoftmaxCrossEntropy()
    rng = np.random.default_rng(n)
    net.flat[:] = 0.5 * rng.standard_normal(net.flat.shape)
    images = rng.standard_normal((n, 9, 7, 2)).astype("f")
    weights = rng.uniform(0.2, 1.0, n).astype("f")
    keys = rng.integers(0, 2**32, n, dtype=np.uint32)
    data = images, loss.targets(rng.integers(0, 4, n), 4), weights / weights.sum(), keys
    textbook = NumPyEngine(net, batch_size=n, loss=loss, dtype=np.float64)
    compiled = CompiledEngine(net, batch_size=n, loss=loss, threads=2)
    close(compiled.forward(images), textbook.forward(images))
    expected, _ = textbook.step(*data)
    actual, _ = compiled.step(*data)
    assert actual == pytest.approx(expected, rel=2e-6)
    close(compiled.gradient, textbook.gradient)


@pytest.mark.usefixtures("silu")
def test_what_falls_is_fused_nowhere() -> None:
    assert not fusible(SiLU())
    kinds = [type(operation.layer) for operation in analyse(network(), True).operations]
    assert kinds.count(SiLU) == 3
    assert not fusible(Scale(-1.0))
    assert fusible(Scale(2.0))


def test_a_layer_without_a_row_is_no_activation() -> None:
    class Mine(ReLU):
        """Something else."""

    assert not fusible(Mine())
