"""The grouped dense layer: sizes, errors, parameters."""

import re

import numpy as np
import pytest

from striate.layers import GroupedDense, PassContext


def test_the_articles_counts():
    """3×3 pixels, 16 neurons in groups of 4: 36 weights instead of 144."""
    layer = GroupedDense(16, group=4)
    weights, bias = layer.parameters((9,))
    assert (weights.shape, weights.fan_in, weights.fan_out, weights.decay) == ((9, 4), 9, 16, True)
    assert np.prod(weights.shape) == 36
    assert (bias.shape, bias.decay) == ((4,), False)
    assert layer.output_shape((9,)) == (16,)
    assert layer.multiply_adds((9,)) == 36
    assert layer.groups == 4
    assert len(GroupedDense(16, 4, bias=False).parameters((9,))) == 1


def test_neurons_of_a_group_give_the_same_number():
    x, weights = np.ones((2, 9)), np.arange(36.0).reshape(9, 4)
    parameters = {"weights": weights, "bias": np.array([0.5, 0, 0, 0])}
    output, _ = GroupedDense(16, 4).forward((x,), parameters, {}, PassContext())
    expected = np.repeat(weights.sum(0) + parameters["bias"], 4)
    np.testing.assert_array_equal(output, [expected, expected])


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((0, 1), ValueError, "GroupedDense: units must be at least 1, got 0"),
        ((16, 2.0), TypeError, "GroupedDense: group must be a whole number, got 2.0 (float)"),
        (
            (16, 3),
            ValueError,
            "GroupedDense: 16 units do not fall into groups of 3; choose group=1, 2, 4 or 8, or "
            "units as a multiple of 3",
        ),
        ((7, 9), ValueError, "7 units do not fall into groups of 9; choose group=1 or 7, or"),
    ],
)
def test_wrong_arguments_are_named(arguments, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        GroupedDense(*arguments)


def test_images_must_be_flattened_first():
    with pytest.raises(ValueError, match=r'GroupedDense "g": needs a vector .*put Flatten'):
        GroupedDense(4, 2, name="g").output_shape((3, 4, 5))
