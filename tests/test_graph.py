"""Graphs: writing, order, names, errors with the way that led there, descriptions of files."""

import copy
import json
import re

import numpy as np
import pytest

from striate.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from striate.model.graph import rebuild
from striate.network import Network


def residual():
    """Two branches and a concatenation, with an input that is read three times."""
    image = Input((6, 8, 3))
    left = Conv2D(4, 3, padding=1)(image)
    right = Conv2D(4, (1, 5), padding="same", name="wide")(image)
    x = ReLU()(Add()(left, right))
    x = Concat()(x, image)
    return Network(inputs=image, output=Dense(2)(GlobalAvgPool2D()(x)))


def test_a_graph_is_in_the_order_of_writing():
    network = residual()
    assert [(vertex.name, vertex.inputs, vertex.shape) for vertex in network.nodes] == [
        ("conv2d_1", (-1,), (6, 8, 4)),
        ("wide", (-1,), (6, 8, 4)),
        ("add_1", (0, 1), (6, 8, 4)),
        ("relu_1", (2,), (6, 8, 4)),
        ("concat_1", (3, -1), (6, 8, 7)),
        ("global_avg_pool2d_1", (4,), (7,)),
        ("dense_1", (5,), (2,)),
    ]
    assert (network.input_shape, network.output_shape) == ((6, 8, 3), (2,))


def test_what_does_not_lead_to_the_output_is_left_out():
    image = Input((6, 8, 3))
    x = Flatten()(image)
    Dense(100)(x)  # a head that this network does not use
    network = Network(inputs=image, output=Dense(2)(x))
    assert [vertex.name for vertex in network.nodes] == ["flatten_1", "dense_1"]


def test_default_names_avoid_chosen_ones():
    network = Network([ReLU(), ReLU(name="relu_2"), ReLU(), ReLU(name="relu_1")], (3,))
    assert [vertex.name for vertex in network.nodes] == ["relu_3", "relu_2", "relu_4", "relu_1"]


def test_the_users_layers_stay_unnamed_and_may_be_used_again():
    layers = [Conv2D(2, 3), Flatten()]
    Network([ReLU(), *layers], (6, 6, 1))
    again = Network([Conv2D(1, 3), *layers], (6, 6, 1))
    assert layers[0].name is None
    assert [vertex.name for vertex in again.nodes] == ["conv2d_1", "conv2d_2", "flatten_1"]


def test_a_layer_without_parameters_may_have_several_places():
    relu = ReLU(name="r")
    network = Network([relu, Flatten(), relu], (3,))
    assert [node.name for node in network.nodes] == ["r", "flatten_1", "r@2"]
    x = Input((3,))
    network = Network(output=Add()(relu(x), relu(x, name="other")))
    assert [node.name for node in network.nodes] == ["r", "other", "add_1"]
    assert all(node.shares is None for node in network.nodes)
    assert not any("shares" in node for node in network.get_config()["nodes"])


def test_a_name_used_twice_is_an_error():
    with pytest.raises(ValueError, match='two layers are named "r"'):
        Network([ReLU(name="r"), ReLU(name="r")], (3,))


def test_an_error_tells_the_shapes_that_led_there():
    with pytest.raises(ValueError, match=r"^Conv2D") as caught:
        Network([Conv2D(8, 3), ReLU(), MaxPool2D(2), Conv2D(9, 4, stride=2)], (28, 28, 1))
    first, last = str(caught.value).split("\n")
    assert first.startswith('Conv2D "conv2d_2": (I - R + P_before + P_after)/S + 1 = (13 - 4 + 0')
    assert last.startswith("  Shapes up to here: ")
    assert last.endswith(' → MaxPool2D "max_pool2d_1" (13, 13, 8)')
    with pytest.raises(ValueError, match=r"^Conv2D") as caught:
        Network([Conv2D(8, 3), ReLU(), MaxPool2D(2), Conv2D(9, 4, stride=(2, 4))], (28, 28, 1))
    assert len(str(caught.value)) <= 500  # of a longer way the last steps only


def test_in_a_graph_the_error_comes_from_the_line_that_wrote_the_layer():
    x = Conv2D(8, 3, name="stem")(Input((9, 9, 1)))
    for size in (2, 8):
        with pytest.raises(ValueError, match=r'input \(9, 9, 1\) → Conv2D "stem" \(7, 7, 8\)'):
            MaxPool2D(size)(x)


