"""The lab's edited networks: sizes, what does not fit and its cures, files and addresses."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from striate.cli import networkfile
from striate.lab.room_data.training_room import described, small_network
from striate.layers import LAYERS
from striate.network import Network
from striate.teaching.size_errors import explain
from tests.lab.node_functions import WEB, called, needs_node

pytestmark = needs_node

HELP = str(Path(__file__).with_name("edited_course.mjs"))
PLAN = "maths/network/network_plan.js"
TEXTS = json.loads((WEB / "texts" / "en.json").read_text("utf-8"))["learning"]
CLASSES = 4
SHAPE = (9, 7, 6)
TASK = {"input": list(SHAPE), "mean": [], "std": [], "classes": CLASSES}


def random_specs(draw: random.Random) -> list[dict[str, Any]]:
    """Layers as the page has them, of which many do not fit."""

    def window(most: int) -> dict[str, Any]:
        padding = draw.choice(["same", [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 2, 0]])
        return {
            "size": [draw.choice([1, 2, most, 12]), draw.choice([1, 2, 2, 3, 3, 8])],
            "stride": [draw.randint(1, 2), draw.choice([1, 1, 2])],
            "padding": padding,
            "dilation": [1, draw.choice([1, 1, 2])],
            "uncovered": draw.choice(["error", "drop", "drop"]),
        }

    kinds: list[Any] = [
        lambda: {
            "layer": "Conv2D", "filters": draw.choice([2, 6]), **window(4),
            "groups": draw.choice([1, 1, 1, 2, 3]), "bias": draw.random() < 0.7,
        },
        lambda: {"layer": "MaxPool2D", **window(2)},
        lambda: {"layer": "AvgPool2D", **window(2), "count_padding": draw.random() < 0.5},
        lambda: {"layer": "BatchNorm", "momentum": 0.75, "eps": 1e-3},
        lambda: {"layer": "Dropout", "rate": 0.125},
        lambda: {"layer": draw.choice(["ReLU", "ReLU6", "SiLU", "Sigmoid", "Tanh"])},
        lambda: {"layer": "LeakyReLU", "slope": 0.2},
        lambda: {"layer": "ELU", "alpha": 0.5},
    ]  # fmt: skip
    specs = [draw.choice(kinds)() for _ in range(draw.randint(1, 5))]
    specs += draw.choice([[{"layer": "Flatten"}], [{"layer": "GlobalAvgPool2D"}], []])
    units = draw.choice([CLASSES, CLASSES, 3])
    return [*specs, {"layer": "Dense", "units": units, "bias": draw.random() < 0.7}]


def cases(count: int, seed: int) -> list[list[dict[str, Any]]]:
    draw = random.Random(seed)
    return [random_specs(draw) for _ in range(count)]


def built(specs: list[dict[str, Any]]) -> Network | ValueError:
    """The network that striate makes of them, or why not."""
    layers = []
    for spec in specs:
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.items() if k != "layer"}
        try:
            layers.append(LAYERS[spec["layer"]](**given))
        except ValueError as error:
            return error
    try:
        network = Network(layers, input_shape=SHAPE)
    except ValueError as error:
        return error
    if network.output_shape != (CLASSES,):
        return ValueError("classes")
    return network


def without_arguments(network: Network) -> dict[str, Any]:
    """What is described but the constructors' arguments, which can be written in several ways."""
    shape = described(network)
    for layer in shape["layers"]:
        layer.pop("arguments")
    return shape


