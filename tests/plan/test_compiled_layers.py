"""Every layer, compiled: against textbook loops in float64, finite differences and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate import layers
from striate.engines.llvm_layer import run_layer, run_layer_backward
from striate.layers import Conv2D, Layer, LocallyConnected2D, PassContext
from striate.network import Network
from striate.ops import conv, local
from striate.plan.runner import Runner

Arrays = dict[str, np.ndarray]
SLOW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def random_case(
    layer: Layer, shape: tuple[int, ...], n: int, seed: int = 0, dtype: type = np.float64
) -> tuple[np.ndarray, Arrays, Arrays, np.ndarray]:
    """Inputs, parameters, running statistics and an output gradient, all random."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, *shape)).astype(dtype)
    parameters = {
        p.name: rng.standard_normal(p.shape).astype(dtype) for p in layer.parameters(shape)
    }
    state = {p.name: rng.uniform(0.5, 2.0, p.shape).astype(dtype) for p in layer.state(shape)}
    gradient = rng.standard_normal((n, *layer.output_shape(shape))).astype(dtype)
    return x, parameters, state, gradient


def agree(actual: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    assert actual.shape == expected.shape, what
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-12)
    worst = float(np.abs(actual - expected).max(initial=0.0)) / scale
    assert worst <= tolerance, f"{what}: off by {worst:.1e} of the largest value"


def check(layer: Layer, shape: tuple[int, ...], n: int, seed: int = 0) -> None:
    """float64 and float32 code against the layer's NumPy meaning, forward and backward."""
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 2e-5)):
        x, parameters, state, gradient = random_case(layer, shape, n, seed, dtype)
        exact = [x.astype(np.float64), *[
            {name: array.astype(np.float64) for name, array in arrays.items()}
            for arrays in (parameters, state)
        ]]  # fmt: skip
        output, saved = layer.forward((exact[0],), exact[1], exact[2], PassContext(training=True))
        (dx,), expected = layer.backward(gradient.astype(np.float64), saved, exact[1])
        mine = {name: array.copy() for name, array in state.items()}
        agree(run_layer(layer, (x,), parameters, mine, True), output, tolerance, "output")
        for name in state:
            agree(mine[name], exact[2][name], tolerance, f"running {name}")
        (dx_mine,), gradients = run_layer_backward(
            layer, (x,), parameters, {k: v.copy() for k, v in state.items()}, gradient
        )
        agree(dx_mine, dx, 10 * tolerance, "input gradient")
        assert gradients.keys() == expected.keys()
        for name in expected:
            agree(gradients[name], expected[name], 10 * tolerance, f"gradient of {name}")


# The shapes that catch real bugs: unequal sides, uneven padding, vector tails, groups.
CONVOLUTIONS = [
    (Conv2D(7, (3, 2)), (9, 5, 3)),
    (Conv2D(8, 3, padding=1), (5, 7, 9)),
    (Conv2D(15, (2, 5), padding=(0, 1, 3, 2)), (6, 8, 7)),
    (Conv2D(16, 3, stride=2, padding="same"), (11, 8, 5)),
    (Conv2D(17, 1), (4, 3, 31)),
    (Conv2D(33, 1, stride=(2, 3), uncovered="drop"), (8, 7, 2)),
    (Conv2D(6, 3, dilation=2, padding=2), (8, 7, 4)),
    (Conv2D(4, (2, 3), dilation=(3, 1), stride=2, uncovered="drop"), (9, 10, 2)),
    (Conv2D(4, 3, dilation=(2, 4), stride=(3, 2), padding=3, uncovered="drop"), (11, 9, 2)),
    (Conv2D(6, 3, groups=3, padding="same"), (6, 5, 9)),
    (Conv2D(8, 3, groups=8, padding=1), (7, 6, 8)),
    (Conv2D(16, 3, groups=8, stride=2, padding=1, bias=False), (7, 9, 8)),
    (Conv2D(5, 4, stride=4), (8, 12, 3)),
    (Conv2D(5, 2, stride=4, uncovered="drop"), (9, 11, 3)),
    (Conv2D(3, 5, stride=3, padding=(4, 3, 0, 1), uncovered="drop"), (7, 9, 1)),
    (Conv2D(32, (5, 4), padding=(4, 4, 3, 3)), (1, 2, 1)),
]


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=str)
def test_convolution(layer: Conv2D, shape: tuple[int, ...]) -> None:
    check(layer, shape, 19)


