"""Transposed convolution: NumPy against textbook loops, its definition, and finite changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.ops import conv, conv_transpose

# (image, channels, filters, size, pads, stride, dilation, groups, output padding)
CASES = [
    ((3, 4), 3, 2, (3, 2), (0, 0, 0, 0), (1, 1), (1, 1), 1, (0, 0)),
    ((4, 3), 2, 5, (2, 3), (1, 0, 2, 1), (2, 3), (1, 1), 1, (0, 0)),
    ((2, 5), 6, 3, (3, 3), (1, 1, 0, 2), (2, 1), (1, 2), 3, (1, 0)),
    ((3, 2), 4, 4, (4, 2), (0, 2, 1, 0), (2, 2), (1, 3), 4, (1, 2)),
    ((2, 3), 1, 2, (1, 1), (0, 0, 0, 0), (3, 2), (1, 1), 1, (2, 1)),
    ((5, 4), 2, 1, (3, 5), (4, 3, 2, 4), (1, 2), (2, 1), 1, (0, 0)),
    ((1, 7), 3, 2, (1, 4), (0, 0, 0, 1), (1, 2), (1, 1), 1, (0, 1)),
    ((2, 2), 2, 4, (2, 2), (0, 1, 0, 0), (1, 1), (3, 2), 2, (2, 1)),  # beyond what was cut away
]


def arrays(image, channels, filters, size, pads, stride, dilation, groups, more):
    random = np.random.default_rng([*image, channels, filters])
    x = random.standard_normal((2, *image, channels))
    weights = random.standard_normal((*size, filters // groups, channels))
    output = conv_transpose.transposed_outputs(image, size, stride, dilation, pads, more)
    gradient = random.standard_normal((2, *output, filters))
    return x, weights, gradient, (pads, stride, dilation, groups)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_agrees_with_loops(case):
    x, weights, gradient, window = arrays(*case)
    output = gradient.shape[1:3]
    expected = conv_transpose.conv_transpose2d_loops(x, weights, output, *window)
    found = conv_transpose.conv_transpose2d(x, weights, output, *window)
    assert found.shape == expected.shape == gradient.shape
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_agree_with_loops(case):
    """The output is linear in x and in the filters: a derivative is the output for a unit of it."""
    x, weights, gradient, window = arrays(*case)
    output = gradient.shape[1:3]
    to_x = conv_transpose.conv_transpose2d_input_gradient(gradient, weights, x.shape[1:3], *window)
    to_weights = conv_transpose.conv_transpose2d_filter_gradient(
        x, gradient, weights.shape[:2], *window
    )
    assert to_x.shape == x.shape
    assert to_weights.shape == weights.shape
    random = np.random.default_rng(3)
    for found, array in ((to_x, x), (to_weights, weights)):
        for place in random.choice(array.size, min(array.size, 12), replace=False):
            unit = np.zeros(array.shape)
            unit.flat[place] = 1
            pair = (unit, weights) if array is x else (x, unit)
            change = conv_transpose.conv_transpose2d_loops(*pair, output, *window)
            assert found.flat[place] == pytest.approx((change * gradient).sum(), abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_is_the_input_gradient_of_a_convolution(data):
    """Where the size rule of that convolution gives a whole number."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    image, size, stride, dilation = (data.draw(pair) for _ in range(4))
    frame = [
        (n - 1) * s + d * (r - 1) + 1
        for n, r, s, d in zip(image, size, stride, dilation, strict=True)
    ]
    top, left = (data.draw(st.integers(0, side - 1)) for side in frame)
    bottom, right = (
        data.draw(st.integers(0, side - before - 1))
        for side, before in zip(frame, (top, left), strict=True)
    )
    pads, groups = (top, bottom, left, right), data.draw(st.integers(1, 2))
    random = np.random.default_rng(data.draw(st.integers(0, 9)))
    x = random.standard_normal((1, *image, 3 * groups))
    weights = random.standard_normal((*size, 2, 3 * groups))
    output = conv_transpose.transposed_outputs(image, size, stride, dilation, pads, (0, 0))
    assert output == (frame[0] - top - bottom, frame[1] - left - right)
    window = (pads, stride, dilation, groups)
    np.testing.assert_allclose(
        conv_transpose.conv_transpose2d(x, weights, output, *window),
        conv.conv2d_input_gradient_loops(x, weights, output, *window),
        rtol=1e-10,
        atol=1e-10,
    )


def test_float32_stays_float32():
    x, weights, gradient, window = arrays(*CASES[1])
    x, weights, gradient = (array.astype(np.float32) for array in (x, weights, gradient))
    output = gradient.shape[1:3]
    found = conv_transpose.conv_transpose2d(x, weights, output, *window)
    back = conv_transpose.conv_transpose2d_input_gradient(gradient, weights, (4, 3), *window)
    assert (found.dtype, back.dtype) == (np.float32, np.float32)