def test_a_long_way_is_shortened():
    with pytest.raises(ValueError, match=r"Shapes up to here: … → ReLU") as caught:
        Network([*(ReLU() for _ in range(50)), Conv2D(1, 9)], (4, 4, 1))
    assert 5 <= str(caught.value).count("ReLU") <= 12
    assert len(str(caught.value)) <= 500 and str(caught.value).endswith('"relu_50" (4, 4, 1)')


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (lambda: Network([], (3,)), ValueError, "list of layers is empty"),
        (lambda: Network(ReLU(), (3,)), TypeError, "layers must be a list of layers"),
        (lambda: Network([ReLU], (3,)), TypeError, "is not a layer; write it with parentheses"),
        (lambda: Network([3], (3,)), TypeError, "3 is not a layer$"),
        (lambda: Network([ReLU()]), TypeError, "give layers and input_shape, or the output"),
        (lambda: Network([ReLU()], (1, 28, 28, 1)), ValueError, "without the batch axis"),
        (lambda: Network([ReLU()], (3,), output=Input((3,))), TypeError, "give either"),
        (lambda: Network([ReLU()], output=ReLU()(Input((3,)))), TypeError, "give either"),
        (lambda: Network(input_shape=(3,), output=ReLU()(Input((3,)))), TypeError, "give either"),
        (lambda: Network(output=Input((3,))), ValueError, "the output is the input itself"),
        (lambda: Network(output=ReLU()), TypeError, "must be nodes, got ReLU"),
        (
            lambda: Network(output=Add()(Input((3,)), Input((3,)))),
            ValueError,
            r"the graph has 2 inputs, \(3,\), \(3,\); a network reads exactly one",
        ),
        (
            lambda: Network(inputs=Input((3,)), output=ReLU()(Input((3,)))),
            ValueError,
            "no path leads from `inputs` to `output`",
        ),
        (
            lambda: Network(inputs=(node := ReLU()(Input((3,)))), output=ReLU()(node)),
            ValueError,
            "must be the node that Input",
        ),
    ],
)
def test_mistakes_are_explained(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


def test_a_very_deep_network_needs_no_recursion():
    network = Network([ReLU() for _ in range(3000)], (3,))
    assert len(Network.from_config(network.get_config()).nodes) == 3000
    assert len(copy.deepcopy(network).nodes) == 3000


# Descriptions.


def example():
    return Network(
        [
            Conv2D(4, 3, padding=(1, 0, 2, 0), groups=1, name="first"),
            BatchNorm(eps=1e-3),
            MaxPool2D(2, uncovered="drop"),
            Flatten(),
            Dropout(0.25),
            Dense(3, bias=False),
        ],
        (9, 8, 2),
    )


@pytest.mark.parametrize("build", [example, residual])
def test_a_description_survives_json(build):
    network = build()
    again = Network.from_config(json.loads(json.dumps(network.get_config())))
    assert again.get_config() == network.get_config()
    assert again.slots == network.slots
    np.testing.assert_array_equal(again.flat, network.flat)


def test_without_a_seed_the_parameters_stay_zero():
    assert not Network.from_config(example().get_config(), seed=None).flat.any()


def changed(path, value):
    """The example's description with one entry replaced (or taken out, if value is ...)."""
    config = example().get_config()
    place = config
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "the network must be a mapping, got None"),
        ([], "the network must be a mapping"),
        ({}, "the network must have the entries ['input_shape', 'nodes', 'output'], got []"),
        (changed(["extra"], 1), "must have the entries"),
        (changed(["nodes"], {}), "nodes must be a list"),
        (changed(["nodes"], []), "output is node 5, but there are 0 nodes"),
        (changed(["input_shape"], [1, 9, 8, 2]), "without the batch axis; got (1, 9, 8, 2)"),
        (changed(["input_shape"], "98"), "must be a tuple of whole numbers"),
        (changed(["output"], 6), "output is node 6, but there are 6 nodes"),
        (changed(["output"], -1), "output must be at least 0"),
        (changed(["output"], 2), 'no path leads from Flatten "flatten_1" to the output'),
        (changed(["nodes", 0], "Conv2D"), "node 0 must be a mapping"),
        (changed(["nodes", 0, "name"], ...), "node 0 must have the entries"),
        (changed(["nodes", 0, "name"], 7), "node 0 (Conv2D) must have a name, got 7"),
        (changed(["nodes", 0, "name"], "a/b"), 'must not be empty or contain "/"'),
        (changed(["nodes", 0, "name"], "dense_1"), 'two layers are named "dense_1"'),
        (changed(["nodes", 0, "type"], "os.system"), "node 0 has the unknown layer type 'os.sys"),
        (
            changed(["nodes", 0, "type"], ["Conv2D"]),
            "unknown layer type ['Conv2D']; known are Conv",
        ),
        (changed(["nodes", 0, "config"], None), 'Conv2D "first": config must be a mapping'),
        (
            changed(["nodes", 0, "config", "filters"], 4.0),
            "filters must be a whole number, got 4.0",
        ),
        (changed(["nodes", 0, "config", "filters"], ...), "missing 1 required positional argument"),
        (changed(["nodes", 0, "config", "colour"], 1), "unexpected keyword argument 'colour'"),
        (changed(["nodes", 0, "config", "name"], "x"), "multiple values for keyword argument 'na"),
        (changed(["nodes", 0, "config", "size"], [99, 3]), "size 99 is larger than the height"),
        (changed(["nodes", 0, "inputs"], -1), 'Conv2D "first": inputs must be a list'),
        (changed(["nodes", 0, "inputs"], [True]), "an input must be a whole number, got True"),
        (changed(["nodes", 0, "inputs"], [-2]), "an input must be at least -1, got -2"),
        (changed(["nodes", 0, "inputs"], []), 'Conv2D "first": takes 1 input, got 0'),
        (
            changed(["nodes", 0, "inputs"], [0]),
            "node 0) reads node 0; a node can only read earlier",
        ),
        (changed(["nodes", 1, "inputs"], [4]), "has no cycles"),
        (changed(["nodes", 1, "inputs"], [-1]), 'no path leads from Conv2D "first" to the output'),
        (changed(["nodes", 5, "config", "units"], 2**31 - 1), "of all layers has 2,147,"),
    ],
)
def test_a_wrong_description_is_refused(config, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        Network.from_config(config, seed=None)


def test_rebuilding_imports_nothing():
    image, output, heads = rebuild(example().get_config())
    assert heads == {}
    assert image.shape == (9, 8, 2)
    assert output.shape == (3,)