def test_what_fits_fits_striate_and_is_the_same_network() -> None:
    all_specs = cases(120, 1)
    plans = called(PLAN, "planned", [[TASK, specs] for specs in all_specs])
    fitting = 0
    for specs, plan in zip(all_specs, plans, strict=True):
        network = built(specs)
        assert (plan["description"] is not None) == isinstance(network, Network), (specs, network)
        if not isinstance(network, Network):
            assert plan["end"] or any(one["misfits"] for one in plan["layers"])
            continue
        fitting += 1
        expected = without_arguments(network)
        assert [one["shape"] for one in plan["layers"]] == [
            one["shape"] for one in expected["layers"]
        ]
        assert plan["description"] == expected
        assert sum(one["weights"] for one in plan["layers"]) == network.parameter_count
        products = sum(
            vertex.layer.multiply_adds(*network.input_shapes(index))
            for index, vertex in enumerate(network.nodes)
            if type(vertex.layer).__name__ in ("Conv2D", "Dense")
        )
        assert sum(one["products"] for one in plan["layers"]) == products
    assert 25 < fitting < 100


def test_the_size_rule_is_told_in_striates_words() -> None:
    all_specs = cases(80, 2)
    plans = called(PLAN, "planned", [[TASK, specs] for specs in all_specs])
    found = [
        (spec, layer["from"], misfit)
        for specs, plan in zip(all_specs, plans, strict=True)
        for spec, layer in zip(specs, plan["layers"], strict=True)
        for misfit in layer["misfits"]
        if misfit["kind"] in ("larger", "rest")
    ]
    assert {misfit["kind"] for _, _, misfit in found} == {"larger", "rest"} and len(found) > 12
    ruled = called("maths/window_size.js", "ruleValue", [[one["sizes"]] for _, _, one in found])
    for (spec, shape, misfit), value in zip(found, ruled, strict=True):
        sizes, where = misfit["sizes"], TEXTS["along"][misfit["axis"]]
        axis = int(misfit["axis"] == "width")
        assert (sizes["input"], sizes["filter"]) == (shape[axis], spec["size"][axis])
        reach = (sizes["filter"] - 1) * sizes["dilation"] + 1
        rule = filled(TEXTS["misfit"]["rule"], {**sizes, "value": value, "reach": reach})
        forms, rest = TEXTS["misfit"][misfit["kind"]], misfit["values"]["rest"]
        form = forms["one"] if rest == 1 else forms["other"]
        said = filled(form, {"rule": rule, "where": where, "n": rest})
        values = {name: sizes[name] for name in ("input", "filter", "stride")} | {
            "padding": (sizes["before"], sizes["after"]),
            "dilation": sizes["dilation"],
            "output": None,
        }
        expected = explain(values, ["output"], where)
        assert said == expected[0].upper() + expected[1:] + "."


def filled(text: str, values: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), text)


def test_each_cure_cures() -> None:
    """After it the same place has not the same fault; and all together come to an end."""
    all_specs = cases(90, 3)
    plans = called(PLAN, "planned", [[TASK, specs] for specs in all_specs])
    edits: list[tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]] = []
    for specs, plan in zip(all_specs, plans, strict=True):
        for misfit in [
            *plan["end"],
            *(one for layer in plan["layers"] for one in layer["misfits"]),
        ]:
            assert misfit["cures"], misfit
            edits += [(specs, misfit, edit) for edit in misfit["cures"]]
    changed = called(PLAN, "edited", [[specs, edit] for specs, _, edit in edits])
    kinds = set()
    for (specs, misfit, edit), after, plan in zip(
        edits, changed, called(PLAN, "planned", [[TASK, one] for one in changed]), strict=True
    ):
        kinds.add((misfit["kind"], edit["do"]))
        left = [*plan["end"], *(one for layer in plan["layers"] for one in layer["misfits"])]
        place = (misfit["kind"], misfit.get("axis"), misfit["cures"][0]["at"])
        same = place in [(one["kind"], one.get("axis"), one["cures"][0]["at"]) for one in left]
        # A smaller output may be too small for a later layer, but this layer is cured.
        assert not same or edit["do"] in ("insert", "move", "remove"), (specs, misfit, edit, after)
    assert {("rest", "set"), ("larger", "set"), ("vector", "insert"), ("end", "set")} <= kinds
    assert ("groups", "set") in kinds


