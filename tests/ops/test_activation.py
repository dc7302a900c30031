"""Activations against textbook loops, finite differences, and at their difficult points."""

import numpy as np
import pytest

from striate.ops import activation

X = np.concatenate([np.linspace(-4, 4, 33) + 0.01, [30.0, -30.0]]).reshape(5, 7)
CONSTANTS = {
    "leaky_relu": (0.2,),
    "clip": (-0.7, 1.3),
    "hard_sigmoid": (0.2, 0.4),
    "elu": (1.7,),
}
FORWARD = {
    "relu": activation.relu,
    "leaky_relu": lambda x: activation.leaky_relu(x, 0.2),
    "sigmoid": activation.sigmoid,
    "tanh": activation.tanh,
    "relu6": activation.relu6,
    "clip": lambda x: activation.clip(x, -0.7, 1.3),
    "hard_sigmoid": lambda x: activation.hard_sigmoid(x, 0.2, 0.4),
    "hard_swish": activation.hard_swish,
    "elu": lambda x: activation.elu(x, 1.7),
    "silu": activation.silu,
    "mish": activation.mish,
    "gelu": activation.gelu,
    "gelu_tanh": activation.gelu_tanh,
}
BACKWARD = {
    "relu": lambda g, x: activation.relu_input_gradient(g, activation.relu(x)),
    "leaky_relu": lambda g, x: activation.leaky_relu_input_gradient(g, x, 0.2),
    "sigmoid": lambda g, x: activation.sigmoid_input_gradient(g, activation.sigmoid(x)),
    "tanh": lambda g, x: activation.tanh_input_gradient(g, np.tanh(x)),
    "relu6": lambda g, x: activation.relu6_input_gradient(g, activation.relu6(x)),
    "clip": lambda g, x: activation.clip_input_gradient(g, x, -0.7, 1.3),
    "hard_sigmoid": lambda g, x: activation.hard_sigmoid_input_gradient(
        g, activation.hard_sigmoid(x, 0.2, 0.4), 0.2
    ),
    "hard_swish": activation.hard_swish_input_gradient,
    "elu": lambda g, x: activation.elu_input_gradient(g, x, 1.7),
    "silu": activation.silu_input_gradient,
    "mish": activation.mish_input_gradient,
    "gelu": activation.gelu_input_gradient,
    "gelu_tanh": activation.gelu_tanh_input_gradient,
}


@pytest.mark.parametrize("name", FORWARD)
def test_numpy_agrees_with_loops(name):
    expected = activation.activation_loops(name, X, *CONSTANTS.get(name, ()))
    np.testing.assert_allclose(FORWARD[name](X), expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", FORWARD)
def test_the_gradient_is_the_slope(name):
    step = 1e-6
    slope = (FORWARD[name](X + step) - FORWARD[name](X - step)) / (2 * step)
    gradient = np.random.default_rng(0).standard_normal(X.shape)
    np.testing.assert_allclose(BACKWARD[name](gradient, X), gradient * slope, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("name", FORWARD)
def test_extremes_do_not_overflow_and_the_dtype_is_kept(name, dtype):
    x = np.array([[-1000, 0, 1000]], dtype)
    output = FORWARD[name](x)
    gradient = BACKWARD[name](np.ones_like(x), x)
    assert output.dtype == gradient.dtype == dtype
    assert np.isfinite(output).all()
    assert np.isfinite(gradient).all()


def test_at_zero_relu_has_the_slope_of_the_negative_side():
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    assert BACKWARD["relu"](one, zero) == 0
    assert BACKWARD["leaky_relu"](one, zero) == 0.2


@pytest.mark.parametrize("name", FORWARD)
def test_float32_loses_only_its_last_digits(name):
    x = np.linspace(-12, 12, 4801).astype("f")
    exact = x.astype(float)
    expected = activation.activation_loops(name, exact, *CONSTANTS.get(name, ()))
    got = FORWARD[name](x)
    assert np.abs(got - expected).max() <= 3e-7 * np.abs(expected).max()
    gradient = BACKWARD[name](np.ones_like(x), x)
    corners = np.min([np.abs(exact - at) for at in (-3, -2, -0.7, 0, 1.3, 3, 6)], axis=0) < 1e-3
    off = np.abs(gradient - BACKWARD[name](np.ones_like(exact), exact))
    assert off[~corners].max() <= 1e-6


def test_small_results_keep_their_digits():
    """Of the functions that come back to 0 far on the left, as products of small numbers."""
    x = np.linspace(-9, -3, 601).astype("f")
    for name in ("silu", "mish", "gelu"):
        expected = activation.activation_loops(name, x)
        np.testing.assert_allclose(FORWARD[name](x), expected, rtol=3e-6)


@pytest.mark.parametrize("shared", [False, True])
def test_prelu_agrees_with_loops(shared):
    random = np.random.default_rng(4)
    x, gradient = random.standard_normal((2, 3, 4, 2, 5))
    slope = random.standard_normal(1 if shared else 5)
    np.testing.assert_allclose(activation.prelu(x, slope), activation.prelu_loops(x, slope))
    expected = activation.prelu_gradients_loops(gradient, x, slope)
    for got, wanted in zip(activation.prelu_gradients(gradient, x, slope), expected, strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted)


def test_relu_does_not_hide_not_a_number():
    assert np.isnan(activation.relu(np.array([np.nan])))
