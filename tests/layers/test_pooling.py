"""Pooling layers: sizes, strides, padding and errors."""

import re

import numpy as np
import pytest

from striate.layers import AvgPool2D, GlobalAvgPool2D, MaxPool2D, PassContext, SumPool2D

POOLS = [MaxPool2D, AvgPool2D, SumPool2D]


@pytest.mark.parametrize("pool", POOLS)
def test_windows_lie_side_by_side_by_default(pool):
    assert pool((2, 3)).stride == (2, 3)
    assert pool((2, 3)).output_shape((8, 9, 5)) == (4, 3, 5)
    assert pool(2, stride=1).output_shape((8, 9, 5)) == (7, 8, 5)


@pytest.mark.parametrize("pool", POOLS)
def test_a_size_that_does_not_fit_is_an_error(pool):
    message = re.escape('"p": (I - R + P_before + P_after)/S + 1 = (5 - 2 + 0 + 0)/2 + 1 = 2.5 ')
    with pytest.raises(ValueError, match=message + "is not whole along the height"):
        pool(2, name="p").output_shape((5, 4, 1))
    assert pool(2, uncovered="drop").output_shape((5, 4, 1)) == (2, 2, 1)
    assert pool(2, uncovered="drop").dropped((5, 4, 1)) == (1, 0)
    assert pool(2, padding="same").output_shape((5, 4, 1)) == (3, 2, 1)


@pytest.mark.parametrize("pool", POOLS)
def test_a_window_must_hold_a_pixel(pool):
    assert pool(3, stride=1, padding=2).output_shape((4, 5, 1)) == (6, 7, 1)
    with pytest.raises(ValueError, match=r"could lie in the padding of 3 alone.*padding below 3"):
        pool(3, stride=1, padding=(0, 3)).output_shape((4, 5, 1))


def test_dilated_windows_must_not_step_over_the_image():
    # Taps at -1 and 3 of an image of 3 rows: both lie in the padding.
    with pytest.raises(ValueError, match=r"with no pixel to pool.*dilation of at most 3"):
        MaxPool2D(2, stride=1, padding=1, dilation=4).output_shape((3, 9, 1))
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    layer = MaxPool2D(2, stride=1, padding=1, dilation=3)
    assert np.isfinite(layer.forward((x,), {}, {}, PassContext())[0]).all()


def test_averages_divide_by_the_real_pixels_or_by_all():
    x = np.ones((1, 2, 2, 1), np.float32)
    real = AvgPool2D(2, stride=1, padding=1)
    np.testing.assert_allclose(real.forward((x,), {}, {}, PassContext())[0], 1)
    every = AvgPool2D(2, stride=1, padding=1, count_padding=True)
    output = every.forward((x,), {}, {}, PassContext())[0]
    np.testing.assert_allclose(
        output[0, :, :, 0], [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
    )
    with pytest.raises(TypeError, match="count_padding must be True or False, got 'no'"):
        AvgPool2D(2, count_padding="no")


def test_the_global_average_is_the_mean_of_each_channel():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 7))
    output, _ = GlobalAvgPool2D().forward((x,), {}, {}, PassContext())
    np.testing.assert_allclose(output, x.reshape(3, 20, 7).mean(1))