WIDE = {"layer": "Conv2D", "filters": 128, "size": [9, 7], "padding": "same"}
FAULTS: list[tuple[list[dict[str, Any]], str]] = [
    ([{"layer": "Flatten"}, {"layer": "Conv2D"}], "image"),
    ([{"layer": "MaxPool2D", "padding": [2, 2, 2, 2], "uncovered": "drop"}], "padding"),
    ([{"layer": "AvgPool2D", "size": [2, 9], "padding": "same", "dilation": [1, 8]}], "padding"),
    ([{"layer": "MaxPool2D", "padding": [0, 0, 1, 0], "dilation": [1, 9]}], "larger"),
    ([{"layer": "GlobalAvgPool2D"}], "end"),
    ([WIDE, WIDE, {"layer": "GlobalAvgPool2D"}, {"layer": "Dense", "units": CLASSES}], "size"),
]


def test_other_faults_are_found_and_cured() -> None:
    """By the first of the cures, again and again."""
    found = called(HELP, "cured", [[TASK, specs] for specs, _ in FAULTS])
    for (specs, kind), one in zip(FAULTS, found, strict=True):
        assert kind in one["kinds"][0], (specs, one["kinds"])
        assert isinstance(built(one["specs"]), Network), (specs, one)


def test_a_network_without_weights_and_a_constant_one_are_refused() -> None:
    task = {"input": [2, 2, 1], "mean": [], "std": [], "classes": 4}
    (plan,) = called(PLAN, "planned", [[task, [{"layer": "Flatten"}]]])
    assert [one["kind"] for one in plan["end"]] == ["weights"]


def test_files_go_to_striate_and_back(tmp_path: Path) -> None:
    all_specs = [one for one in cases(60, 4) if isinstance(built(one), Network)]
    texts = called(
        "maths/network/network_file.js",
        "networkToml",
        [[specs, list(SHAPE), "how it is trained"] for specs in all_specs],
    )
    back = called(
        "maths/network/network_file.js", "readNetworkFile", [[t, False, TASK] for t in texts]
    )
    file = tmp_path / "network.toml"
    for specs, text, read in zip(all_specs, texts, back, strict=True):
        file.write_text(text)
        network = networkfile.read(file).build(seed=0)
        expected = built(specs)
        assert isinstance(expected, Network)
        assert without_arguments(network) == without_arguments(expected)
        assert read == {"specs": specs}
    assert len(all_specs) > 10


