"""Networks that are written as ONNX files and read again: every weight keeps its bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import BatchNorm, Conv2D, Dense, Flatten, Input, Network, Preprocessing
from striate.importing import from_onnx
from striate.layers import LAYERS

pytest.importorskip("onnx")

IMAGE = (9, 7, 6)

# Arguments with which each layer fits the image; those that are missing need none.
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "Conv2D": [{"filters": 4, "size": (3, 2), "padding": (1, 0, 0, 1), "groups": 2, "dilation": 2}],
    "LocallyConnected2D": [
        {"filters": 4, "size": (3, 2), "groups": 2, "padding": (0, 1, 1, 0)},
        {"filters": 3, "size": (2, 3), "stride": (1, 2), "bias": False, "dilation": (2, 1)},
    ],
    "ConvTranspose2D": [{"filters": 4, "size": (3, 2), "stride": 2, "groups": 2}],
    "MaxPool2D": [
        {"size": (3, 2), "padding": (1, 0), "uncovered": "drop"},
        {"size": 2, "stride": 1, "padding": 2, "dilation": 2},
    ],
    "AvgPool2D": [
        {"size": 3, "stride": 2, "padding": (1, 1, 0, 2)},
        {"size": 3, "stride": 2, "padding": (1, 1, 0, 2), "count_padding": True},
    ],
    "SumPool2D": [{"size": (2, 3), "stride": 1, "padding": (1, 0, 2, 1)}],
    "Dense": [{"units": 5}, {"units": 7, "bias": False}],
    "GroupedDense": [{"units": 6, "group": 2}, {"units": 6, "group": 3, "bias": False}],
    "LeakyReLU": [{"slope": 0.25}],
    "Scale": [{"factor": 0.5}],
    "Dropout": [{"rate": 0.5}],
    "Clip": [{"low": -0.5, "high": 1.5}, {"high": 0.5}],
    "GELU": [{}, {"approximate": "tanh"}],
    "PReLU": [{}, {"shared": True}],
    "Affine": [{}, {"scale": False}, {"shift": False}],
    "LRN": [{"size": 3}, {"size": 4, "alpha": 0.5}],
    "ChannelShuffle": [{"groups": 3}, {"groups": 1}],
    "ChannelSlice": [{"start": 1, "stop": 5, "step": 2}],
    "ZeroPad2D": [{"padding": (1, 0, 2, 0)}],
    "Crop2D": [{"cropping": (1, 0, 2, 0)}],
}
OF_VECTORS = ("Dense", "GroupedDense")
MERGES = ("Add", "Concat", "Multiply")
CASES = [
    pytest.param(name, arguments, id=f"{name}-{index}")
    for name in LAYERS
    for index, arguments in enumerate(ARGUMENTS.get(name, [{}]))
]


def randomised(network: Network) -> Network:
    rng = np.random.default_rng(0)
    for values in (*network.parameters.values(), *network.state.values()):
        values[...] += rng.uniform(0.1, 0.3, values.shape)
    network.preprocessing = Preprocessing(
        (127.5, 100.3, 90.1), (50.7, 60.5, 64.0),
        resize={"height": IMAGE[0], "width": IMAGE[1], "mode": "crop"}, colour="rgb",
    )  # fmt: skip
    return network


def same_bits(one: Network, other: Network) -> None:
    for before, after in ((one.parameters, other.parameters), (one.state, other.state)):
        assert after.keys() == before.keys()
        for name, values in before.items():
            assert after[name].shape == values.shape
            assert np.array_equal(after[name].view(np.uint32), values.view(np.uint32)), name


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_every_layer_comes_back(
    tmp_path: Path, name: str, arguments: dict[str, Any], layout: str, opset: int
) -> None:
    image = Input((*IMAGE[:2], 3))
    x = BatchNorm()(Conv2D(IMAGE[2], 3, padding=1)(image))
    layer = LAYERS[name](**arguments)
    if name in MERGES:
        x = layer(x, Conv2D(IMAGE[2], 1)(x))
    else:
        x = layer(Flatten()(x) if name in OF_VECTORS else x)
    x = Conv2D(3, 1)(x) if len(x.shape) == 3 else x
    network = randomised(Network(inputs=image, output=Dense(4)(Flatten()(x))))
    network.classes = list("abcd")
    path = tmp_path / "network.onnx"
    network.to_onnx(path, layout=layout, opset=opset, pixels="uint8", probabilities=True)
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
