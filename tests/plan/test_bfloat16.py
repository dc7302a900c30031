"""Convolutions by pairs of bfloat16 numbers, against the same in float64.

Both factors of a product are rounded to 8 bits, by at most 2⁻⁸ of each: so every number that a pass
computes may be wrong by 2 * 2⁻⁸ of the sum of the absolute values of its products, and by very
little more for the sums in 32 bits.  Plans with pairs work on every processor, only slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from striate.data import load
from striate.layers import Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, PassContext, ReLU
from striate.nest import target
from striate.nest.algebra import PairProduct
from striate.nest.target import host
from striate.network import Network
from striate.plan.analysis.operations import analyse
from striate.plan.lowering.convolution import bfloat16
from striate.plan.runner import Runner

LANES = [1, host().lanes(4)]
# Of the sum of absolute products: both factors' rounding, and a little for the sums.
BOUND = 2 * 2.0**-8 * 1.01
here = pytest.mark.skipif(not host().bfloat16, reason="this processor has no bfloat16 products")


@dataclass(frozen=True)
class Case:
    channels: int
    filters: int
    size: int | tuple[int, int] = 3
    stride: int | tuple[int, int] = 1
    padding: Any = 0
    image: tuple[int, int] = (8, 9)
    dilation: int | tuple[int, int] = 1
    groups: int = 1
    bias: bool = False

    def layer(self) -> Conv2D:
        return Conv2D(
            self.filters,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            uncovered="drop",
        )


CASES = [
    *(Case(c, k, padding=1) for c, k in ((8, 16), (16, 8), (9, 11), (15, 17), (31, 33), (32, 16))),
    Case(64, 80, padding=1, image=(5, 8)),
    Case(160, 144, padding=1, image=(4, 5)),  # filters too many for a gradient of each shard
    Case(9, 10, size=1, image=(7, 7), bias=True),
    Case(16, 33, size=1, stride=2, image=(8, 7)),
    Case(11, 8, size=1, stride=(3, 2), padding=(1, 0, 2, 1), image=(8, 7)),
    Case(17, 16, size=3, stride=2, padding=1),
    Case(10, 12, size=(3, 2), stride=(1, 2), padding=(2, 0, 0, 1), image=(7, 12)),
    Case(8, 9, size=5, padding=2, image=(9, 8), bias=True),
    Case(8, 8, size=(1, 7), padding=(0, 0, 3, 3), image=(3, 9)),
    Case(12, 8, size=3, dilation=(2, 1), padding=2, image=(9, 8)),
    Case(12, 8, size=2, dilation=(1, 3), image=(6, 11)),
    Case(32, 48, padding=1, groups=2, image=(5, 6)),
    Case(18, 22, padding=1, groups=2, image=(6, 5)),
    Case(18, 22, size=1, stride=2, groups=2, image=(7, 9)),
]  # fmt: skip


@dataclass(frozen=True)
class Passes:
    """Output, gradient of the input, gradient of the filters."""

    arrays: tuple[np.ndarray, np.ndarray, np.ndarray]

    def within(self, bound: float, exact: Passes, sizes: Passes) -> None:
        for name, mine, theirs, size in zip(
            ("O", "dX", "dF"), self.arrays, exact.arrays, sizes.arrays, strict=True
        ):
            wrong = np.abs(mine - theirs) / np.maximum(size, 1e-30)
            assert wrong.max() <= bound, f"{name}: {wrong.max() * 2**8} * 2^-8"


def given(case: Case, images: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    network = Network([case.layer()], (*case.image, case.channels))
    x = rng.standard_normal((images, *network.input_shape)).astype(np.float32)
    gradient = rng.standard_normal((images, *network.output_shape)).astype(np.float32)
    flat = rng.standard_normal(network.flat.size).astype(np.float32)
    return x, gradient, flat


def exactly(case: Case, x: np.ndarray, gradient: np.ndarray, flat: np.ndarray) -> Passes:
    """In float64, by the layer's own NumPy code."""
    network = Network([case.layer()], (*case.image, case.channels))
    network.flat[:] = flat
    layer = network.nodes[0].layer
    parameters = {k: v.astype(np.float64) for k, v in network.parameters_of(0).items()}
    output, saved = layer.forward(
        (x.astype(np.float64),), parameters, {}, PassContext(training=True)
    )
    (dx,), gradients = layer.backward(gradient.astype(np.float64), saved, parameters)
    return Passes((output, dx, gradients["filters"]))