# The same, and windows of which there are fewer than taps.
LOCAL = [
    (LocallyConnected2D(4, 2), (3, 3, 1)),
    (LocallyConnected2D(7, (3, 2)), (9, 5, 3)),
    (LocallyConnected2D(15, (2, 5), padding=(0, 1, 3, 2)), (6, 8, 7)),
    (LocallyConnected2D(16, 3, stride=2, padding="same"), (11, 8, 5)),
    (LocallyConnected2D(17, 1), (4, 3, 31)),
    (LocallyConnected2D(33, 1, stride=(2, 3), uncovered="drop"), (8, 7, 2)),
    (LocallyConnected2D(8, (5, 4), bias=False), (6, 5, 9)),
    (LocallyConnected2D(4, (2, 3), dilation=(3, 1), stride=2, uncovered="drop"), (9, 10, 2)),
    (LocallyConnected2D(6, 3, groups=3, padding="same"), (6, 5, 9)),
    (LocallyConnected2D(8, 3, groups=8, padding=1), (7, 6, 8)),
    (LocallyConnected2D(5, 4, stride=4), (8, 12, 3)),
    (LocallyConnected2D(32, (5, 4), padding=(4, 4, 3, 3)), (1, 2, 1)),
]


@pytest.mark.parametrize(("layer", "shape"), LOCAL, ids=str)
def test_locally_connected(layer: LocallyConnected2D, shape: tuple[int, ...]) -> None:
    check(layer, shape, 19)


@pytest.mark.parametrize(("size", "steps"), [(2, 4), (15, 4), (14, 9), (16, 1)])
def test_few_nests_for_small_and_for_large_windows(size: int, steps: int) -> None:
    """One for each tap or one for each window, whichever are fewer."""
    network = Network([LocallyConnected2D(2, size)], (16, 16, 1))
    runner = Runner(
        network, batch_size=4, threads=1, training=True, loss="given", input_gradient=True
    )
    nests = [step.nest for stage in runner.plan.stages for step in stage.steps]
    sums = [nest for nest in nests if nest.initial and "sums" in nest.buffers]
    assert len(sums) == steps
    assert len(set(sums)) == 1  # the same machine code


