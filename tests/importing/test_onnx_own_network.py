"""Files that say of which layers they were made: believed only where the graph is theirs."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from striate import (  # noqa: E402
    Add,
    Dense,
    Dropout,
    Flatten,
    Input,
    Network,
    ReLU,
    Sigmoid,
    SumPool2D,
)
from striate.importing.onnx_reader import read_onnx  # noqa: E402

PROVED = "its layers are those of the network that striate exported"
Description = dict[str, Any]


def network() -> Network:
    layers = [SumPool2D((2, 1)), ReLU(), Dropout(0.25), Flatten(), Dense(5), Dense(3)]
    return Network(layers, (6, 5, 2), seed=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    network().to_onnx(tmp_path / "network.onnx", layout="nhwc")
    return tmp_path / "network.onnx"


def changed(path: Path, change: Callable[[Any], None]) -> None:
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


def described(path: Path, change: Callable[[Description], None]) -> None:
    """Change what the file says of its layers."""

    def apply(model: Any) -> None:
        kept = {entry.key: entry.value for entry in model.metadata_props}
        description = json.loads(kept["striate"])
        change(description)
        onnx.helper.set_model_props(model, {**kept, "striate": json.dumps(description)})

    changed(path, apply)


def kinds(network: Network) -> list[str]:
    return [type(node.layer).__name__ for node in network.nodes]


def test_a_file_that_nobody_changed(path: Path) -> None:
    found = read_onnx(path)
    assert PROVED in found.notes
    assert kinds(found.network) == kinds(network())
    images = np.random.default_rng(0).random((2, 6, 5, 2), np.float32)
    assert np.array_equal(found.image.to_stored(images[:1]), images[:1])


def test_new_weights_are_read(path: Path) -> None:
    """Another program may train the file further."""

    def train(model: Any) -> None:
        for tensor in model.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.ndim == 2:
                tensor.CopyFrom(onnx.numpy_helper.from_array(values + 1, tensor.name))

    changed(path, train)
    found = read_onnx(path)
    assert PROVED in found.notes
    for name in ("dense_1/weights", "dense_2/weights"):
        assert np.array_equal(found.network.parameters[name], network().parameters[name] + 1)


def test_names_compute_nothing(path: Path) -> None:
    def rename(model: Any) -> None:
        def new(name: str) -> str:
            return f"{name}:0" if name else name

        for node in model.graph.node:
            node.name = ""
            node.input[:] = map(new, node.input)
            node.output[:] = map(new, node.output)
        for named in (*model.graph.initializer, *model.graph.input, *model.graph.output):
            named.name = new(named.name)

    changed(path, rename)
    found = read_onnx(path)
    assert PROVED in found.notes
    assert found.network.get_config() == network().get_config()
    for name, values in network().parameters.items():
        assert np.array_equal(found.network.parameters[name], values)


def test_an_input_of_another_operation_is_another_graph(path: Path) -> None:
    """The same operators and constants, joined otherwise."""

    def join(model: Any) -> None:
        gate = next(node for node in model.graph.node if node.op_type == "Sigmoid")
        gate.input[0] = model.graph.input[0].name

    image = Input((5,))
    x = ReLU()(image)
    made = Network(inputs=image, output=Dense(3)(Add()(x, Sigmoid()(x))), seed=3)
    made.to_onnx(path)
    assert PROVED in read_onnx(path).notes
    changed(path, join)
    found = read_onnx(path)
    assert PROVED not in found.notes
    vectors = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    rest = np.maximum(vectors, 0) + 1 / (1 + np.exp(-vectors))
    expected = rest @ made.parameters["dense_1/weights"] + made.parameters["dense_1/bias"]
    outputs = found.network.predict_logits(vectors, engine="numpy")
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()


def _other_operator(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Tanh"


def _other_constant(model: Any) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if "pixels" in tensor.name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(3, np.float32), tensor.name))


def _without_relu(model: Any) -> None:
    nodes = [node for node in model.graph.node if node.op_type != "Relu"]
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    for node in nodes:
        node.input[:] = [relu.input[0] if name == relu.output[0] else name for name in node.input]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@pytest.mark.parametrize("change", [_other_operator, _other_constant, _without_relu])
def test_a_changed_graph_is_read_by_what_it_computes(
    path: Path, change: Callable[[Any], None]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    changed(path, change)
    images = np.random.default_rng(0).normal(size=(2, 6, 5, 2)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"images": images})
    found = read_onnx(path)
    assert PROVED not in found.notes
    outputs = found.network.predict_logits(images, engine="numpy")
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()
    before = network().predict_logits(images, engine="numpy")
    assert np.abs(outputs - before).max() > 1e-3 * np.abs(before).max()


def _longer(description: Description) -> None:
    description["architecture"]["nodes"][4]["config"]["units"] = 6


def _softmax(description: Description) -> None:
    description["probabilities"] = True


def _turned(description: Description) -> None:
    description["layout"] = "nchw"


def _shifted(description: Description) -> None:
    description.update(mean=[1, 2], std=[1, 1])


def _other_layer(description: Description) -> None:
    description["architecture"]["nodes"][1].update(type="Sigmoid")


def _no_number(description: Description) -> None:
    description["mean"] = "abc"


def _nothing(description: Description) -> None:
    description.clear()


def _unknown(description: Description) -> None:
    description["architecture"]["nodes"][1].update(type="Loop")


@pytest.mark.parametrize(
    "change",
    [_longer, _softmax, _turned, _shifted, _other_layer, _no_number, _nothing, _unknown],
)
def test_a_description_of_another_network_is_not_believed(
    path: Path, change: Callable[[Description], None]
) -> None:
    described(path, change)
    found = read_onnx(path)
    assert PROVED not in found.notes
    images = np.random.default_rng(0).normal(size=(1, 6, 5, 2)).astype(np.float32)
    outputs = found.network.predict_logits(found.image.to_stored(images), engine="numpy")
    expected = network().predict_logits(images, engine="numpy")
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("kind", "shape", "config"),
    [
        ("Dense", [2**13], {"units": 2**13}),
        ("LRN", [1, 1, 2**13], {"size": 2}),
        ("AvgPool2D", [2**13, 2**13, 1], {"size": 2, "stride": 1, "dilation": 2}),
        ("GroupedDense", [1], {"units": 2**25, "group": 2**25}),
    ],
)
def test_a_description_takes_no_memory_that_the_file_does_not_deserve(
    path: Path, kind: str, shape: list[int], config: Description
) -> None:
    def change(description: Description) -> None:
        description["architecture"] = {
            "input_shape": shape,
            "nodes": [{"type": kind, "name": "a", "inputs": [-1], "config": config}],
            "output": 0,
        }

    described(path, change)
    tracemalloc.start()
    try:
        found = read_onnx(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert PROVED not in found.notes
    assert most < 2**26