def by_pairs(
    case: Case, x: np.ndarray, gradient: np.ndarray, flat: np.ndarray, **options: Any
) -> Passes:
    network = Network([case.layer()], (*case.image, case.channels))
    network.flat[:] = flat
    chosen = {"threads": 2, "exact": True, "bfloat16": True, **options}
    runner = Runner(
        network,
        batch_size=len(x),
        training=True,
        loss="given",
        input_gradient=True,
        **chosen,
    )
    output = runner.run(x, gradient, np.ones(len(x), "f"), np.zeros(len(x), np.uint32))
    filters = network.parameters_of(0)["filters"]
    found = runner.plan.gradient[: filters.size].reshape(filters.shape)
    assert network.slots[0].parameter.name == "filters"
    return Passes((output, runner.input_gradient(len(x)), found.copy()))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_pass_is_as_near_as_8_bits_can_be(case: Case, lanes: int) -> None:
    x, gradient, flat = given(case, images=5)
    mine = by_pairs(case, x, gradient, flat, lanes=lanes)
    exact = exactly(case, x, gradient, flat)
    sizes = exactly(case, np.abs(x), np.abs(gradient), np.abs(flat))
    mine.within(BOUND, exact, sizes)
    plain = by_pairs(case, x, gradient, flat, lanes=lanes, bfloat16=False)
    plain.within(1e-6, exact, sizes)
    for name, matrices, without in zip(("O", "dX", "dF"), mine.arrays, plain.arrays, strict=True):
        assert np.abs(matrices - without).max() > 1e-4, f"{name}: nothing was rounded to 8 bits"


@pytest.mark.parametrize("lanes", LANES)
def test_numbers_of_8_bits_are_multiplied_exactly(lanes: int) -> None:
    case = Case(10, 12, padding=1)
    x, gradient, flat = (np.round(a * 8) / 8 for a in given(case, images=3))
    exact, mine = exactly(case, x, gradient, flat), by_pairs(case, x, gradient, flat, lanes=lanes)
    for theirs, own in zip(exact.arrays, mine.arrays, strict=True):
        np.testing.assert_array_equal(own, theirs)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[7], CASES[11]], ids=str)
def test_the_same_bits_for_any_number_of_threads(case: Case, lanes: int) -> None:
    x, gradient, flat = given(case, images=4 * max(lanes, 5))
    found = {
        b"".join(
            a.tobytes() for a in by_pairs(case, x, gradient, flat, lanes=lanes, threads=n).arrays
        )
        for n in (1, 2, 3, 5)
    }
    assert len(found) == 1


def bottleneck(filters: int = 16) -> Network:
    return Network(
        [
            Conv2D(filters, 3, padding=1), ReLU(), Conv2D(2 * filters, 1), ReLU(),
            Conv2D(2 * filters, 3, stride=2, padding=1, uncovered="drop"), ReLU(),
            MaxPool2D(2), Conv2D(filters, 1), GlobalAvgPool2D(), Dense(10),
        ],
        (8, 8, 1),
    )  # fmt: skip


