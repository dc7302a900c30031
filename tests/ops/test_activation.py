"""Activations against textbook loops, finite differences, and at their difficult points."""

import numpy as np
import pytest

from striate.ops import activation

X = np.concatenate([np.linspace(-4, 4, 33) + 0.01, [30.0, -30.0]]).reshape(5, 7)
FORWARD = {
    "relu": activation.relu,
    "leaky_relu": lambda x: activation.leaky_relu(x, 0.2),
    "sigmoid": activation.sigmoid,
    "tanh": activation.tanh,
}
BACKWARD = {
    "relu": lambda g, x: activation.relu_input_gradient(g, activation.relu(x)),
    "leaky_relu": lambda g, x: activation.leaky_relu_input_gradient(g, x, 0.2),
    "sigmoid": lambda g, x: activation.sigmoid_input_gradient(g, activation.sigmoid(x)),
    "tanh": lambda g, x: activation.tanh_input_gradient(g, np.tanh(x)),
}


@pytest.mark.parametrize("name", FORWARD)
def test_numpy_agrees_with_loops(name):
    slope = 0.2 if name == "leaky_relu" else 0.0
    expected = activation.activation_loops(name, X, slope)
    np.testing.assert_allclose(FORWARD[name](X), expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", FORWARD)
def test_the_gradient_is_the_slope(name):
    step = 1e-6
    slope = (FORWARD[name](X + step) - FORWARD[name](X - step)) / (2 * step)
    gradient = np.random.default_rng(0).standard_normal(X.shape)
    np.testing.assert_allclose(BACKWARD[name](gradient, X), gradient * slope, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
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


def test_relu_does_not_hide_not_a_number():
    assert np.isnan(activation.relu(np.array([np.nan])))
