"""What a plan tells of itself is what it does, and asking changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from striate.layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Input,
    Layer,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
)
from striate.nest.target import host
from striate.network import Network
from striate.plan.analysis.operations import analyse
from striate.plan.measure.explain import _why_not_winograd, explain
from striate.plan.measure.explanation import Explanation
from striate.plan.measure.profiling import CallProfiler, peak, seconds_of
from striate.plan.measure.trial import trial


def network() -> Network:
    return Network(
        [
            *(Conv2D(9, 3, padding="same", bias=False), BatchNorm(), ReLU(), MaxPool2D(2)),
            *(Conv2D(17, 3, stride=2, uncovered="drop"), ReLU()),
            *(Flatten(), Dense(10)),
        ],
        (16, 20, 3),
    )


def residual() -> Network:
    image = Input((12, 12, 8))
    x = ReLU()(BatchNorm()(Conv2D(16, 3, padding="same", bias=False)(image)))
    y = BatchNorm()(Conv2D(16, 3, padding="same", bias=False)(x))
    return Network(inputs=image, output=Dense(3)(GlobalAvgPool2D()(ReLU()(Add()(x, y)))))


def between() -> Network:
    return Network(
        [LocallyConnected2D(4, 3), ReLU(), Flatten(), GroupedDense(12, 4), Dense(3)], (8, 9, 2)
    )


KINDS = [
    pytest.param(between, 19, True, id="between"),
    pytest.param(network, 32, True, id="training"),
    pytest.param(network, 7, False, id="inference"),
    pytest.param(network, 1, False, id="one image"),
    pytest.param(residual, 24, True, id="residual"),
]


@pytest.mark.parametrize(("make", "batch", "training"), KINDS)
def test_it_tells_everything(make: type[Network], batch: int, training: bool) -> None:
    net = make()
    told = net.explain(batch_size=batch, training=training, threads=2, measure=True)
    lines = str(told).splitlines()
    assert max(map(len, lines)) < 110
    assert json.loads(json.dumps(told.to_dict())) == told.to_dict()
    for layer in told.layers:
        assert any(line.startswith(f"{layer.name} ({layer.kind}") for line in lines)
        assert any(kernel.label.startswith(layer.name) for kernel in told.kernels)
    assert told.lanes.chosen_by == "estimate"
    assert {kernel.stage for kernel in told.kernels} == {s.number for s in told.stages}
    assert [kernel.step for kernel in told.kernels] == [*range(1, len(told.kernels) + 1)]
    assert all(kernel.label and kernel.writes for kernel in told.kernels)
    assert all(kernel.seconds is not None and kernel.seconds >= 0 for kernel in told.kernels)
    assert all(k.expected is None or 0 < k.expected <= 1 for k in told.kernels)
    assert told.peak_gflops is not None and told.peak_gflops > 1
    assert told.seconds is not None and told.seconds > 0
    assert sum(told.bytes >= buffer.bytes for buffer in told.buffers) == len(told.buffers)
    assert told.thread_bytes * told.threads <= told.bytes <= told.unshared_bytes * 2


def test_multiply_adds_are_those_of_the_layers() -> None:
    net = network()
    told = net.explain(batch_size=8, exact=True, threads=1)
    for index, vertex in enumerate(net.nodes):
        if isinstance(vertex.layer, Conv2D | Dense):
            work = vertex.layer.multiply_adds(*net.input_shapes(index)) * 8
            mine = [k for k in told.kernels if k.label == f"{vertex.name} forward"]
            assert sum(k.multiply_adds for k in mine) == work, vertex.name


def test_layers_passes_and_fused_activations() -> None:
    layers = {layer.name: layer for layer in network().explain(batch_size=8).layers}
    assert layers["conv2d_1"].passes == ("forward", "parameter gradient")
    assert layers["conv2d_2"].passes == ("forward", "input gradient", "parameter gradient")
    assert layers["max_pool2d_1"].passes == ("forward", "input gradient")
    assert (layers["conv2d_2"].fused, layers["dense_1"].fused) == ("ReLU", "")
    for layer in network().explain(training=False, batch_size=8).layers:
        assert layer.passes == ("forward",)
        assert layer.kind != "BatchNorm"  # it is folded


@pytest.mark.parametrize(
    ("layer", "options", "why"),
    [
        (Conv2D(32, 3), {"exact": True}, "exact=True"),
        (
            Conv2D(32, 3),
            {"lanes": 16},
            "rows in strips would cost what they save, or leave the cache",
        ),
        (Conv2D(32, 3, stride=2, uncovered="drop"), {"lanes": 16}, "stride 2×2"),
        (Conv2D(32, 3, groups=2), {}, "2 groups"),
        (Conv2D(32, 3, stride=2, uncovered="drop"), {}, "stride 2×2"),
        (Conv2D(32, 3, dilation=(1, 2)), {}, "dilation 1×2"),
        (Conv2D(32, (3, 5)), {}, "filters of 3×5, Winograd's are 3×3 or 5×5"),
        (Conv2D(32, 3, padding=3), {}, "a padding of 3 is not less than the filter's 3"),
    ],
)
def test_why_not_winograd(layer: Layer, options: dict[str, int], why: str) -> None:
    net = Network([layer], (16, 16, 32))
    runner = trial(net, 16, training=False, **{"lanes": 1, **options})  # type: ignore[arg-type]
    (told,) = explain(runner.plan).layers
    assert (told.algorithm, told.why) == ("direct", why)
    (operation,) = analyse(net, False).operations
    assert _why_not_winograd(runner.settings, operation) == why


def test_what_nobody_reads_is_named() -> None:
    net = Network([Conv2D(4, 3), MaxPool2D(2, uncovered="drop"), Conv2D(4, 1)], (13, 15, 3))
    told = net.explain(batch_size=8)
    assert [layer.part for layer in told.layers] == ["10×12 of 11×13", "", ""]
    assert "conv2d_1: 10×12 of 11×13 outputs are computed, nobody" in str(told)


def test_few_channels_are_not_worth_winograd() -> None:
    (told,) = Network([Conv2D(16, 3)], (28, 28, 1)).explain(batch_size=8).layers
    assert "would cost what they save" in told.why


def test_winograd_is_named() -> None:
    told = Network([Conv2D(64, 3, padding="same")], (16, 16, 64)).explain(batch_size=16)
    if told.lanes.fill == "channels":
        assert told.layers[0].algorithm in ("Winograd F(4×4, 3×3)", "Winograd F(2×2, 3×3)")
        assert told.layers[0].why.endswith("products an output instead of 9")


def test_strips_and_their_passes_are_named() -> None:
    net = Network(
        [Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2), Conv2D(16, 5), Flatten(), Dense(3)],
        (28, 28, 1),
    )
    layers = explain(trial(net, 32, training=True, lanes=16).plan).layers
    first, second = (layer for layer in layers if layer.kind == "Conv2D")
    assert first.algorithm == "Winograd F(4, 5) along rows (filter gradient)"
    assert second.algorithm == "Winograd F(4, 5) along rows"
    assert second.why == "10 products an output instead of 25"


@pytest.mark.parametrize("lanes", [1, 16])
def test_measuring_disturbs_nothing(lanes: int) -> None:
    runner = trial(network(), 32, training=True, threads=2, lanes=lanes)
    arrays = runner.plan.memory.arrays
    before = {buffer: array.copy() for buffer, array in arrays.items()}
    explain(runner.plan, measure=True)
    for buffer, array in arrays.items():
        assert array.tobytes() == before[buffer].tobytes(), buffer.name
    assert explain(runner.plan).lanes.images_of_a_block == lanes


def test_the_network_is_not_changed() -> None:
    net = network()
    flat, state = net.flat.copy(), net.state_flat.copy()
    net.explain(batch_size=16, measure=True)
    np.testing.assert_array_equal(net.flat, flat)
    np.testing.assert_array_equal(net.state_flat, state)


@pytest.mark.parametrize(("batch", "training"), [(24, True), (24, False), (1, False)])
def test_a_walk_computes_what_a_run_does(batch: int, training: bool) -> None:
    runner = trial(network(), batch, training=training, threads=2)
    found = runner.plan.gradient if training else runner.batch.outputs
    seconds_of(runner)
    expected = found.copy()
    found[...] = 0
    seconds = CallProfiler(runner.plan.program).run()
    np.testing.assert_array_equal(found, expected)
    assert len(seconds) == len(explain(runner.plan).kernels)


def brute_force(told: Explanation, runner: object) -> list[int]:
    plan = runner.plan  # type: ignore[attr-defined]
    spans = []
    for use, buffer in zip(plan.memory.uses(), told.buffers, strict=True):
        begin = plan.memory.arrays[use.buffer].ctypes.data
        spans.append((begin, begin + buffer.bytes))
    return [
        sum(low < end and begin < high for low, high in spans) - 1 if end > begin else 0
        for begin, end in spans
    ]


def test_what_shares_memory_is_counted() -> None:
    runner = trial(residual(), 32, training=True, threads=2)
    told = explain(runner.plan)
    shared = brute_force(told, runner)
    assert [buffer.shares_with for buffer in told.buffers] == shared
    assert max(shared) > 0
    names = {buffer.name: buffer for buffer in told.buffers}
    assert names["weights"].shares_with == names["gradient"].shares_with == 0


def test_the_peak_is_above_what_kernels_reach() -> None:
    assert peak("f32", host()) > 1e9
    assert peak("f64", host()) > 1e9


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 0}, r"Network.explain: batch_size"),
        ({"threads": 0}, r"Network.explain: threads"),
    ],
)
def test_errors(options: dict[str, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        network().explain(**options)  # type: ignore[arg-type]


def test_layers_between_dense_and_convolution() -> None:
    told = between().explain(batch_size=4, threads=1)
    algorithms = {layer.name: (layer.algorithm, layer.why) for layer in told.layers}
    assert algorithms["locally_connected2d_1"] == ("loops", "filters of its own at each position")
    assert algorithms["grouped_dense_1"] == ("matrix product", "one column for each group")