def step_of(network: Network, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    runner = Runner(
        network,
        batch_size=40,
        threads=2,
        training=True,
        loss="softmax_cross_entropy",
        exact=True,
        **options,
    )
    rng = np.random.default_rng(0)
    dtype = options.get("dtype", np.float32)
    x = rng.standard_normal((40, *network.input_shape)).astype(dtype)
    targets = np.eye(10, dtype=dtype)[rng.integers(0, 10, 40)]
    weights = np.full(40, 1 / 40, dtype)
    outputs = runner.run(x, targets, weights, np.zeros(40, np.uint32))
    return outputs, runner.plan.gradient.copy()


@pytest.mark.parametrize("lanes", LANES)
def test_the_gradient_of_a_network(lanes: int) -> None:
    network = bottleneck()
    parameters = network.flat.astype(np.float64)
    statistics = network.state_flat.astype(np.float64)
    _, exact = step_of(network, dtype=np.float64, parameters=parameters, statistics=statistics)
    _, plain = step_of(network, lanes=lanes)
    _, pairs = step_of(network, lanes=lanes, bfloat16=True)
    scale = np.linalg.norm(exact)
    assert np.linalg.norm(plain - exact) < 1e-5 * scale
    assert 1e-4 * scale < np.linalg.norm(pairs - exact) < 2e-2 * scale


def kernels_by_pairs(runner: Runner) -> set[str]:
    """The layers' names whose sums run over pairs."""
    return {
        step.label.split()[0]
        for stage in runner.plan.stages
        for step in stage.steps
        if any(isinstance(term, PairProduct) for term in step.nest.terms)
    }


def test_which_layers_multiply_in_bfloat16() -> None:
    # Too few channels; Winograd is faster; nothing is; strided; one pixel a row in the end.
    network = Network(
        [
            Conv2D(64, 3, padding=1), Conv2D(64, 3, padding=1), Conv2D(128, 1),
            Conv2D(64, 3, stride=2, padding=1, uncovered="drop"), Conv2D(10, 1, groups=2),
            GlobalAvgPool2D(), Dense(10),
        ],
        (32, 32, 3),
    )  # fmt: skip
    options: dict[str, Any] = {"batch_size": 32, "threads": 1, "lanes": 1, "bfloat16": True}
    runner = Runner(network, **options)
    assert kernels_by_pairs(runner) == {"conv2d_3", "conv2d_4"}
    assert kernels_by_pairs(Runner(network, **options, exact=True)) == {
        "conv2d_2", "conv2d_3", "conv2d_4",
    }  # fmt: skip
    assert not kernels_by_pairs(Runner(network, **{**options, "bfloat16": False}))


def test_winograd_stays_where_it_takes_less_time() -> None:
    network = Network([Conv2D(64, 3, padding=1)], (32, 32, 64))
    (operation,) = analyse(network, True).operations
    products = 9 * 32 * 32 * 64 * 4
    assert bfloat16.is_faster(operation, 16, products)
    assert not bfloat16.is_faster(operation, 16, products / 4)


@here
def test_training_reaches_the_same_accuracy() -> None:
    digits = load("digits")
    accuracy, weights = {}, {}
    for way in (False, True):
        network = Network(
            [
                Conv2D(16, 3, padding=1), ReLU(), Conv2D(32, 3, padding=1), ReLU(), MaxPool2D(2),
                Conv2D(32, 1), ReLU(), Flatten(), Dense(10),
            ],
            (8, 8, 1),
            seed=0,
        )  # fmt: skip
        network.fit(
            digits.train_images, digits.train_labels,
            epochs=8, batch_size=64, seed=0, exact=True, bfloat16=way, progress=False,
        )  # fmt: skip
        found = network.predict(digits.test_images, exact=True, bfloat16=way)
        accuracy[way] = (found == digits.test_labels).mean()
        weights[way] = network.flat.copy()
    assert np.abs(weights[True] - weights[False]).max() > 1e-4
    assert min(accuracy.values()) > 0.95
    assert abs(accuracy[True] - accuracy[False]) < 0.02


@here
@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_compiled_network(batch_size: int) -> None:
    network = Network(
        [Conv2D(64, 1), ReLU(), Conv2D(96, 1), GlobalAvgPool2D(), Dense(10)],
        (24, 24, 32),
    )
    x = np.random.default_rng(0).standard_normal((batch_size, 24, 24, 32)).astype("f")
    plain = network.compile(batch_size=batch_size)(x)
    found = [network.compile(batch_size=batch_size, threads=n, bfloat16=True)(x) for n in (1, 2, 3)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    assert 1e-5 < np.abs(found[0] - plain).max() < 0.02 * np.abs(plain).max()
    np.testing.assert_allclose(network.predict_logits(x, bfloat16=True), found[0], atol=1e-5)
    np.testing.assert_allclose(network.predict_logits(x), plain, atol=1e-5)


@here
def test_explain_tells() -> None:
    network = bottleneck(32)
    told = network.explain(batch_size=256, exact=True, bfloat16=True)
    how = {layer.name: (layer.algorithm, layer.why) for layer in told.layers}
    assert how["conv2d_2"][0] == "direct, products in bfloat16"
    assert how["conv2d_1"] == ("direct", "exact=True; fewer than 8 channels: no bfloat16")
    assert told.to_dict()["bfloat16"] is True
    assert ", exact, bfloat16" in str(told)
    assert network.explain(batch_size=256).to_dict()["bfloat16"] is False


# --- processors without it ----------------------------------------------------------------------


@pytest.fixture
def old() -> Iterator[None]:
    older = replace(
        host(), cpu="older", features=host().features.replace("+avx512bf16", "-avx512bf16")
    )
    with target.as_host(older):
        yield


@pytest.mark.usefixtures("old")
def test_a_processor_without_it() -> None:
    network, x = bottleneck(), np.zeros((2, 8, 8, 1), "f")
    has = {64: "AVX-512 without it", 32: "AVX2"}.get(host().vector_bytes, "")
    words = rf"bfloat16=True needs a processor with AVX-512 BF16; this one \(older\) has {has}"
    with pytest.raises(ValueError, match=words):
        network.predict_logits(x, bfloat16=True)
    with pytest.raises(ValueError, match=words):
        network.compile(bfloat16=True)
    with pytest.raises(ValueError, match=words):
        network.explain(bfloat16=True)
    with pytest.raises(ValueError, match=words):
        network.tune(bfloat16=True)
    with pytest.raises(ValueError, match=words):
        network.fit(x, np.array([0, 1]), epochs=1, progress=False, bfloat16=True)
    network.predict_logits(x)


def test_another_vector_unit_is_named() -> None:
    for triple, size, has in (
        ("x86_64-pc-linux", 32, "AVX2"),
        ("x86_64-pc-linux", 16, "shorter vectors only"),
        ("aarch64-linux-gnu", 16, "NEON"),
    ):
        older = target.Target(triple, "some", "", size, 16)
        with pytest.raises(ValueError, match=f"this one \\(some\\) has {has}"):
            target.require_bfloat16(older)


def test_numpy_has_no_such_numbers() -> None:
    with pytest.raises(ValueError, match='bfloat16=True needs engine="llvm"'):
        bottleneck().predict_logits(np.zeros((1, 8, 8, 1), "f"), engine="numpy", bfloat16=True)


def test_float64_stays() -> None:
    case = Case(16, 16, size=1)
    x, gradient, flat = (a.astype(np.float64) for a in given(case, images=3))
    network = Network([case.layer()], (*case.image, case.channels))
    runner = Runner(
        network, batch_size=3, threads=1, dtype=np.float64, parameters=flat, bfloat16=True,
        statistics=np.zeros(0),
    )  # fmt: skip
    np.testing.assert_allclose(
        runner.run(x), exactly(case, x, gradient, flat).arrays[0], atol=1e-12
    )
