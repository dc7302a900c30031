"""Gabor kernels: the formula point by point, OpenCV, and what they answer to."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from striate import kernels


def by_formula(size, angle, wavelength, sigma, aspect, phase):
    turn, shift, middle = math.radians(angle), math.radians(phase), (size - 1) / 2
    bells, values = np.zeros((2, size, size))
    for row in range(size):
        for column in range(size):
            x, y = column - middle, row - middle
            across = x * math.cos(turn) + y * math.sin(turn)
            along = -x * math.sin(turn) + y * math.cos(turn)
            bells[row, column] = (
                aspect
                / (2 * math.pi * sigma**2)
                * math.exp(-(across**2 + aspect**2 * along**2) / (2 * sigma**2))
            )
            values[row, column] = math.cos(2 * math.pi * across / wavelength + shift)
    return bells, values


@pytest.mark.parametrize("size", [7, 8, 15])
@pytest.mark.parametrize("angle", [0, 30, 90, 117])
@pytest.mark.parametrize("phase", [0, 45, 90, 180])
def test_gabor_by_its_formula(size, angle, phase):
    bells, values = by_formula(size, angle, 5.0, 2.0, 0.7, phase)
    given = {"size": size, "wavelength": 5.0, "sigma": 2.0, "aspect": 0.7, "phase": phase}
    plain = kernels.gabor(angle, **given, zero_sum=False)
    assert_allclose(plain, bells * values, atol=1e-14)
    m = (bells * values).sum() / bells.sum()
    assert_allclose(kernels.gabor(angle, **given), bells * (values - m), atol=1e-14)


@pytest.mark.parametrize("phase", [0, 60, 90])
def test_gabor_is_opencvs_turned_and_scaled(phase):
    cv2 = pytest.importorskip("cv2")
    sigma, aspect = 2.5, 0.6
    theirs = cv2.getGaborKernel(
        (13, 13), sigma, math.radians(35), 6.0, aspect, math.radians(phase), cv2.CV_64F
    )
    ours = kernels.gabor(
        35, size=13, wavelength=6, sigma=sigma, aspect=aspect, phase=phase, zero_sum=False
    )
    scale = aspect / (2 * math.pi * sigma**2)
    assert_allclose(ours, theirs[::-1, ::-1] * scale, atol=1e-14)


def test_the_default_gabor_is_the_one_of_the_docstring():
    kernel = kernels.gabor()
    assert kernel.shape == (27, 27)
    shown = [0.0032, 0, -0.0107, 0, 0.0158, 0, -0.0107, 0, 0.0032]
    assert_allclose(kernel[13, 9:18], shown, atol=1e-4)


def test_sizes_follow_the_bell():
    assert kernels.gabor(sigma=1.0, aspect=1.0).shape == (7, 7)
    assert kernels.gabor(sigma=1.0, aspect=0.5).shape == (13, 13)
    assert kernels.gabor(sigma=1.0, aspect=2.0).shape == (7, 7)


@pytest.mark.parametrize("angle", [0, 20, 45, 90, 135])
@pytest.mark.parametrize("size", [9, 10, 21])
def test_flat_areas_become_zero(angle, size):
    for phase in (0, 30, 90):
        assert kernels.gabor(angle, size=size, phase=phase).sum() == pytest.approx(0, abs=1e-15)


def test_lines_across_the_angle_answer():
    line = np.zeros((41, 41))
    line[:, 20] = 1
    answers = {angle: ndimage.convolve(line, kernels.gabor(angle))[20, 20] for angle in (0, 45, 90)}
    assert answers[0] > 2 * max(answers[45], answers[90])
    level = ndimage.convolve(line.T, kernels.gabor(90))[20, 20]
    assert level == pytest.approx(answers[0])
    # Falling to the lower left, the line is crossed in the direction of 45 degrees.
    diagonal = np.eye(41)[:, ::-1]
    assert ndimage.convolve(diagonal, kernels.gabor(45))[20, 20] > 0.1
    assert ndimage.convolve(diagonal, kernels.gabor(135))[20, 20] < 0.05


@pytest.mark.parametrize("angle", [0, 60, 90, 180, 225, 300])
def test_an_odd_phase_answers_to_a_rise_along_the_angle(angle):
    y, x = np.mgrid[-20:21, -20:21]
    edge = (x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle)) > 0) * 1.0
    kernel = kernels.gabor(angle, phase=90, size=15)
    assert ndimage.convolve(edge, kernel)[20, 20] > 0.05
    assert ndimage.correlate(edge, kernel)[20, 20] < -0.05


def test_symmetry():
    assert_allclose(kernels.gabor(33), kernels.gabor(33)[::-1, ::-1], atol=1e-17)
    odd = kernels.gabor(33, phase=90)
    assert_allclose(odd, -odd[::-1, ::-1], atol=1e-17)
    assert_allclose(kernels.gabor(40), kernels.gabor(220), atol=1e-16)


def test_a_bank_holds_every_angle_of_every_wavelength():
    bank = kernels.gabor_bank(6, (3.0, 7.0), aspect=0.8, phase=90)
    size = len(kernels.gabor(wavelength=7.0, aspect=0.8))
    assert bank.shape == (12, size, size)
    for number, (wavelength, step) in enumerate((w, o) for w in (3.0, 7.0) for o in range(6)):
        expected = kernels.gabor(30 * step, size=size, wavelength=wavelength, aspect=0.8, phase=90)
        assert_array_equal(bank[number], expected)
    assert kernels.gabor_bank().shape == (8, 27, 27)
    assert kernels.gabor_bank(3, size=8).shape == (3, 8, 8)
    plain = kernels.gabor_bank(1, size=8, zero_sum=False)
    assert_array_equal(plain[0], kernels.gabor(size=8, zero_sum=False))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.gabor(wavelength=1.5), r"wavelength must be at least 2, got 1.5"),
        (lambda: kernels.gabor(size=1), r"gabor: size must be at least 3, got 1"),
        (lambda: kernels.gabor(sigma=0), r"sigma must be more than 0, got 0"),
        (lambda: kernels.gabor(aspect=-1), r"aspect must be more than 0"),
        (lambda: kernels.gabor(aspect=0.01, sigma=100), r"size must be at most 4096, got 60001"),
        (lambda: kernels.gabor(math.inf), r"angle must be finite"),
        (lambda: kernels.gabor_bank(0), r"orientations must be at least 1"),
        (lambda: kernels.gabor_bank(8, ()), r"needs at least one wavelength"),
        (lambda: kernels.gabor_bank(8, (4, 1)), r"gabor_bank: wavelength must be at least 2"),
        (lambda: kernels.gabor_bank(8, size=4096), r"more than 16777216 numbers"),
    ],
)
def test_values_that_make_no_kernel(call, message):
    with pytest.raises(ValueError, match=message):
        call()
