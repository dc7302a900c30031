"""Dropout: which values, how many, and the same again."""

import numpy as np
import pytest

from striate.common.random_bits import uniform_bits
from striate.engines import make_engine
from striate.layers import Dense, Dropout, Flatten, PassContext
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy

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


@pytest.mark.parametrize(
    "rate", [1 - 1e-10, 1 - 2**-32, 1 - 2**-53, 1 - 1e-7, 0.999, 1e-10, 5e-324]
)
def test_engines_agree_at_both_ends(rate: float) -> None:
    """A threshold of 32 bits must not wrap around."""
    layers = [Dropout(rate), Flatten(), Dense(2)]
    images = np.random.default_rng(0).random((16, 5, 4, 3), dtype=np.float32)
    keys = np.random.default_rng(1).integers(0, 2**32, 16, dtype=np.uint32)
    found = []
    for engine in ("llvm", "numpy"):
        network = Network(layers, (5, 4, 3))
        made = make_engine(network, engine, batch_size=16, loss=SoftmaxCrossEntropy())
        targets = np.eye(2, dtype=np.float32)[np.arange(16) % 2]
        found.append(made.step(images, targets, np.full(16, 1 / 16, np.float32), keys)[1])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    if rate > 0.99999:
        assert not found[0].any(), "nothing is left"
