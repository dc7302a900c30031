"""ONNX files: what is in them, which options they have, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Input,
    LocallyConnected2D,
    MaxPool2D,
    Network,
    Preprocessing,
    ReLU,
    Scale,
    SumPool2D,
)
from striate.common import optional
from striate.exporting import onnx_export
from striate.exporting.onnx_export import onnx_model
from striate.exporting.onnx_network import flattened_images
from striate.layers import Layer
from striate.model.answers import Answers
from striate.model.files import ModelFileError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

Array = np.ndarray[Any, Any]


def small(seed: int = 0) -> Network:
    """A classifier with uneven sizes, whose weights and statistics are all different."""
    network = Network(
        [
            Conv2D(7, (3, 2), stride=(2, 1), padding=(1, 0, 0, 1)),
            BatchNorm(eps=1e-3, momentum=0.75),
            ReLU(),
            MaxPool2D(2, uncovered="drop"),
            Dropout(0.25),
            Flatten(),
            Dense(9),
            ReLU(),
            Dense(3),
        ],
        (10, 7, 2),
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    for values in (*network.parameters.values(), *network.state.values()):
        values[...] += rng.uniform(0.1, 0.5, values.shape)
    network.classes = ["ä", "b", "c"]
    network.preprocessing = Preprocessing(
        (100.5, 90.0), (50.0, 60.25), resize={"height": 10, "width": 7, "mode": "crop"}
    )
    return network


def images(count: int = 5) -> Array:
    return np.random.default_rng(1).integers(0, 256, (count, 10, 7, 2)).astype(np.uint8)


def outputs(path: Path, given: Array) -> Array:
    session = onnxruntime.InferenceSession(str(path))
    (result,) = session.run(None, {session.get_inputs()[0].name: given})
    return np.asarray(result)


def close(one: Array, other: Array) -> bool:
    return bool(np.abs(one - other).max() <= 1e-5 * np.abs(other).max())


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("pixels", ["float32", "uint8"])
@pytest.mark.parametrize("probabilities", [False, True])
def test_every_choice_of_input_and_output(
    tmp_path: Path, layout: str, pixels: str, probabilities: bool
) -> None:
    network, path = small(), tmp_path / "small.onnx"
    network.to_onnx(path, layout=layout, pixels=pixels, probabilities=probabilities)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    (value,), (result,) = model.graph.input, model.graph.output
    assert value.name == "images"
    assert result.name == ("probabilities" if probabilities else "outputs")
    sides = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    assert sides == ["batch", 2, 10, 7] if layout == "nchw" else ["batch", 10, 7, 2]
    given = images().astype(pixels)
    if layout == "nchw":
        given = np.ascontiguousarray(np.moveaxis(given, -1, 1))
    expected = (network.predict_proba if probabilities else network.predict_logits)(
        images(), engine="numpy"
    )
    assert close(outputs(path, given), expected)
    assert close(outputs(path, given[:1]), expected[:1])  # any number of images


@pytest.mark.parametrize("answers", [Answers(temperature=0.4), Answers("labels", 2.5)])
def test_probabilities_are_calibrated(tmp_path: Path, answers: Answers) -> None:
    """By the temperature, which is a node of the file; outputs are as they are; both come back."""
    network, path = small(), tmp_path / "small.onnx"
    network.parameters["dense_2/weights"][...] *= 0.01  # so that no class is certain
    network.parameters["dense_2/bias"][...] = 0.1, -0.3, 0.2
    plain = network.predict_proba(images(), engine="numpy")
    network.answers = answers
    expected = network.predict_proba(images(), engine="numpy")
    assert np.abs(expected - plain).max() > 0.01
    given = np.ascontiguousarray(np.moveaxis(images().astype("f4"), -1, 1))
    network.to_onnx(path, probabilities=True)
    assert close(outputs(path, given), expected)
    again = striate.from_onnx(path)
    assert again.answers == answers
    np.testing.assert_array_equal(again.flat, network.flat)
    assert close(again.predict_proba(images(), engine="numpy"), expected)
    network.to_onnx(path)
    assert close(outputs(path, given), network.predict_logits(images(), engine="numpy"))


def test_what_stands_in_the_metadata(tmp_path: Path) -> None:
    network = small()
    network.to_onnx(tmp_path / "a.onnx")
    kept = {p.key: json.loads(p.value) for p in onnx.load(tmp_path / "a.onnx").metadata_props}
    own = kept.pop("striate")
    assert own["architecture"] == json.loads(json.dumps(network.get_config()))
    assert (own["mean"], own["layout"]) == (list(network.preprocessing.mean), "nchw")
    assert kept == {
        "classes": ["ä", "b", "c"],
        "resize": {"height": 10, "width": 7, "mode": "crop"},
    }
    bare = Network([Dense(2)], (3,))
    assert [p.key for p in onnx_model(bare).metadata_props] == ["striate"]
    assert onnx_model(bare).producer_name == "striate"


@pytest.mark.parametrize("padding", [0, (1, 1, 0, 0), (0, 0, 1, 0)])
@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("kind", [AvgPool2D, SumPool2D, MaxPool2D])
def test_what_hangs_over_never_counts(
    tmp_path: Path, kind: type[Layer], counted: bool, padding: int | tuple[int, ...]
) -> None:
    arguments = {"count_padding": counted} if kind is AvgPool2D else {}
    layer = kind(3, stride=2, padding=padding, uncovered="overhang", **arguments)
    network = Network([layer, Flatten()], (6, 8, 2))
    assert any(layer.pads((6, 8, 2))[i] > layer.given_pads((6, 8, 2))[i] for i in range(4))
    network.to_onnx(tmp_path / "pool.onnx", layout="nhwc")
    given = np.random.default_rng(2).normal(5, 1, (2, 6, 8, 2)).astype(np.float32)
    expected = network.predict_logits(given, engine="numpy")
    assert close(outputs(tmp_path / "pool.onnx", given), expected)


def test_every_weight_keeps_its_bits() -> None:
    """And batch normalisation stays apart, with its constants."""
    network = small()
    model = onnx_model(network)
    kept = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    p, s = network.parameters, network.state
    image = (2, 3, 7)  # (rows, columns, channels) that Flatten reads
    expected = {
        "conv2d_1/filters": p["conv2d_1/filters"].transpose(3, 2, 0, 1),
        "conv2d_1/bias": p["conv2d_1/bias"],
        "batch_norm_1/scale": p["batch_norm_1/scale"],
        "batch_norm_1/shift": p["batch_norm_1/shift"],
        "batch_norm_1/mean": s["batch_norm_1/mean"],
        "batch_norm_1/variance": s["batch_norm_1/variance"],
        "dense_1/weights": np.stack(
            [
                p["dense_1/weights"][(y * image[1] + x) * image[2] + c]
                for c in range(image[2])
                for y in range(image[0])
                for x in range(image[1])
            ]
        ),
        "dense_1/bias": p["dense_1/bias"],
        "dense_2/weights": p["dense_2/weights"],
        "dense_2/bias": p["dense_2/bias"],
        "preprocessing/mean": np.float32([100.5, 90.0])[:, None, None],
        "preprocessing/std": np.float32([50.0, 60.25])[:, None, None],
    }
    assert kept.keys() == expected.keys()
    for name, values in expected.items():
        assert kept[name].dtype == np.float32
        assert np.array_equal(
            kept[name].view(np.uint32), np.ascontiguousarray(values).view(np.uint32)
        )
    (normalise,) = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    attributes = {a.name: a.f for a in normalise.attribute}
    assert attributes == {"epsilon": np.float32(1e-3), "momentum": 0.75}


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    small().to_onnx(tmp_path / "one.onnx")
    small().to_onnx(tmp_path / "two.onnx")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
    small(1).to_onnx(tmp_path / "two.onnx")
    assert (tmp_path / "one.onnx").read_bytes() != (tmp_path / "two.onnx").read_bytes()


@pytest.mark.parametrize("opset", range(onnx_export.OLDEST_OPSET, onnx_export.NEWEST_OPSET + 1))
def test_every_version_of_the_operators(tmp_path: Path, opset: int) -> None:
    network = small()
    network.to_onnx(tmp_path / "a.onnx", layout="nhwc", pixels="uint8", opset=opset)
    assert onnx.load(tmp_path / "a.onnx").opset_import[0].version == opset
    assert close(outputs(tmp_path / "a.onnx", images()), network.predict_logits(images()))


def test_all_operators_are_plain() -> None:
    """Those that phones and browsers run: none of another domain, no control flow."""
    model = onnx_model(small(), pixels="uint8", layout="nhwc", probabilities=True)
    assert [node.op_type for node in model.graph.node] == [
        "Cast", "Transpose", "Sub", "Div", "Conv", "BatchNormalization", "Relu", "MaxPool",
        "Flatten", "Gemm", "Relu", "Gemm", "Softmax",
    ]  # fmt: skip
    assert {node.domain for node in model.graph.node} == {""}


def test_single_numbers_have_no_axis() -> None:
    """The operators want scalars, and some runtimes do not take lists of one number for them."""
    network = Network([MaxPool2D(2, stride=1, padding=2, dilation=2), Scale(0.5)], (5, 5, 2))
    model = onnx_model(network)
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    assert shapes["scale_1/factor"] == shapes["max_pool2d_1/border"] == []


# Vectors that were images.


def kinds(network: Network) -> list[str]:
    return [node.op_type for node in onnx_model(network).graph.node]


def test_dense_rows_are_permuted_where_nothing_else_reads_the_vector() -> None:
    image = Input((3, 4, 5))
    vector = Dropout(0.5)(ReLU()(Flatten()(image)))
    both = Concat()(Dense(3)(vector), GroupedDense(4, 2)(vector))
    network = Network(inputs=image, output=both)
    assert "Transpose" not in kinds(network)
    assert set(flattened_images(network).values()) == {(3, 4, 5)}


@pytest.mark.parametrize("reader", ["output", "concat", "batch_norm", "add"])
def test_other_readers_get_the_vector_in_striates_order(reader: str) -> None:
    image = Input((3, 4, 5))
    vector = ReLU()(Flatten()(image))
    more = Flatten()(Conv2D(5, 1)(image))
    output = {
        "output": lambda: vector,
        "concat": lambda: Concat()(vector, Dense(2)(vector)),
        "batch_norm": lambda: Dense(2)(BatchNorm()(vector)),
        "add": lambda: Dense(2)(Add()(vector, more)),
    }[reader]()
    network = Network(inputs=image, output=output)
    assert "Transpose" in kinds(network)
    assert flattened_images(network) == {}


@pytest.mark.parametrize("shape", [(1, 1, 5), (4, 3, 1)])
def test_a_vector_in_the_same_order_anyway_is_not_touched(shape: tuple[int, ...]) -> None:
    network = Network([Flatten(), BatchNorm()], shape)
    assert kinds(network) == ["Flatten", "BatchNormalization"]


# Corners.


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_network_that_does_nothing_in_prediction(tmp_path: Path, layout: str) -> None:
    network = Network([Dropout(0.5)], (3, 4, 2))
    network.to_onnx(tmp_path / "a.onnx", layout=layout)
    shape = (2, 3, 4) if layout == "nchw" else (3, 4, 2)
    given = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    assert np.array_equal(outputs(tmp_path / "a.onnx", given), given)


def test_a_flat_network(tmp_path: Path) -> None:
    network = Network([Dense(4), ReLU(), BatchNorm(), Dense(2)], (5,))
    network.preprocessing = Preprocessing((1.0,) * 5, (2.0, 3.0, 4.0, 5.0, 6.0))
    network.to_onnx(tmp_path / "a.onnx")
    given = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    assert onnx.load(tmp_path / "a.onnx").graph.input[0].name == "features"
    assert close(outputs(tmp_path / "a.onnx", given), network.predict_logits(given))


def test_names_of_layers_that_the_file_has_already(tmp_path: Path) -> None:
    names = ["images", "probabilities", "preprocessing", "batch", "a b→c", "output"]
    network = Network([Conv2D(2, 1, name=name) for name in names] + [GlobalAvgPool2D()], (4, 5, 2))
    network.preprocessing = Preprocessing((100.0, 120.0), (50.0, 60.0))
    path = tmp_path / "a.onnx"
    network.to_onnx(path, layout="nhwc", pixels="uint8", probabilities=True)
    given = np.random.default_rng(0).integers(0, 255, (2, 4, 5, 2)).astype(np.uint8)
    assert close(outputs(path, given), network.predict_proba(given))
    names = [node.name for node in onnx.load(path).graph.node]
    assert names[4:10] == [
        "images/2",
        "probabilities/2",
        "preprocessing",
        "batch",
        "a b→c",
        "output",
    ]


def test_a_locally_connected_layer_of_groups_and_no_bias(tmp_path: Path) -> None:
    network = Network(
        [LocallyConnected2D(6, (2, 3), stride=(1, 2), dilation=(2, 1), padding=(1, 0, 2, 1),
                            groups=3, bias=False)],
        (5, 4, 9),
    )  # fmt: skip
    network.to_onnx(tmp_path / "a.onnx", layout="nhwc")
    given = np.random.default_rng(0).normal(size=(2, 5, 4, 9)).astype(np.float32)
    assert close(outputs(tmp_path / "a.onnx", given), network.predict_logits(given))


# Refusals.


def test_unknown_choices(tmp_path: Path) -> None:
    network, path = small(), tmp_path / "a.onnx"
    for options, words in (
        ({"layout": "chwn"}, r'layout must be "nchw" or "nhwc", got \'chwn\''),
        ({"layout": ["nchw"]}, "layout must be"),
        ({"pixels": "int8"}, 'pixels must be "float32" or "uint8"'),
        ({"opset": 10}, "opset must be from 11 to 22, got 10"),
        ({"opset": 23}, "opset must be from 11 to 22, got 23"),
    ):
        with pytest.raises(striate.common.errors.StriateValueError, match=words):
            network.to_onnx(path, **options)  # type: ignore[arg-type]
    for options, words in (
        ({"opset": 17.5}, "opset must be a whole number"),
        ({"opset": True}, "opset must be a whole number"),
        ({"probabilities": 1}, "probabilities must be True or False"),
    ):
        with pytest.raises(TypeError, match=words):
            network.to_onnx(path, **options)  # type: ignore[arg-type]
    assert not path.exists()


def test_probabilities_of_an_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 2\) is an image, not one number per class"):
        Network([ReLU()], (3, 4, 2)).to_onnx(tmp_path / "a.onnx", probabilities=True)


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    network = small()
    network.state["batch_norm_1/variance"][1] = np.inf
    with pytest.raises(ValueError, match="batch_norm_1/variance holds numbers that are not finite"):
        network.to_onnx(tmp_path / "a.onnx")


class Own(ReLU):
    """A layer of the user's."""


