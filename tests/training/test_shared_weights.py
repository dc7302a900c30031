"""One layer in several places of a network: the same parameters, whose gradients add up."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.engines import make_engine
from striate.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Input,
    Layer,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
)
from striate.model.container import Container
from striate.model.files import ModelFileError
from striate.network import Network, load
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import SGD, AdamW
from striate.plan.analysis.batchnorm_folding import folded

RANDOM = np.random.default_rng(3)
ENGINES = ("llvm", "numpy")
Make = Callable[[], Layer]


def twice(once: Layer | Make) -> tuple[Make, Make]:
    """What gives the same layer each time, and what makes a new one each time."""
    made = once() if callable(once) and not isinstance(once, Layer) else once
    return (lambda: made), (lambda: copy.copy(made))


def row(make: Make, channels: int, height: int = 9, width: int = 7) -> Any:
    """A layer three times in a row, from and to the same shape."""
    x = image = Input((height, width, channels))
    for _ in range(3):
        x = ReLU()(make()(x))
    return image, Dense(4)(Flatten()(x))


def branches(make: Make, channels: int, height: int = 9, width: int = 7) -> Any:
    """A layer on images of two sizes, and its outputs together."""
    image = Input((height, width, channels))
    large = make()(image)
    small = make()(MaxPool2D(2, uncovered="drop")(image))
    both = Concat()(*(GlobalAvgPool2D()(ReLU()(BatchNorm()(x))) for x in (large, small)))
    return image, Dense(4)(both)


def vectors(make: Make, channels: int, height: int = 9, width: int = 7) -> Any:
    """A dense layer three times."""
    image = Input((height, width, channels))
    x = Dense(channels)(Flatten()(image))
    for _ in range(3):
        x = ReLU()(make()(x))
    return image, Dense(4)(x)


CASES: dict[str, tuple[Any, Make, int]] = {
    "3x3 in a row, 7": (row, lambda: Conv2D(7, 3, padding="same"), 7),
    "3x3 in a row, 16": (row, lambda: Conv2D(16, 3, padding="same"), 16),
    "uneven, in a row, 9": (row, lambda: Conv2D(9, (2, 3), padding=(0, 1, 2, 0)), 9),
    "5x5 in a row, large, 33": (row, lambda: Conv2D(33, 5, padding="same"), 33),
    "depthwise, 17": (row, lambda: Conv2D(17, 3, padding="same", groups=17), 17),
    "groups and dilation, 32": (
        row, lambda: Conv2D(32, 3, padding="same", groups=4, dilation=2, bias=False), 32
    ),
    "stride, two sizes, 8": (
        branches, lambda: Conv2D(15, 3, stride=2, padding=1, uncovered="drop"), 8
    ),
    "1x1, two sizes, 31": (branches, lambda: Conv2D(8, 1), 31),
    "batch norm in a row, 15": (row, BatchNorm, 15),
    "locally connected, 3": (row, lambda: LocallyConnected2D(3, 3, padding="same"), 3),
    "dense, 17": (vectors, lambda: Dense(17), 17),
    "grouped dense, 32": (vectors, lambda: GroupedDense(32, 4), 32),
    "huge, 128": (row, lambda: Conv2D(128, 3, padding="same"), 128),
}  # fmt: skip


def pair(name: str) -> tuple[Network, Network]:
    """A network whose layer is shared, and one with a layer for each place and the same numbers."""
    graph, once, channels = CASES[name]
    size = (4, 3) if "huge" in name else (9, 7)
    made = []
    for make in twice(once):
        image, output = graph(make, channels, *size)
        made.append(Network(inputs=image, output=output))
    shared, apart = made
    for own in (*shared.parameters.values(), *shared.state.values()):
        own[...] = RANDOM.normal(0.0, 0.3 if own.ndim < 3 else 0.1, own.shape)
    for variance in (v for k, v in shared.state.items() if k.endswith("variance")):
        variance[...] = RANDOM.uniform(0.5, 2.0, variance.shape)
    for i in range(len(apart.nodes)):
        for ours, theirs in (
            (shared.parameters_of(i), apart.parameters_of(i)),
            (shared.state_of(i), apart.state_of(i)),
        ):
            for key, value in theirs.items():
                value[...] = ours[key]
    return shared, apart


def batch(network: Network, count: int = 19) -> tuple[Any, Any]:
    images = RANDOM.standard_normal((count, *network.input_shape), np.float32)
    return images, RANDOM.integers(0, 4, count)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_the_sum_over_the_places(name: str, engine: str) -> None:
    shared, apart = pair(name)
    assert shared.parameter_count < apart.parameter_count
    assert len(shared.nodes) == len(apart.nodes)
    images, labels = batch(shared)
    loss, found = shared.gradients(images, labels, engine=engine)
    other, parts = apart.gradients(images, labels, engine=engine)
    assert loss == pytest.approx(other, rel=1e-5)
    assert set(found) == set(shared.parameters)
    for key, gradient in found.items():
        owner, short = key.split("/")
        first = next(i for i, node in enumerate(shared.nodes) if node.name == owner)
        places = [i for i in range(len(shared.nodes)) if shared.owner(i) == first]
        whole = sum(parts[f"{apart.nodes[i].name}/{short}"].astype(np.float64) for i in places)
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(gradient, whole, atol=2e-5 * np.abs(whole).max(), err_msg=key)
    assert max(sum(shared.owner(i) == j for i in range(len(shared.nodes)))
               for j in range(len(shared.nodes))) in (2, 3)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_those_of_layers_with_the_same_numbers(name: str) -> None:
    shared, apart = pair(name)
    images, _ = batch(shared)
    expected = apart.predict_logits(images, engine="numpy")
    scale = np.abs(expected).max()
    for found in (
        shared.predict_logits(images, engine="numpy"),
        shared.predict_logits(images),
        shared.compile(batch_size=19)(images),
        shared.compile()(images[:1]),
    ):
        np.testing.assert_allclose(found, expected[: len(found)], atol=1e-5 * scale)


@pytest.mark.parametrize("name", ["3x3 in a row, 7", "5x5 in a row, large, 33", "dense, 17"])
@pytest.mark.parametrize("batch_size", [3, 40])
def test_the_engines_agree_and_threads_change_no_bit(name: str, batch_size: int) -> None:
    found = []
    for engine, threads in (("llvm", 1), ("llvm", 2), ("numpy", 1)):
        network, _ = pair(name)
        network.initialise(5)
        images = np.random.default_rng(1).random((40, *network.input_shape), np.float32)
        labels = np.arange(40) % 4
        network.fit(
            images, labels, epochs=2, batch_size=batch_size, engine=engine, threads=threads,
            optimizer=AdamW(weight_decay=0.1), learning_rate=1e-3, progress=False,
        )  # fmt: skip
        found.append(network.flat.copy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], atol=2e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_three_steps_as_pytorch_makes_them(engine: str) -> None:
    """A convolution and a batch normalisation in two places, the second on pooled images."""
    torch = pytest.importorskip("torch")
    image = Input((10, 7, 3))
    conv, norm = Conv2D(9, 3, padding="same", name="conv"), BatchNorm(momentum=0.8, name="norm")
    x = Conv2D(9, 1, name="first")(image)
    x = MaxPool2D(2, uncovered="drop")(ReLU()(norm(conv(x))))
    x = ReLU()(norm(conv(x)))
    network = Network(inputs=image, output=Dense(4, name="last")(GlobalAvgPool2D()(x)))
    for value in network.parameters.values():
        value[...] = RANDOM.normal(0.1, 0.4, value.shape)

    def peer(dtype: Any) -> Any:
        nn = torch.nn
        own = nn.ModuleDict(
            {
                "first": nn.Conv2d(3, 9, 1), "conv": nn.Conv2d(9, 9, 3, padding=1),
                "norm": nn.BatchNorm2d(9, momentum=0.2), "last": nn.Linear(9, 4),
            }
        ).to(dtype)  # fmt: skip
        for name, value in network.parameters.items():
            layer, short = name.split("/")
            number = torch.tensor(value, dtype=dtype)
            number = number.permute({4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[number.ndim])
            key = {"bias": "bias", "shift": "bias"}.get(short, "weight")
            getattr(own[layer], key).data = number.contiguous()
        return own

    def forward(own: Any, x: Any) -> Any:
        functional = torch.nn.functional
        x = functional.relu(own["norm"](own["conv"](own["first"](x))))
        x = functional.relu(own["norm"](own["conv"](functional.max_pool2d(x, 2))))
        return own["last"](x.mean((2, 3)))

    peers = {dtype: peer(dtype) for dtype in (torch.float32, torch.float64)}
    optimizers = {
        dtype: torch.optim.SGD(own.parameters(), lr=0.05, momentum=0.9)
        for dtype, own in peers.items()
    }
    runner = make_engine(network, engine, batch_size=16, loss=SoftmaxCrossEntropy())
    optimizer = SGD(momentum=0.9, nesterov=False, weight_decay=0.0)
    optimizer.prepare(network.flat.size)
    for step in range(3):
        images = RANDOM.standard_normal((16, 10, 7, 3), np.float32)
        labels = RANDOM.integers(0, 4, 16)
        loss, _ = runner.step(
            images, np.eye(4, dtype=np.float32)[labels], np.full(16, 1 / 16, np.float32),
            np.full(16, step, np.uint32),
        )  # fmt: skip
        runner.update(optimizer, 0.05)
        for dtype, own in peers.items():
            optimizers[dtype].zero_grad()
            outputs = forward(own, torch.tensor(images, dtype=dtype).permute(0, 3, 1, 2))
            value = torch.nn.functional.cross_entropy(outputs, torch.tensor(labels))
            value.backward()
            optimizers[dtype].step()
        assert loss == pytest.approx(value.item(), rel=1e-5)
    exact, single = peers[torch.float64], peers[torch.float32]
    for name, value in {**network.parameters, **network.state}.items():
        layer, short = name.split("/")
        key = {"bias": "bias", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
        wanted, theirs = (
            np.asarray(getattr(own[layer], key.get(short, "weight")).detach(), np.float64)
            for own in (exact, single)
        )
        if wanted.ndim == 4:
            wanted, theirs = wanted.transpose(2, 3, 1, 0), theirs.transpose(2, 3, 1, 0)
        if wanted.ndim == 2:
            wanted, theirs = wanted.T, theirs.T
        allowed = 3 * np.abs(theirs - wanted).max() + 1e-6 * np.abs(wanted).max()
        np.testing.assert_allclose(value, wanted, rtol=0, atol=allowed, err_msg=name)


def example() -> Network:
    image = Input((8, 6, 3))
    conv, norm = Conv2D(3, 3, padding="same"), BatchNorm()
    x = norm(conv(image))
    x = Dropout(0.5)(norm(conv(ReLU()(x), name="again")))
    return Network(inputs=image, output=Dense(2)(Flatten()(Add()(x, conv(image)))))


def test_names_and_what_is_counted_once() -> None:
    network = example()
    names = [node.name for node in network.nodes]
    assert names == [
        "conv2d_1", "batch_norm_1", "relu_1", "again", "batch_norm_1@2", "dropout_1",
        "conv2d_1@2", "add_1", "flatten_1", "dense_1",
    ]  # fmt: skip
    assert [node.shares for node in network.nodes[:7]] == [None, None, None, 0, 1, None, 0]
    assert list(network.parameters) == [
        "conv2d_1/filters", "conv2d_1/bias", "batch_norm_1/scale", "batch_norm_1/shift",
        "dense_1/weights", "dense_1/bias",
    ]  # fmt: skip
    assert list(network.state) == ["batch_norm_1/mean", "batch_norm_1/variance"]
    assert network.parameter_count == 84 + 6 + 8 * 6 * 3 * 2 + 2
    summary = network.summary()
    assert summary.parameters == network.parameter_count
    assert [row.parameters for row in summary.rows][:7] == [84, 6, 0, 0, 0, 0, 0]
    assert summary.multiply_adds == sum(
        v.layer.multiply_adds(*network.input_shapes(i)) for i, v in enumerate(network.nodes)
    )
    for first, other in ((0, 3), (0, 6), (1, 4)):
        for mine, theirs in (
            (network.parameters_of(first), network.parameters_of(other)),
            (network.state_of(first), network.state_of(other)),
        ):
            assert mine.keys() == theirs.keys()
            assert all(np.shares_memory(mine[key], theirs[key]) for key in mine)
    assert "shares the weights of conv2d_1" in str(summary)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_shared_layer_is_frozen_in_all_places_by_the_name_of_any(engine: str) -> None:
    network = example()
    network.freeze("again", "batch_norm_1@2")
    assert network.frozen == {"conv2d_1", "batch_norm_1"}
    assert network.frozen_nodes == {0, 1, 3, 4, 6}
    before = {**network.parameters, **network.state}
    before = {name: value.copy() for name, value in before.items()}
    images, labels = batch(network, 20)
    network.fit(images, labels % 2, epochs=2, engine=engine, progress=False)
    for name, value in {**network.parameters, **network.state}.items():
        assert np.array_equal(value, before[name]) == (not name.startswith("dense")), name
    network.unfreeze("conv2d_1@2")
    assert network.frozen == {"batch_norm_1"}
    assert set(network.gradients(images, labels % 2, engine=engine)[1]) == {
        "conv2d_1/filters", "conv2d_1/bias", "dense_1/weights", "dense_1/bias"
    }  # fmt: skip


def test_dropout_in_two_places_drops_different_values() -> None:
    image, drop = Input((40,)), Dropout(0.5)
    network = Network(inputs=image, output=Add()(drop(image), drop(image)))
    targets = np.zeros((8, 40), np.float32)
    for engine in ENGINES:
        runner = make_engine(network, engine, batch_size=8, loss=SoftmaxCrossEntropy())
        _, outputs = runner.step(
            np.ones((8, 40), np.float32), targets, np.full(8, 1 / 8, np.float32),
            np.arange(8, dtype=np.uint32),
        )  # fmt: skip
        assert set(np.unique(outputs)) == {0.0, 2.0, 4.0}


def test_files_configs_and_copies_keep_it(tmp_path: Path) -> None:
    network = example()
    network.state["batch_norm_1/mean"][...] = [1, 2, 3]
    path = tmp_path / "shared.safetensors"
    network.save(path)
    assert Container(path).metadata["format_version"] == "2"
    assert set(Container(path).tensors()) == {*network.parameters, *network.state}
    description = json.loads(json.dumps(network.get_config()))
    assert [node.get("shares") for node in description["nodes"]][3:7] == [0, 1, None, 0]
    images, _ = batch(network)
    for other in (
        load(path),
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
    ):
        assert other.get_config() == network.get_config()
        assert other.parameter_count == network.parameter_count
        np.testing.assert_array_equal(other.predict_logits(images), network.predict_logits(images))
        other.parameters["conv2d_1/filters"][...] += 1
        assert (other.parameters_of(3)["filters"] == other.parameters_of(0)["filters"]).all()
        assert not np.array_equal(other.flat, network.flat)
    plain = Network([Conv2D(2, 3), Flatten(), Dense(2)], (8, 6, 3))
    plain.save(tmp_path / "plain.safetensors")
    assert Container(tmp_path / "plain.safetensors").metadata["format_version"] == "1"


def test_a_long_name_leaves_room_for_the_number_of_the_place() -> None:
    conv = Conv2D(3, 1, name="n" * 200)
    network = Network([conv, conv, conv, Conv2D(3, 1, name="n" * 198 + "@4")], (4, 4, 3))
    names = [node.name for node in network.nodes]
    assert len(set(names)) == 4
    assert max(map(len, names)) == 200
    assert Network.from_config(network.get_config()).get_config() == network.get_config()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": 5}, "it must be an earlier node with weights of its own"),
        ({"shares": -1}, "shares must be"),
        ({"shares": "0"}, "shares must be"),
        ({"shares": 1}, "which is another layer"),
        ({"config": {"filters": 3, "size": 3}}, "which is another layer"),
    ],
)
def test_a_wrong_description_is_refused(change: Any, message: str) -> None:
    config = example().get_config()
    config["nodes"][3].update(change)
    with pytest.raises((ValueError, TypeError), match=message):
        Network.from_config(config)


def test_chains_of_sharers_are_refused(tmp_path: Path) -> None:
    config = example().get_config()
    config["nodes"][6]["shares"] = 3
    with pytest.raises(ValueError, match="with weights of its own"):
        Network.from_config(config)
    network = example()
    path = tmp_path / "model.safetensors"
    network.save(path)
    path.write_bytes(path.read_bytes().replace(b'\\"shares\\":1', b'\\"shares\\":9'))
    with pytest.raises(ModelFileError, match="its architecture cannot be built"):
        load(path)


def test_shapes_that_differ_are_refused_by_name() -> None:
    conv = Conv2D(4, 3, name="both")
    image = Input((8, 8, 3))
    with pytest.raises(ValueError, match=r'"both": has several places, and its filters would .* '
                       r"\(3, 3, 3, 4\) in the first and \(3, 3, 4, 4\) in 'both@2'"):  # fmt: skip
        Network(inputs=image, output=conv(conv(image)))
    dense = Dense(4)
    with pytest.raises(ValueError, match=r"\(5, 4\) in the first and \(4, 4\)"):
        Network([dense, dense], (5,))


def test_folding_shares_what_stays_the_same() -> None:
    image = Input((8, 6, 3))
    conv, norm = Conv2D(3, 3, padding="same"), BatchNorm()
    x = norm(conv(norm(conv(image))))
    network = Network(inputs=image, output=Dense(2)(Flatten()(BatchNorm()(conv(x)))))
    for value in (*network.parameters.values(), *network.state.values()):
        value[...] = RANDOM.uniform(0.5, 1.5, value.shape)
    own = folded(network)
    assert [type(node.layer) for node in own.nodes] == [Conv2D, Conv2D, Conv2D, Flatten, Dense]
    assert [node.shares for node in own.nodes] == [None, 0, None, None, None]
    images, _ = batch(network)
    expected = network.predict_logits(images, engine="numpy")
    np.testing.assert_allclose(own.parameters_of(1)["filters"], own.parameters_of(0)["filters"])
    np.testing.assert_allclose(
        network.compile(batch_size=19)(images), expected, atol=1e-5 * np.abs(expected).max()
    )
