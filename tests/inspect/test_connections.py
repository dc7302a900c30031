"""Connections counted in closed form equal those counted one by one."""

import json
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.inspect.connections import connectivity
from striate.layers import AvgPool2D, Conv2D, Dense, Flatten
from striate.network import Network


@settings(max_examples=40)
@given(st.data())
def test_counted_one_by_one(helpers: SimpleNamespace, data: st.DataObject) -> None:
    draw = data.draw
    size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    layer = draw(
        st.sampled_from(
            [
                Conv2D(4, size, stride=2, padding=(0, 1, 1, 2), uncovered="drop"),
                Conv2D(4, size, dilation=(2, 1), padding=1, groups=2),
                AvgPool2D(size, stride=(1, 2), uncovered="drop"),
            ]
        )
    )
    network = Network([layer], (draw(st.integers(5, 7)), draw(st.integers(5, 7)), 2))
    helpers.all_ones(network)
    joined = helpers.touched(network, 0, "numpy").reshape(np.prod(network.input_shape), -1)
    (found,) = connectivity(network).layers
    assert found.connections == joined.sum()
    assert found.dense == joined.size
    assert found.reads == (joined.sum(0).min(), joined.sum(0).max())
    assert found.reached == (joined.sum(1).min(), joined.sum(1).max())
    assert found.weights == sum(
        values.size for name, values in network.parameters.items() if name.endswith("filters")
    )


def test_five_units_of_article_002() -> None:
    """Dense: 25 weights. A convolution of width 3: 3 weights, and one unit reaches three."""
    dense = connectivity(Network([Dense(5, bias=False)], (5,)))["dense_1"]
    assert (dense.weights, dense.connections, dense.reached) == (25, 25, (5, 5))
    line = Network([Conv2D(1, (1, 3), padding=(0, 1), bias=False)], (1, 5, 1))
    window = connectivity(line)["conv2d_1"]
    assert (window.weights, window.dense, window.outputs) == (3, 25, 5)
    assert window.connections == 13
    assert window.reached == (2, 3)


def test_weights_of_a_neuron_of_article_001() -> None:
    """3×256×256: 196,608 weights for one dense neuron."""
    network = Network([Flatten(), Dense(1)], (256, 256, 3))
    assert connectivity(network)["dense_1"].weights == 196_608


def test_table_and_json(helpers: SimpleNamespace) -> None:
    found = connectivity(helpers.branching())
    assert [layer.name for layer in found.layers] == [
        "conv2d_1", "conv2d_2", "conv2d_3", "max_pool2d_1", "conv2d_4", "global_avg_pool2d_1",
        "dense_1",
    ]  # fmt: skip
    assert "of dense" in str(found).split("\n")[0]
    assert len(str(found).split("\n")) == 2 + 7
    assert json.loads(json.dumps(found.to_dict()))["layers"][-1]["share"] == 1
