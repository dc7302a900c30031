"""Pooling: NumPy against textbook loops and PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.ops import pooling

# (height, width, channels, size, pads, stride, dilation)
CASES = [
    (4, 6, 3, (2, 2), (0, 0, 0, 0), (2, 2), (1, 1)),
    (5, 6, 7, (3, 2), (1, 2, 0, 1), (2, 1), (1, 1)),
    (7, 5, 8, (2, 3), (0, 1, 2, 0), (3, 2), (1, 1)),
    (9, 8, 2, (3, 2), (2, 1, 1, 0), (1, 2), (2, 3)),
    (3, 3, 17, (3, 3), (2, 2, 2, 2), (1, 1), (1, 1)),
    (6, 6, 1, (1, 1), (0, 0, 0, 0), (4, 3), (1, 1)),
    (8, 7, 33, (2, 2), (0, 0, 0, 0), (3, 3), (1, 1)),
]


def images(height, width, channels, tied):
    """Random images; with `tied` of a few values only, so that windows have several maxima."""
    random = np.random.default_rng([height, width, channels])
    x = random.standard_normal((2, height, width, channels))
    return np.round(x) if tied else x


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_max_agrees_with_loops(case, tied):
    height, width, channels, size, pads, stride, dilation = case
    x = images(height, width, channels, tied)
    output, winner = pooling.max_pool2d(x, size, pads, stride, dilation)
    expected, place = pooling.max_pool2d_loops(x, size, pads, stride, dilation)
    np.testing.assert_array_equal(output, expected)
    gradient = np.random.default_rng(1).standard_normal(output.shape)
    np.testing.assert_allclose(
        pooling.max_pool2d_input_gradient(
            gradient, winner, (height, width), size, pads, stride, dilation
        ),
        pooling.max_pool2d_input_gradient_loops(gradient, place, (height, width)),
        rtol=1e-12,
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sum_agrees_with_loops(case):
    height, width, channels, *window = case
    x = images(height, width, channels, tied=False)
    output = pooling.sum_pool2d(x, *window)
    np.testing.assert_allclose(output, pooling.sum_pool2d_loops(x, *window), rtol=1e-10, atol=1e-12)
    gradient = np.random.default_rng(1).standard_normal(output.shape)
    np.testing.assert_allclose(
        pooling.sum_pool2d_input_gradient(gradient, (height, width), *window),
        pooling.sum_pool2d_input_gradient_loops(gradient, (height, width), *window),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_pixels_of_windows_agree_with_loops(case, share):
    height, width, _, size, pads, stride, dilation = case
    counted = tuple(int(side * share) for side in pads)
    np.testing.assert_array_equal(
        pooling.window_pixels((height, width), size, pads, stride, dilation, counted),
        pooling.window_pixels_loops((height, width), size, pads, stride, dilation, counted),
    )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 9, 17), (4, 1, 8), (1, 1, 2)], ids=str)
def test_global_maximum_agrees_with_loops(shape, tied):
    x = images(*shape, tied)
    output, winner = pooling.global_max_pool2d(x)
    expected, place = pooling.global_max_pool2d_loops(x)
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(winner, place)
    gradient = np.random.default_rng(1).standard_normal(output.shape)
    result = pooling.global_max_pool2d_input_gradient(gradient, winner, shape[:2])
    wanted = pooling.max_pool2d_input_gradient_loops(
        gradient[:, None, None], place[:, None, None], shape[:2]
    )
    np.testing.assert_array_equal(result, wanted)


@st.composite
def windows(draw):
    size = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    padding = (draw(st.integers(0, size[0] // 2)), draw(st.integers(0, size[1] // 2)))
    image = tuple(
        max(1, size[axis] - 2 * padding[axis]) + draw(st.integers(0, 6)) for axis in (0, 1)
    )
    stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    return image, draw(st.integers(1, 9)), size, padding, stride, draw(st.booleans())


@given(windows())
@settings(max_examples=100)
def test_max_and_average_agree_with_torch(window):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    image, channels, size, (down, across), stride, flag = window
    pads = (down, down, across, across)
    x = images(*image, channels, tied=flag)
    tx = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)

    output, winner = pooling.max_pool2d(x, size, pads, stride)
    expected = torch.nn.functional.max_pool2d(tx, size, stride, (down, across))
    np.testing.assert_array_equal(output, expected.detach().numpy().transpose(0, 2, 3, 1))
    gradient = np.random.default_rng(2).standard_normal(output.shape)
    expected.backward(torch.tensor(gradient.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(  # PyTorch too gives ties to the first
        pooling.max_pool2d_input_gradient(gradient, winner, image, size, pads, stride),
        tx.grad.numpy().transpose(0, 2, 3, 1),
        atol=1e-12,
    )

    average = pooling.sum_pool2d(x, size, pads, stride) / pooling.window_pixels(
        image, size, pads, stride, counted=pads if flag else (0, 0, 0, 0)
    )
    expected = torch.nn.functional.avg_pool2d(
        tx, size, stride, (down, across), count_include_pad=flag
    )
    np.testing.assert_allclose(
        average, expected.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-12, atol=1e-14
    )


def test_padding_never_wins():
    x = np.full((1, 2, 2, 1), -5.0)
    output, winner = pooling.max_pool2d(x, (2, 2), (1, 1, 1, 1), (1, 1))
    assert (output == -5).all()
    gradient = pooling.max_pool2d_input_gradient(
        np.ones_like(output), winner, (2, 2), (2, 2), (1, 1, 1, 1), (1, 1)
    )
    assert gradient.sum() == output.size


def test_not_a_number_is_not_hidden():
    x = np.zeros((1, 2, 2, 1), np.float32)
    x[0, 1, 0, 0] = np.nan
    assert np.isnan(pooling.max_pool2d(x, (2, 2))[0]).all()


def test_a_small_change_of_the_image_leaves_the_maxima():
    """*From Convolution to Neural Network*: pooling discards fluctuations."""
    x = np.zeros((1, 4, 4, 1))
    x[0, 0, 1, 0] = 1
    moved = np.roll(x, -1, axis=2)
    assert (
        pooling.max_pool2d(x, (2, 2), stride=(2, 2))[0]
        == pooling.max_pool2d(moved, (2, 2), stride=(2, 2))[0]
    ).all()
