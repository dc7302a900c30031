"""A new activation is one row of `ACTIVATIONS`: here one which falls, then rises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.engines.llvm import CompiledEngine
from striate.engines.llvm_layer import run_layer, run_layer_backward
from striate.engines.numpy import NumPyEngine
from striate.layers import (
    ELU,
    GELU,
    Clip,
    Conv2D,
    Dense,
    Flatten,
    HardSigmoid,
    HardSwish,
    Layer,
    MaxPool2D,
    Mish,
    PassContext,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
)
from striate.nest.algebra import Constant
from striate.nest.elementary import sigmoid
from striate.network import Input, Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.analysis.activations import ACTIVATIONS, Activation, fusible, rises
from striate.plan.analysis.operations import analyse
from striate.plan.lowering.elementwise import activation_backward, activation_forward
from striate.plan.lowering.protocol import Lowering
from striate.plan.lowering.table import LOWERINGS


class Swish(Layer):
    """x · sigmoid(x)."""

    kind = "swish"

    def output_shape(self, *inputs: Any) -> Any:
        return inputs[0]

    def forward(self, inputs: Any, parameters: Any, state: Any, run: Any) -> Any:
        (x,) = inputs
        return x / (1 + np.exp(-x)), x

    def backward(self, gradient: Any, saved: Any, parameters: Any) -> Any:
        part = 1 / (1 + np.exp(-saved))
        return (gradient * (part + saved * part * (1 - part)),), {}


@pytest.fixture
def swish(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Constant(1.0)
    row = Activation[Swish](
        lambda layer, x: x * sigmoid(x),
        lambda layer, x, gradient: gradient * (sigmoid(x) * (one + x * (one - sigmoid(x)))),
    )
    monkeypatch.setitem(ACTIVATIONS, Swish, row)  # type: ignore[arg-type]
    lowering = Lowering(activation_forward, activation_backward, rereads=True)
    monkeypatch.setitem(LOWERINGS, Swish, lowering)


def network() -> Network:
    """Swish after a convolution and before max-pooling, after another activation and before one."""
    x = Input((9, 7, 2))
    y = Swish()(Conv2D(5, 3, padding="same")(x))
    y = MaxPool2D(2, uncovered="drop")(y)
    y = Swish()(Sigmoid()(Conv2D(6, 2)(y)))
    y = Dense(4)(ReLU()(Swish()(Dense(7)(Flatten()(y)))))
    return Network(inputs=x, output=y, seed=3)


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=5e-6)


@pytest.mark.parametrize("n", [40, 3])
@pytest.mark.usefixtures("swish")
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


def kinds_of(net: Network, backward: bool) -> list[type[Layer]]:
    return [type(operation.layer) for operation in analyse(net, backward).operations]


@pytest.mark.usefixtures("swish")
def test_what_needs_its_input_is_fused_where_no_derivative_is_wanted() -> None:
    assert not fusible(Swish(), backward=True)
    assert fusible(Swish(), backward=False)
    assert kinds_of(network(), True).count(Swish) == 3
    # Only behind another activation is it a step of its own, and the ReLU behind a third one.
    assert kinds_of(network(), False).count(Swish) == 1


@pytest.mark.usefixtures("swish")
def test_what_falls_is_not_moved_behind_max_pooling() -> None:
    assert not rises(Swish())
    assert not rises(Scale(-1.0))
    assert rises(Scale(2.0))
    image = Input((6, 6, 1))
    for layer, place in ((Swish(), Conv2D), (Scale(-1.0), Conv2D), (ReLU(), MaxPool2D)):
        net = Network(inputs=image, output=MaxPool2D(2)(layer(Conv2D(3, 1)(image))))
        activated = {type(o.layer): o.activation for o in analyse(net, False).operations}
        assert type(activated.pop(place)) is type(layer)
        assert [*activated.values()] == [None]


def test_a_layer_without_a_row_is_no_activation() -> None:
    class Mine(ReLU):
        """Something else."""

    assert not fusible(Mine(), backward=False)
    assert not rises(Mine())


FUSED = {ReLU6(): 1, Clip(0.0, 1.0): 0, HardSigmoid(): 1, ELU(): 1, ELU(-0.5): 0, SiLU(): 0}


@pytest.mark.parametrize("layer", FUSED, ids=repr)
def test_in_training_what_its_output_tells_is_fused(layer: Layer) -> None:
    net = Network([Conv2D(3, 2), layer], (4, 4, 1))
    assert len(analyse(net, True).operations) == 2 - FUSED[layer]
    assert len(analyse(net, False).operations) == 1


ALONE = [
    SiLU(), Mish(), GELU(), GELU("tanh"), HardSwish(), HardSigmoid(), ReLU6(), ELU(), ELU(2.5),
    Clip(-0.5, 2.0), Sigmoid(),
]  # fmt: skip


def alone(layer: Layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The compiled output and derivative of each number."""
    column = x[:, None]
    (slope,), _ = run_layer_backward(layer, (column,), {}, {}, np.ones_like(column))
    return run_layer(layer, (column,), {}, {}, True)[:, 0], slope[:, 0]


def exactly(layer: Layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same in NumPy's longest numbers."""
    column = x.astype(np.longdouble)[:, None]
    output, saved = layer.forward((column,), {}, {}, PassContext())
    return output[:, 0], layer.backward(np.ones_like(column), saved, {})[0][0][:, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", ALONE, ids=repr)
def test_few_last_bits_are_lost(layer: Layer, dtype: type) -> None:
    x = np.concatenate([np.linspace(-14, 14, 2003), np.geomspace(1e-6, 1e-1, 50)]).astype(dtype)
    ulp = float(np.finfo(dtype).eps)
    corners = np.min([np.abs(x - at) for at in (-3, -0.5, 0, 2, 3, 6)], axis=0) < 1e-3
    for actual, expected in zip(alone(layer, x), exactly(layer, x), strict=True):
        off = np.abs(actual - expected) / (1 + np.abs(expected))
        assert float(off[~corners].max()) <= 5 * ulp
    if type(layer) in (SiLU, Mish, GELU):
        tail = (x > -12) & (x < -0.1)
        output, expected = alone(layer, x)[0][tail], exactly(layer, x)[0][tail]
        # Those of GELU are small because of exp of a large number, whose rounding is in them.
        most = 200 if type(layer) is GELU else 8
        assert float((np.abs(output - expected) / np.abs(expected)).max()) <= most * ulp


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", ALONE, ids=repr)
def test_very_large_numbers_and_what_is_no_number(layer: Layer, dtype: type) -> None:
    x = np.array([-1e30, -1e4, -200.0, 200.0, 1e4, 1e30, np.nan], dtype)
    output, slope = alone(layer, x)
    expected, expected_slope = exactly(layer, x)
    np.testing.assert_allclose(output, expected, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(slope[:-1], expected_slope[:-1], rtol=1e-6, atol=1e-5)
