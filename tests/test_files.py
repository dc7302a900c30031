"""Model files: what comes back, and what is refused, always by one clear sentence."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from striate.layers import Add, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from striate.model import files
from striate.model.files import ModelFileError
from striate.model.preprocessing import Preprocessing
from striate.network import Input, Network, load

Header = dict[str, Any]


def make_network() -> Network:
    """A network of few numbers with a branch, running statistics, classes and preprocessing."""
    x = image = Input((6, 5, 2))
    x = Conv2D(2, 3, padding="same")(x)
    x = BatchNorm()(x)
    x = Add()(x, image)
    x = Dropout(0.25)(ReLU()(x))
    x = MaxPool2D((2, 5))(x)
    network = Network(inputs=image, output=Dense(3)(Flatten()(x)), seed=7)
    rng = np.random.default_rng(0)
    for values in (*network.parameters.values(), *network.state.values()):
        values[...] = rng.random(values.shape)
    network.classes = ["cat", "dög", 'say "x"\n']
    network.preprocessing = Preprocessing(
        mean=(1.5, 2.0),
        std=(0.1, 3.0),
        resize={"height": 6, "width": 5, "mode": "crop", "maximum": 16},
    )
    return network


NETWORK = make_network()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    files.save(NETWORK, path, {"epochs": 3})
    return path


def read(path: Path) -> tuple[Header, bytes]:
    """Return the header and the data of a safetensors file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write(path: Path, header: Header, data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def change(path: Path, edit: Callable[[Header], object]) -> None:
    """Edit the header of a model file."""
    header, data = read(path)
    edit(header)
    header["__metadata__"].pop("checksum", None)  # as of a file that is wrong, not damaged
    write(path, header, data)


def change_json(path: Path, key: str, edit: Callable[[Any], object]) -> None:
    """Edit one of the JSON values in the metadata of a model file."""

    def apply(header: Header) -> None:
        value = json.loads(header["__metadata__"][key])
        edit(value)
        header["__metadata__"][key] = json.dumps(value)

    change(path, apply)


def refused(path: Path, match: str) -> None:
    """Check that loading fails by one sentence that names the file."""
    with pytest.raises(ModelFileError, match=match) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


# What comes back


def test_a_network_comes_back_whole(model: Path) -> None:
    loaded = striate.load(model)
    assert loaded.get_config() == NETWORK.get_config()
    assert loaded.classes == NETWORK.classes
    assert loaded.preprocessing == NETWORK.preprocessing
    assert list(loaded.parameters) == list(NETWORK.parameters)
    for name, values in {**NETWORK.parameters, **NETWORK.state}.items():
        np.testing.assert_array_equal({**loaded.parameters, **loaded.state}[name], values)
    images = np.random.default_rng(1).integers(0, 16, (4, 6, 5, 2), dtype=np.uint8)
    np.testing.assert_array_equal(
        loaded.predict_logits(images, engine="numpy"),
        NETWORK.predict_logits(images, engine="numpy"),
    )


def test_the_loaded_numbers_can_be_trained_on(model: Path) -> None:
    loaded = load(model)
    assert loaded.flat.flags.writeable
    assert loaded.flat.ctypes.data % 64 == 0
    assert np.shares_memory(loaded.flat, loaded.parameters["dense_1/weights"])


def test_network_save_is_the_same(model: Path, tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "other")
    assert load(tmp_path / "other").get_config() == NETWORK.get_config()
    assert files.information(tmp_path / "other") == {"striate_version": striate.__version__}


def test_without_classes_or_preprocessing(tmp_path: Path) -> None:
    network = Network([Dense(2, bias=False)], input_shape=(3,))
    files.save(network, tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.classes is None
    assert loaded.preprocessing == Preprocessing()


def test_the_notes_about_the_training_come_back(model: Path) -> None:
    assert files.information(model) == {"epochs": 3, "striate_version": striate.__version__}


def test_class_names_that_are_no_text_in_any_encoding(tmp_path: Path) -> None:
    network = make_network()
    network.classes = [os.fsdecode(b"\xff\xfe"), "\x00", "😀"]
    files.save(network, tmp_path / "m")
    assert load(tmp_path / "m").classes == network.classes


def test_the_library_of_safetensors_reads_the_file(model: Path) -> None:
    from safetensors import safe_open

    with safe_open(model, framework="np") as file:
        assert set(file.keys()) == {*NETWORK.parameters, *NETWORK.state}
        for name, values in {**NETWORK.parameters, **NETWORK.state}.items():
            np.testing.assert_array_equal(file.get_tensor(name), values)
        metadata = file.metadata()
    assert metadata["format"] == "striate"
    assert metadata["format_version"] == "1"
    assert json.loads(metadata["architecture"]) == NETWORK.get_config()
    assert json.loads(metadata["classes"]) == NETWORK.classes


def test_public_names() -> None:
    assert {*NETWORK.parameters, *NETWORK.state} == {
        "conv2d_1/filters",
        "conv2d_1/bias",
        "batch_norm_1/scale",
        "batch_norm_1/shift",
        "batch_norm_1/mean",
        "batch_norm_1/variance",
        "dense_1/weights",
        "dense_1/bias",
    }


def test_the_library_of_safetensors_may_have_written_the_file(model: Path) -> None:
    from safetensors.numpy import load_file, save_file

    header, _ = read(model)
    save_file(load_file(model), model, header["__metadata__"])
    np.testing.assert_array_equal(load(model).flat, NETWORK.flat)


def test_the_same_network_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys; from striate.layers import Dense; from striate.network import Network; "
        "Network([Dense(2)], input_shape=(3,)).save(sys.argv[1])"
    )
    hashes = set()
    for seed in ("0", "1"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "m")],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        hashes.add(hashlib.sha256((tmp_path / "m").read_bytes()).digest())
    assert len(hashes) == 1


