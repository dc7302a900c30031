"""Dropout: which values, how many, and the same again."""

import numpy as np
import pytest

from striate.common.random_bits import uniform_bits
from striate.layers import Dropout, PassContext

KEYS = np.array([1, 2, 900], np.uint32)
X = np.ones((3, 8, 9, 5), np.float32)


def training(salt=0, keys=KEYS):
    return PassContext(training=True, keys=keys, salt=salt)


def test_values_are_dropped_by_their_bits_and_the_rest_scaled():
    output, _ = Dropout(0.25).forward((X,), {}, {}, training(salt=4))
    dropped = (uniform_bits(KEYS, 4, 360) < 2**30).reshape(X.shape)
    np.testing.assert_array_equal(output, np.where(dropped, 0, np.float32(1 / 0.75)))
    assert 0.15 < dropped.mean() < 0.35


def test_prediction_keeps_everything():
    assert Dropout(0.5).forward((X,), {}, {}, PassContext())[0] is X


def test_the_choice_depends_on_image_and_layer_only():
    output, _ = Dropout(0.5).forward((X,), {}, {}, training())
    alone, _ = Dropout(0.5).forward((X[2:],), {}, {}, training(keys=KEYS[2:]))
    np.testing.assert_array_equal(output[2:], alone)
    elsewhere, _ = Dropout(0.5).forward((X,), {}, {}, training(salt=1))
    assert (output != elsewhere).any()
    assert (output[0] != output[1]).any()


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_the_rate_is_checked(rate):
    with pytest.raises(ValueError, match=r"Dropout: rate must be"):
        Dropout(rate)


def test_training_without_keys_is_an_error():
    with pytest.raises(ValueError, match="one random key per image"):
        Dropout(0.5, name="d").forward((X,), {}, {}, PassContext(training=True))
