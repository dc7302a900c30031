"""The backward direction of the page, in a real browser: gradients and steps, against float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.layers import LAYERS, Layer, PassContext
from striate.reports.data import Report

Values = dict[int, Any]


def forward(network: striate.Network, values: Values, changed: dict[str, Any]) -> Values:
    """All values in float64, those that are given as they are; `changed` are other parameters."""
    values = dict(values)
    for index, vertex in enumerate(network.nodes):
        if index not in values:
            own = network.nodes[network.owner(index)].name
            parameters = {
                name: np.asarray(changed.get(f"{own}/{name}", array), float)
                for name, array in network.parameters_of(index).items()
            }
            inputs = tuple(values[source] for source in vertex.inputs)
            state = {name: array.astype(float) for name, array in network.state_of(index).items()}
            run = PassContext(training=False, salt=index)
            values[index] = vertex.layer.forward(inputs, parameters, state, run)[0]
    return values


def loss_of(logits: Any, truth: int, smoothing: float) -> float:
    """Cross-entropy of one image by its definition, in float64."""
    (row,) = logits
    target = np.full(len(row), smoothing / len(row))
    target[truth] += 1 - smoothing
    shifted = row - row.max()
    return float(-(target * (shifted - np.log(np.exp(shifted).sum()))).sum())


def slope(loss: Callable[[float], float], step: float = 1e-5) -> float | None:
    """The central difference at 0; None at a corner, where those of both sides differ."""
    below, here, above = (loss(change) for change in (-step, 0.0, step))
    left, right = (here - below) / step, (above - here) / step
    if abs(left - right) > 1e-3 * max(abs(left), abs(right)) + 1e-7:
        return None
    return (left + right) / 2


class Oracle:
    """Gradients of one image's loss by differences, in float64: no backward pass at all.

    They are None where the loss has a corner, such as a tie in a window of max-pooling.
    """

    def __init__(self, report: Report, image: int) -> None:
        self.network, self.smoothing = report.network, report.label_smoothing
        self.truth = report.chosen[image].truth
        raw = np.asarray(report.pictures[report.chosen[image].index], float)[None]
        mean, std = report.network.preprocessing.mean, report.network.preprocessing.std
        self.input = (raw - np.array(mean)) / np.array(std) if len(mean) else raw
        self.values = forward(self.network, {-1: self.input}, {})
        self.last = len(self.network.nodes) - 1

    def of_value(self, node: int, index: int) -> float | None:
        def loss(change: float) -> float:
            moved = self.values[node].copy()
            moved.reshape(-1)[index] += change
            earlier = {k: v for k, v in self.values.items() if k < node}
            return self._loss(forward(self.network, {**earlier, node: moved}, {}))

        return slope(loss)

    def of_weight(self, name: str, index: int) -> float | None:
        def loss(change: float) -> float:
            moved = self.network.parameters[name].astype(float)
            moved.reshape(-1)[index] += change
            return self._loss(forward(self.network, {-1: self.input}, {name: moved}))

        return slope(loss)

    def _loss(self, values: Values) -> float:
        return loss_of(values[self.last], self.truth, self.smoothing)


def randomised(network: striate.Network, seed: int, spread: float = 0.4) -> striate.Network:
    random = np.random.default_rng(seed)
    for name, array in {**network.parameters, **network.state}.items():
        drawn = random.normal(size=array.shape) * spread
        array[...] = np.abs(drawn) + 0.3 if name.endswith("variance") else array + drawn
    return network


def windows() -> striate.Network:
    """Convolutions with strides, padding, dilation and groups; poolings; batch normalisation."""
    x = image = striate.Input((11, 9, 3))
    x = striate.Conv2D(6, (3, 2), padding=(2, 0, 1, 0), groups=3)(x)
    x = striate.ReLU()(striate.BatchNorm()(x))
    x = striate.Conv2D(4, 3, stride=(2, 1), dilation=(1, 2), padding=(1, 1, 2, 1))(x)
    x = striate.LeakyReLU(0.2)(x)
    x = striate.MaxPool2D(3, stride=2, padding=1, uncovered="drop")(x)
    x = striate.AvgPool2D(2, stride=1, padding="same")(x)
    x = striate.Dropout(0.4)(striate.ReLU()(striate.Dense(9)(striate.Flatten()(x))))
    network = striate.Network(inputs=image, output=striate.Dense(5)(x))
    network.preprocessing = striate.Preprocessing(mean=(90.3, 120.7, 100.1), std=(60, 50, 70.3))
    return randomised(network, 1)


def skips() -> striate.Network:
    """Residual sums, concatenation, a layer in two places, and an output that nobody reads."""
    image = striate.Input((7, 8, 2))
    shared = striate.Conv2D(4, 3, padding=1, name="shared")
    x = striate.ReLU()(striate.Conv2D(4, 1)(image))
    y = striate.ReLU()(shared(x))
    x = striate.Add()(x, shared(y), x)
    x = striate.MaxPool2D(2, uncovered="drop")(striate.Concat()(x, y))
    x = striate.GlobalAvgPool2D()(striate.SumPool2D(2, uncovered="drop")(x))
    return randomised(striate.Network(inputs=image, output=striate.Dense(3)(x)), 2)


def curved() -> striate.Network:
    """Activations that are curves, products, choices of channels, and norms over channels."""
    x = image = striate.Input((6, 5, 3))
    x = striate.PReLU()(striate.Conv2D(6, 3, padding=1)(x))
    gate = striate.HardSigmoid(0.2)(striate.Dense(6)(striate.GlobalAvgPool2D()(x)))
    mask = striate.ELU(1.5)(striate.Conv2D(1, 1)(x))
    x = striate.SiLU()(striate.Multiply()(gate, x, mask, x))
    x = striate.ChannelShuffle(3)(x)
    y = striate.GELU()(striate.LayerNorm()(striate.ChannelSlice(1, 6, 2)(x)))
    z = striate.GELU("tanh")(striate.LRN(4, 0.5)(striate.ChannelSlice(2, 5)(x)))
    y = striate.Mish()(striate.Affine(shift=False)(striate.Multiply()(y, z)))
    y = striate.HardSwish()(striate.Affine()(striate.ReLU6()(y)))
    y = striate.Clip(-0.1, 0.4)(striate.Affine(scale=False)(striate.PReLU(shared=True)(y)))
    out = striate.Multiply()(striate.Clip(high=0.3)(striate.Flatten()(y)), striate.Flatten()(z))
    out = striate.Concat()(striate.Tanh()(out), striate.Sigmoid()(striate.Scale(0.7)(out)))
    return randomised(striate.Network(inputs=image, output=striate.Dense(4)(out)), 4, 0.6)


def moved() -> striate.Network:
    """Layers that move and enlarge images, and weights that are shared nowhere or by groups."""
    x = image = striate.Input((7, 6, 4))
    x = striate.ZeroPad2D((1, 0, 2, 1))(x)
    x = striate.AvgPool2D(2, stride=3, padding=(1, 0), count_padding=True, uncovered="overhang")(x)
    x = striate.ConvTranspose2D(
        6, (3, 2), stride=(2, 3), padding=(1, 0, 1, 1), output_padding=(0, 1), groups=2
    )(x)
    x = striate.Crop2D((0, 1, 1, 0))(x)
    x = striate.LocallyConnected2D(4, (2, 3), padding=(1, 0, 1, 1), groups=2)(x)
    x = striate.MaxPool2D(2, stride=(2, 3), uncovered="overhang")(x)
    y = striate.GlobalMaxPool2D()(x)
    x = striate.GroupedDense(12, 3)(striate.Flatten()(x))
    return randomised(
        striate.Network(inputs=image, output=striate.Dense(3)(striate.Concat()(x, y))), 5
    )


NETWORKS: dict[str, tuple[Callable[[], striate.Network], float]] = {
    "windows": (windows, 0.0),
    "skips": (skips, 0.1),
    "curved": (curved, 0.0),
    "moved": (moved, 0.2),
}


@pytest.fixture(scope="module", params=NETWORKS)
def shown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Report]:
    """The page of a network, and its report."""
    make, smoothing = NETWORKS[request.param]
    network, random = make(), np.random.default_rng(7)
    shape = network.input_shape
    whole = len(network.preprocessing.mean)
    images = random.integers(0, 256, (4, *shape), dtype=np.uint8) if whole else (
        random.normal(size=(4, *shape)).astype(np.float32)
    )  # fmt: skip
    labels = random.integers(0, network.output_shape[0], 4)
    path = tmp_path_factory.mktemp("gradients") / f"{request.param}.html"
    report = striate.report(
        network, images, labels, path=path, engine="numpy", choose=2, label_smoothing=smoothing
    )
    return path, report


def told(page: Any, function: str, arguments: list[Any]) -> Any:
    return page.evaluate(f"(all) => all.map((one) => striateReport.{function}(...one))", arguments)


def test_every_gradient_is_the_sum_of_its_terms(open_page: Any, shown: tuple[Path, Report]) -> None:
    path, report = shown
    page, network = open_page(path), report.network
    oracle, random, corners = Oracle(report, 1), np.random.default_rng(0), 0
    for node in range(-1, len(network.nodes)):
        shape = network.input_shape if node < 0 else network.nodes[node].shape
        name = "input" if node < 0 else network.nodes[node].name
        size = int(np.prod(shape))
        got = page.evaluate("n => Array.from(striateReport.gradientsOf(1, n))", node)
        engine = report.gradients.values[node][1].ravel()
        np.testing.assert_array_equal(np.array(got, np.float32), engine, name)
        places = sorted({0, size - 1, *random.integers(0, size, 5).tolist()})
        whys = told(page, "explainGradient", [[1, node, place] for place in places])
        most = float(np.abs(engine).max())
        for place, why in zip(places, whys, strict=True):
            assert why["kind"] == ("loss" if node == len(network.nodes) - 1 else "sum"), name
            assert why["check"]["fits"], (name, place, why["total"], why["value"])
            assert why["check"]["bound"] < 1e-4 * max(most, 1e-6), name
            expected = oracle.of_value(node, place)
            if expected is None:
                corners += 1
                continue
            assert why["total"] == pytest.approx(expected, rel=2e-5, abs=1e-5 * most + 1e-7), (
                name, place
            )  # fmt: skip
    assert corners < len(network.nodes) * 2


def test_every_gradient_of_a_weight_is_the_sum_of_its_terms(
    open_page: Any, shown: tuple[Path, Report]
) -> None:
    path, report = shown
    page, network = open_page(path), report.network
    oracle, random, corners = Oracle(report, 0), np.random.default_rng(1), 0
    for slot in network.slots:
        layer, name = network.nodes[slot.node].name, slot.parameter.name
        size = slot.stop - slot.start
        places = sorted({0, size - 1, *random.integers(0, size, 5).tolist()})
        whys = told(page, "explainWeight", [[0, slot.node, name, place] for place in places])
        engine = report.gradients.weights[slot.node][name][0].ravel()
        most = float(np.abs(engine).max())
        for place, why in zip(places, whys, strict=True):
            assert why["kind"] == "sum" and why["value"] == engine[place]
            assert why["weight"] == network.parameters_of(slot.node)[name].ravel()[place]
            assert why["check"]["fits"], (layer, name, place, why["total"], why["value"])
            expected = oracle.of_weight(f"{layer}/{name}", place)
            if expected is None:
                corners += 1
                continue
            assert why["total"] == pytest.approx(expected, rel=2e-5, abs=1e-5 * most + 1e-7), (
                layer, name, place
            )  # fmt: skip
    assert corners <= len(network.slots)


def test_the_loss_is_the_cross_entropy(open_page: Any, shown: tuple[Path, Report]) -> None:
    path, report = shown
    page = open_page(path)
    for image in (0, 1):
        oracle = Oracle(report, image)
        expected = loss_of(oracle.values[oracle.last], oracle.truth, report.label_smoothing)
        got = page.evaluate("i => striateReport.lossOf(i).loss", image)
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert report.gradients.losses[image] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_what_reads_a_value_is_what_moves_with_it(
    open_page: Any, shown: tuple[Path, Report]
) -> None:
    path, report = shown
    page, network, oracle = open_page(path), report.network, Oracle(report, 0)
    random, moving = np.random.default_rng(2), 0
    for node in range(-1, len(network.nodes) - 1):
        shape = network.input_shape if node < 0 else network.nodes[node].shape
        for place in random.integers(0, int(np.prod(shape)), 3).tolist():
            (got,) = told(page, "movedBy", [[0, node, place]])
            claimed: dict[int, set[int]] = {}
            for one in got:
                terms = [term["index"] for part in one["parts"] for term in part["terms"]]
                claimed.setdefault(one["node"], set()).update(terms)
            for reader, vertex in enumerate(network.nodes):
                if node not in vertex.inputs:
                    continue
                values = {k: v for k, v in oracle.values.items() if k != reader and k != node}
                changed = oracle.values[node].copy()
                changed.reshape(-1)[place] += 1e3  # the largest of every window that has it
                after = forward(network, {**values, node: changed}, {})[reader].ravel()
                moves = set(np.flatnonzero(after != oracle.values[reader].ravel()).tolist())
                assert moves <= claimed[reader], (vertex.name, place)
                moving += len(moves)
    assert moving > 50


def test_every_type_of_layer_has_its_derivative(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    assert set(LAYERS) <= set(page.evaluate("striateReport.withDerivative"))
    with_weights = {n for n, kind in LAYERS.items() if kind.parameters is not Layer.parameters}
    assert {"Conv2D", "Dense", "BatchNorm"} < with_weights
    assert with_weights <= set(page.evaluate("striateReport.withWeightGradient"))
