"""Kernels for signals: polynomials they must reproduce, SciPy and NumPy as oracles."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal

from striate import kernels


def test_the_articles_moving_average():
    f = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
    smooth = np.convolve(f, kernels.moving_average())[: len(f)]
    expected = [10 / 3, 19 / 3, 29 / 3, 28 / 3, 29 / 3, 20 / 3, 7, 20 / 3, 29 / 3, 9]
    assert_allclose(smooth, expected, rtol=1e-14)
    assert_array_equal(kernels.moving_average(), [1 / 3] * 3)


@pytest.mark.parametrize("size", [1, 2, 4, 9, 1000])
def test_smoothing_sums_to_one(size):
    for kernel in (kernels.moving_average(size), kernels.gaussian1d(size)):
        assert kernel.shape == (size,) and kernel.dtype == np.float64
        assert kernel.sum() == pytest.approx(1, rel=1e-13)
        assert_array_equal(kernel, kernel[::-1])


@pytest.mark.parametrize(("size", "sigma"), [(5, 1.0), (8, 0.7), (31, 6.0)])
def test_gaussian_by_its_formula(size, sigma):
    bell = [math.exp(-(((i - (size - 1) / 2) / sigma) ** 2) / 2) for i in range(size)]
    assert_allclose(kernels.gaussian1d(size, sigma), np.array(bell) / sum(bell), rtol=1e-12)


def test_sizes_and_sigmas_that_are_not_given():
    assert_allclose(kernels.gaussian1d(), [0.0708, 0.2445, 0.3695, 0.2445, 0.0708], atol=5e-5)
    assert_array_equal(kernels.gaussian1d(9), kernels.gaussian1d(9, 0.15 * 9 + 0.35))
    assert kernels.gaussian1d(sigma=1).shape == (9,)
    assert kernels.gaussian1d(sigma=1.1).shape == (9,)
    assert kernels.gaussian1d(sigma=1.2).shape == (11,)


def test_differences_as_in_books():
    assert_array_equal(kernels.difference(), [1, -1])
    assert_array_equal(kernels.difference(2), [1, -2, 1])
    assert_array_equal(kernels.difference(3), [1, -3, 3, -1])
    assert_array_equal(kernels.difference(central=True), [0.5, 0, -0.5])
    assert_array_equal(kernels.difference(2, central=True), [1, -2, 1])
    assert_array_equal(kernels.difference(3, central=True), [0.5, -1, 0, 1, -0.5])


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
def test_differences_are_numpys_and_derivatives_of_polynomials(order):
    f = np.random.default_rng(order).normal(size=20)
    assert_allclose(
        np.convolve(f, kernels.difference(order), "valid"), np.diff(f, order), atol=1e-12
    )
    for central in (False, True):
        kernel = kernels.difference(order, central=central)
        assert kernel.sum() == pytest.approx(0, abs=1e-12)
        x = np.arange(20.0)
        # The order-th derivative of x^order is order! everywhere, positive under convolution.
        powers = np.convolve(x**order, kernel, "valid")
        assert_allclose(powers, math.factorial(order), rtol=1e-5)
        assert len(kernel) % 2 == 1 or not central


@pytest.mark.parametrize("size", [5, 7, 21])
@pytest.mark.parametrize("degree", [2, 3, 4])
@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_savitzky_golay_fits_a_polynomial(size, degree, derivative):
    spacing = 0.5
    kernel = kernels.savitzky_golay(size, degree, derivative, spacing=spacing)
    patch = np.random.default_rng(size).normal(size=size)
    x = (np.arange(size) - size // 2) * spacing
    fitted = np.polynomial.Polynomial.fit(x, patch, degree, domain=[-1, 1]).deriv(derivative)
    answer = np.convolve(patch, kernel, "valid")
    assert answer == pytest.approx(fitted(0.0), rel=1e-8)
    assert kernel.sum() == pytest.approx(0 if derivative else 1, abs=1e-10)


def test_savitzky_golay_agrees_with_scipys_filter():
    f = np.random.default_rng(3).normal(size=50)
    filtered = signal.savgol_filter(f, 9, 3, deriv=1)
    answer = np.convolve(f, kernels.savitzky_golay(9, 3, 1), "valid")
    assert_allclose(answer, filtered[4:-4], atol=1e-12)
    assert_allclose(kernels.savitzky_golay(), np.array([-3, 12, 17, 12, -3]) / 35, rtol=1e-12)


def test_a_rise_is_positive_under_convolution():
    ramp = np.arange(20.0)
    for kernel in (
        kernels.difference(),
        kernels.difference(central=True),
        kernels.savitzky_golay(7, 2, 1),
    ):
        assert_allclose(np.convolve(ramp, kernel, "valid"), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.moving_average(0), r"moving_average: size must be at least 1, got 0"),
        (lambda: kernels.moving_average(2**24 + 1), r"size must be at most 16777216"),
        (lambda: kernels.gaussian1d(5, math.nan), r"sigma must be finite"),
        (lambda: kernels.difference(0), r"order must be at least 1, got 0"),
        (lambda: kernels.difference(65), r"order must be at most 64, got 65"),
        (lambda: kernels.savitzky_golay(4), r"savitzky_golay: size must be odd"),
        (lambda: kernels.savitzky_golay(3, 3), r"degree 3 needs at least 4 samples, got size 3"),
        (lambda: kernels.savitzky_golay(5, 2, 3), r"use a derivative of at most 2"),
        (lambda: kernels.savitzky_golay(spacing=0.0), r"spacing must be more than 0"),
    ],
)
def test_values_that_make_no_kernel(call, message):
    with pytest.raises(ValueError, match=message):
        call()