def test_the_data_begin_at_a_multiple_of_8(model: Path) -> None:
    (length,) = struct.unpack("<Q", model.read_bytes()[:8])
    assert length % 8 == 0


# Saving


def test_saving_replaces_the_old_file(model: Path) -> None:
    model.write_bytes(b"x" * 100_000)
    files.save(NETWORK, str(model))
    load(model)
    assert len(list(model.parent.iterdir())) == 1


def test_a_failing_save_keeps_the_old_file(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model.read_bytes()

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelFileError, match="cannot be written: No space left on device"):
        files.save(NETWORK, model)
    assert model.read_bytes() == before
    assert len(list(model.parent.iterdir())) == 1


def test_saving_to_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be written: No such file"):
        files.save(NETWORK, tmp_path / "no" / "model")


def test_saving_to_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be written"):
        files.save(NETWORK, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["conv2d_1/filters", "batch_norm_1/mean"])
def test_a_diverged_network_is_not_saved(tmp_path: Path, value: float, name: str) -> None:
    network = make_network()
    {**network.parameters, **network.state}[name].flat[1] = value
    with pytest.raises(ModelFileError, match=f"not saved, because {name} .* lower learning rate"):
        network.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("classes", "match"),
    [
        (["a", "b"], r"2 classes for outputs of shape \(3,\)"),
        (["a", "b", "a"], "a class name occurs twice"),
        (["a", "b", 3], "not a list of text"),
    ],
)
def test_classes_that_do_not_fit_are_not_saved(
    tmp_path: Path, classes: list[Any], match: str
) -> None:
    network = make_network()
    network.classes = classes
    with pytest.raises(ModelFileError, match=f"not saved, because .*{match}"):
        network.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_notes_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        files.save(NETWORK, tmp_path / "m", {"x": object()})
    with pytest.raises(ValueError, match="JSON"):
        files.save(NETWORK, tmp_path / "m", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


# What is refused


def test_no_such_file(tmp_path: Path) -> None:
    refused(tmp_path / "none", "there is no such model file")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder, not a model file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is a pipe, not a model file")


def test_a_name_with_a_null_character() -> None:
    refused(Path("a\0b"), "cannot be read")


def test_a_file_that_may_not_be_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    refused(model, "cannot be read: Permission denied")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
        b"PK\x03\x04" + b"{" * 50,
        b"\xff" * 8 + b"{}",
        b"\x02" + b"\0" * 7 + b"[]",
        b"\x02" + b"\0" * 7 + b"{]",
        b"\x05" + b"\0" * 7 + b"{\xff\xff\xff}",
    ],
)
def test_not_safetensors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    refused(tmp_path / "m", "is not a safetensors file, so not a model")


