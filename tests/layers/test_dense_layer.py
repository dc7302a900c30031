"""The dense layer."""

import numpy as np
import pytest

from striate.layers import Dense, PassContext


def test_output_parameters_and_work():
    layer = Dense(4)
    weights, bias = layer.parameters((9,))
    assert (weights.shape, weights.fan_in, weights.fan_out, weights.decay) == ((9, 4), 9, 4, True)
    assert (bias.shape, bias.decay) == ((4,), False)
    assert layer.output_shape((9,)) == (4,)
    x, w, b = np.ones((2, 9)), np.full((9, 4), 2.0), np.arange(4.0)
    output, _ = layer.forward((x,), {"weights": w, "bias": b}, {}, PassContext())
    np.testing.assert_array_equal(output, [[18, 19, 20, 21]] * 2)


def test_the_articles_counts():
    """9-90-50 dense: 810 + 4,500 weights; a neuron on 3×256×256: 196,608; 32×32 to 500."""
    assert np.prod(Dense(90).parameters((9,))[0].shape) == 810
    assert np.prod(Dense(50).parameters((90,))[0].shape) == 4500
    assert np.prod(Dense(1).parameters((3 * 256 * 256,))[0].shape) == 196_608
    assert np.prod(Dense(500).parameters((32 * 32,))[0].shape) == 512_000


def test_images_must_be_flattened_first():
    with pytest.raises(ValueError, match=r'Dense "d": needs a vector .*\(3, 4, 5\).*put Flatten'):
        Dense(4, name="d").output_shape((3, 4, 5))


def test_units_are_checked():
    with pytest.raises(ValueError, match="Dense: units must be at least 1, got -3"):
        Dense(-3)
