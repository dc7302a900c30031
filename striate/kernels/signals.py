"""Kernels for signals: arrays of shape (size,)."""

from __future__ import annotations

import numpy as np

from striate.common.arguments import true_or_false, whole_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.kernels._kernel_arguments import check_length, positive, width


def moving_average(size: int = 3) -> Array:
    """The mean of `size` samples: every number is 1/size; (size,).

    ``moving_average()`` is [1/3, 1/3, 1/3], the g of *From Convolution to Neural Network*, section
    Discrete convolutions in 1D. Symmetric: convolution and correlation are the same.
    """
    size = check_length(size, "moving_average")
    return np.full(size, 1 / size)


@unwatched
def gaussian1d(size: int | None = None, sigma: float | None = None) -> Array:
    """The Gaussian bell, sampled and scaled to the sum 1; (size,).

    ::

        g(x) ∝ exp(-x² / (2·sigma²))     x counted from the middle

    Without `sigma` it is 0.15·size + 0.35, as in OpenCV's ``getGaussianKernel`` (which has
    tables of other numbers for odd sizes up to 9, and takes the two middle ones of an even size as
    if both lay in the middle). Without `size` it is
    2·floor(4·sigma + 0.5) + 1, as in ``scipy.ndimage.gaussian_filter``. ``gaussian1d()`` has size 5
    and sigma 1.1: [0.0708, 0.2445, 0.3695, 0.2445, 0.0708].

    Symmetric: convolution and correlation are the same.
    """
    if sigma is not None:
        sigma = width(sigma, "sigma", "gaussian")
    if size is None:
        size = 5 if sigma is None else 2 * int(4 * sigma + 0.5) + 1
    size = check_length(size, "gaussian")
    if sigma is None:
        sigma = 0.15 * size + 0.35
    x = np.arange(size) - (size - 1) / 2
    bell = np.exp(-((x / sigma) ** 2) / 2)
    total = bell.sum()
    if total == 0:  # an even size has no sample in the middle of a bell this narrow
        raise StriateValueError(
            f"gaussian: sigma {sigma:g} is too small for the even size {size}: every number would "
            f"be 0; use an odd size or a larger sigma"
        )
    return np.asarray(bell / total)


def difference(order: int = 1, *, central: bool = False) -> Array:
    """The difference of neighbouring samples, taken `order` times.

    =====  ====================  ==============================
    order  difference(order)     difference(order, central=True)
    =====  ====================  ==============================
    1      [1, -1]               [1/2, 0, -1/2]
    2      [1, -2, 1]            [1, -2, 1]
    3      [1, -3, 3, -1]        [1/2, -1, 0, 1, -1/2]
    =====  ====================  ==============================

    Convolved at the corner (causal), [1, -1] gives ``f[x] - f[x-1]``, and `order` of them the
    backward difference; it has order + 1 numbers, the binomial coefficients with alternating
    signs. The central one is convolved at the centre: [1/2, 0, -1/2] gives
    ``(f[x+1] - f[x-1]) / 2``. It has an odd size at every order, and its response is not shifted.

    Convolution gives the difference itself: positive where a signal rises (order 1) or bends
    upward (order 2). Correlation does not flip and gives the negative at odd orders.
    """
    order = whole_number(order, "order", "difference")
    if order > 64:
        raise StriateValueError(f"difference: order must be at most 64, got {order}")
    kernel = np.ones(1)
    if true_or_false(central, "central", "difference") and order % 2:
        kernel, order = np.array([0.5, 0, -0.5]), order - 1
    for _ in range(order):
        kernel = np.convolve(kernel, [1.0, -1.0])
    return kernel


@unwatched
def savitzky_golay(
    size: int = 5, degree: int = 2, derivative: int = 0, *, spacing: float = 1.0
) -> Array:
    """The value, or a derivative, of a polynomial fitted to `size` samples, in the middle; (size,).

    Around every sample the polynomial of `degree` that is nearest to `size` samples, by least
    squares, takes the place of the sample: a smoothing that keeps the height of peaks. With
    `derivative` n its n-th derivative does, for samples that lie `spacing` apart.
    ``savitzky_golay()`` is [-3, 12, 17, 12, -3] / 35. `size` is odd and larger than `degree`.

    A derivative is positive under convolution where the signal rises; correlation gives the
    negative at odd derivatives. Source: A. Savitzky, M. J. E. Golay, "Smoothing and
    Differentiation of Data by Simplified Least Squares Procedures", Analytical Chemistry 36
    (1964); computed by ``scipy.signal.savgol_coeffs``.
    """
    who = "savitzky_golay"
    size = check_length(size, who, odd=True)
    degree = whole_number(degree, "degree", who, minimum=0)
    derivative = whole_number(derivative, "derivative", who, minimum=0)
    spacing = positive(spacing, "spacing", who)
    if degree >= size:
        raise StriateValueError(
            f"{who}: a polynomial of degree {degree} needs at least {degree + 1} samples, "
            f"got size {size}; use a smaller degree or a larger size"
        )
    if derivative > degree:
        raise StriateValueError(
            f"{who}: the derivative {derivative} of a polynomial of degree {degree} is 0 "
            f"everywhere; use a derivative of at most {degree}"
        )
    from scipy.signal import savgol_coeffs

    return np.asarray(savgol_coeffs(size, degree, deriv=derivative, delta=spacing), np.float64)