def test_a_header_that_is_nested_without_end(tmp_path: Path) -> None:
    text = b'{"a":' * 100_000
    (tmp_path / "m").write_bytes(struct.pack("<Q", len(text)) + text)
    refused(tmp_path / "m", "is not a safetensors file, so not a model")


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = b"cos\nsystem\n(S'touch " + os.fsencode(mark) + b"'\ntR."
    (tmp_path / "m").write_bytes(evil)
    refused(tmp_path / "m", "is not a safetensors file")
    assert not mark.exists()


def resave(path: Path, *dropped: str, **added: str) -> None:
    """Save a model again as another program does, without some of its metadata."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    with safe_open(path, "np") as file:
        metadata = {key: value for key, value in file.metadata().items() if key not in dropped}
    tensors = load_file(path)
    save_file(dict(reversed(tensors.items())), path, {**metadata, **added})


def test_a_model_that_another_program_saved_again(model: Path) -> None:
    before = striate.load(model)
    for added in ({}, {"format": "pt"}):  # with its checksum: nothing to tell
        resave(model, **added)
        assert np.array_equal(load(model).flat, before.flat)
    for dropped in (("checksum",), ("format", "format_version", "training")):
        resave(model, *dropped)
        with pytest.warns(UserWarning, match="saved again by another program: .* no checksum"):
            loaded = load(model)
        assert np.array_equal(loaded.flat, before.flat)
        assert loaded.classes == before.classes
        assert loaded.preprocessing == before.preprocessing
    assert set(files.information(model)) == {"striate_version"}
    resave(model, "preprocessing")
    refused(model, "not one that striate wrote: its metadata lack preprocessing; a program")


def test_a_changed_bit_is_noticed(model: Path) -> None:
    """In any weight, and in what says how they are used."""
    whole = model.read_bytes()
    length = 8 + int.from_bytes(whole[:8], "little")
    for place in range(length, len(whole)):
        for bit in (1, 128):
            wrong = bytearray(whole)
            wrong[place] ^= bit
            model.write_bytes(wrong)
            refused(model, "checksum does not match|not finite|negative variances")
    for one, other in ((b'\\"mean\\":[1', b'\\"mean\\":[2'), (b'\\"ReLU\\"', b'\\"Tanh\\"')):
        assert one in whole
        model.write_bytes(whole.replace(one, other))
        refused(model, "checksum does not match")
    model.write_bytes(whole)
    load(model)


def test_a_file_of_an_older_version_has_no_checksum(model: Path) -> None:
    change(model, lambda header: None)
    assert "checksum" not in read(model)[0]["__metadata__"]
    load(model)


def test_safetensors_of_others(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "m"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": np.zeros(3, np.float32)}, path, metadata)
        refused(path, "is a safetensors file, but not one that striate wrote")


def test_truncation_anywhere(model: Path) -> None:
    content = model.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for size in range(len(content)):
        model.write_bytes(content[:size])
        refused(model, "is truncated: it has" if size > 8 else "is not a safetensors file")
    assert length > 8


def test_bytes_at_the_end(model: Path) -> None:
    model.write_bytes(model.read_bytes() + b"\0")
    refused(model, "as a safetensors file it is not valid")


@pytest.mark.parametrize("version", ["4", "10", "9" * 5000])
def test_a_newer_format(model: Path, version: str) -> None:
    change(model, lambda header: header["__metadata__"].update(format_version=version))
    refused(model, r"reads up to 3; update striate")


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "", "one", "²"])
def test_a_version_that_is_none(model: Path, version: str) -> None:
    change(model, lambda header: header["__metadata__"].update(format_version=version))
    refused(model, "is not a valid model file: .*(format version is not a number|no model format)")


@pytest.mark.parametrize("key", ["architecture", "classes", "preprocessing"])
def test_missing_metadata(model: Path, key: str) -> None:
    change(model, lambda header: header["__metadata__"].pop(key))
    refused(model, f"its metadata lacks '{key}'")


@pytest.mark.parametrize("key", ["architecture", "classes", "preprocessing"])
@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[Infinity]", "[" * 100_000, "9" * 5000, '"\x01"']
)
def test_metadata_that_is_no_json(model: Path, key: str, text: str) -> None:
    change(model, lambda header: header["__metadata__"].update({key: text}))
    refused(model, f"its metadata '{key}' is not valid JSON")


@pytest.mark.parametrize("key", ["architecture", "preprocessing"])
@pytest.mark.parametrize("text", ["null", "[]", "3", '"x"', "{}", '{"nodes": 1}', "true"])
def test_metadata_of_another_kind(model: Path, key: str, text: str) -> None:
    change(model, lambda header: header["__metadata__"].update({key: text}))
    if (key, text) == ("preprocessing", "{}"):
        assert load(model).preprocessing == Preprocessing()
    else:
        refused(model, "is not a valid model file: its")


def test_metadata_that_is_no_text(model: Path) -> None:
    change(model, lambda header: header["__metadata__"].update(architecture=3))
    refused(model, "its metadata 'architecture' is not text")


def test_notes_of_another_kind(model: Path) -> None:
    change(model, lambda header: header["__metadata__"].update(training="[]"))
    with pytest.raises(ModelFileError, match="notes about the training are not a JSON object"):
        files.information(model)
    load(model)


def test_an_unknown_layer(model: Path) -> None:
    change_json(model, "architecture", lambda value: value["nodes"][0].update(type="Conv3D"))
    refused(model, "its architecture cannot be built: .*unknown layer type 'Conv3D'")


@pytest.mark.parametrize("name", ["os.system", "__import__", "Layer", "Node", "LAYERS"])
def test_a_layer_is_never_imported_by_name(model: Path, name: str) -> None:
    change_json(model, "architecture", lambda value: value["nodes"][0].update(type=name))
    refused(model, "unknown layer type")


@pytest.mark.parametrize(
    "edit",
    [
        lambda value: value["nodes"][0]["config"].update(filters=0),
        lambda value: value["nodes"][0]["config"].update(filters="2"),
        lambda value: value["nodes"][0]["config"].update(filters=10**400),
        lambda value: value["nodes"][0]["config"].update(unknown=1),
        lambda value: value["nodes"][0]["config"].update(padding=[1, 2, 3]),
        lambda value: value["nodes"][4]["config"].update(rate=10**400),
        lambda value: value["nodes"][1]["config"].update(eps=-1.0),
        lambda value: value["nodes"][0].update(inputs=[3]),
        lambda value: value["nodes"][0].update(inputs=[-2]),
        lambda value: value["nodes"][0].update(inputs="01"),
        lambda value: value["nodes"][0].update(inputs=[]),
        lambda value: value["nodes"][0].update(name=None),
        lambda value: value["nodes"][0].update(name="a/b"),
        lambda value: value["nodes"][0].update(name="dense_1"),
        lambda value: value["nodes"].append(value["nodes"][0]),
        lambda value: value.update(nodes=[]),
        lambda value: value.update(nodes={}),
        lambda value: value.update(output=99),
        lambda value: value.update(output=0),
        lambda value: value.update(input_shape=[6, 5]),
        lambda value: value.update(input_shape=[6, 5, 0]),
        lambda value: value.update(input_shape=[6, 5, "2"]),
        lambda value: value.update(input_shape=None),
        lambda value: value.update(extra=1),
    ],
)
def test_an_architecture_that_cannot_be_built(model: Path, edit: Callable[[Any], object]) -> None:
    change_json(model, "architecture", edit)
    refused(
        model, "is not a valid model file: its (architecture cannot be built: |metadata.*too large)"
    )


def test_wrong_shapes(model: Path) -> None:
    change_json(model, "architecture", lambda value: value["nodes"][-1]["config"].update(units=4))
    refused(model, r"dense_1/weights has the shape \(6, 3\), but .* needs \(6, 4\)")


def test_a_transposed_tensor(model: Path) -> None:
    change(model, lambda header: header["dense_1/weights"].update(shape=[3, 6]))
    refused(model, r"dense_1/weights has the shape \(3, 6\), but .* needs \(6, 3\)")


def test_a_tensor_of_another_type(model: Path) -> None:
    change(model, lambda header: header["dense_1/bias"].update(dtype="I32"))
    refused(model, "dense_1/bias is stored as I32")


def test_a_missing_tensor(model: Path) -> None:
    change(model, lambda header: header.update(other=header.pop("batch_norm_1/mean")))
    refused(model, "it lacks batch_norm_1/mean, which its architecture needs")


def test_an_unexpected_tensor(model: Path) -> None:
    header, data = read(model)
    header["other"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
    write(model, header, data + b"\0" * 4)
    refused(model, "it holds other, which its architecture does not have")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(model: Path, value: float) -> None:
    header, data = read(model)
    start, end = header["dense_1/weights"]["data_offsets"]
    write(model, header, data[: end - 4] + struct.pack("<f", value) + data[end:])
    assert end - start == 4 * 18
    refused(model, "dense_1/weights holds numbers that are not finite")


def test_a_negative_variance(model: Path) -> None:
    header, data = read(model)
    start, _ = header["batch_norm_1/variance"]["data_offsets"]
    write(model, header, data[:start] + struct.pack("<f", -1) + data[start + 4 :])
    refused(model, "batch_norm_1/variance holds negative variances")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('["a"]', r"names 1 classes for outputs of shape \(3,\)"),
        ('["a", "b", "a"]', "occurs twice"),
        ('["a", "b", 3]', "not a list of text"),
        ('{"a": 1, "b": 2, "c": 3}', "not a list of text"),
        ('"abc"', "not a list of text"),
    ],
)
def test_wrong_classes(model: Path, text: str, match: str) -> None:
    change(model, lambda header: header["__metadata__"].update(classes=text))
    refused(model, match)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        ({"mean": [1.0], "std": [1.0]}, "has 1 channels, its network 2"),
        ({"std": [0.0, 1.0]}, "std must be positive"),
        ({"std": [10**400, 1.0]}, "preprocessing'? is not valid"),
        ({"std": [1e-40, 1.0]}, "float32 cannot hold"),
        ({"mean": [1e300, 1.0]}, "float32 cannot hold"),
        ({"resize": {"height": 6, "width": 6}}, "makes images 6×6"),
        ({"resize": {"height": 6}}, "preprocessing'? is not valid"),
        ({"resize": {"height": 6, "width": 5, "maximum": 0}}, "white at 0"),
        ({"resize": {"height": 6, "width": 5, "maximum": "x"}}, "white at 'x'"),
        ({"colour": "rgb"}, "makes rgb images"),
        ({"colour": "blue"}, "preprocessing'? is not valid"),
        ({"unknown": 1}, "preprocessing'? is not valid"),
    ],
)
def test_wrong_preprocessing(model: Path, edit: dict[str, Any], match: str) -> None:
    change_json(model, "preprocessing", lambda value: value.update(edit))
    refused(model, match)


@pytest.mark.parametrize(
    ("fits", "does_not", "match"),
    [
        ({"mean": [-1e30, 1.0]}, {"mean": [-1.01e30, 1.0]}, "float32 cannot hold"),
        ({"mean": [1.0, 1e30]}, {"mean": [1.0, 1.01e30]}, "float32 cannot hold"),
        ({"std": [1.0, 1.01e-30]}, {"std": [1.0, 1e-30]}, "float32 cannot hold"),
        ({"std": [9.9e29, 1.0]}, {"std": [1e30, 1.0]}, "float32 cannot hold"),
        *(
            (
                {"resize": {"height": 6, "width": 5, "maximum": least}},
                {"resize": {"height": height, "width": width, "maximum": most}},
                match,
            )
            for least, height, width, most, match in (
                (1e-3, 6, 5, 0, "white at 0, which is no positive number"),
                (9.9e8, 6, 5, 1e9, "white at 1000000000.0, which is no positive number"),
                (255, 6, 5, True, "white at True, which is no positive number"),
                (1, 5, 5, 1, r"images 5×5, its network reads \(6, 5, 2\)"),
                (1, 6, 6, 1, r"images 6×6, its network reads \(6, 5, 2\)"),
            )
        ),
        ({"mean": [], "std": []}, {"colour": "gray"}, "makes gray images, its network reads"),
    ],
)
def test_what_preprocessing_may_be(
    model: Path, fits: dict[str, Any], does_not: dict[str, Any], match: str
) -> None:
    change_json(model, "preprocessing", lambda value: value.update(fits))
    load(model)
    change_json(model, "preprocessing", lambda value: value.update(does_not))
    refused(model, match)


def test_a_file_needs_its_bytes_and_its_tensors(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = model.stat().st_size
    monkeypatch.setattr("striate.common.budget.WEIGHED", size)
    monkeypatch.setattr("striate.common.budget.available_memory", lambda: 2 * size)
    load(model)
    monkeypatch.setattr("striate.common.budget.available_memory", lambda: 2 * size - 1)
    refused(model, "this model needs .* of memory, .*; it is too large")


@pytest.mark.parametrize(
    "edit",
    [
        # 400 GB of weights in a file of 3 kB
        lambda value: value["nodes"][-1]["config"].update(units=10**10),
        lambda value: value["nodes"][0]["config"].update(filters=10**12),
        lambda value: value["nodes"][0]["config"].update(size=[10**6 + 1, 10**6 + 1]),
    ],
)
def test_absurd_weights_are_refused_before_they_are_allocated(
    model: Path, edit: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("allocated")

    monkeypatch.setattr(Network, "_allocate", never)
    change_json(model, "architecture", edit)
    refused(model, "is not a valid model file: ")


def test_absurd_activations_are_refused(tmp_path: Path) -> None:
    network = Network([Conv2D(1, 1, bias=False), striate.GlobalAvgPool2D()], (4, 4, 1))
    path = tmp_path / "m"
    network.save(path)
    change_json(path, "architecture", lambda value: value.update(input_shape=[10**5, 10**5, 1]))
    refused(path, r"Input: a value of shape 100000×100000×1 has 10,000,000,000 numbers")


# Whatever the bytes are


CONTENT: bytes = b""


def content() -> bytes:
    global CONTENT
    if not CONTENT:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            files.save(NETWORK, Path(folder) / "m", {"epochs": 3})
            CONTENT = (Path(folder) / "m").read_bytes()
    return CONTENT


def load_bytes(folder: Path, damaged: bytes) -> None:
    path = folder / "m"
    path.write_bytes(damaged)
    try:
        network = load(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ")
    else:  # a changed weight, or a changed letter in a name, is a model still
        assert np.isfinite(network.flat).all()
        with np.errstate(all="ignore"):  # weights may have become huge
            image = np.zeros((1, *network.input_shape), np.uint8)
            network.predict_logits(image, engine="numpy")


@given(st.data())
def test_flipped_bytes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    damaged = bytearray(content())
    # Nearly all of the meaning is in the header, and in its first bytes.
    ends = st.sampled_from([12, 400, len(damaged)])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, data.draw(ends) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    load_bytes(tmp_path_factory.getbasetemp(), bytes(damaged))


@given(st.data())
def test_cut_and_repeated_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = content()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(0, len(whole)))
    middle = data.draw(st.binary(max_size=20))
    load_bytes(tmp_path_factory.getbasetemp(), whole[:start] + middle + whole[end:])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) in a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = [(value, key) for key, _ in pairs]
    for container, key in list(found):
        if isinstance(container[key], dict | list):
            found += places(container[key])
    return found


@given(st.data())
def test_any_json_in_the_place_of_another(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "m"
    path.write_bytes(content())
    header, rest = read(path)
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from(["architecture", "classes", "preprocessing", "training"]))
        value = json.loads(header["__metadata__"][key])
        found = places(value)
        container, inner = data.draw(st.sampled_from(found))
        container[inner] = data.draw(JSON)
        header["__metadata__"][key] = json.dumps(value)
    else:
        container, inner = data.draw(st.sampled_from(places(header)))
        container[inner] = data.draw(JSON)
    write(path, header, rest)
    load_bytes(path.parent, path.read_bytes())


@given(st.binary(max_size=64), st.integers(0, 80))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, text: bytes, length: int) -> None:
    load_bytes(tmp_path_factory.getbasetemp(), struct.pack("<Q", length) + b"{" + text)


@pytest.mark.parametrize("name", ["ReLU", "Own"])
def test_layers_of_ones_own_are_not_saved_as_others(tmp_path, name):
    own = type(name, (striate.ReLU,), {})
    network = striate.Network([own(), striate.Flatten(), striate.Dense(2)], (3, 3, 1))
    with pytest.raises(ModelFileError, match=f"the layer relu_1 is of the class {name} of"):
        network.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())