@st.composite
def windows(draw: st.DrawFn, kind: str) -> tuple[Layer, tuple[int, int, int]]:
    """A layer of a kind with random windows, and an image that they fit into."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    dilated = kind in ("conv", "local", "max")
    size, stride = pair(1, 4), pair(1, 4)
    dilation = pair(1, 3) if dilated else (1, 1)
    reach = [d * (s - 1) + 1 for s, d in zip(size, dilation, strict=True)]
    weighted = {"conv": Conv2D, "local": LocallyConnected2D}
    limits = (3, 3) if kind in weighted else tuple(min(3, r - 1) for r in reach)
    pads = (*pair(0, limits[0]), *pair(0, limits[1]))
    least = [
        max(1, d, r - before - after)
        for r, d, before, after in zip(reach, dilation, pads[::2], pads[1::2], strict=True)
    ]
    height, width = (low + draw(st.integers(0, 5)) for low in least)
    options: dict[str, Any] = {"stride": stride, "padding": pads, "uncovered": "drop"}
    if dilated:
        options["dilation"] = dilation
    channels = draw(st.integers(1, 5))
    if kind in weighted:
        groups, share = draw(st.sampled_from([1, 2, 4])), draw(st.integers(1, 9))
        layer: Layer = weighted[kind](groups * share, size, groups=groups, **options)
        return layer, (height, width, channels * groups)
    if kind == "avg":
        options["count_padding"] = draw(st.booleans())
    pools = {"max": layers.MaxPool2D, "sum": layers.SumPool2D, "avg": layers.AvgPool2D}
    return pools[kind](size, **options), (height, width, channels)


@SLOW
@given(windows("conv"), st.integers(1, 18))
def test_convolution_of_any_shape(case: tuple[Layer, tuple[int, int, int]], n: int) -> None:
    check(*case, n)


@SLOW
@given(windows("local"), st.integers(1, 18))
def test_locally_connected_of_any_shape(case: tuple[Layer, tuple[int, int, int]], n: int) -> None:
    check(*case, n)


@SLOW
@given(st.sampled_from(["max", "sum", "avg"]).flatmap(windows), st.integers(1, 18))
def test_pooling_of_any_shape(case: tuple[Layer, tuple[int, int, int]], n: int) -> None:
    check(*case, n)


@pytest.mark.parametrize("n", [1, 16, 19])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dense(1), (5,)),
        (layers.Dense(17), (33,)),
        (layers.Dense(10, bias=False), (200,)),
        (layers.Dense(84), (31,)),
        (layers.GroupedDense(12, 4), (33,)),
        (layers.GroupedDense(34, 2), (31,)),
        (layers.GroupedDense(9, 9), (200,)),
        (layers.GroupedDense(15, 3, bias=False), (16,)),
        (layers.ReLU(), (3, 4, 5)),
        (layers.LeakyReLU(0.2), (3, 4, 5)),
        (layers.LeakyReLU(-0.5), (3, 4, 5)),
        (layers.Sigmoid(), (7,)),
        (layers.Scale(-0.3), (3, 4, 5)),
        (layers.Tanh(), (2, 3, 7)),
        (layers.ReLU6(), (3, 4, 5)),
        (layers.Clip(-0.3, 0.8), (3, 4, 5)),
        (layers.Clip(high=0.1), (17,)),
        (layers.HardSigmoid(), (3, 4, 5)),
        (layers.HardSigmoid(-0.4, 0.3), (7,)),
        (layers.HardSwish(), (3, 4, 5)),
        (layers.SiLU(), (3, 4, 5)),
        (layers.Mish(), (2, 3, 7)),
        (layers.ELU(1.3), (3, 4, 5)),
        (layers.ELU(-0.3), (3, 4, 5)),
        (layers.GELU(), (3, 4, 5)),
        (layers.GELU("tanh"), (3, 4, 5)),
        (layers.Flatten(), (3, 2, 5)),
        (layers.GlobalAvgPool2D(), (3, 5, 9)),
        (layers.MaxPool2D(2), (4, 6, 3)),
        (layers.MaxPool2D(3, stride=2, padding=1, uncovered="drop"), (8, 7, 17)),
        (layers.AvgPool2D(3, stride=1, padding=1), (4, 5, 3)),
    ],
    ids=str,
)
def test_other_layers(layer: Layer, shape: tuple[int, ...], n: int) -> None:
    check(layer, shape, n)


@pytest.mark.parametrize("n", [1, 16, 19])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.PReLU(), (3, 4, 5)),
        (layers.PReLU(), (17,)),
        (layers.PReLU(shared=True), (4, 3, 9)),
        (layers.Affine(), (3, 4, 7)),
        (layers.Affine(shift=False), (33,)),
        (layers.Affine(scale=False), (3, 4, 16)),
        (layers.LayerNorm(eps=1e-3), (3, 4, 7)),
        (layers.LayerNorm(eps=1e-3), (3, 2, 16)),
        (layers.LayerNorm(), (2, 5, 33)),
        (layers.LayerNorm(), (31,)),
        (layers.LRN(3, 0.3, 0.6, 1.5), (3, 4, 5)),
        (layers.LRN(4, 0.5), (3, 4, 17)),
        (layers.LRN(5, 2.0, 0.5), (2, 3, 16)),
        (layers.LRN(9, 0.5, 1.0), (3, 2, 4)),
        (layers.ChannelShuffle(2), (3, 4, 8)),
        (layers.ChannelShuffle(3), (3, 4, 33)),
        (layers.ChannelShuffle(5), (15,)),
        (layers.ChannelSlice(0, 4), (3, 4, 8)),
        (layers.ChannelSlice(3, 17), (3, 4, 17)),
        (layers.ChannelSlice(1, 9, 3), (3, 4, 15)),
        (layers.ChannelSlice(2, 31, 2), (32,)),
    ],
    ids=str,
)
def test_layers_of_channels(layer: Layer, shape: tuple[int, ...], n: int) -> None:
    check(layer, shape, n)


@pytest.mark.parametrize("n", [2, 15, 16, 17, 40])
@pytest.mark.parametrize("shape", [(3, 5, 4), (7,), (1, 1, 17)])
def test_batch_normalisation(shape: tuple[int, ...], n: int) -> None:
    check(layers.BatchNorm(momentum=0.7, eps=1e-3), shape, n)


def test_batch_statistics_far_from_zero() -> None:
    # The naive E[x²] - E[x]² would have no correct digit here in float32.
    x = 1e4 + np.random.default_rng(0).standard_normal((37, 4, 3, 5)).astype("f")
    layer = layers.BatchNorm()
    parameters = {"scale": np.ones(5, "f"), "shift": np.zeros(5, "f")}
    state = {"mean": np.zeros(5, "f"), "variance": np.ones(5, "f")}
    output = run_layer(layer, (x,), parameters, state, True)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean((0, 1, 2))) / exact.std((0, 1, 2))
    np.testing.assert_allclose(output, exact, atol=2e-3)


def test_batch_normalisation_in_use() -> None:
    layer, (n, shape) = layers.BatchNorm(), (9, (2, 3, 5))
    x, parameters, state, gradient = random_case(layer, shape, n)
    output, saved = layer.forward((x,), parameters, state, PassContext(training=False))
    (dx,), expected = layer.backward(gradient, saved, parameters)
    agree(run_layer(layer, (x,), parameters, state, False), output, 1e-12, "output")
    (mine,), gradients = run_layer_backward(layer, (x,), parameters, state, gradient, False)
    agree(mine, dx, 1e-12, "input gradient")
    for name in expected:
        agree(gradients[name], expected[name], 1e-12, name)


def test_convolution_against_the_textbook_loops() -> None:
    options = {"stride": (2, 1), "padding": (1, 1, 2, 1), "dilation": (1, 2), "groups": 2}
    layer = Conv2D(4, (2, 3), **options)
    shape = (6, 7, 6)
    x, parameters, state, gradient = random_case(layer, shape, 2)
    window = (layer.pads(shape), layer.stride, layer.dilation, layer.groups)
    expected = conv.conv2d_loops(x, parameters["filters"], *window) + parameters["bias"]
    agree(run_layer(layer, (x,), parameters, state, True), expected, 1e-13, "output")
    (dx,), gradients = run_layer_backward(layer, (x,), parameters, state, gradient)
    filters = conv.conv2d_filter_gradient_loops(x, gradient, layer.size, *window)
    agree(gradients["filters"], filters, 1e-13, "filter gradient")
    expected = conv.conv2d_input_gradient_loops(gradient, parameters["filters"], shape[:2], *window)
    agree(dx, expected, 1e-13, "input gradient")


def test_locally_connected_against_the_textbook_loops() -> None:
    options = {"stride": (2, 1), "padding": (1, 1, 2, 1), "dilation": (1, 2), "groups": 2}
    layer = LocallyConnected2D(4, (2, 3), **options)
    shape = (6, 7, 6)
    x, parameters, state, gradient = random_case(layer, shape, 2)
    window = (layer.pads(shape), layer.stride, layer.dilation, layer.groups)
    weights = parameters["weights"]
    expected = local.local2d_loops(x, weights, *window) + parameters["bias"]
    agree(run_layer(layer, (x,), parameters, state, True), expected, 1e-13, "output")
    (dx,), gradients = run_layer_backward(layer, (x,), parameters, state, gradient)
    expected = local.local2d_weight_gradient_loops(x, gradient, layer.size, *window)
    agree(gradients["weights"], expected, 1e-13, "weight gradient")
    expected = local.local2d_input_gradient_loops(gradient, weights, shape[:2], *window)
    agree(dx, expected, 1e-13, "input gradient")


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2D(3, (2, 3), stride=2, padding=(1, 0, 1, 2), uncovered="drop"), (5, 6, 2)),
        (Conv2D(4, 3, dilation=2, padding="same", groups=2), (5, 4, 2)),
        (
            LocallyConnected2D(3, (2, 3), stride=2, padding=(1, 0, 1, 2), uncovered="drop"),
            (5, 6, 2),
        ),
        (LocallyConnected2D(4, (4, 3), groups=2), (5, 4, 2)),
        (layers.Dense(3), (5,)),
        (layers.GroupedDense(6, 3), (5,)),
        (layers.MaxPool2D((3, 2), stride=(2, 1), padding=1, uncovered="drop"), (5, 4, 2)),
        (layers.AvgPool2D((2, 3), stride=1, padding=(1, 0, 1, 1)), (3, 4, 2)),
        (layers.SumPool2D(2, stride=1), (3, 4, 2)),
        (layers.GlobalAvgPool2D(), (3, 4, 2)),
        (layers.BatchNorm(), (2, 2, 3)),
        (layers.Sigmoid(), (4,)),
        (layers.Tanh(), (4,)),
        (layers.LeakyReLU(0.3), (4,)),
    ],
    ids=str,
)
def test_gradients_against_finite_differences(layer: Layer, shape: tuple[int, ...]) -> None:
    """d(sum(gradient * output)) along a random direction, from compiled forward passes alone."""
    x, parameters, state, gradient = random_case(layer, shape, 3)
    (dx,), gradients = run_layer_backward(layer, (x,), parameters, state, gradient)
    rng = np.random.default_rng(5)

    def value(x: np.ndarray, parameters: Arrays) -> float:
        fresh = {name: array.copy() for name, array in state.items()}
        return float((run_layer(layer, (x,), parameters, fresh, True) * gradient).sum())

    def slope(change: Any) -> float:
        h = 1e-5
        return (value(*change(h)) - value(*change(-h))) / (2 * h)

    direction = rng.standard_normal(x.shape)
    numeric = slope(lambda h: (x + h * direction, parameters))
    assert numeric == pytest.approx(float((dx * direction).sum()), rel=1e-6, abs=1e-7)
    for name, array in parameters.items():
        direction = rng.standard_normal(array.shape)
        numeric = slope(lambda h, n=name, a=array, d=direction: (x, {**parameters, n: a + h * d}))
        assert numeric == pytest.approx(
            float((gradients[name] * direction).sum()), rel=1e-6, abs=1e-7
        )


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS[:12], ids=str)
def test_convolution_against_pytorch(layer: Conv2D, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    x, parameters, state, gradient = random_case(layer, shape, 5)
    top, bottom, left, right = layer.pads(shape)
    xt = torch.from_numpy(x).permute(0, 3, 1, 2).requires_grad_()
    ft = torch.from_numpy(parameters["filters"]).permute(3, 2, 0, 1).contiguous().requires_grad_()
    padded = torch.nn.functional.pad(xt, (left, right, top, bottom))
    out = torch.nn.functional.conv2d(
        padded, ft, stride=layer.stride, dilation=layer.dilation, groups=layer.groups
    )
    bias = parameters.get("bias", 0.0)
    agree(
        run_layer(layer, (x,), parameters, state, True),
        out.detach().permute(0, 2, 3, 1).numpy() + bias,
        1e-12,
        "output",
    )
    out.backward(torch.from_numpy(gradient).permute(0, 3, 1, 2))
    (dx,), gradients = run_layer_backward(layer, (x,), parameters, state, gradient)
    agree(dx, xt.grad.permute(0, 2, 3, 1).numpy(), 1e-12, "input gradient")
    agree(gradients["filters"], ft.grad.permute(2, 3, 1, 0).numpy(), 1e-12, "filter gradient")
