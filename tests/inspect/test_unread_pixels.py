"""What nobody reads, and what would cure it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.inspect.unread_pixels import Unread, ledger
from striate.layers import AvgPool2D, Conv2D, Dense, Flatten, MaxPool2D
from striate.network import Network


def with_change(network: Network, layer: str, argument: str, value: object) -> Network:
    """The network built by hand with a cure's change."""
    config = network.get_config()
    for node in config["nodes"]:
        if node["name"] == layer:
            node["config"][argument] = value
    return Network.from_config(config)


def found_by_touching(helpers: SimpleNamespace, network: Network) -> Unread:
    """Rows, columns and pixels with which no output changes."""
    helpers.all_ones(network)
    touched = helpers.touched(network, len(network.nodes) - 1, "numpy").any((2, 3))
    return Unread(
        tuple(np.nonzero(~touched.any(1))[0].tolist()),
        tuple(np.nonzero(~touched.any(0))[0].tolist()),
        int((~touched).sum()),
    )


@st.composite
def dropping(draw: st.DrawFn) -> Network:
    """Chains of windows that leave out what does not fit."""
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        kind = draw(st.sampled_from([MaxPool2D, AvgPool2D, None]))
        if kind is None:
            dilation = draw(st.integers(1, 2))
            layers.append(Conv2D(1, size, stride=stride, dilation=dilation, uncovered="drop"))
        else:
            layers.append(kind(size, stride=stride, uncovered="drop"))
    for count in range(len(layers), 0, -1):
        try:
            return Network([*layers[:count], Flatten(), Dense(2)], (9, 8, 1))
        except ValueError:
            continue
    return Network([Flatten(), Dense(2)], (9, 8, 1))


@settings(max_examples=60)
@given(dropping())
def test_what_is_unread_and_what_cures_it(helpers: SimpleNamespace, network: Network) -> None:
    found = ledger(network)
    assert found.unread == found_by_touching(helpers, network)
    assert bool(found.unread) <= bool(found.layers)
    for cure in found.cures:
        other = network
        for change in cure.changes:
            value = list(change.value) if isinstance(change.value, tuple) else change.value
            other = with_change(other, change.layer, change.argument, value)
        assert found_by_touching(helpers, other) == cure.unread
        assert cure.unread.pixels < found.unread.pixels
        learned = [sum(values.size for values in n.parameters.values()) for n in (network, other)]
        assert learned[1] - learned[0] == cure.parameters
        shapes = {vertex.name: vertex.shape for vertex in other.nodes}
        assert all(shapes[change.layer] == change.output_shape for change in cure.changes)


def test_the_articles_impossible_size_with_a_floor() -> None:
    """I = 10, R = 3, P = 0, S = 2: the floor leaves the last row and column unread."""
    network = Network([Conv2D(2, 3, stride=2, uncovered="drop")], (10, 10, 1))
    found = ledger(network)
    assert found.unread == Unread((9,), (9,), 19)
    changes = [(cure.changes[0].argument, cure.changes[0].value) for cure in found.cures]
    assert changes == [
        ("padding", (0, 1, 0, 1)),
        ("padding", (1, 0, 1, 0)),
        ("padding", "same"),
        ("stride", (1, 1)),
    ]
    assert not any(cure.unread for cure in found.cures)
    text = str(found)
    assert text.startswith("No output reads row 9 and column 9 of the image (10×10): 19.0 % of its")
    assert "- conv2d_1 with padding=(0, 1, 0, 1) → 5×5×2\n" in text


def test_gaps_between_windows_need_another_stride() -> None:
    found = ledger(Network([MaxPool2D(1, stride=3)], (7, 4, 1)))
    assert found.unread.rows == (1, 2, 4, 5)
    assert [cure.changes[0].argument for cure in found.cures] == ["stride"]
    assert "rows 1…2, 4…5 and columns 1…2" in str(found)


def test_two_layers_are_cured_together_where_one_is_not_enough() -> None:
    """Of 9 rows the first pool loses one, of its 4 the second another."""
    layers = [MaxPool2D(2, uncovered="drop"), MaxPool2D(3, uncovered="drop")]
    found = ledger(Network([*layers, Flatten(), Dense(1)], (9, 9, 1)))
    assert found.unread.rows == (6, 7, 8)
    first, *others = found.cures
    assert [change.layer for change in first.changes] == ["max_pool2d_1", "max_pool2d_2"]
    assert not first.unread
    assert others
    assert all(len(cure.changes) == 1 and cure.unread for cure in others)
    assert "max_pool2d_1 with padding=(0, 1, 0, 1) → 5×5×1 and max_pool2d_2 with" in str(found)


def test_nothing_unread() -> None:
    found = ledger(Network([Conv2D(2, 3, padding=1), MaxPool2D(2)], (4, 6, 1)))
    assert not found.unread
    assert str(found) == "Every row and column of the image (4×6) is read."
    assert found.tried == 0
    assert json.loads(json.dumps(found.to_dict()))["unread"]["pixels"] == 0


def test_networks_of_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="ledger: the network reads vectors of 5"):
        ledger(Network([Dense(3)], (5,)))


def test_many_rows_are_abridged() -> None:
    found = ledger(Network([MaxPool2D(1, stride=2)], (41, 3, 1)))
    assert len(found.unread.rows) == 20
    assert str(found.unread) == "rows 1, 3, 5, …, 39 and column 1"
