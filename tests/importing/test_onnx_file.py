"""ONNX files that are damaged, or made to do harm: one sentence, soon, and little memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from striate.cli.app import run  # noqa: E402
from striate.importing.onnx_reader import read_onnx  # noqa: E402
from striate.importing.operation_graph import OnnxFileError, OnnxOperation, in_order  # noqa: E402

FLOAT = onnx.TensorProto.FLOAT
Node = onnx.helper.make_node
Change = Callable[[Any], None]


def network() -> Any:
    """Convolution, ReLU and a dense layer."""
    random = np.random.default_rng(0)
    weights = {
        "w": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "m": random.standard_normal((4 * 36, 5)).astype(np.float32),
    }
    nodes = [
        Node("Conv", ["x", "w"], ["a"]),
        Node("Relu", ["a"], ["b"]),
        Node("Flatten", ["b"], ["c"]),
        Node("Gemm", ["c", "m"], ["y"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [onnx.helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", FLOAT, [1, 5])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
    )


def refused(path: Path) -> str:
    with pytest.raises(OnnxFileError) as caught:
        read_onnx(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) <= 500
    return message


def saved(folder: Path, change: Change) -> Path:
    model = network()
    change(model)
    path = folder / "network.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_it_is_sound_without_a_change(tmp_path: Path) -> None:
    assert len(read_onnx(saved(tmp_path, lambda model: None)).network.nodes) == 4


def test_truncated_files(tmp_path: Path) -> None:
    whole = saved(tmp_path, lambda model: None).read_bytes()
    path = tmp_path / "short.onnx"
    for length in [0, 1, 2, 10, 50, len(whole) // 3, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert "damaged" in (message := refused(path)) or "no ONNX file" in message


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    refused(path)
    assert "is a folder" in refused(tmp_path)
    assert "no such ONNX file" in refused(tmp_path / "nothing.onnx")
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    assert "is a pipe" in refused(pipe)


def external(model: Any, **entries: str) -> None:
    """Put the first weights into another file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../secret.bin"}, "only files in the folder"),
        ({"location": "/etc/passwd"}, "only files in the folder"),
        ({"location": "a/../../secret.bin"}, "only files in the folder"),
        ({"location": "..\\secret.bin"}, "only files in the folder"),
        ({"location": "C:\\secret.bin"}, "only files in the folder"),
        ({"location": ""}, "only files in the folder"),
        ({"location": "link.bin"}, "a link that leads out of the folder"),
        ({"location": "folder"}, "is a folder"),
        ({"location": "nothing.bin"}, "there is no such file of weights"),
        ({"location": "a\0b"}, "cannot be found|cannot be read|no valid|null"),
        ({"location": "w.bin", "offset": "8"}, "which has 432: that file is truncated"),
        ({"location": "w.bin", "length": "433"}, "which has 432: that file is truncated"),
        ({"location": "w.bin", "offset": str(2**62), "length": str(2**62)}, "is no number|trunc"),
        ({"location": "w.bin", "offset": "-4"}, "which is no number of bytes"),
        ({"location": "w.bin", "length": "1e3"}, "which is no number of bytes"),
        ({"location": "w.bin", "length": "100"}, "does not hold 108 numbers"),
    ],
)
def test_weights_in_other_files(tmp_path: Path, entries: dict[str, str], message: str) -> None:
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(bytes(432))
    (inside / "w.bin").write_bytes(bytes(432))
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = saved(inside, lambda model: external(model, **entries))
    with pytest.raises(OnnxFileError, match=message):
        read_onnx(path)


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    weights = np.random.default_rng(3).standard_normal((4, 3, 3, 3)).astype(np.float32)
    (tmp_path / "w.bin").write_bytes(b"head" + weights.tobytes())
    path = saved(tmp_path, lambda m: external(m, location="w.bin", offset="4", length="432"))
    found = read_onnx(path).network
    assert (found.parameters["a/filters"] == weights.transpose(2, 3, 1, 0)).all()


def test_one_range_read_again_and_again(tmp_path: Path) -> None:
    """Tensors that overlap could make a small file need any memory."""
    (tmp_path / "w.bin").write_bytes(bytes(4096))

    def change(model: Any) -> None:
        external(model, location="w.bin", length="432")
        for i in range(100):
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(model.graph.initializer[0])
            tensor.name = f"w{i}"
            tensor.external_data.add(key="offset", value=str(i))

    assert "overlaps with other tensors" in refused(saved(tmp_path, change))


def huge(model: Any, **shapes: Any) -> None:
    for name, shape in shapes.items():
        node = Node("ConstantOfShape", [name], [f"{name}_made"])
        model.graph.node.insert(0, node)
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(shape), name))
        model.graph.node[1].input[1] = f"{name}_made"


