"""Kernels that blur and sharpen: formulas point by point, OpenCV, sums and symmetry."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from striate import kernels

SIZES = [1, 2, 3, 4, 5, 8, 9, 15]
ODD = [3, 5, 7, 11]


def picture(height=9, width=12):
    return np.random.default_rng(5).uniform(0, 1, (height, width))


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_identity_changes_nothing(size):
    image = picture()
    assert_array_equal(ndimage.convolve(image, kernels.identity(size)), image)
    assert kernels.identity(size).shape == (size, size)


@pytest.mark.parametrize("size", SIZES)
def test_mean_is_the_mean(size):
    kernel = kernels.mean(size)
    assert kernel.shape == (size, size)
    assert_allclose(kernel, float(Fraction(1, size * size)), rtol=1e-15)
    if size % 2:
        expected = ndimage.uniform_filter(picture(), size)
        assert_allclose(ndimage.convolve(picture(), kernel), expected, rtol=1e-12)


def test_box_is_the_mean_or_the_sum_of_a_rectangle():
    assert_allclose(kernels.box((2, 3)), [[1 / 6] * 3] * 2, rtol=1e-15)
    assert_array_equal(kernels.box((4, 2), normalize=False), [[1, 1]] * 4)
    assert_array_equal(kernels.box(5), kernels.mean(5))
    assert_array_equal(kernels.box(), kernels.mean())


def test_the_default_gaussian_is_the_one_of_the_docstring():
    row = [0.0050, 0.0173, 0.0262, 0.0173, 0.0050]
    assert_allclose(kernels.gaussian()[0], row, atol=5e-5)
    assert_allclose(kernels.gaussian()[2, 2], 0.1366, atol=5e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.7])
def test_gaussian_by_its_formula(size, sigma):
    kernel = kernels.gaussian(size, sigma)
    middle = (size - 1) / 2
    expected = [
        [
            math.exp(-((x - middle) ** 2 + (y - middle) ** 2) / (2 * sigma * sigma))
            for x in range(size)
        ]
        for y in range(size)
    ]
    assert_allclose(kernel, np.array(expected) / sum(map(sum, expected)), rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.3, 2.0, 5.5])
def test_gaussian_by_sigma_is_that_of_scipy(sigma):
    image = picture(40, 47)
    filtered = ndimage.convolve(image, kernels.gaussian(sigma=sigma))
    assert_allclose(filtered, ndimage.gaussian_filter(image, sigma), rtol=1e-12)


@pytest.mark.parametrize("size", [11, 15, 31])
def test_gaussian_by_size_is_that_of_opencv(size):
    cv2 = pytest.importorskip("cv2")
    bell = cv2.getGaussianKernel(size, 0)[:, 0]
    assert_allclose(kernels.gaussian1d(size), bell, rtol=1e-12)


@pytest.mark.parametrize("size", ODD)
def test_gaussian_with_both_is_that_of_opencv(size):
    cv2 = pytest.importorskip("cv2")
    bell = cv2.getGaussianKernel(size, 1.7)
    assert_allclose(kernels.gaussian(size, 1.7), bell @ bell.T, rtol=1e-12)


def test_the_narrowest_and_the_widest_gaussian():
    assert_array_equal(kernels.gaussian(3, 0.01), kernels.identity(3))
    assert_allclose(kernels.gaussian(3, 1e6), kernels.mean(3), rtol=1e-9)
    with pytest.raises(ValueError, match=r"sigma 0.01 is too small for the even size 4"):
        kernels.gaussian(4, 0.01)
    with pytest.raises(ValueError, match=r"sigma must be between 0.01 and 1e6, got 0.001"):
        kernels.gaussian(3, 0.001)
    with pytest.raises(ValueError, match=r"gaussian: size must be at most 4096, got 8001"):
        kernels.gaussian(sigma=1000)


def sampled_line(size, angle, points=400_000):
    """The share of many points of the line that falls into each pixel."""
    t = (np.arange(points) + 0.5) / points * size - size / 2
    columns = np.floor(t * math.cos(math.radians(angle)) + size / 2).astype(int)
    rows = np.floor(t * math.sin(math.radians(angle)) + size / 2).astype(int)
    counts = np.zeros((size, size))
    np.add.at(counts, (rows.clip(0, size - 1), columns.clip(0, size - 1)), 1)
    return counts / points


@pytest.mark.parametrize(
    ("size", "angle"),
    [
        # Even sizes have the axes on a border of pixels, which points cannot share.
        *((size, angle) for size in (1, 3, 5, 9) for angle in (0, 90)),
        *(
            (size, angle)
            for size in (1, 3, 4, 5, 9, 12)
            for angle in (10, 30, 45, 77, 120, 135, 200, -30)
        ),
    ],
)
def test_motion_blur_shares_the_line_among_its_pixels(size, angle):
    assert_allclose(kernels.motion_blur(size, angle), sampled_line(size, angle), atol=2e-5)


def test_motion_blur_along_the_axes():
    assert_allclose(kernels.motion_blur(3), [[0, 0, 0], [1 / 3] * 3, [0, 0, 0]])
    assert_allclose(kernels.motion_blur(3, 90), np.array([[0, 1, 0]] * 3) / 3)
    row = [1 / 8] * 4
    assert_allclose(kernels.motion_blur(4), [[0] * 4, row, row, [0] * 4])
    assert_allclose(kernels.motion_blur(4, 90), np.transpose([[0] * 4, row, row, [0] * 4]))


def test_motion_blur_goes_down_to_the_right_at_45_degrees():
    kernel = kernels.motion_blur(5, 45)
    assert kernel[0, 0] > 0 and kernel[4, 4] > 0
    assert kernel[0, 4] == kernel[4, 0] == 0


@pytest.mark.parametrize(
    "kernel",
    [
        *(kernels.mean(size) for size in SIZES),
        *(kernels.gaussian(size) for size in SIZES),
        *(kernels.motion_blur(size, 25) for size in SIZES),
        *(kernels.sharpen(size=size, neighbours=8, amount=0.3) for size in ODD),
        *(kernels.unsharp(size) for size in ODD),
        kernels.sharpen(),
        kernels.emboss(),
        kernels.unsharp(9, 2.0, -0.5),
    ],
)
def test_brightness_stays(kernel):
    assert kernel.dtype == np.float64
    assert_allclose(kernel.sum(), 1, rtol=1e-13)


@pytest.mark.parametrize("size", SIZES)
def test_blurs_are_the_same_turned_by_half(size):
    for kernel in (kernels.gaussian(size), kernels.motion_blur(size, 33), kernels.mean(size)):
        assert_allclose(kernel, kernel[::-1, ::-1], rtol=1e-12, atol=1e-15)


def test_sharpen_as_in_books():
    assert_array_equal(kernels.sharpen(), [[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    assert_array_equal(kernels.sharpen(8), [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]])
    assert_array_equal(kernels.sharpen(amount=0.5)[1], [-0.5, 3, -0.5])


@pytest.mark.parametrize(("size", "sigma", "amount"), [(5, None, 1), (9, 1.5, 0.6), (3, 1, 4)])
def test_unsharp_adds_what_the_blur_takes_away(size, sigma, amount):
    image = picture()
    blurred = ndimage.convolve(image, kernels.gaussian(size, sigma))
    sharp = ndimage.convolve(image, kernels.unsharp(size, sigma, amount))
    assert_allclose(sharp, image + amount * (image - blurred), rtol=1e-12, atol=1e-12)


def test_emboss_lights_slopes_that_face_the_upper_left():
    hill = np.minimum.outer(np.r_[0:6, 4:-1:-1], np.r_[0:6, 4:-1:-1]).astype(float)
    relief = ndimage.convolve(hill, kernels.emboss()) - hill
    assert relief[3, 3] > 0 > relief[7, 7]
    assert_array_equal(kernels.emboss(), [[2, 1, 0], [1, 1, -1], [0, -1, -2]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.identity(4), r"identity: size must be odd.*got 4; use 3 or 5"),
        (lambda: kernels.identity(0), r"identity: size must be at least 1, got 0"),
        (lambda: kernels.mean(5000), r"mean: size must be at most 4096, got 5000"),
        (lambda: kernels.box((3, 0)), r"box: size \(width\) must be at least 1, got 0"),
        (lambda: kernels.box((1, 5000)), r"box: size must be at most 4096, got 5000"),
        (lambda: kernels.gaussian(3, -1.0), r"sigma must be more than 0, got -1"),
        (lambda: kernels.motion_blur(3, math.nan), r"angle must be finite"),
        (lambda: kernels.unsharp(4), r"unsharp: size must be odd"),
        (lambda: kernels.sharpen(size=5), r"4 neighbours has only size 3, got 5"),
        (lambda: kernels.sharpen(amount=math.inf), r"amount must be finite"),
    ],
)
def test_values_that_make_no_kernel(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.mean(2.5), r"mean: size must be a whole number, got 2.5 \(float\)"),
        (lambda: kernels.gaussian(3, "1"), r"sigma must be a number, got '1'"),
        (lambda: kernels.box(3, normalize=1), r"normalize must be True or False, got 1"),
    ],
)
def test_types_that_make_no_kernel(call, message):
    with pytest.raises(TypeError, match=message):
        call()