def test_other_ways_to_write_a_file_are_read(tmp_path: Path) -> None:
    toml = """
# by hand
input_shape = [
  9, 7, 6,  # height, width, channels
]
layers = [ { layer = "Conv2D", filters = 1_2, size = [3, 2], padding = [1, 0] }, {layer='ReLU'} ]
"""
    more = """
[[layers]] # another
layer = "MaxPool2D"
size = 2
uncovered = "drop"
[[layers]]
"layer" = "LeakyReLU"
slope = +1e-2
[[layers]]
layer = "Flatten"
inputs = "leaky"
[[layers]]
layer = "Dense"
units = "classes"
bias = false
"""
    more = more.replace("slope = +1e-2", 'slope = +1e-2\nname = "leaky"')
    rows = toml.strip().splitlines()[-1]
    first = '[[layers]]\nlayer = "Conv2D"\nfilters = 12\nsize = [3, 2]\npadding = [1, 0]\n'
    whole = first + '[[layers]]\nlayer = "ReLU"\n' + more
    file = tmp_path / "network.toml"
    file.write_text(toml.replace(rows, "") + whole)
    network = networkfile.read(file).build(classes=CLASSES)
    config = {
        "layers": [dict(layer=type(v.layer).__name__, **v.layer.config()) for v in network.nodes]
    }
    for one in config["layers"]:
        one.pop("initial", None)
    (written, inline, listed) = called(
        "maths/network/network_file.js",
        "readNetworkFile",
        [
            [file.read_text(), False, TASK],
            [toml, False, TASK],
            [json.dumps(config["layers"]), True, TASK],
        ],
    )
    (plan,) = called(PLAN, "planned", [[TASK, written["specs"]]])
    expected = without_arguments(network)
    for layer, found in zip(expected["layers"], plan["description"]["layers"], strict=True):
        layer.pop("name")
        found.pop("name")
    assert plan["description"]["layers"] == expected["layers"]
    assert listed["specs"] == written["specs"]
    assert inline["specs"] == written["specs"][:2]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("layers = [", "toml"),
        ("[[layers]]\nlayer = 'ReLU'\nlayer = 'ReLU'", "toml"),
        ("a.b = 3", "toml"),
        ("when = 2020-01-01", "toml"),
        ("", "layers"),
        ('architecture = "resnet18"', "other"),
        ("input_shape = [8, 8, 1]\n[[layers]]\nlayer = 'ReLU'", "shape"),
        ("[[layers]]\nlayer = 'LRN'", "layer"),
        ("[[layers]]\nlayer = '__proto__'", "layer"),
        ("[[layers]]\nlayer = 'Conv2D'\nsize = 3", "missing"),
        ("[[layers]]\nlayer = 'Dropout'\nrate = 1.5", "value"),
        ("[[layers]]\nlayer = 'Conv2D'\nfilters = 3\nsize = 2\ninitial = 'identity'", "option"),
        ("[[layers]]\nlayer = 'ReLU'\n[[layers]]\nlayer = 'ReLU'\ninputs = 'input'", "graph"),
        ("[[layers]]\nlayer = 'ReLU'\n" * 41, "many"),
        ("__proto__ = 3", "toml"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, problem: str) -> None:
    (found,) = called("maths/network/network_file.js", "readNetworkFile", [[text, False, TASK]])
    assert found["problem"] == problem
    filled(TEXTS["file"][problem], found["values"])  # all that the sentence names is there


@pytest.mark.parametrize("text", ["null", "3", "[]", "{", '{"layers": [null]}', '[{"layer": 3}]'])
def test_json_that_is_no_network_is_said(text: str) -> None:
    (found,) = called("maths/network/network_file.js", "readNetworkFile", [[text, True, TASK]])
    assert found["problem"] in ("json", "layers", "layer")


def test_addresses_hold_a_network() -> None:
    all_specs = cases(60, 5)
    texts = called("maths/network/network_text.js", "networkText", [[one] for one in all_specs])
    assert (
        called("maths/network/network_text.js", "readNetworkText", [[t] for t in texts])
        == all_specs
    )
    assert all(
        re.fullmatch(r"[\w*.-]+", text) for text in texts
    )  # nothing is escaped in an address
    wrong = ["", "Conv3D", "ReLU*3", "Dropout*2", "Conv2D*0", "Conv2D*8*3*1*1x1x1", "Dense*ten",
             "toString", "_".join(["ReLU"] * 41), "BatchNorm*0.9*0"]  # fmt: skip
    assert called("maths/network/network_text.js", "readNetworkText", [[one] for one in wrong]) == [
        None
    ] * len(wrong)


def test_the_network_that_came_along_can_be_edited() -> None:
    network = small_network((8, 8, 1), 10)
    shape = described(network)
    (specs,) = called("maths/network/layer_options.js", "specsOf", [[shape["layers"]]])
    task = {"input": [8, 8, 1], "mean": shape["mean"], "std": shape["std"], "classes": 10}
    (plan,) = called(PLAN, "planned", [[task, specs]])
    assert plan["description"] == without_arguments(network)
    graph = described(network)["layers"]
    graph[3]["inputs"] = [0]
    assert called("maths/network/layer_options.js", "specsOf", [[graph]]) == [None]
