"""Networks that people wrote down, and ``striate summary``, which shows them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate import architectures
from striate.cli import networkfile
from striate.cli.networkfile import NetworkFileError
from striate.layers import Add, Conv2D, Dense, Flatten, ReLU
from striate.network import Input, Network, load

Run = Callable[..., Any]
Refused = Callable[..., str]

GRAPH = """
input_shape = [6, 5, 1]

[[layers]]
layer = "Conv2D"
name = "first"
filters = 3
size = [3, 1]
padding = [1, 1, 0, 0]

[[layers]]
layer = "Conv2D"
name = "side"
inputs = ["input"]
filters = 3
size = 1

[[layers]]
layer = "Add"
inputs = ["side", "first"]

[[layers]]
layer = "Flatten"

[[layers]]
layer = "Dense"
units = "classes"
"""


def built(path: Path, text: str, **given: Any) -> Network:
    path.write_text(text)
    return networkfile.read(path).build(**given)


def failing(path: Path, text: str, match: str, **given: Any) -> None:
    with pytest.raises(NetworkFileError, match=match) as caught:
        built(path, text, **given)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_graph_in_toml(tmp_path: Path) -> None:
    network = built(tmp_path / "n.toml", GRAPH, classes=4)
    x = image = Input((6, 5, 1))
    first = Conv2D(3, (3, 1), padding=(1, 1, 0, 0), name="first")(x)
    side = Conv2D(3, 1, name="side")(image)
    x = Dense(4)(Flatten()(Add()(side, first)))
    assert network.get_config() == Network(inputs=image, output=x).get_config()


def test_a_list_in_json(tmp_path: Path) -> None:
    layers = [{"layer": "Flatten"}, {"layer": "ReLU"}, {"layer": "Dense", "units": 2}]
    expected = Network([Flatten(), ReLU(), Dense(2)], input_shape=(4, 3, 1)).get_config()
    for text in (
        json.dumps(layers),
        json.dumps({"layers": layers}),
        json.dumps({"layers": layers, "input_shape": [4, 3, 1]}),
    ):
        network = built(tmp_path / "n.json", text, input_shape=(4, 3, 1))
        assert network.get_config() == expected


def test_what_get_config_made(tmp_path: Path) -> None:
    network = built(tmp_path / "n.toml", GRAPH, classes=4)
    text = json.dumps(network.get_config())
    again = built(tmp_path / "n.json", text, input_shape=(6, 5, 1), classes=4)
    assert again.get_config() == network.get_config()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is not valid JSON"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("3", "must hold a list of layers"),
        ("{}", "layers must be a list"),
        ("[]", "layers must be a list"),
        ('{"layers": 3}', "layers must be a list"),
        ("[3]", "layer 1: must be a table"),
        ('[{"units": 3}]', "layer 1: must be a table"),
        ('[{"layer": "conv2d"}]', "there is no layer 'conv2d'; did you mean 'Conv2D'?"),
        ('[{"layer": "os.system"}]', "there is no layer 'os.system'"),
        (
            '[{"layer": "Conv2D", "filter": 3}]',
            "layer 1: Conv2D has no argument 'filter'; did you mean 'filters'?",
        ),
        ('[{"layer": "Conv2D", "filters": 3}]', "layer 1: .*size"),
        ('[{"layer": "Conv2D", "filters": 0, "size": 3}]', "layer 1: .*filters"),
        ('[{"layer": "Conv2D", "filters": "3", "size": 3}]', "layer 1: .*filters"),
        ('[{"layer": "Conv2D", "filters": 3, "size": 9}]', "layer 1: "),
        ('[{"layer": "Dense", "units": 3}]', "layer 1: .*Flatten"),
        ('[{"layer": "Add"}]', "layer 1: .*at least 2"),
        ('[{"layer": "ReLU", "inputs": 3}]', "inputs must be a list of layer names"),
        ('[{"layer": "ReLU", "inputs": ["x"]}]', "no layer named 'x' before it"),
        ('[{"layer": "ReLU", "name": "input"}]', "the name 'input' is taken"),
        ('[{"layer": "ReLU", "name": "a"}, {"layer": "ReLU", "name": "a"}]', "'a' is taken"),
        (
            '[{"layer": "ReLU"}, {"layer": "ReLU", "inputs": "input"}]',
            "no path leads to the last",
        ),
        ('{"nodes": []}', "is not a valid network"),
        ('{"nodes": [], "input_shape": [1], "output": 0}', "is not a valid network"),
        ('{"layers": [], "input_shape": [0, 1, 1]}', "input_shape must be"),
        ('{"layers": [], "input_shape": "6x5"}', "input_shape must be"),
        ('{"layers": [], "input_shape": [6, 5]}', "input_shape must be"),
    ],
)
def test_what_cannot_be_built(tmp_path: Path, text: str, match: str) -> None:
    failing(
        tmp_path / "n.json", text, match, input_shape=(6, 5, 1) if "nodes" not in text else None
    )


def test_toml_that_is_none(tmp_path: Path) -> None:
    failing(tmp_path / "n.toml", "[[layers]", "is not valid TOML")


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "n.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkFileError, match="is not a text file"):
        networkfile.read(tmp_path / "n.json")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="there is no such network file"):
        networkfile.read(tmp_path / "none.json")
    with pytest.raises(NetworkFileError, match="is a folder, not a network file"):
        networkfile.read(tmp_path)


def test_ends_that_nobody_decided(tmp_path: Path) -> None:
    text = '[{"layer": "Flatten"}, {"layer": "Dense", "units": "classes"}]'
    failing(tmp_path / "n.json", text, "has no input_shape")
    failing(tmp_path / "n.json", text, "needs the number of classes", input_shape=(2, 2, 1))


# striate summary


def test_summary_of_a_network_file(striate: Run, in_tmp: Path) -> None:
    Path("n.toml").write_text(GRAPH)
    outcome = striate("summary", "n.toml")
    assert outcome.code == 0
    for word in ("first", "Conv2D", "6×5×3", "side", "add_1", "dense_1", "910"):
        assert word in outcome.out


def test_summary_as_json(striate: Run, in_tmp: Path) -> None:
    Path("n.toml").write_text(GRAPH)
    outcome = striate("summary", "n.toml", "--classes", 7, "--json")
    assert len(outcome.out.splitlines()) == 1
    result = outcome.json
    dense = result["layers"][-1]
    assert dense["output_shape"] == [7]
    assert dense["parameters"] == 90 * 7 + 7
    assert dense["multiply_adds"] == 90 * 7
    assert dense["activation_bytes"] == 28
    assert dense["receptive_field"] == [6, 5]
    first = result["layers"][0]
    assert first["receptive_field"] == [3, 1]
    assert first["parameters"] == 3 * 3 + 3
    assert result["parameters"] == sum(layer["parameters"] for layer in result["layers"])


def test_summary_of_a_model(striate: Run, model: Path) -> None:
    outcome = striate("summary", model)
    assert outcome.code == 0
    assert "Classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in outcome.out
    result = striate("summary", model, "--json").json
    assert result["parameters"] == load(model).parameter_count
    assert result["training"]["epochs"] == 2
    assert result["classes"] == [str(digit) for digit in range(10)]


def test_summary_with_an_input_shape(striate: Run, refused: Refused, in_tmp: Path) -> None:
    Path("n.json").write_text('[{"layer": "Flatten"}, {"layer": "Dense", "units": 2}]')
    assert "has no input_shape" in refused("summary", "n.json")
    assert "--input-shape" in refused("summary", "n.json", "--input-shape", "6x5")
    result = striate("summary", "n.json", "--input-shape", "6x5x2", "--json").json
    assert result["input_shape"] == [6, 5, 2]


def test_summary_of_a_model_for_other_images(refused: Refused, model: Path) -> None:
    message = refused("summary", model, "--input-shape", "28x28x1")
    assert message == f"{model}: is made for images 8×8×1, not 28×28×1"


def test_summary_of_something_else(refused: Refused, in_tmp: Path) -> None:
    Path("text.txt").write_text("hello, this is a text")
    assert "is not a safetensors file" in refused("summary", "text.txt")


# --- architectures of the gallery ----------------------------------------------------------------


def test_a_file_with_an_architecture(tmp_path: Path) -> None:
    text = 'architecture = "resnet18"\ninput_shape = [33, 48, 1]\n'
    network = built(tmp_path / "n.toml", text, classes=4)
    assert (network.input_shape, network.output_shape) == ((33, 48, 1), (4,))
    assert network.get_config() == architectures.resnet18(4, (33, 48, 1)).get_config()


def test_an_architecture_takes_the_shape_of_the_data_or_of_its_paper(tmp_path: Path) -> None:
    path = tmp_path / "n.json"
    text = '{"architecture": "lenet5"}'
    assert built(path, text, input_shape=(28, 28, 1), classes=7).input_shape == (28, 28, 1)
    network = built(path, text)
    assert (network.input_shape, network.output_shape) == ((32, 32, 1), (10,))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('architecture = "resnet19"', "no architecture 'resnet19'; did you mean 'resnet1"),
        ("architecture = 18", "architecture must be a name in quotes, not 18"),
        ('architecture = "lenet5"\nlayers = []', "an architecture and layers; beside"),
        ('architecture = "lenet5"\nclasses = 3\nseed = 1', "an architecture and classes, seed"),
        (
            'architecture = "vgg16"\ninput_shape = [8, 31, 1]',
            "vgg16: images of 8×31 pixels are too small for it.* 32 or more",
        ),
        ('architecture = "lenet5"\ninput_shape = [64]', r"image must be \(height, width"),
    ],
)
def test_architectures_that_cannot_be(tmp_path: Path, text: str, match: str) -> None:
    failing(tmp_path / "n.toml", text, match)


def test_summary_of_an_architecture(striate: Run, in_tmp: Path) -> None:
    outcome = striate("summary", "resnet18", "--json")
    assert (outcome.code, outcome.json["parameters"]) == (0, 11_689_512)
    assert outcome.json["layers"][-1]["output_shape"] == [1000]
    outcome = striate("summary", "resnet18", "--json", "--classes", 7, "--input-shape", "64x32x1")
    assert outcome.json["input_shape"] == [64, 32, 1]
    assert outcome.json["layers"][-1]["output_shape"] == [7]


def test_a_file_that_is_called_like_an_architecture(striate: Run, in_tmp: Path) -> None:
    architectures.lenet5(3).save("resnet18")
    assert striate("summary", "./resnet18", "--json").json["parameters"] < 70_000
    assert striate("summary", "resnet18", "--json").json["parameters"] > 10_000_000


def test_names_that_are_nearly_those_of_architectures(refused: Refused, in_tmp: Path) -> None:
    assert (
        refused("summary", "resnet5") == "resnet5: there is no such file; did you mean 'resnet50'?"
    )
    assert "did you mean 'lenet5'?" in refused("train", "digits", "--network", "lenet")
    assert "did you mean" not in refused("summary", "model")


def test_other_commands_take_architectures(striate: Run, in_tmp: Path) -> None:
    assert "c1" in striate("inspect", "lenet5").out
    explained = striate("explain", "lenet5", "--inference", "--batch-size", 1)
    assert explained.code == 0 and "c3" in explained.out
