"""Effective fields: by hand, by finite differences, and within the receptive field."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from striate.inspect import reach
from striate.inspect.effective_receptive_fields import effective_field, effective_fields
from striate.inspect.receptive_fields import Box
from striate.inspect.values import Tape
from striate.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPool2D,
    ReLU,
    Tanh,
)
from striate.model.preprocessing import Preprocessing
from striate.network import Network


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_one_convolution_by_hand() -> None:
    """The derivative of a filter's output is the filter, whatever the image."""
    network = Network([Conv2D(2, 3)], (5, 6, 1))
    filters = network.parameters["conv2d_1/filters"]
    found = effective_field(network, noise(3, 5, 6, 1))
    assert (found.layer, found.unit) == ("conv2d_1", (1, 2))
    assert (found.channels, found.images) == ((0, 1), 3)
    expected = np.zeros((5, 6))
    expected[1:4, 2:5] = np.abs(filters[:, :, 0]).mean(-1)
    np.testing.assert_allclose(found.heat, expected, rtol=1e-6)
    assert found.field == Box((1, 3), (2, 4))


def test_size_and_deviation_by_hand() -> None:
    network = Network([Conv2D(1, 3, padding=1, bias=False)], (7, 7, 1))
    network.parameters["conv2d_1/filters"][..., 0, 0] = [[0, 0, 0], [2, 4, -2], [0, 0.1, 0]]
    found = effective_field(network, noise(2, 7, 7, 1))
    # 0.1 is below 4.55 % of 4: three pixels count.
    assert found.size == pytest.approx(np.sqrt(3))
    assert found.deviation[1] == pytest.approx(np.sqrt(4 / 8.1))
    assert found.deviation[0] == pytest.approx(np.sqrt(0.1 / 8.1 - (0.1 / 8.1) ** 2))
    assert "field 3×3, effective 1.7×1.7, deviation 0.11 and 0.70 pixels (2 images)" in str(found)


def smooth() -> Network:
    image = Input((6, 7, 2))
    one = Tanh()(Conv2D(3, 3, padding=1)(image))
    two = BatchNorm()(Conv2D(3, (1, 3), padding=(0, 1))(image))
    both = Concat()(Add()(one, two), one)
    return Network(inputs=image, output=Dense(4)(Flatten()(Tanh()(Conv2D(2, 2)(both)))))


@pytest.mark.parametrize(("name", "unit"), [("concat_1", (3, 4, 5)), ("dense_1", (2,))])
def test_gradients_by_finite_differences(helpers: SimpleNamespace, name: str, unit: tuple) -> None:
    network = smooth()
    index = next(i for i, vertex in enumerate(network.nodes) if vertex.name == name)
    images = noise(2, 6, 7, 2)
    gradient = Tape(network, images, len(network.nodes) - 1).gradient(index, unit)
    part = helpers.up_to(network, index)
    step = 1e-2
    for place in [(0, 0, 0), (3, 4, 1), (2, 3, 0), (5, 6, 1)]:
        move = np.zeros((6, 7, 2), np.float32)
        move[place] = step
        ahead, behind = (
            part.predict_logits(images + way * move, engine="numpy")[:, *unit] for way in (1, -1)
        )
        slope = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(gradient[:, *place], slope, rtol=0.02, atol=2e-3)


def test_nothing_outside_of_what_a_unit_reads(helpers: SimpleNamespace) -> None:
    network = helpers.branching()
    seen = reach(network)
    for layer in seen.layers:
        found = effective_field(network, noise(4, 11, 9, 2), layer.name, channels=1)
        pixels = seen.pixels(layer.name, *found.unit, *(found.channels if found.unit else (0,)))
        assert not found.heat[~pixels.any(-1)].any()
        assert found.heat.any() or found.is_dead


