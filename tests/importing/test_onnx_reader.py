"""Networks from ONNX files: what becomes of weights, sizes, constants, patterns and names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import striate  # noqa: E402
from striate.importing.onnx_metadata import class_names  # noqa: E402
from striate.importing.onnx_reader import ImportedNetwork, read_onnx  # noqa: E402
from striate.importing.operation_graph import OnnxFileError  # noqa: E402

FLOAT = onnx.TensorProto.FLOAT
Node = onnx.helper.make_node
MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(
        nodes: Sequence[Any],
        weights: dict[str, Any],
        shape: Sequence[Any] = (2, 3, 8, 9),
        outputs: Sequence[str] = ("y",),
        opset: int = 17,
        metadata: dict[str, str] | None = None,
        functions: Sequence[Any] = (),
    ) -> Path:
        graph = onnx.helper.make_graph(
            nodes,
            "graph",
            [onnx.helper.make_tensor_value_info("x", FLOAT, shape)],
            [onnx.helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
            [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in weights.items()],
        )
        opsets = [onnx.helper.make_opsetid("", opset)]
        opsets += [onnx.helper.make_opsetid(f.domain, 1) for f in functions][:1]
        model = onnx.helper.make_model(
            graph, opset_imports=opsets, functions=list(functions), ir_version=9
        )
        onnx.helper.set_model_props(model, metadata or {})
        path = tmp_path / "network.onnx"
        onnx.save(model, path)
        return path

    return written


def agree(
    path: Path,
    shape: Sequence[int] = (2, 3, 8, 9),
    *,
    scale: float = 1,
    shift: float = 0,
    **options: Any,
) -> ImportedNetwork:
    """What is imported computes what ONNX Runtime does, on both engines."""
    found = read_onnx(path, **options)
    session = onnxruntime.InferenceSession(str(path))
    x = scale * random(*shape, seed=5) + shift
    name = options.get("output", session.get_outputs()[0].name)
    (expected,) = session.run([name], {"x": x})
    images = np.moveaxis(x, 1, -1) if x.ndim == 4 and found.image.image_letters() == "NCHW" else x
    for engine in ("numpy", "llvm"):
        got = found.network.predict_logits(images, engine=engine)
        if got.ndim == 4:
            got = np.moveaxis(got, -1, 1)
        most = np.abs(expected).max()
        np.testing.assert_allclose(got, expected.reshape(got.shape), rtol=0, atol=1e-5 * most)
    return found


CONV = {"conv.weight": random(6, 3, 3, 3), "conv.bias": random(6)}
FC = {"fc.weight": random(5, 6 * 8 * 9), "fc.bias": random(5)}


def test_a_small_classifier(write: Write) -> None:
    nodes = [
        Node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], pads=[1, 1, 1, 1]),
        Node("Relu", ["a"], ["b"]),
        Node("Flatten", ["b"], ["c"]),
        Node("Gemm", ["c", "fc.weight", "fc.bias"], ["y"], transB=1),
    ]
    found = agree(write(nodes, CONV | FC))
    network = found.network
    assert [node.name for node in network.nodes] == ["conv", "relu_1", "flatten_1", "fc"]
    filters = CONV["conv.weight"].transpose(2, 3, 1, 0)
    assert (network.parameters["conv/filters"] == filters).all()
    assert (network.parameters["conv/bias"] == CONV["conv.bias"]).all()
    rows = FC["fc.weight"].reshape(5, 6, 8, 9).transpose(2, 3, 1, 0).reshape(-1, 5)
    assert (network.parameters["fc/weights"] == rows).all()
    # The door that users take.
    same = striate.from_onnx(write(nodes, CONV | FC))
    assert same.output_shape == (5,)
    same.fit(np.zeros((4, 8, 9, 3)), np.arange(4) % 3, epochs=1, progress=False)


BORDERS = [
    ("edge", 0.0, (0, 1), (1, 0), (3, 3), (0, 0)),
    ("edge", 0.0, (2, 1), (2, 2), (3, 3), (0, 0)),
    ("edge", 0.0, (1, 0), (1, 1), (3, 4), (1, 1)),
    ("reflect", 0.0, (1, 1), (1, 1), (3, 3), (0, 0)),
    ("reflect", 0.0, (2, 1), (0, 2), (5, 5), (0, 0)),
    ("constant", -np.inf, (1, 1), (0, 1), (3, 2), (0, 0)),
    ("constant", float(np.finfo(np.float32).min), (1, 1), (0, 1), (2, 3), (0, 0)),
]
"""Of Pad the mode, the value, how much before and after; of MaxPool the window and its padding."""


def padded_maximum(
    mode: str, value: float, before: Any, after: Any, size: Any, own: Any, **more: Any
) -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        # The pads are known once the image's size is, as exporters write them.
        Node("Shape", ["x"], ["s"]),
        Node("Mul", ["s", "none"], ["t"]),
        Node("Concat", ["t", "t"], ["u"], axis=0),
        Node("Add", ["u", "ends"], ["pads"]),
        Node("Pad", ["x", "pads", "value"], ["p"], mode=mode),
        Node("MaxPool", ["p"], ["m"], kernel_shape=size, pads=[*own, *own], strides=[2, 1], **more),
        Node("Conv", ["m", "w"], ["y"]),
    ]
    weights = {
        "none": np.zeros(4, np.int64),
        "ends": np.asarray([0, 0, *before, 0, 0, *after], np.int64),
        "value": np.asarray(value, np.float32),
        "w": random(4, 3, 1, 1),
    }
    return nodes, weights


@pytest.mark.parametrize("border", BORDERS)
def test_a_border_before_maxima_is_their_padding(write: Write, border: Any) -> None:
    nodes, weights = padded_maximum(*border)
    found = agree(write(nodes, weights), shift=-3)  # a zero would win
    assert [type(node.layer).__name__ for node in found.network.nodes] == ["MaxPool2D", "Conv2D"]


@pytest.mark.parametrize(
    ("border", "more"),
    [
        (("edge", 0.0, (3, 0), (0, 0), (3, 3), (0, 0)), {}),  # a window in the border alone
        (("edge", 0.0, (2, 0), (0, 0), (3, 3), (1, 0)), {}),
        (("edge", 0.0, (1, 1), (1, 1), (3, 3), (0, 0)), {"dilations": [2, 2]}),
        (("edge", 0.0, (1, 1), (1, 1), (3, 3), (0, 0)), {"ceil_mode": 1}),
        (("reflect", 0.0, (1, 1), (1, 1), (2, 3), (0, 0)), {}),
        (("reflect", 0.0, (2, 2), (2, 2), (4, 5), (0, 0)), {}),
        (("constant", 1.0, (1, 1), (1, 1), (3, 3), (0, 0)), {}),
    ],
)
def test_another_border_is_refused(write: Write, border: Any, more: Any) -> None:
    nodes, weights = padded_maximum(*border, **more)
    with pytest.raises(OnnxFileError, match=r"border|it pads with 1"):
        read_onnx(write(nodes, weights))


def test_a_border_that_others_read_is_refused(write: Write) -> None:
    nodes, weights = padded_maximum("edge", 0.0, (1, 1), (1, 1), (3, 3), (0, 0))
    nodes += [Node("Conv", ["p", "w"], ["q"]), Node("ReduceMean", ["q"], ["r"])]
    nodes += [Node("Add", ["y", "r"], ["z"])]
    with pytest.raises(OnnxFileError, match="it pads by 'edge'"):
        read_onnx(write(nodes, weights, outputs=["z"]))


@pytest.mark.parametrize("rule", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("step", [1, 2])
def test_padding_by_rule(write: Write, rule: str, step: int) -> None:
    node = Node("Conv", ["x", "w"], ["y"], auto_pad=rule, strides=[step, 1])
    agree(write([node], {"w": random(4, 3, 4, 2)}))


@pytest.mark.parametrize(
    ("rule", "pads"), [("SAME_UPPER", [2, 1, 3, 1]), ("SAME_LOWER", [3, 1, 2, 1])]
)
def test_padding_by_rule_counts_dilated_taps(write: Write, rule: str, pads: list[int]) -> None:
    """8 rows, step 2: 4 outputs reach over (4 - 1)·2 + 2·3 + 1 = 13 of them: 5 are padding."""
    weights = {"w": random(4, 3, 4, 3)}
    common = {"strides": [2, 1], "dilations": [2, 1]}
    named = read_onnx(write([Node("Conv", ["x", "w"], ["y"], auto_pad=rule, **common)], weights))
    assert named.network.nodes[0].layer.config()["padding"] == [pads[0], pads[2], pads[1], pads[3]]
    agree(write([Node("Conv", ["x", "w"], ["y"], pads=pads, **common)], weights))


def test_groups_with_a_multiplier(write: Write) -> None:
    agree(write([Node("Conv", ["x", "w"], ["y"], group=3)], {"w": random(9, 1, 3, 3)}))


def test_weights_that_are_computed(write: Write) -> None:
    """Transposed, dequantised, cast: folded when the file is read."""
    quantised = np.random.default_rng(0).integers(-100, 100, (3, 3, 3, 6)).astype(np.int8)
    nodes = [
        Node("DequantizeLinear", ["q", "scale", "zero"], ["w1"], axis=3),
        Node("Transpose", ["w1"], ["w2"], perm=[3, 2, 0, 1]),
        Node("Cast", ["half"], ["bias"], to=FLOAT),
        Node("Conv", ["x", "w2", "bias"], ["y"]),
    ]
    weights = {
        "q": quantised,
        "scale": np.linspace(0.01, 0.02, 6, dtype=np.float32),
        "zero": np.arange(6, dtype=np.int8),
        "half": random(6).astype(np.float16),
    }
    agree(write(nodes, weights))


def test_chains_of_shapes_are_folded(write: Write) -> None:
    nodes = [
        Node("Shape", ["x"], ["shape"]),
        Node("Gather", ["shape", "zero"], ["batch"]),
        Node("Unsqueeze", ["batch", "axis"], ["batch1"]),
        Node("Concat", ["batch1", "minus"], ["wanted"], axis=0),
        Node("Reshape", ["x", "wanted"], ["flat"]),
        Node("MatMul", ["flat", "m"], ["product"]),
        Node("Add", ["product", "b"], ["y"]),
    ]
    weights = {
        "zero": np.array(0),
        "axis": np.array([0]),
        "minus": np.array([-1]),
        "m": random(216, 7),
        "b": random(7),
    }
    found = agree(write(nodes, weights, shape=("n", 3, 8, 9)))
    assert [type(node.layer).__name__ for node in found.network.nodes] == ["Flatten", "Dense"]


def test_normalisation_of_the_input_is_the_preprocessing(write: Write) -> None:
    nodes = [
        Node("Div", ["x", "most"], ["a"]),
        Node("Sub", ["a", "mean"], ["b"]),
        Node("Div", ["b", "std"], ["c"]),
        Node("Conv", ["c", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    weights = {
        "most": np.float32(255),
        "mean": np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1),
        "std": np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1),
        "w": random(4, 3, 3, 3),
    }
    found = agree(write(nodes, weights), scale=60, shift=115)
    kept = found.network.preprocessing
    np.testing.assert_allclose(kept.mean, 255 * np.array([0.485, 0.456, 0.406]), rtol=1e-6)
    np.testing.assert_allclose(kept.std, 255 * np.array([0.229, 0.224, 0.225]), rtol=1e-6)
    assert [type(node.layer).__name__ for node in found.network.nodes] == ["Conv2D"]


def test_what_also_others_read_is_no_preprocessing(write: Write) -> None:
    nodes = [
        Node("Mul", ["x", "half"], ["a"]),
        Node("Add", ["a", "x"], ["y"]),
    ]
    found = agree(write(nodes, {"half": np.float32(0.5)}))
    assert found.network.preprocessing.is_identity


SCALARS = {
    "three": np.float32(3), "six": np.float32(6), "zero": np.float32(0), "half": np.float32(0.5),
    "one": np.float32(1), "root": np.float32(2**0.5), "sixth": np.float32(1 / 6),
    "cube": np.float32(3), "c": np.float32(0.044715), "s": np.float32((2 / np.pi) ** 0.5),
}  # fmt: skip
SPELLINGS = {
    "SiLU": [[Node("Sigmoid", ["v"], ["a"]), Node("Mul", ["a", "v"], ["y"])]],
    "HardSwish": [
        [Node("Add", ["v", "three"], ["a"]), Node("Clip", ["a", "zero", "six"], ["b"]),
         Node("Mul", ["v", "b"], ["d"]), Node("Div", ["d", "six"], ["y"])],
        [Node("HardSigmoid", ["v"], ["a"], alpha=1 / 6), Node("Mul", ["v", "a"], ["y"])],
        [Node("HardSwish", ["v"], ["y"])],
        [Node("Add", ["v", "three"], ["a"]), Node("Relu", ["a"], ["b"]),
         Node("Min", ["b", "six"], ["d"]), Node("Mul", ["d", "sixth"], ["e"]),
         Node("Mul", ["e", "v"], ["y"])],
    ],
    "GELU": [
        [Node("Div", ["v", "root"], ["a"]), Node("Erf", ["a"], ["b"]),
         Node("Add", ["b", "one"], ["d"]), Node("Mul", ["v", "d"], ["e"]),
         Node("Mul", ["e", "half"], ["y"])],
        [Node("Mul", ["v", "half"], ["h"]), Node("Div", ["v", "root"], ["a"]),
         Node("Erf", ["a"], ["b"]), Node("Add", ["one", "b"], ["d"]),
         Node("Mul", ["h", "d"], ["y"])],
    ],
    "Mish": [[Node("Softplus", ["v"], ["a"]), Node("Tanh", ["a"], ["b"]),
              Node("Mul", ["v", "b"], ["y"])]],
    "ReLU6": [[Node("Relu", ["v"], ["a"]), Node("Min", ["a", "six"], ["y"])],
              [Node("Clip", ["v", "zero", "six"], ["y"])]],
    "HardSigmoid": [[Node("Add", ["v", "three"], ["a"]), Node("Clip", ["a", "zero", "six"], ["b"]),
                     Node("Div", ["b", "six"], ["y"])]],
    "ELU": [[Node("Elu", ["v"], ["y"], alpha=0.7)]],
    "Clip": [[Node("Max", ["v", "half"], ["y"])]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "place"), [(kind, i) for kind, ways in SPELLINGS.items() for i in range(len(ways))]
)
def test_spellings_of_activations(write: Write, kind: str, place: int) -> None:
    nodes = [Node("Conv", ["x", "w"], ["v"]), *SPELLINGS[kind][place]]
    found = read_onnx(write(nodes, SCALARS | {"w": random(4, 3, 2, 2)}))
    assert [type(node.layer).__name__ for node in found.network.nodes] == ["Conv2D", kind]
    path = write(nodes, SCALARS | {"w": random(4, 3, 2, 2)})
    session = onnxruntime.InferenceSession(str(path))
    x = random(2, 3, 8, 9)
    got = found.network.predict_logits(np.moveaxis(x, 1, -1), engine="numpy")
    np.testing.assert_allclose(
        np.moveaxis(got, -1, 1), session.run(None, {"x": x})[0], rtol=1e-5, atol=1e-5
    )


def test_gelu_by_tanh(write: Write) -> None:
    nodes = [
        Node("Conv", ["x", "w"], ["v"]),
        Node("Pow", ["v", "cube"], ["a"]),
        Node("Mul", ["a", "c"], ["b"]),
        Node("Add", ["v", "b"], ["d"]),
        Node("Mul", ["d", "s"], ["e"]),
        Node("Tanh", ["e"], ["f"]),
        Node("Add", ["f", "one"], ["g"]),
        Node("Mul", ["g", "half"], ["h"]),
        Node("Mul", ["v", "h"], ["y"]),
    ]
    found = read_onnx(write(nodes, SCALARS | {"w": random(4, 3, 2, 2)}))
    layer = found.network.nodes[-1].layer
    assert (type(layer).__name__, layer.config()) == ("GELU", {"approximate": "tanh"})


def test_another_function_is_not_taken_for_one(write: Write) -> None:
    """SiLU with a slope of 1.7 has no layer, and is told so."""
    nodes = [
        Node("Conv", ["x", "w"], ["v"]),
        Node("Mul", ["v", "k"], ["a"]),
        Node("Sigmoid", ["a"], ["b"]),
        Node("Mul", ["v", "b"], ["y"]),
    ]
    found = agree_numpy(write(nodes, {"k": np.float32(1.702), "w": random(4, 3, 2, 2)}))
    kinds = [type(node.layer).__name__ for node in found.network.nodes]
    assert kinds == ["Conv2D", "Scale", "Sigmoid", "Multiply"]


def agree_numpy(path: Path, shape: Sequence[int] = (2, 3, 8, 9)) -> ImportedNetwork:
    found = read_onnx(path)
    x = random(*shape, seed=5)
    (expected,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    got = found.network.predict_logits(found.image.to_stored(x), engine="numpy")
    got = found.output.from_stored(got)
    assert got.shape == expected.shape
    scale = np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * scale)
    return found


@pytest.mark.parametrize("axis", [1, -1])
def test_layer_normalisation_as_a_chain(write: Write, axis: int) -> None:
    nodes = [
        Node("Transpose", ["x"], ["t"], perm=[0, 1, 2, 3] if axis == 1 else [0, 2, 3, 1]),
        Node("ReduceMean", ["t"], ["mean"], axes=[axis]),
        Node("Sub", ["t", "mean"], ["d"]),
        Node("Pow", ["d", "two"], ["sq"]),
        Node("ReduceMean", ["sq"], ["var"], axes=[axis]),
        Node("Add", ["var", "eps"], ["e"]),
        Node("Sqrt", ["e"], ["root"]),
        Node("Div", ["d", "root"], ["n"]),
        Node("Mul", ["n", "gamma"], ["g"]),
        Node("Add", ["g", "beta"], ["y"]),
    ]
    shape = (3, 1, 1) if axis == 1 else (3,)
    weights = {
        "two": np.float32(2),
        "eps": np.float32(1e-5),
        "gamma": random(*shape),
        "beta": random(*shape, seed=1),
    }
    found = agree_numpy(write(nodes, weights))
    assert [type(node.layer).__name__ for node in found.network.nodes] == ["LayerNorm"]


def test_a_gate_of_squeeze_and_excitation(write: Write) -> None:
    nodes = [
        Node("Conv", ["x", "w"], ["v"]),
        Node("GlobalAveragePool", ["v"], ["p"]),
        Node("Conv", ["p", "w1", "b1"], ["a"]),
        Node("Relu", ["a"], ["b"]),
        Node("Conv", ["b", "w2"], ["c"]),
        Node("Sigmoid", ["c"], ["s"]),
        Node("Mul", ["s", "v"], ["y"]),
    ]
    weights = {
        "w": random(6, 3, 3, 3),
        "w1": random(2, 6, 1, 1),
        "b1": random(2),
        "w2": random(6, 2, 1, 1),
    }
    found = agree_numpy(write(nodes, weights))
    assert type(found.network.nodes[-1].layer).__name__ == "Multiply"


def test_a_channel_shuffle(write: Write) -> None:
    nodes = [
        Node("Conv", ["x", "w"], ["v"]),
        Node("Reshape", ["v", "apart"], ["a"]),
        Node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
        Node("Reshape", ["b", "together"], ["c"]),
        Node("Conv", ["c", "w2"], ["y"], group=3),
    ]
    weights = {
        "w": random(12, 3, 1, 1),
        "w2": random(6, 4, 1, 1),
        "apart": np.array([2, 3, 4, 8, 9]),
        "together": np.array([2, -1, 8, 9]),
    }
    found = agree_numpy(write(nodes, weights))
    assert "ChannelShuffle" in {type(node.layer).__name__ for node in found.network.nodes}


def test_channels_last_with_transposes_around_each_convolution(write: Write) -> None:
    nodes = [
        Node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        Node("Conv", ["a", "w"], ["b"], strides=[2, 1]),
        Node("Transpose", ["b"], ["c"], perm=[0, 2, 3, 1]),
        Node("Mul", ["c", "k"], ["d"]),
        Node("Add", ["d", "l"], ["e"]),
        Node("Relu", ["e"], ["f"]),
        Node("ReduceMean", ["f"], ["y"], axes=[1, 2], keepdims=0),
    ]
    weights = {"w": random(7, 3, 3, 2), "k": random(7), "l": random(7, seed=2)}
    found = agree_numpy(write(nodes, weights, shape=(2, 9, 8, 3)), (2, 9, 8, 3))
    assert found.network.input_shape == (9, 8, 3)
    kinds = [type(node.layer).__name__ for node in found.network.nodes]
    assert kinds == ["Conv2D", "Affine", "ReLU", "GlobalAvgPool2D"]


def test_functions_are_inlined(write: Write) -> None:
    inner = onnx.helper.make_function(
        "own", "Gate", ["a"], ["b"],
        [Node("Sigmoid", ["a"], ["s"]), Node("Mul", ["a", "s"], ["b"])],
        [onnx.helper.make_opsetid("", 17)],
    )  # fmt: skip
    outer = onnx.helper.make_function(
        "own", "Block", ["a", "w"], ["b"],
        [Node("Conv", ["a", "w"], ["s"]), Node("Gate", ["s"], ["b"], domain="own")],
        [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)],
    )  # fmt: skip
    nodes = [
        Node("Block", ["x", "w"], ["s"], domain="own"),
        Node("Block", ["s", "w2"], ["y"], domain="own"),
    ]
    weights = {"w": random(4, 3, 3, 3), "w2": random(5, 4, 2, 2)}
    found = agree_numpy(write(nodes, weights, functions=[inner, outer]))
    kinds = [type(node.layer).__name__ for node in found.network.nodes]
    assert kinds == ["Conv2D", "SiLU", "Conv2D", "SiLU"]


def test_a_softmax_at_the_end_is_left_out(write: Write) -> None:
    nodes = [
        Node("GlobalAveragePool", ["x"], ["a"]),
        Node("Flatten", ["a"], ["b"]),
        Node("Gemm", ["b", "m"], ["c"]),
        Node("Softmax", ["c"], ["y"]),
    ]
    path = write(nodes, {"m": random(3, 4)}, opset=12)
    found = read_onnx(path)
    assert any("Softmax at its end is left out" in note for note in found.notes)
    x = random(2, 3, 8, 9)
    (expected,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    chances = found.network.predict_proba(np.moveaxis(x, 1, -1), engine="numpy")
    np.testing.assert_allclose(chances, expected, atol=1e-6)


def test_several_outputs(write: Write) -> None:
    nodes = [
        Node("Conv", ["x", "w"], ["a"]),
        Node("Relu", ["a"], ["y"]),
        Node("Exp", ["a"], ["z"]),
    ]
    path = write(nodes, {"w": random(4, 3, 2, 2)}, outputs=["y", "z"])
    with pytest.raises(OnnxFileError, match='has 2 outputs; choose one, output="y", "z"'):
        read_onnx(path)
    with pytest.raises(OnnxFileError, match='has no output "q"; it has "y", "z"'):
        read_onnx(path, output="q")
    assert len(agree(path, output="y").network.nodes) == 2
    with pytest.raises(OnnxFileError, match='Exp "z"'):
        read_onnx(path, output="z")


def test_sizes_that_the_file_leaves_open(write: Write) -> None:
    path = write([Node("Conv", ["x", "w"], ["y"])], {"w": random(4, 3, 2, 2)}, ("n", 3, "h", None))
    with pytest.raises(OnnxFileError, match=r"leaves the size of the image open.*image=\(224, 224"):
        read_onnx(path)
    assert agree(path, image=(8, 9)).network.input_shape == (8, 9, 3)
    fixed = write([Node("Conv", ["x", "w"], ["y"])], {"w": random(4, 3, 2, 2)})
    with pytest.raises(OnnxFileError, match="fixed to a height of 8, not 7"):
        read_onnx(fixed, image=(7, 9))
    with pytest.raises(OnnxFileError, match=r"image must be \(height, width\)"):
        striate.from_onnx(fixed, image=7)  # type: ignore[arg-type]


def test_all_operators_in_the_way_are_named(write: Write) -> None:
    nodes = [
        Node("Exp", ["x"], ["a"], name="first"),
        Node("Conv", ["x", "w"], ["b"]),
        Node("Softmax", ["b"], ["c"], name="attention", axis=1),
        Node("Resize", ["c", "", "scales"], ["d"], name="up"),
        Node("Det", ["a"], ["e"], name="after"),
        Node("Sqrt", ["b"], ["f"], name="second"),
        Node("Add", ["f", "d"], ["g"]),
        Node("Add", ["g", "e"], ["y"]),
    ]
    weights = {"w": random(3, 3, 1, 1), "scales": np.array([1, 1, 2, 2], np.float32)}
    with pytest.raises(OnnxFileError) as caught:
        read_onnx(write(nodes, weights))
    message = str(caught.value)
    for part in ('Exp "first"', 'Softmax "attention" (it is not the end', 'Sqrt "second"'):
        assert part in message
    assert len(message) <= 500 and "\n" not in message


def test_many_operators_in_the_way_still_fit(write: Write) -> None:
    nodes = [Node("Conv", ["x", "w"], ["a0"])]
    for i in range(200):
        name = f"/model/some/very/long/name/of/a/layer/{i}/exponential"
        nodes += [Node(("Exp", "Sqrt", "Sin")[i % 3], ["a0"], [f"e{i}"], name=name)]
    nodes.append(Node("Sum", [f"e{i}" for i in range(200)], ["y"]))
    with pytest.raises(OnnxFileError) as caught:
        read_onnx(write(nodes, {"w": random(3, 3, 1, 1)}))
    message = str(caught.value)
    assert len(message) <= 500
    assert all(kind in message for kind in ("Exp", "Sqrt", "Sin")) and "more" in message


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('["cat", "dog"]', ["cat", "dog"]),
        ("{0: 'cat', 1: 'dog'}", ["cat", "dog"]),
        ('{"1": "dog", "0": "cat"}', ["cat", "dog"]),
        ("cat\ndog\n", ["cat", "dog"]),
        ("cat,dog", ["cat", "dog"]),
        ("{0: 'cat', 2: 'dog'}", None),
        ("[1.5, 2]", None),
        ('["cat", "cat"]', None),
        ("[" * 5000, None),
        ("{0: __import__('os')}", None),
        ("", None),
    ],
)
def test_class_names(text: str, names: list[str] | None) -> None:
    assert class_names(text) == names


def test_class_names_and_sizes_in_the_metadata(write: Write) -> None:
    nodes = [Node("GlobalAveragePool", ["x"], ["a"]), Node("Flatten", ["a"], ["y"])]
    metadata = {
        "names": "{0: 'cat', 1: 'dog', 2: 'owl'}",
        "resize": json.dumps({"height": 8, "width": 9, "mode": "crop"}),
        "colour": '"rgb"',
    }
    found = read_onnx(write(nodes, {}, metadata=metadata))
    assert found.network.classes == ["cat", "dog", "owl"]
    assert found.network.preprocessing.resize == {"height": 8, "width": 9, "mode": "crop"}
    assert found.network.preprocessing.colour == "rgb"
    found = read_onnx(write(nodes, {}, metadata={"names": "['cat', 'dog']"}))
    assert found.network.classes is None
    assert any("names 2 classes, and the output has 3" in note for note in found.notes)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "squeezenet1.1"])
def test_networks_of_imagenet(name: str) -> None:
    """Photographs are classified as ONNX Runtime does."""
    path = MODELS / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    network = striate.from_onnx(path)
    height, width, _ = network.input_shape
    session = onnxruntime.InferenceSession(str(path))
    for photo in photographs(height, width):
        if name == "squeezenet1.1":
            x = photo[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
        else:
            x = (photo - 127) / np.float32(128)
        (expected,) = session.run(None, {"input": x.transpose(2, 0, 1)[None]})
        got = network.predict_logits(x[None], engine="numpy")
        assert got.argmax() == expected.argmax()
        assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


def photographs(height: int, width: int) -> list[Any]:
    import matplotlib.cbook
    from PIL import Image
    from sklearn.datasets import load_sample_images

    images = [Image.fromarray(array) for array in load_sample_images().images]
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        images.append(Image.open(file).convert("RGB"))
    sized = [image.resize((width, height), Image.Resampling.BICUBIC) for image in images]
    return [np.asarray(image, np.float32) for image in sized]
