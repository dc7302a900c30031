"""What units see equals what is found by touching each pixel; and numbers by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.inspect import reach
from striate.inspect.receptive_fields import Box
from striate.layers import (
    Add,
    AvgPool2D,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from striate.network import Network


def check_all_units(helpers: SimpleNamespace, network: Network, engine: str) -> None:
    """`pixels`, `read` and `boxes` of every unit of every layer against touching each pixel."""
    helpers.all_ones(network)
    seen = reach(network)
    for index, vertex in enumerate(network.nodes):
        found = helpers.touched(network, index, engine)
        layer = seen.layers[index]
        boxes = layer.boxes().reshape(-1, 4)
        for unit in range(found.shape[-1]):
            place = tuple(int(n) for n in np.unravel_index(unit, vertex.shape))
            pixels = found[..., unit]
            np.testing.assert_array_equal(seen.pixels(vertex.name, *place), pixels)
            rows, columns = pixels.any((1, 2)).nonzero()[0], pixels.any((0, 2)).nonzero()[0]
            top, bottom, left, right = boxes[unit].tolist()
            if not len(rows):
                assert layer.read(*place) is None
                assert bottom < top
                continue
            ends = Box((int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1])))
            assert layer.read(*place) == ends == Box((top, bottom), (left, right))
            field = layer.field(*place)
            assert field.rows[0] <= ends.rows[0] <= ends.rows[1] <= field.rows[1]
            assert field.columns[0] <= ends.columns[0] <= ends.columns[1] <= field.columns[1]


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("name", ["branching", "uneven", "crossing"])
def test_every_unit_of_a_branching_network(
    helpers: SimpleNamespace, name: str, engine: str
) -> None:
    check_all_units(helpers, getattr(helpers, name)(), engine)


@st.composite
def graphs(draw: st.DrawFn) -> Network:
    """Two branches of random windows that meet, and a window after that."""
    image = Input((draw(st.integers(5, 9)), draw(st.integers(5, 9)), 2))
    nodes = [image]
    for _ in range(draw(st.integers(2, 4))):
        source = draw(st.sampled_from(nodes))
        kind = draw(st.sampled_from(["conv", "grouped", "max", "avg"]))
        size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        padding = (draw(st.integers(0, 1)), draw(st.integers(0, 2)))
        stride = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
        dilation = (draw(st.integers(1, 2)), 1)
        window = {"stride": stride, "uncovered": "drop"}
        try:
            if kind == "max":
                node = MaxPool2D(size, dilation=dilation, **window)(source)
            elif kind == "avg":
                node = AvgPool2D(size, **window)(source)
            else:
                groups = 1 if kind == "conv" else 2
                node = Conv2D(
                    2 * groups, size, padding=padding, dilation=dilation, groups=groups, **window
                )(source)
        except ValueError:  # a window larger than what is left
            continue
        nodes.append(node)
    alike = [node for node in nodes if node.shape[:2] == nodes[-1].shape[:2]]
    if len(alike) > 1:
        same = [node for node in alike if node.shape == nodes[-1].shape]
        merge = draw(st.sampled_from([Add, Concat]))
        nodes.append(merge()(*same) if merge is Add and len(same) > 1 else Concat()(*alike))
    last = nodes[-1]
    if last is image:
        last = ReLU()(image)
    return Network(inputs=image, output=Concat()(Flatten()(last), GlobalAvgPool2D()(last)))


@settings(max_examples=40)
@given(graphs())
def test_every_unit_of_random_graphs(helpers: SimpleNamespace, network: Network) -> None:
    check_all_units(helpers, network, "numpy")


@settings(max_examples=5)
@given(graphs())
def test_every_unit_of_random_graphs_compiled(helpers: SimpleNamespace, network: Network) -> None:
    check_all_units(helpers, network, "llvm")


def test_not_a_number_spreads_over_what_reads_it(helpers: SimpleNamespace) -> None:
    """The same without a choice of weights: NaN in a pixel makes NaN of all that reads it."""
    network = helpers.branching()
    seen = reach(network)
    index = next(i for i, vertex in enumerate(network.nodes) if vertex.name == "add_1")
    part = helpers.up_to(network, index)
    pixels = [(0, 0, 0), (5, 4, 1), (10, 8, 0), (3, 7, 1)]
    images = np.random.default_rng(0).normal(size=(4, 11, 9, 2)).astype(np.float32)
    for image, pixel in zip(images, pixels, strict=True):
        image[pixel] = np.nan
    with np.errstate(invalid="ignore"):
        values = part.predict_logits(images, engine="numpy")
    for unit in np.ndindex(network.nodes[index].shape):
        reads = seen.pixels("add_1", *unit)
        assert [bool(reads[pixel]) for pixel in pixels] == np.isnan(values[:, *unit]).tolist()


def test_fields_and_padding_by_hand() -> None:
    network = Network([Conv2D(2, 3, padding=1), MaxPool2D(2), Conv2D(1, 3, padding=1)], (8, 10, 1))
    seen = reach(network)
    last = seen["conv2d_2"]
    assert last.field(0, 0) == Box((-3, 4), (-3, 4))
    assert last.field(3, 4) == Box((3, 10), (5, 12))
    assert last.read(0, 0) == Box((0, 4), (0, 4))
    assert last.read(3, 4, 0) == Box((3, 7), (5, 9))
    assert last.sizes == ((8, 8), (8, 8))
    assert last.jump == (2, 2)
    # Rows -1…6 and 1…8: no unit has all of its eight rows in the image.
    assert last.units_inside == 0
    assert seen["conv2d_1"].units_inside == 6 * 8 * 2
    assert seen["max_pool2d_1"].units_inside == 2 * 3 * 2
    assert last.field(1, 1).size == (8, 8)
    assert str(last.read(0, 0)) == "rows 0 … 4, columns 0 … 4"


def test_a_unit_may_read_padding_alone() -> None:
    network = Network([Conv2D(1, 1, padding=2)], (3, 3, 1))
    layer = reach(network)["conv2d_1"]
    assert layer.read(0, 0) is None
    assert layer.read(2, 2) == Box((0, 0), (0, 0))
    assert not reach(network).pixels("conv2d_1", 1, 4).any()
    assert layer.to_dict()["first_unit_reads"] is None


def test_stacked_layers_reach_all_five_inputs() -> None:
    """*CNN Basics*: of two layers of width 3 the last unit sees all five inputs."""
    seen = reach(Network([Conv2D(1, (1, 3)), Conv2D(1, (1, 3))], (1, 5, 1)))
    assert seen["conv2d_2"].field(0, 0) == Box((0, 0), (0, 4))
    assert seen.pixels("conv2d_2", 0, 0)[..., 0].tolist() == [[True] * 5]


def test_branches_of_other_fields_are_told_apart(helpers: SimpleNamespace) -> None:
    seen = reach(helpers.branching())
    both = seen["concat_1"]
    assert both.sizes == ((3, 1), (5, 3))
    assert both.field(5, 4, 0).size == (3, 3)
    assert both.field(5, 4, 7).size == (5, 1)
    assert both.jump == (1, 1)
    assert seen["flatten_1"].unit(9) == (0, 2, 1)
    assert seen["flatten_1"].jump == (2, 2)
    assert reach(helpers.uneven())["concat_1"].jump is None


def test_dense_units_see_what_is_read_before_them() -> None:
    network = Network([MaxPool2D(2, uncovered="drop"), Flatten(), Dense(2)], (5, 4, 1))
    seen = reach(network)
    assert seen["dense_1"].read(1) == Box((0, 3), (0, 3))
    assert seen["dense_1"].jump is None
    assert not seen.pixels("dense_1", 0)[4].any()


def test_table_and_json(helpers: SimpleNamespace) -> None:
    seen = reach(helpers.branching())
    lines = str(seen).split("\n")
    assert lines[0].split() == [
        "layer", "output", "field", "jump", "first", "unit", "last", "unit", "in", "the", "image",
    ]  # fmt: skip
    assert len(lines) == 2 + 13
    assert "5×3 … 7×5" in lines[2 + 4]
    assert "-2…2, -2…2" in lines[2 + 4]
    content = json.loads(json.dumps(seen.to_dict()))
    assert content["layers"][0]["first_unit"] == {"rows": [-1, 1], "columns": [-1, 1]}
    assert content["layers"][0]["units_inside_the_image"] == 9 * 7 * 4


@pytest.mark.parametrize(
    ("name", "place", "words"),
    [
        ("conv2d_9", (0, 0), "there is no layer 'conv2d_9'; the layers are conv2d_1"),
        ("conv2d_1", (11, 0, 0), r"conv2d_1: has no unit \(11, 0, 0\); its last one is \(10, 8, 3"),
        ("conv2d_1", (0,), "has no unit"),
        ("conv2d_1", (-1, 0), "must be at least 0"),
        ("dense_1", (3,), r"its last one is \(2\)"),
    ],
)
def test_mistakes(helpers: SimpleNamespace, name: str, place: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        reach(helpers.branching()).pixels(name, *place)


def test_networks_of_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="reads vectors of 5 numbers"):
        reach(Network([Dense(3)], (5,)))


def test_a_sum_reads_a_cross(helpers: SimpleNamespace) -> None:
    """Two branches, neither of which sees what the other does: the union is no box."""
    seen = reach(helpers.crossing())
    rows = ["000000", "001000", "000000", "111110", "000000", "001000", "000000"]
    pixels = seen.pixels("add_1", 3, 2)[..., 0].astype(int)
    assert ["".join(map(str, row)) for row in pixels] == rows
    assert seen["add_1"].read(3, 2) == Box((1, 5), (0, 4))
    assert seen["add_1"].field(0, 0) == Box((-2, 2), (-2, 2))