def test_it_is_smaller_than_the_whole_field() -> None:
    """Luo et al.: of many layers of random weights the derivative is a bell."""
    layers = [layer for _ in range(8) for layer in (Conv2D(8, 3, padding=1), ReLU())]
    network = Network(layers, (25, 25, 1))
    found = effective_field(network, noise(16, 25, 25, 1))
    assert found.field.size == (17, 17)
    assert 5 < found.size < 16
    # The middle 25 pixels of 289 have more than three times their share.
    assert found.heat[10:15, 10:15].sum() > 3 * 25 / 289 * found.heat.sum()


def test_a_unit_that_nothing_moves() -> None:
    network = Network([Conv2D(1, 1), ReLU()], (3, 3, 1))
    network.parameters["conv2d_1/bias"][...] = -1e6
    found = effective_field(network, noise(2, 3, 3, 1))
    assert found.is_dead
    assert found.size == 0
    assert "no image of 2 moves it" in str(found)


def test_preprocessing_is_applied() -> None:
    """A ReLU that only the images as they come would pass."""
    network = Network([Conv2D(1, 1, bias=False), ReLU()], (2, 2, 1))
    network.parameters["conv2d_1/filters"][...] = 1
    images = np.full((1, 2, 2, 1), 5, np.uint8)
    assert not effective_field(network, images).is_dead
    network.preprocessing = Preprocessing(mean=(9.0,), std=(1.0,))
    assert effective_field(network, images).is_dead


def test_vectors_units_and_json() -> None:
    network = Network([MaxPool2D(2), Flatten(), Dense(3)], (4, 4, 1))
    found = effective_field(network, noise(2, 4, 4, 1), "dense_1")
    assert (found.unit, found.channels) == ((), (0, 1, 2))
    content = json.loads(json.dumps(found.to_dict()))
    assert np.array(content["heat"]).shape == (4, 4)
    assert str(found).startswith("dense_1: field 4×4")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "conv2d_9"}, "there is no layer 'conv2d_9'"),
        ({"layer": "max_pool2d_1", "unit": (2, 0)}, "has no unit"),
        ({"layer": "dense_1", "unit": (0, 0)}, "dense_1: has no unit"),
    ],
)
def test_mistakes(options: dict, words: str) -> None:
    network = Network([MaxPool2D(2), Flatten(), Dense(3)], (4, 4, 1))
    with pytest.raises(ValueError, match=words):
        effective_field(network, noise(2, 4, 4, 1), **options)
    with pytest.raises(ValueError, match=r"reads images of shape \(n, 4, 4, 1\)"):
        effective_field(network, noise(2, 5, 4, 1))
    with pytest.raises(ValueError, match="there are no images"):
        effective_field(network, noise(0, 4, 4, 1))


def test_all_layers_at_once_and_units_by_name(helpers: SimpleNamespace) -> None:
    network = helpers.branching()
    images = noise(3, 11, 9, 2)
    found = effective_fields(network, images)
    assert [field.layer for field in found.fields] == [
        "conv2d_1", "conv2d_2", "concat_1", "conv2d_3", "max_pool2d_1", "conv2d_4", "add_1",
        "global_avg_pool2d_1", "concat_2", "dense_1",
    ]  # fmt: skip
    for field in found.fields:
        alone = effective_field(network, images, field.layer)
        np.testing.assert_array_equal(field.heat, alone.heat)
        assert (field.unit, field.channels, field.field) == (
            alone.unit, alone.channels, alone.field,
        )  # fmt: skip
    lines = str(found).split("\n")
    assert lines[0].split() == ["layer", "unit", "field", "effective", "deviation"]
    assert len(lines) == 2 + 10 + 2
    one = effective_field(network, images, "add_1", (2, 3, 1))
    assert (one.unit, one.channels) == ((2, 3), (1,))
    assert effective_field(network, images, "dense_1", (2,)).channels == (2,)
    assert len(effective_fields(Network([ReLU()], (3, 3, 1)), noise(1, 3, 3, 1)).fields) == 1
