"""Networks that are written as ONNX files and read again: every weight keeps its bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import BatchNorm, Conv2D, Dense, Flatten, Input, Network, Preprocessing
from striate.common.arrays import Array
from striate.importing import from_onnx
from striate.importing.onnx_reader import ImportedNetwork, read_onnx
from striate.importing.operation_graph import OnnxFileError
from striate.layers import LAYERS
from tests.small_networks import CASES, IMAGE, case_id, randomise, read_by

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx.version_converter")


def same_bits(one: Network, other: Network) -> None:
    for before, after in ((one.parameters, other.parameters), (one.state, other.state)):
        assert after.keys() == before.keys()
        for name, values in before.items():
            assert after[name].shape == values.shape
            assert np.array_equal(after[name].view(np.uint32), values.view(np.uint32)), name


def without_description(path: Path) -> None:
    """Take from a file what says which layers it was made of, as other programs might."""
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != "striate"}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, path)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=case_id)
def test_every_layer_comes_back(
    tmp_path: Path, name: str, arguments: dict[str, Any], layout: str, opset: int
) -> None:
    if opset < 19 and name in ("AvgPool2D", "SumPool2D") and "dilation" in arguments:
        pytest.skip("ONNX has no averages of such windows before version 19")
    image = Input((*IMAGE[:2], 3))
    x = BatchNorm()(Conv2D(IMAGE[2], 3, padding=1)(image))
    layer = LAYERS[name](**arguments)
    x = read_by(layer, x)
    x = Conv2D(3, 1)(x) if len(x.shape) == 3 and x.shape[0] > 1 else x
    network = randomise(Network(inputs=image, output=Dense(4)(Flatten()(x))))
    network.preprocessing = Preprocessing(
        (127.5, 100.3, 90.1), (50.7, 60.5, 64.0),
        resize={"height": IMAGE[0], "width": IMAGE[1], "mode": "crop"}, colour="rgb",
    )  # fmt: skip
    network.classes = list("abcd")
    path = tmp_path / "network.onnx"
    network.to_onnx(path, layout=layout, opset=opset, pixels="uint8", probabilities=True)
    again = from_onnx(path)
    same_bits(network, again)
    assert again.get_config() == network.get_config()
    assert (again.classes, again.preprocessing) == (network.classes, network.preprocessing)
    without_description(path)
    again = from_onnx(path)
    same_bits(network, again)
    assert again.classes == network.classes
    known, expected = again.preprocessing, network.preprocessing
    assert (known.resize, known.colour) == (expected.resize, expected.colour)
    for numbers, wanted in ((known.mean, expected.mean), (known.std, expected.std)):
        assert np.array_equal(np.float32(numbers), np.float32(wanted))
    images = np.random.default_rng(1).integers(0, 256, (3, *network.input_shape)).astype(np.uint8)
    one, other = (n.predict_logits(images, engine="numpy") for n in (network, again))
    assert np.abs(one - other).max() <= 1e-6 * np.abs(one).max()
    if name not in ("SumPool2D", "Dropout", "Flatten", "ZeroPad2D") and arguments != {"groups": 1}:
        assert type(layer) in [type(node.layer) for node in again.nodes]
    again.to_onnx(tmp_path / "again.onnx", layout=layout, opset=opset, pixels="uint8")
    same_bits(network, from_onnx(tmp_path / "again.onnx"))


@pytest.mark.filterwarnings("ignore:the images hold numbers")
@pytest.mark.parametrize("part", range(4))
def test_random_networks_come_back(
    tmp_path: Path, random_network: Callable[[int], Network], part: int
) -> None:
    path = tmp_path / "network.onnx"
    for seed in range(60 * part, 60 * part + 60):
        network = random_network(seed)
        network.to_onnx(
            path,
            layout=("nchw", "nhwc")[seed % 2],
            opset=(11, 13, 17, 20)[seed // 2 % 4],
            probabilities=len(network.output_shape) == 1 and seed % 3 == 0,
        )
        again, branch = from_onnx(path), network.branch()
        assert again.get_config() == branch.get_config(), seed
        assert again.preprocessing == network.preprocessing, seed
        for one, other in (
            (branch.parameters, again.parameters),
            (branch.state, again.state),
        ):
            for name, values in one.items():
                assert np.array_equal(other[name].view(np.uint32), values.view(np.uint32)), seed
        images = np.random.default_rng(seed).normal(2, 3, (2, *network.input_shape))
        images = images.astype(np.float32)
        wanted, found = (n.predict_logits(images, engine="numpy") for n in (network, again))
        assert np.array_equal(found.view(np.uint32), wanted.view(np.uint32)), seed


@pytest.mark.filterwarnings("ignore:the images hold numbers")
@pytest.mark.parametrize("part", range(4))
def test_random_networks_are_read_by_what_they_compute(
    tmp_path: Path, random_network: Callable[[int], Network], part: int
) -> None:
    """Nothing tells which layers they were made of; few are refused, and none is read wrongly."""
    path, refused = tmp_path / "network.onnx", []
    for seed in range(60 * part, 60 * part + 60):
        network, layout = random_network(seed), ("nchw", "nhwc")[seed % 2]
        network.to_onnx(path, layout=layout, opset=(11, 13, 17, 20)[seed // 2 % 4])
        without_description(path)
        try:
            found = read_onnx(path)
        except OnnxFileError:
            refused.append(seed)
            continue
        check_outputs(network, found, layout, seed)
    assert len(refused) <= 6, refused


def check_outputs(network: Network, found: ImportedNetwork, layout: str, seed: int) -> None:
    """Whether what was read computes what was written."""
    image = np.random.default_rng(seed).normal(2, 3, (1, *network.input_shape))
    image = image.astype(np.float32)
    wanted = network.predict_logits(image, engine="numpy")
    entered = found.image.to_stored(written(image, layout))
    outputs = found.network.predict_logits(entered, engine="numpy")
    outputs = outputs.reshape(1, *found.output.stored_shape)
    wanted = found.output.to_stored(written(wanted, layout))
    assert np.abs(outputs - wanted).max() <= 5e-5 * max(np.abs(wanted).max(), 1e-3), seed


def written(values: Array, layout: str) -> Array:
    """Images as the file has them; vectors as they are."""
    return np.moveaxis(values, -1, 1) if values.ndim == 4 and layout == "nchw" else values


@pytest.mark.filterwarnings("ignore:the images hold numbers")
@pytest.mark.parametrize("program", ["onnx", "onnxruntime"])
def test_what_other_programs_have_changed_is_read(
    tmp_path: Path, random_network: Callable[[int], Network], program: str
) -> None:
    """Converted to newer operators, or fused for speed."""
    runtime = pytest.importorskip("onnxruntime")
    plain, path, refused = tmp_path / "plain.onnx", tmp_path / "network.onnx", []
    for seed in range(60):
        network, layout = random_network(seed), ("nchw", "nhwc")[seed % 2]
        network.to_onnx(plain, layout=layout, opset=13)
        if program == "onnx":
            onnx.save(onnx.version_converter.convert_version(onnx.load(plain), 18), path)
        else:
            options = runtime.SessionOptions()
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            options.optimized_model_filepath = str(path)
            options.log_severity_level = 3
            runtime.InferenceSession(plain, options)
        try:
            found = read_onnx(path)
        except OnnxFileError:
            refused.append(seed)
            continue
        check_outputs(network, found, layout, seed)
    assert len(refused) <= 2, refused