def test_constants_larger_than_the_file_deserves(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda m: huge(m, h=[40000, 3, 300, 300]))
    assert "more than the file deserves" in refused(path)
    path = saved(tmp_path, lambda m: huge(m, h=[2**40, 2**40, 2**40]))
    assert "more constants than the file deserves" in refused(path)


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ([1, 3, 2**40, 8], "is more|more than|too large|greater"),
        ([1, 3, 0, 8], "has a height of 0; export it"),
        ([1, -3, 8, 8], "has -3 channels; export it with at least one"),
        ([0, 3, 8, 8], "a batch of 0 images; export it with one"),
        ([1] * 30, "30 axes; export it with images"),
    ],
)
def test_sizes_of_the_image(tmp_path: Path, dims: list[int], message: str) -> None:
    def change(model: Any) -> None:
        value = onnx.helper.make_tensor_value_info("x", FLOAT, dims)
        model.graph.input[0].CopyFrom(value)

    with pytest.raises(ValueError, match=message):
        read_onnx(saved(tmp_path, change))


def damage(place: int, **fields: Any) -> Change:
    def change(model: Any) -> None:
        tensor = model.graph.initializer[place]
        for name, value in fields.items():
            tensor.ClearField(name)
            if isinstance(value, list):
                getattr(tensor, name).extend(value)
            else:
                setattr(tensor, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage(0, dims=[2**40, 2**40, 2**40, 2**40]), "far too large"),
        (damage(0, dims=[4, 3, 3, 4]), "does not hold 144 numbers"),
        (damage(0, dims=[-4, 3, 3, 3]), "has the shape"),
        (damage(0, data_type=8), "holds texts"),
        (damage(0, data_type=999), "is damaged"),
        (damage(0, name="m"), 'two tensors named "m"'),
        (damage(0, raw_data=np.full(108, np.nan, np.float32).tobytes()), "not finite"),
        (lambda m: m.graph.node.reverse(), "cannot"),
        (lambda m: m.graph.node[0].input.__setitem__(0, "c"), "in a circle"),
        (lambda m: m.graph.node[0].input.__setitem__(0, "gone"), "nothing makes"),
        (lambda m: m.graph.node[1].output.__setitem__(0, "a"), "make the tensor|SSA|unique|used"),
        (lambda m: m.opset_import[0].__setattr__("version", 5), "version 5 of the operators"),
        (lambda m: m.opset_import[0].__setattr__("version", 999), "version 999 of the operators"),
        (lambda m: m.graph.node[1].__setattr__("op_type", "Relo"), "Relo"),
        (lambda m: m.graph.node[1].__setattr__("domain", "com.microsoft"), "com.microsoft"),
    ],
)
def test_damaged_graphs(tmp_path: Path, change: Change, message: str) -> None:
    if message == "cannot":  # nodes in any order are put in order
        model = network()
        nodes = list(model.graph.node)[::-1]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        path = tmp_path / "network.onnx"
        path.write_bytes(model.SerializeToString())
        assert len(read_onnx(path).network.nodes) == 4
        return
    with pytest.raises(OnnxFileError, match=message):
        read_onnx(saved(tmp_path, change))


def test_functions_that_call_each_other(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
        for i in range(60):  # each calls the next twice: 2^60 nodes
            body = [
                Node(f"F{i + 1}", ["a"], ["b"], domain="own"),
                Node(f"F{i + 1}", ["b"], ["c"], domain="own"),
            ]
            model.functions.append(
                onnx.helper.make_function("own", f"F{i}", ["a"], ["c"], body, imports)
            )
        last = [Node("Relu", ["a"], ["c"])]
        model.functions.append(onnx.helper.make_function("own", "F60", ["a"], ["c"], last, imports))
        model.opset_import.append(onnx.helper.make_opsetid("own", 1))
        model.graph.node[1].CopyFrom(Node("F0", ["a"], ["b"], domain="own"))

    assert "nodes are more than" in refused(saved(tmp_path, change))


def test_a_function_that_calls_itself(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
        body = [Node("F", ["a"], ["c"], domain="own")]
        model.functions.append(onnx.helper.make_function("own", "F", ["a"], ["c"], body, imports))
        model.opset_import.append(onnx.helper.make_opsetid("own", 1))
        model.graph.node[1].CopyFrom(Node("F", ["a"], ["b"], domain="own"))

    message = refused(saved(tmp_path, change))  # said by onnx, or else by striate
    assert "recursive" in message or "calls itself" in message


def test_orders_of_operations() -> None:
    def op(name: str, *inputs: str) -> OnnxOperation:
        return OnnxOperation("Add", name, inputs, (name,), {}, 17)

    chain = [op("c", "b"), op("a", "x"), op("b", "a", "x")]
    assert [one.name for one in in_order(chain, ["x"], "f")] == ["a", "b", "c"]
    with pytest.raises(OnnxFileError, match="in a circle"):
        in_order([op("a", "b"), op("b", "a")], ["x"], "f")


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, lambda model: None)
    out = tmp_path / "made.safetensors"
    assert run(["import", str(path), "-o", str(out)]) == 0
    assert "4 layers" in capfd.readouterr().out
    assert run(["predict", str(out), str(path)]) == 2
    capfd.readouterr()
    path.write_bytes(path.read_bytes()[:-9])
    assert run(["import", str(path), "-o", str(tmp_path / "none.safetensors")]) == 2
    assert capfd.readouterr().err.startswith(f"striate: {path}: ")
    assert not (tmp_path / "none.safetensors").exists()
