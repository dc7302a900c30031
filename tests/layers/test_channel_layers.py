"""Activations with arguments, gates, normalisation and choices of channels: what they refuse, and
which values they read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.inspect import Box, reach
from striate.inspect.dependency_masks import inputs_read
from striate.layers import (
    ELU,
    GELU,
    LRN,
    Affine,
    ChannelShuffle,
    ChannelSlice,
    Clip,
    Conv2D,
    GlobalAvgPool2D,
    HardSigmoid,
    Input,
    Layer,
    LayerNorm,
    Multiply,
    PassContext,
    PReLU,
)
from striate.network import Network
from striate.ops import channels, layernorm, lrn, multiply


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clip(), r"Clip: with neither low nor high nothing is clipped; give one of them"),
        (lambda: Clip(2, 1), r"Clip: low must not be larger than high, got 2.0 and 1.0"),
        (lambda: Clip(high=float("inf")), r"Clip: high must be finite, got inf"),
        (lambda: Clip("0"), r"Clip: low must be a number, got '0'"),
        (lambda: HardSigmoid(offset=None), r"HardSigmoid: offset must be a number, got None"),
        (lambda: ELU(True), r"ELU: alpha must be a number, got True"),
        (lambda: GELU("erf"), r'GELU: approximate must be "none" or "tanh", got \'erf\''),
        (lambda: PReLU(1), r"PReLU: shared must be True or False, got 1"),
        (lambda: Affine(False, False), r"Affine: with neither scale nor shift it does nothing"),
        (lambda: LayerNorm(eps=0), r"LayerNorm: eps must be positive, got 0.0"),
        (lambda: LRN(0), r"LRN: size must be at least 1, got 0"),
        (lambda: LRN(bias=0), r"LRN: alpha must not be negative and bias must be positive"),
        (lambda: LRN(alpha=-1), r"LRN: alpha must not be negative .* got alpha=-1.0 and bias=1.0"),
        (lambda: ChannelShuffle(0), r"ChannelShuffle: groups must be at least 1, got 0"),
        (lambda: ChannelSlice(-1, 3), r"ChannelSlice: start must be at least 0, got -1"),
        (lambda: ChannelSlice(3, 3), r"ChannelSlice: start must be below stop, got 3 and 3"),
        (lambda: ChannelSlice(0, 3, 0), r"ChannelSlice: step must be at least 1, got 0"),
        (
            lambda: ChannelShuffle(4)(Input((5, 4, 6))),
            r"ChannelShuffle: 6 channels are no multiple of groups=4; choose a divisor of 6",
        ),
        (
            lambda: ChannelSlice(2, 7, name="half")(Input((5, 4, 6))),
            r'ChannelSlice "half": stop=7 is more than the 6 channels of its input \(5, 4, 6\)',
        ),
        (
            lambda: Multiply()(Input((5, 4, 6)), Input((5, 2, 6))),
            r"Multiply: inputs must have the shape of the largest.*got \(5, 4, 6\), \(5, 2, 6\)",
        ),
        (
            lambda: Multiply()(Input((5, 4, 1)), Input((6,))),
            r"Multiply: inputs must have the shape of the largest.*gates are \(channels,\)",
        ),
        (lambda: Multiply()(Input((5,))), r"Multiply: takes at least 2 inputs, got 1"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        make()
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize(
    ("shapes", "output"),
    [
        ([(5, 4, 6), (6,)], (5, 4, 6)),
        ([(6,), (5, 4, 6)], (5, 4, 6)),
        ([(5, 4, 1), (5, 4, 6), (1, 1, 6)], (5, 4, 6)),
        ([(1, 4, 6), (5, 4, 6)], (5, 4, 6)),
        ([(6,), (1, 1, 6)], (1, 1, 6)),
        ([(6,), (6,)], (6,)),
        ([(1,), (6,)], (6,)),
    ],
)
def test_a_product_has_the_shape_of_the_largest(shapes: Any, output: Any) -> None:
    assert Multiply().output_shape(*shapes) == output
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((2, *shape)) for shape in shapes]
    product = multiply.multiply(inputs)
    assert product.shape == (2, *output)
    np.testing.assert_allclose(product, multiply.multiply_loops(inputs), rtol=1e-14)
    gradient = rng.standard_normal(product.shape)
    expected = multiply.multiply_gradients_loops(gradient, inputs)
    for got, wanted in zip(multiply.multiply_gradients(gradient, inputs), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [7, 8, 9, 15, 16, 17])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 40])
def test_lrn_agrees_with_loops(size: int, count: int) -> None:
    x = np.random.default_rng(size).standard_normal((2, 3, 2, count))
    got = lrn.lrn(x, lrn.denominators(x, size, 0.6, 1.5), 0.75)
    np.testing.assert_allclose(got, lrn.lrn_loops(x, size, 0.6, 0.75, 1.5), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 7, 16, 33])
def test_layer_norm_agrees_with_loops(count: int) -> None:
    rng = np.random.default_rng(count)
    x, (scale, shift) = 40 + rng.standard_normal((2, 3, 2, count)), rng.standard_normal((2, count))
    normal, _ = layernorm.normalise_pixels(x, 1e-4)
    expected = layernorm.layer_norm_loops(x, scale, shift, 1e-4)
    np.testing.assert_allclose(scale * normal + shift, expected, rtol=1e-9, atol=1e-9)


def test_a_shuffle_is_undone_by_as_many_groups_as_each_had_channels() -> None:
    x = np.arange(2 * 3 * 2 * 12.0).reshape(2, 3, 2, 12)
    for groups in (1, 2, 3, 4, 6, 12):
        shuffled = channels.shuffle(x, groups)
        np.testing.assert_array_equal(shuffled, channels.shuffle_loops(x, groups))
        np.testing.assert_array_equal(channels.shuffle(shuffled, 12 // groups), x)
        layer = ChannelShuffle(groups)
        np.testing.assert_array_equal(shuffled[0, 0, 0], x[0, 0, 0][layer.sources(12)])


READ: list[tuple[Layer, list[tuple[int, ...]]]] = [
    (ChannelShuffle(2), [(3, 2, 6)]),
    (ChannelSlice(1, 5, 3), [(3, 2, 6)]),
    (LRN(4), [(3, 2, 6)]),
    (LRN(3), [(7,)]),
    (LayerNorm(), [(3, 2, 5)]),
    (Multiply(), [(3, 2, 5), (5,), (3, 2, 1)]),
    (Multiply(), [(5,), (1,)]),
    (Affine(), [(3, 2, 4)]),
]


@pytest.mark.parametrize(("layer", "shapes"), READ, ids=repr)
def test_reads_are_the_values_that_change_an_output(layer: Layer, shapes: Any) -> None:
    rng = np.random.default_rng(2)
    inputs = [rng.uniform(1, 2, (1, *shape)) for shape in shapes]
    parameters = {p.name: np.full(p.shape, 1.5) for p in layer.parameters(*shapes)}

    def output() -> np.ndarray:
        return np.array(layer.forward(tuple(inputs), parameters, {}, PassContext())[0])

    before, shape = output(), layer.output_shape(*shapes)
    image = (1, 1, *shape)[-3:]
    for which, x in enumerate(inputs):
        for place in np.ndindex(x.shape):
            old = x[place]
            x[place] = old + 0.5
            changed = (output() != before).reshape(image)
            x[place] = old
            for at in np.ndindex(image):
                wanted = np.zeros(image, bool)
                wanted[at] = True
                mask = inputs_read(layer.reads(*shapes), wanted, tuple(shapes))[which]
                assert mask.reshape(x.shape)[place] == changed[at], (which, place, at)


def test_a_gate_sees_the_whole_image() -> None:
    image = Input((6, 5, 4))
    small = Conv2D(4, 3, padding=1)(image)
    network = Network(inputs=image, output=Multiply()(small, GlobalAvgPool2D()(small)))
    fields = reach(network)["multiply_1"]
    for unit in ((0, 0, 0), (3, 2, 1), (5, 4, 3)):  # padding counts: one pixel on each side
        assert fields.field(*unit) == Box(rows=(-1, 6), columns=(-1, 5))