def test_layers_of_the_users_own(tmp_path: Path) -> None:
    network = Network([Own(), Conv2D(2, 1), Own(name="mine")], (3, 3, 1))
    with pytest.raises(
        ValueError, match=r"to_onnx: relu_1 \(Own\), mine \(Own\) cannot be .* ONNX"
    ):
        network.to_onnx(tmp_path / "a.onnx")


def test_a_class_of_the_same_name(tmp_path: Path) -> None:
    Own.__name__ = "ReLU"
    try:
        with pytest.raises(ValueError, match="of striate's own layers only; replace"):
            Network([Own()], (3, 3, 1)).to_onnx(tmp_path / "a.onnx")
    finally:
        Own.__name__ = "Own"


def test_more_than_a_file_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"the weights take 0\.00 GiB, and one ONNX file may have"):
        small().to_onnx(tmp_path / "a.onnx")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'striate\[onnx\]'"):
        small().to_onnx(tmp_path / "a.onnx")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"a\.onnx: cannot be written: No such file"):
        small().to_onnx(tmp_path / "none" / "a.onnx")
    (tmp_path / "a.onnx").write_bytes(b"before")
    network = small()
    network.parameters["dense_1/bias"][0] = np.nan
    with pytest.raises(ValueError, match="dense_1/bias"):
        network.to_onnx(tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == b"before"


def test_the_network_is_not_changed(tmp_path: Path) -> None:
    network, other = small(), small()
    network.to_onnx(tmp_path / "a.onnx", opset=11)
    assert np.array_equal(network.flat, other.flat)
    assert np.array_equal(network.state_flat, other.state_flat)
