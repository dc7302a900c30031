"""Networks compiled for inference: the same function, with less in between."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from striate.engines import make_engine
from striate.layers import (
    GELU,
    Add,
    Affine,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    HardSwish,
    Input,
    Layer,
    MaxPool2D,
    PReLU,
    ReLU,
    SiLU,
)
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.plan.analysis.batchnorm_folding import folded

SHAPE = (13, 11, 3)


def with_random_numbers(network: Network) -> Network:
    """Scales, shifts and running statistics that are not 1 and 0."""
    rng = np.random.default_rng(1)
    for i in range(len(network.nodes)):
        for name, array in {**network.parameters_of(i), **network.state_of(i)}.items():
            if name in ("scale", "variance"):
                array[...] = rng.uniform(0.5, 1.5, array.shape)
            elif name in ("shift", "mean", "bias", "slope"):
                array[...] = rng.uniform(-1, 1, array.shape)
    return network


def residual() -> Network:
    image = Input(SHAPE)
    x = ReLU()(BatchNorm()(Conv2D(18, 3, padding=1, bias=False)(image)))
    y = BatchNorm()(Conv2D(18, 3, padding=1)(x))
    x = ReLU()(Add()(x, y))
    x = Concat()(x, BatchNorm()(Conv2D(7, 1)(x)))
    x = MaxPool2D(2, uncovered="drop")(BatchNorm()(x))  # behind no convolution: stays
    x = BatchNorm()(Dense(20)(Flatten()(x)))
    return with_random_numbers(Network(inputs=image, output=Dense(5)(ReLU()(x))))


def plain() -> Network:
    layers: list[Layer] = [Conv2D(32, 3), ReLU(), Conv2D(40, 3, padding=1), ReLU()]
    return with_random_numbers(Network([*layers, GlobalAvgPool2D(), Dense(4)], SHAPE))


def scaled() -> Network:
    """`Affine` behind what it is folded into, and behind what it is not."""
    image = Input(SHAPE)
    x = SiLU()(Affine()(BatchNorm()(Conv2D(18, 3, padding=1, bias=False)(image))))
    x = GELU()(Affine(shift=False)(Affine(scale=False)(Conv2D(9, 3)(x))))
    x = PReLU()(Affine()(MaxPool2D((3, 2), uncovered="drop")(x)))  # behind no convolution: stays
    x = Affine()(Dense(20)(Flatten()(x)))
    return with_random_numbers(Network(inputs=image, output=Dense(5)(HardSwish()(x))))


def images(count: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, *SHAPE)).astype(dtype)


def close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() <= 2e-5 * np.abs(other).max())


def test_folding_keeps_the_function_and_drops_layers() -> None:
    network = residual()
    less = folded(network)
    kinds = [type(vertex.layer) for vertex in less.nodes]
    assert kinds.count(BatchNorm) == 1
    assert len(network.nodes) - len(less.nodes) == 4
    assert close(
        make_engine(less, "numpy", batch_size=3).forward(images(3)),
        network.predict_logits(images(3), engine="numpy"),
    )


def test_a_chain_of_factors_is_folded_too() -> None:
    network = scaled()
    less = folded(network)
    kinds = [type(vertex.layer) for vertex in less.nodes]
    assert (kinds.count(BatchNorm), kinds.count(Affine)) == (0, 1)
    outputs = make_engine(less, "numpy", batch_size=3).forward(images(3))
    assert close(outputs, network.predict_logits(images(3), engine="numpy"))


def test_folding_leaves_the_network_as_it_was() -> None:
    network = residual()
    before = network.flat.copy(), network.state_flat.copy(), repr(network)
    folded(network)
    assert (network.flat == before[0]).all()
    assert (network.state_flat == before[1]).all()
    assert repr(network) == before[2]


def test_a_convolution_that_others_read_too_is_not_folded() -> None:
    image = Input(SHAPE)
    x = Conv2D(6, 3)(image)
    network = with_random_numbers(
        Network(inputs=image, output=GlobalAvgPool2D()(Add()(x, BatchNorm()(x))))
    )
    assert len(folded(network).nodes) == len(network.nodes)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("make", [residual, plain, scaled])
def test_outputs_are_those_of_the_network(
    make: type[Network], batch_size: int, threads: int, exact: bool
) -> None:
    network = make()
    network.preprocessing = Preprocessing(mean=(120.0, 110.0, 100.0), std=(60.0, 50.0, 70.0))
    compiled = network.compile(batch_size=batch_size, threads=threads, exact=exact)
    expected = network.predict_logits(images(batch_size), engine="numpy")
    assert close(compiled(images(batch_size)), expected)
    # Fewer images, then all of them again: nothing is left over from either.
    assert close(compiled(images(batch_size)[:1]), expected[:1])
    assert close(compiled(images(batch_size)), expected)


def test_a_single_image_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    # Everything is cut, however small, where it otherwise would not be worth a second thread.
    monkeypatch.setattr("striate.plan.inference._SMALL", 0)
    monkeypatch.setattr("striate.plan.build.axis_split._WORTH", 100)
    for make in (residual, plain, scaled):
        network = make()
        expected = network.predict_logits(images(1), engine="numpy")
        results = [network.compile(threads=threads)(images(1)) for threads in (1, 2, 3, 7)]
        assert all(close(result, expected) for result in results)
        assert all((result == results[0]).all() for result in results)


def test_bytes_and_other_numbers() -> None:
    network = residual()
    compiled = network.compile(batch_size=4)
    pixels = images(4, np.uint8)
    expected = network.predict_logits(pixels, engine="numpy")
    assert close(compiled(pixels), expected)
    assert close(compiled(pixels.astype(np.float64)), expected)
    assert close(compiled(pixels.astype(np.int32)), expected)
    assert close(compiled(np.asfortranarray(pixels.astype(np.float32))), expected)


def test_results_are_the_callers_own() -> None:
    compiled = plain().compile(batch_size=2)
    first = compiled(images(2))
    kept = first.copy()
    compiled(images(2)[::-1])
    assert (first == kept).all()


def test_the_weights_are_those_of_then() -> None:
    network = plain()
    compiled = network.compile()
    before = compiled(images(1))
    network.flat[...] = 0
    assert (compiled(images(1)) == before).all()
    assert not (network.compile()(images(1)) == before).any()


def test_calls_from_several_threads_follow_each_other() -> None:
    compiled = plain().compile(batch_size=3)
    batches = [np.random.default_rng(i).random((3, *SHAPE), np.float32) for i in range(4)]
    expected = [compiled(batch) for batch in batches]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(50):
            if (compiled(batches[number]) != expected[number]).any():
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_errors_say_what_to_change() -> None:
    compiled = plain().compile(batch_size=2)
    with pytest.raises(ValueError, match=r"compiled for 1 to 2 images, got 3; .*larger batch_size"):
        compiled(images(3))
    with pytest.raises(ValueError, match=r"compiled for 1 to 2 images, got 0"):
        compiled(images(0))
    with pytest.raises(ValueError, match=r"for a single image add the batch axis"):
        compiled(images(1)[0])
    with pytest.raises(TypeError, match="array of real numbers"):
        compiled(images(1).astype(complex))
    with pytest.raises(ValueError, match="batch_size"):
        plain().compile(batch_size=0)
    with pytest.raises(ValueError, match="threads"):
        plain().compile(threads=0)


def test_exact_is_without_winograd() -> None:
    assert plain().compile(batch_size=8).winograd
    assert not plain().compile(batch_size=8, exact=True).winograd


@pytest.mark.parametrize(("dtype", "other"), [("uint8", "float32"), ("float64", "uint8")])
def test_it_is_made_ready_for_one_kind_of_images_and_takes_the_other(
    dtype: str, other: str
) -> None:
    network = plain()
    compiled = network.compile(batch_size=4, threads=1, dtype=dtype)
    kinds = {"uint8": "u8", "float32": "real", "float64": "real"}
    assert list(compiled._runners) == [kinds[dtype]]
    images = np.random.default_rng(2).integers(0, 256, (4, *network.input_shape), np.uint8)
    expected = network.predict_logits(images, engine="numpy")
    for kind in (dtype, other):
        np.testing.assert_allclose(compiled(images.astype(kind)), expected, rtol=1e-3, atol=1e-3)
    assert len(compiled._runners) == 2
