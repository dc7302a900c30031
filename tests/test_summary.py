"""The summary: numbers that can be checked by hand, and the table."""

import json

import pytest

from striate.layers import (
    Add,
    AvgPool2D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Input,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Tanh,
)
from striate.network import Network


def lenet():
    return Network(
        [
            Conv2D(6, 5, padding=2),
            Tanh(),
            AvgPool2D(2),
            Conv2D(16, 5),
            Tanh(),
            AvgPool2D(2),
            Flatten(),
            Dense(120),
            Dense(84),
            Dense(10),
        ],
        (28, 28, 1),
    )


def test_lenet_by_hand():
    summary = lenet().summary()
    assert summary.parameters == 156 + 2416 + 48_120 + 10_164 + 850 == 61_706
    assert summary.multiply_adds == (
        28 * 28 * 6 * 25 + 10 * 10 * 16 * 25 * 6 + 400 * 120 + 120 * 84 + 84 * 10
    )
    rows = {row.name: row for row in summary.rows}
    assert rows["conv2d_2"].output_shape == (10, 10, 16)
    assert rows["conv2d_2"].activation_bytes == 10 * 10 * 16 * 4
    assert summary.activation_bytes == sum(row.activation_bytes for row in summary.rows)
    fields = [(row.receptive_field, row.jump) for row in summary.rows[:6]]
    assert fields == [
        ((5, 5), (1, 1)),
        ((5, 5), (1, 1)),
        ((6, 6), (2, 2)),
        ((14, 14), (2, 2)),
        ((14, 14), (2, 2)),
        ((16, 16), (4, 4)),
    ]
    assert rows["flatten_1"].receptive_field == (16, 16)
    assert rows["dense_1"].receptive_field == (28, 28)


def test_what_lies_between_dense_and_convolution():
    layers = [
        LocallyConnected2D(4, (3, 2), stride=(2, 1), padding=(1, 0, 0, 0), uncovered="drop"),
        Flatten(),
        GroupedDense(12, 4),
    ]
    summary = Network(layers, (7, 5, 2)).summary()
    local, _, grouped = summary.rows
    assert local.output_shape == (3, 4, 4)
    assert local.parameters == 3 * 4 * (3 * 2 * 2 * 4) + 3 * 4 * 4
    assert local.multiply_adds == 3 * 4 * (3 * 2 * 2 * 4)
    assert (local.receptive_field, local.jump, local.dropped) == ((3, 2), (2, 1), (1, 0))
    assert (grouped.parameters, grouped.multiply_adds) == (48 * 3 + 3, 48 * 3)
    assert grouped.receptive_field == (7, 5)
    assert "leaves 1 row of its input unread" in str(summary)


def test_stacked_layers_reach_all_five_inputs():
    """*CNN Basics*: two layers of width 3 see five inputs."""
    summary = Network([Conv2D(1, (1, 3)), Conv2D(1, (1, 3))], (1, 5, 1)).summary()
    assert [row.receptive_field for row in summary.rows] == [(1, 3), (1, 5)]


def test_a_field_is_never_larger_than_the_image():
    summary = Network([Conv2D(1, 5, padding="same"), GlobalAvgPool2D()], (4, 9, 1)).summary()
    assert [row.receptive_field for row in summary.rows] == [(4, 5), (4, 9)]


def test_the_field_of_a_graph_is_that_of_its_longest_branch():
    image = Input((9, 9, 2))
    output = Add()(Conv2D(2, 3, padding=1)(Conv2D(2, 3, padding=1)(image)), image)
    summary = Network(output=output).summary()
    assert summary.rows[-1].receptive_field == (5, 5)
    assert summary.rows[-1].inputs == ("conv2d_2", "input")
    assert "Add ← conv2d_2, input" in str(summary)
    assert "Conv2D ←" not in str(summary)


def test_dropped_rows_and_columns_are_listed():
    network = Network(
        [MaxPool2D(2, uncovered="drop"), Conv2D(1, 2, stride=(4, 3), uncovered="drop")], (9, 10, 1)
    )
    summary = network.summary()
    assert [row.dropped for row in summary.rows] == [(1, 0), (2, 0)]
    lines = str(summary).split("\n")
    assert lines[-2:] == [
        'max_pool2d_1 leaves 1 row of its input unread (uncovered="drop")',
        'conv2d_1 leaves 2 rows of its input unread (uncovered="drop")',
    ]
    assert "unread" not in str(lenet().summary())


def test_networks_of_vectors_have_no_field():
    summary = Network([Dense(3), ReLU()], (5,)).summary()
    assert [row.receptive_field for row in summary.rows] == [None, None]
    assert "dense_1" in str(summary)


def test_the_dictionary_is_json():
    summary = lenet().summary()
    content = json.loads(json.dumps(summary.to_dict()))
    assert content["input_shape"] == [28, 28, 1]
    assert content["parameters"] == 61_706
    assert content["layers"][3]["output_shape"] == [10, 10, 16]
    assert content["layers"][3]["receptive_field"] == [14, 14]
    assert len(content["layers"]) == 10


@pytest.mark.parametrize("column", ["layer", "output", "parameters", "multiply-adds", "sees"])
def test_the_table_has_a_line_for_each_layer_and_sums(column):
    lines = str(lenet().summary()).split("\n")
    assert column in lines[0]
    assert len(lines) == 1 + 1 + 1 + 10 + 1 + 1
    assert "61,706" in lines[-1]
    assert all(len(line) <= 100 for line in lines)


def test_rows_of_the_image_that_no_output_reads_are_named():
    layers = [MaxPool2D(2, uncovered="drop"), Conv2D(1, 2, stride=(4, 3), uncovered="drop")]
    summary = Network(layers, (9, 10, 1)).summary()
    # Of 9 rows the pool makes 4, of which the convolution reads 2; of 5 columns not the middle one.
    assert summary.unread == "rows 4…8 and columns 4…5"
    assert f"No output reads {summary.unread} of the image" in str(summary)
    assert summary.to_dict()["unread"] == summary.unread
    assert lenet().summary().unread == ""
    # What one branch leaves out another may read.
    image = Input((5, 5, 1))
    both = [MaxPool2D(2, uncovered="drop"), Conv2D(1, 2, stride=2, padding=(0, 0, 0, 0),
                                                   uncovered="drop")]  # fmt: skip
    output = Add()(Flatten()(both[0](image)), Flatten()(both[1](image)))
    assert Network(output=output).summary().unread == "row 4 and column 4"
    whole = Add()(Flatten()(both[0](image)), Dense(4)(Flatten()(image)))
    assert Network(output=whole).summary().unread == ""


def test_the_jump_is_shown_where_outputs_have_neighbours():
    lines = str(lenet().summary()).split("\n")
    assert lines[0].endswith("jump")
    assert lines[6].split()[-2:] == ["14×14", "2×2"]
    assert lines[9].split()[-1] == "16×16"
